/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen-liveupdate on a host of its own, for tests of fleet/: the command line with the Xen of the unit
 * tests (../unit/fake_xen.c), which lives in a file and so from one call to the next.
 *
 *     fake-host HOST make DOMAINS [KEY=VALUE...]   a host that was never updated; HOST is a file
 *     fake-host HOST set KEY=VALUE...              see settings[]; refuse=DOMID:RESOURCE:REASON, accept=DOMID
 *     fake-host HOST show                          as JSON: what it runs, and how often it was asked for what
 *     fake-host HOST depart DOMID                  that domain is gone
 *     fake-host HOST arrive                        another one has come; prints its domid
 *     fake-host FILE image VERSION BUILD-ID        writes a target; 40 hexadecimal digits
 *     fake-host HOST run ARGUMENTS...              xen-liveupdate
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/fake_xen.h"
#include "../unit/kexec_test.h"

/* main.c's. */
int xen_liveupdate_main(int argc, char **argv);

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "fake-host: %s: %s\n", what, strerror(errno));
    exit(70);
}

static void attach(const char *file, bool make)
{
    int fd = open(file, O_RDWR | O_CLOEXEC | (make ? O_CREAT | O_TRUNC : 0), 0600);

    if (fd < 0 || (make && ftruncate(fd, sizeof(fake))))
        die(file);
    fake_xen = mmap(NULL, sizeof(fake), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fake_xen == MAP_FAILED)
        die(file);
    close(fd);
}

/* ---- settings ---- */

static const struct {
    const char *name;
    size_t at;
} settings[] = {
    {"free", offsetof(struct fake_xen, free_pages)},
    {"needed", offsetof(struct fake_xen, needed_pages)},
};

static void accept_domain(uint32_t domid)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < fake.nr_refusals; i++)
        if (fake.refusal[i].domid != domid)
            fake.refusal[kept++] = fake.refusal[i];
    fake.nr_refusals = kept;
}

static void set(const char *word)
{
    const char *value = strchr(word, '=');
    char resource[64], reason[64];
    unsigned int domid;

    if (!value++)
        goto wrong;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (!strncmp(word, settings[i].name, value - word - 1)) {
            *(uint64_t *)((char *)fake_xen + settings[i].at) = strtoull(value, NULL, 0);
            return;
        }
    if (sscanf(word, "refuse=%u:%63[^:]:%63[^\n]", &domid, resource, reason) == 3)
        fake_refuse(domid, EOPNOTSUPP, resource, reason);
    else if (sscanf(word, "accept=%u", &domid) == 1)
        accept_domain(domid);
    else if (!strncmp(word, "fails=", 6))
        fake.fails = *value == '1';
    else if (!strncmp(word, "returns=", 8))
        fake.returns = *value == '1';
    else if (!strncmp(word, "stuck=", 6))
        fake.stuck = *value == '1' ? FAKE_SAVE : FAKE_IDLE;
    else if (!strncmp(word, "build=", 6))
        snprintf(fake.build_id, sizeof(fake.build_id), "%s", value);
    else if (!strncmp(word, "version=", 8))
        snprintf(fake.version, sizeof(fake.version), "%s", value);
    else if (!strncmp(word, "loses=", 6))
        fake.loses = *value == '1';
    else
        goto wrong;

    return;

wrong:
    errno = EINVAL;
    die(word);
}

static void depart(uint32_t domid)
{
    for (uint32_t i = 0; i < fake.nr_domains; i++)
        if (fake.domain[i].domid == domid) {
            memmove(&fake.domain[i], &fake.domain[i + 1],
                    (--fake.nr_domains - i) * sizeof(fake.domain[0]));
            accept_domain(domid);
            return;
        }
    errno = ESRCH;
    die("depart");
}

static uint32_t arrive(void)
{
    uint32_t last = fake.nr_domains ? fake.domain[fake.nr_domains - 1].domid : 0;

    if (fake.nr_domains == FAKE_DOMAINS) {
        errno = ENOSPC;
        die("arrive");
    }
    fake.domain[fake.nr_domains] = (struct xen_liveupdate_domain){.domid = last + 1,
                                                                  .nr_vcpus = 1,
                                                                  .tot_pages = 32768,
                                                                  .max_pages = 32768};
    memset(fake.domain[fake.nr_domains].handle, (int)last + 1, sizeof(fake.domain[0].handle));

    return fake.domain[fake.nr_domains++].domid;
}

static void show(void)
{
    printf("{\"version\": \"%s\", \"build_id\": \"%s\", \"generation\": %u, \"staged\": %s,\n"
           " \"executed\": %u, \"rehearsed\": %u, \"loads\": %u, \"domains\": %u}\n",
           fake.version, fake.build_id, fake.query.generation, fake.query.staged ? "true" : "false",
           fake.calls[XEN_LIVEUPDATE_execute], fake.calls[XEN_LIVEUPDATE_rehearse], fake.loads,
           fake.nr_domains);
}

static void write_image(const char *file, const char *version, const char *build_id)
{
    struct image image;
    uint8_t *id = image.bytes + AT_LUNOTE + sizeof(Elf32_Nhdr) + 4;
    FILE *f = fopen(file, "wb");

    image_good(&image);
    snprintf(image_note(&image)->version, sizeof(image_note(&image)->version), "%s", version);
    image_note(&image)->flags = FAKE_FEATURES;
    for (unsigned int i = 0; i < 20; i++)
        if (sscanf(build_id + 2 * i, "%2hhx", &id[i]) != 1) {
            errno = EINVAL;
            die("build id");
        }
    if (!f || fwrite(&image, sizeof(image), 1, f) != 1 || fclose(f))
        die(file);
}

/* ---- what happens to it ---- */

/* What runs after an update is what was loaded. */
static void loaded(void)
{
    if (fake.staged_version[0])
        memcpy(fake.next_version, fake.staged_version, sizeof(fake.next_version));
}

/* A domain that the update loses. */
static void staged(enum fake_stage stage)
{
    if (stage == FAKE_SETTLE && fake.loses && fake.nr_domains > 1)
        fake.nr_domains--;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "";

    if (!strcmp(what, "image") && argc == 5) {
        write_image(argv[1], argv[3], argv[4]);
    } else if (!strcmp(what, "make") && argc > 3) {
        attach(argv[1], true);
        fake_reset(strtoul(argv[3], NULL, 10));
        fake.query.staged = fake.query.staged_features = 0;
        for (int i = 4; i < argc; i++)
            set(argv[i]);
    } else if (!strcmp(what, "set") && argc > 3) {
        attach(argv[1], false);
        for (int i = 3; i < argc; i++)
            set(argv[i]);
    } else if (!strcmp(what, "show") && argc == 3) {
        attach(argv[1], false);
        show();
    } else if (!strcmp(what, "depart") && argc == 4) {
        attach(argv[1], false);
        depart(strtoul(argv[3], NULL, 10));
    } else if (!strcmp(what, "arrive") && argc == 3) {
        attach(argv[1], false);
        printf("%u\n", arrive());
    } else if (!strcmp(what, "run") && argc > 2) {
        attach(argv[1], false);
        fake.on_load = loaded;
        fake.on_stage = staged;
        argv[2] = "xen-liveupdate";
        exit(xen_liveupdate_main(argc - 2, argv + 2));
    } else {
        fprintf(stderr, "fake-host: see the head of fake_host.c\n");
        return 64;
    }

    return 0;
}
