/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * update TARGET: what a program has to do for a live update, and no more.
 *
 *     cc update.c $(pkg-config --cflags --libs xenliveupdate)
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <xenliveupdate.h>

/* What an error is, about whom, and what to do: all of it is for people. */
static int fail(const struct xenlu_error *err)
{
    fprintf(stderr, "%s: %s\n", xenlu_code_name(err->code), err->message);
    if (err->advice[0])
        fprintf(stderr, "what to do: %s\n", err->advice);

    return 1;
}

static void tell_phase(struct xenlu *lu, uint32_t phase, void *data)
{
    (void)lu, (void)data;
    printf("%s\n", xenlu_phase_name(phase));
}

static int update(struct xenlu *lu, const char *path)
{
    struct xenlu_refusal *refusals;
    struct xenlu_result result;
    struct xenlu_error err;
    unsigned int nr;

    if (xenlu_stage(lu, path, NULL, NULL, 0, &err) ||
        xenlu_check(lu, &refusals, sizeof(*refusals), &nr, &err))
        return fail(&err);
    for (unsigned int i = 0; i < nr; i++)
        fprintf(stderr, "domain %" PRIu32 ", %s: %s\n", refusals[i].domid, refusals[i].resource,
                refusals[i].reason);
    free(refusals);
    if (nr)
        return 3;

    xenlu_set_progress(lu, tell_phase, NULL);
    if (xenlu_apply(lu, 60, &result, sizeof(result), &err))
        return fail(&err);
    printf("%s -> %s, domains stood still for %" PRId64 " ns\n", result.from, result.to,
           result.pause_ns);

    return 0;
}

int main(int argc, char **argv)
{
    struct xenlu *lu;
    struct xenlu_error err;
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: update TARGET\n");
        return 1;
    }
    if (xenlu_open(&lu, &err))
        return fail(&err);
    rc = update(lu, argv[1]);
    xenlu_close(lu);

    return rc;
}
