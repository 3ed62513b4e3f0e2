/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * createdom DOMID NAME KERNEL MIB: a PV guest with a domid of one's choice, which xl cannot give. From
 * then on it is like one that xl has created.
 */
#include "common.h"

#include <libxl.h>

int main(int argc, char **argv)
{
    xentoollog_logger_stdiostream *logger;
    libxl_domain_config config;
    libxl_ctx *ctx;
    uint32_t domid;
    int rc;

    if (argc != 5)
        usage("createdom DOMID NAME KERNEL MIB");
    logger = xtl_createlogger_stdiostream(stderr, XTL_WARN, 0);
    if (libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, (xentoollog_logger *)logger))
        return 1;

    libxl_domain_config_init(&config);
    config.c_info.type = LIBXL_DOMAIN_TYPE_PV;
    config.c_info.domid = strtoul(argv[1], NULL, 0);
    config.c_info.name = strdup(argv[2]);
    libxl_uuid_generate(&config.c_info.uuid);
    libxl_domain_build_info_init_type(&config.b_info, LIBXL_DOMAIN_TYPE_PV);
    config.b_info.kernel = strdup(argv[3]);
    config.b_info.max_memkb = config.b_info.target_memkb = strtoul(argv[4], NULL, 0) * 1024;
    config.b_info.max_vcpus = 1;

    rc = libxl_domain_create_new(ctx, &config, &domid, NULL, NULL);
    if (!rc)
        rc = libxl_domain_unpause(ctx, domid, NULL);
    if (rc)
        fprintf(stderr, "createdom: no domain %s: %d\n", argv[1], rc);
    else if (domid != config.c_info.domid) {
        fprintf(stderr, "createdom: domain %s became %u\n", argv[1], domid);
        rc = 1;
    }

    libxl_domain_config_dispose(&config);
    libxl_ctx_free(ctx);
    xtl_logger_destroy((xentoollog_logger *)logger);
    return rc ? 1 : 0;
}
