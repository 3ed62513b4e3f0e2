/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * check: can this host be updated, to this target?
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/internal.h"
#include "../record/message_json.h"
#include "cli.h"

#define PAGES_PER_MIB 256

/* What is wrong with the file, or a dom0 that cannot load it, decides as much as a domain does. */
static bool is_about_target(enum xenlu_code code)
{
    return (code >= XENLU_TRUNCATED && code <= XENLU_REGION_TOO_SMALL) || code == XENLU_REFUSED;
}

/*
 * The tools of another release have to be there before its Xen runs.  Those of this
 * one go on to work, but /usr/sbin/xl of a distribution asks for those of the Xen
 * that runs.
 */
static int check_tools(struct cli *c, const struct xenlu_status *s, const struct xenlu_target *t)
{
    static const char *const places[] = {"/usr/lib/xen-%s/bin", "/usr/local/lib/xen-%s/bin"};
    char old[32], new[32], path[128];
    bool found = false;

    release_of(old, sizeof(old), s->version);
    release_of(new, sizeof(new), t->version);
    for (size_t i = 0; !found && i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), places[i], new);
        found = !access(path, X_OK);
    }
    json_object_set_new(c->out, "tools",
                        json_pack("{s:s, s:b, s:o}", "release", new, "other", strcmp(old, new),
                                  "path", found ? json_string(path) : json_null()));
    say(c, "tools for %s: %s\n", new,
        found              ? path
        : strcmp(old, new) ? "none"
                           : "those that are in use");
    if (found || !strcmp(old, new) || (c->without & XENLU_WITHOUT_TOOLS))
        return EXIT_DONE;

    return complain_text(c, EXIT_REFUSED, "no-tools", "install the tools of that release first",
                         "the target is Xen %s, whose tools are not installed", new);
}

/* *target: what there is to tell of it; all 0: nothing. */
static int check_target(struct cli *c, const char *path, const struct xenlu_status *s,
                        struct xenlu_target *target)
{
    struct xenlu_error err;
    int rc, lost;

    *target = (struct xenlu_target){0};
    if (xenlu_check_target(c->lu, path, c->append, target, sizeof(*target), &err)) {
        rc = complain(c, &err);

        return is_about_target(err.code) ? EXIT_REFUSED : rc;
    }
    json_object_set_new(c->out, "target", json_target(path, target));
    print_target(c, path, target);
    print_lost(c, target);
    lost = target_accept_loss(c->lu, target, &err) ? complain(c, &err) : EXIT_DONE;
    rc = check_tools(c, s, target);

    return rc ? rc : lost;
}

/* A line for each domain: all of its resources, or what stands in the way. */
static void tell_domains(struct cli *c, const Lu__Manifest *m, unsigned int nr_resources)
{
    json_t *refusals = json_object_get(c->out, "refusals"), *list = json_array(), *r;

    for (size_t i = 0; i < m->n_domains; i++) {
        unsigned int refused = 0;
        char who[128];
        size_t k;

        json_array_foreach(refusals, k, r)
        {
            const json_t *domid = json_object_get(r, "domain");

            refused += json_is_integer(domid) && json_integer_value(domid) == m->domains[i]->domid;
        }
        json_array_append_new(list, json_pack("{s:i, s:s, s:b, s:i}", "domain",
                                              m->domains[i]->domid, "name", m->domains[i]->name,
                                              "carried", !refused, "refusals", refused));
        manifest_name(m, m->domains[i]->domid, who, sizeof(who));
        if (c->verbose)
            say(c, "%s: %s (%u resources asked)\n", who, refused ? "no" : "yes", nr_resources);
    }
    json_object_set_new(c->out, "domains", list);
}

static void tell_memory(struct cli *c, const Lu__Host *h)
{
    json_object_set_new(c->out, "memory",
                        json_pack("{s:I, s:I}", "needed", (json_int_t)h->needed_pages * 4096,
                                  "free", (json_int_t)h->free_pages * 4096));
    say(c, "memory: %llu MiB needed, %llu MiB free\n",
        (unsigned long long)(h->needed_pages + PAGES_PER_MIB - 1) / PAGES_PER_MIB,
        (unsigned long long)h->free_pages / PAGES_PER_MIB);
}

static int tell_prediction(struct cli *c, const Lu__Manifest *m)
{
    struct journal j;
    Lu__Prediction *p;
    int rc = read_journal(c, &j);

    if (rc)
        return rc;
    p = predict_pause(&j, m, NULL);
    json_object_set_new(c->out, "prediction", message_json(&p->base));
    print_prediction(c, p);
    lu__prediction__free_unpacked(p, NULL);
    journal_close(&j);

    return EXIT_DONE;
}

static int check(struct cli *c, const struct xenlu_status *s, const Lu__Manifest *m)
{
    struct xenlu_target target;
    int rc, target_rc = EXIT_DONE;

    say(c, "stream format: writes %u, reads %u to %u\n", s->format, s->format_oldest, s->format);
    if (c->nr_args)
        target_rc = check_target(c, c->args[0], s, &target);
    /* What is wrong with the target is one answer; domains may give others. */
    if (target_rc != EXIT_DONE && target_rc != EXIT_REFUSED)
        return target_rc;

    rc = check_domains(c, stdout, m, c->nr_args ? &target : NULL);
    if (rc == EXIT_DONE || rc == EXIT_REFUSED) {
        int failed;

        tell_domains(c, m, s->nr_resources);
        tell_memory(c, m->host);
        failed = tell_prediction(c, m);
        if (failed)
            return failed;
    }

    return rc ? rc : target_rc;
}

int verb_check(struct cli *c)
{
    struct xenlu_status status;
    struct xenlu_error err;
    struct facts facts;
    Lu__Manifest *m;
    int rc;

    if ((c->append || c->without) && !c->nr_args)
        return complain_usage(c, "%s belongs to a TARGET", c->append ? "--append" : "--without");
    if (xenlu_get_status(c->lu, &status, sizeof(status), &err))
        return complain(c, &err);
    json_object_set_new(c->out, "status", json_status(&status));

    rc = check_hooks(c);
    if (rc)
        return rc;
    catch_signals();
    base_facts(c, &facts);
    facts_add(&facts, "VERB", "check");
    rc = run_pre_hooks(c, "pre-check", &facts);
    release_signals();
    facts_free(&facts);
    if (rc)
        return rc;

    rc = take_manifest(c, &m);
    if (rc)
        return rc;
    rc = check(c, &status, m);
    lu__manifest__free_unpacked(m, NULL);
    if (!rc)
        say(c, "check: passed\n");
    else if (rc == EXIT_REFUSED)
        say(c, "check: refused\n");

    return rc;
}
