/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * update TARGET: a live update by a program that has a loop of its own, and other things to do in it.
 * SIGINT or SIGTERM takes the update back, if that still can be.
 *
 *     cc update.c $(pkg-config --cflags --libs xenliveupdate)
 */

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <xenliveupdate.h>

/* What an error is, about whom, and what to do: all of it is for people. */
static int fail(const struct xenlu_error *err)
{
    fprintf(stderr, "%s: %s\n", xenlu_code_name(err->code), err->message);
    if (err->advice[0])
        fprintf(stderr, "what to do: %s\n", err->advice);

    return 1;
}

static int prepare(struct xenlu *lu, const char *path)
{
    struct xenlu_refusal *refusals;
    struct xenlu_error err;
    unsigned int nr;

    if (xenlu_stage(lu, path, NULL, NULL, 0, &err) ||
        xenlu_check(lu, &refusals, sizeof(*refusals), &nr, &err))
        return fail(&err);
    for (unsigned int i = 0; i < nr; i++)
        fprintf(stderr, "domain %" PRIu32 ", %s: %s\n", refusals[i].domid, refusals[i].resource,
                refusals[i].reason);
    free(refusals);

    return nr ? 3 : 0;
}

/* Nothing else is to be done while it rehearses: that takes as long as the update does. */
static int rehearse(struct xenlu *lu)
{
    struct xenlu_plan plan = {.kind = XENLU_REHEARSAL, .timeout = 60};
    struct xenlu_result result;
    struct xenlu_error err;

    if (xenlu_start(lu, &plan, sizeof(plan), &err) ||
        xenlu_wait(lu, NULL, NULL, &result, sizeof(result), &err))
        return fail(&err);
    printf("rehearsed: domains stood still for %" PRId64 " ns\n", result.pause_ns);

    return 0;
}

static int update(struct xenlu *lu, int signals)
{
    struct xenlu_plan plan = {.kind = XENLU_UPDATE, .timeout = 60};
    struct pollfd fds = {.fd = signals, .events = POLLIN};
    struct signalfd_siginfo signal;
    struct xenlu_result result;
    struct xenlu_error err;
    enum xenlu_code code;
    uint32_t phase = 0;

    if (xenlu_start(lu, &plan, sizeof(plan), &err))
        return fail(&err);
    while ((code = xenlu_poll(lu, &result, sizeof(result), &err)) == XENLU_UNDER_WAY) {
        if (result.phase != phase)
            printf("%s\n", xenlu_phase_name(result.phase));
        phase = result.phase;
        /* The program's own events; here, these signals are all of them. */
        if (poll(&fds, 1, 20) > 0 && read(signals, &signal, sizeof(signal)) > 0 &&
            xenlu_abort(lu, &err))
            fail(&err);
    }
    if (code)
        return fail(&err);
    printf("%s -> %s, domains stood still for %" PRId64 " ns\n", result.from, result.to,
           result.pause_ns);

    return 0;
}

int main(int argc, char **argv)
{
    struct xenlu *lu;
    struct xenlu_error err;
    sigset_t signals;
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: update TARGET\n");
        return 1;
    }
    if (xenlu_open(&lu, &err))
        return fail(&err);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    rc = prepare(lu, argv[1]);
    if (!rc)
        rc = rehearse(lu);
    if (!rc)
        rc = update(lu, signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
    xenlu_close(lu);

    return rc;
}
