/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection, for tests with debug builds of Xen: every point (phase and
 * resource) where an update can fail can be listed, and made to fail, or to hang, once.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int fault_off(struct cli *c)
{
    struct xenlu_fault fault;
    struct xenlu_error err;

    if (xenlu_set_fault(c->lu, 0, 0, &fault, sizeof(fault), &err))
        return complain(c, &err);
    json_object_set_new(c->out, "hit", json_integer(fault.hit));
    say(c, "hit: %u\n", fault.hit);

    return EXIT_DONE;
}

/* Looks at each point by setting it; leaves none set. */
static int fault_list(struct cli *c, uint32_t nr_resources)
{
    json_t *points = json_array();
    struct xenlu_fault fault;
    struct xenlu_error err;

    json_object_set_new(c->out, "points", points);
    for (uint32_t phase = 1; xenlu_phase_name(phase); phase++)
        for (uint32_t i = 0; i < nr_resources; i++) {
            if (xenlu_set_fault(c->lu, phase, i, &fault, sizeof(fault), &err))
                return complain(c, &err);
            if (!fault.exists)
                continue;
            json_array_append_new(points, json_pack("{s:s, s:s}", "phase", xenlu_phase_name(phase),
                                                    "resource", fault.resource));
            say(c, "%s %s\n", xenlu_phase_name(phase), fault.resource);
        }
    if (xenlu_set_fault(c->lu, 0, 0, &fault, sizeof(fault), &err))
        return complain(c, &err);

    return EXIT_DONE;
}

static uint32_t find_phase(const char *name)
{
    for (uint32_t phase = 1; xenlu_phase_name(phase); phase++)
        if (!strcmp(xenlu_phase_name(phase), name))
            return phase;

    return 0;
}

static int fault_set(struct cli *c, uint32_t nr_resources, const char *phase_name,
                     const char *resource, bool hang)
{
    uint32_t phase = find_phase(phase_name);
    struct xenlu_fault fault;
    struct xenlu_error err;

    if (!phase)
        return complain_usage(c, "no phase \"%s\"", phase_name);
    if (hang)
        phase |= XENLU_FAULT_HANG;

    /* Setting a point tells its name: done when it is the one. */
    for (uint32_t i = 0; i < nr_resources; i++) {
        if (xenlu_set_fault(c->lu, phase, i, &fault, sizeof(fault), &err))
            return complain(c, &err);
        if (strcmp(fault.resource, resource))
            continue;
        if (!fault.exists)
            return complain_usage(c,
                                  hang ? "nothing hangs at %s in phase %s"
                                       : "resource %s does nothing in phase %s",
                                  resource, phase_name);
        say(c, "fault: %s %s%s\n", phase_name, resource, hang ? " hang" : "");
        return EXIT_DONE;
    }
    xenlu_set_fault(c->lu, 0, 0, &fault, sizeof(fault), NULL);

    return complain_usage(c, "no resource \"%s\"", resource);
}

int verb_fault(struct cli *c)
{
    struct xenlu_status status;
    struct xenlu_error err;

    if (c->dry_run)
        return complain_usage(c, "fault only looks by changing something: there is no dry run");
    if (xenlu_get_status(c->lu, &status, sizeof(status), &err))
        return complain(c, &err);

    if (c->nr_args == 3 && strcmp(c->args[2], "hang"))
        return complain_usage(c, "no fault \"%s\": there is hang", c->args[2]);
    if (c->nr_args >= 2)
        return fault_set(c, status.nr_resources, c->args[0], c->args[1], c->nr_args == 3);
    if (!strcmp(c->args[0], "off"))
        return fault_off(c);
    if (!strcmp(c->args[0], "list"))
        return fault_list(c, status.nr_resources);

    return complain_usage(c, "fault takes PHASE RESOURCE [hang], list, or off");
}
