/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What several verbs do: the journal, manifests, hooks, metrics, the check.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define ADVICE_DISK "make room, or set XEN_LIVEUPDATE_DIR to a directory that can be written"

int open_journal(struct cli *c, struct journal *j)
{
    struct record_why why;
    int rc = journal_open(j, true, &why);

    if (rc == EBUSY)
        return complain_text(c, EXIT_BUSY, "busy", "try again in a moment",
                             "an update is under way: another xen-liveupdate is at it");
    if (rc)
        return complain_text(c, EXIT_ERROR, "journal", ADVICE_DISK, "the journal: %s", why.text);

    rc = journal_complete(j, c->lu, &why);
    if (rc) {
        journal_close(j);
        return complain_text(c, EXIT_ERROR, "journal", ADVICE_DISK, "the journal: %s", why.text);
    }

    return EXIT_DONE;
}

/* Whoever only reads is neither kept out nor stopped by what cannot be completed. */
int read_journal(struct cli *c, struct journal *j)
{
    struct record_why why;
    struct xenlu_error err;

    if (!c->lu && xenlu_open(&c->lu, &err))
        c->lu = NULL;
    if (c->lu && !journal_open(j, true, &why)) {
        if (journal_complete(j, c->lu, &why))
            warn(c, "the journal could not be completed: %s", why.text);
        return EXIT_DONE;
    }
    if (journal_open(j, false, &why))
        return complain_text(c, EXIT_ERROR, "journal", "run it as root", "the journal: %s",
                             why.text);

    return EXIT_DONE;
}

int take_manifest(struct cli *c, Lu__Manifest **m)
{
    struct record_why why;

    if (manifest_take(c->lu, m, &why))
        return complain_text(c, EXIT_ERROR, "inventory", "",
                             "what there is to carry cannot be listed: %s", why.text);

    return EXIT_DONE;
}

void update_metrics(struct cli *c, const struct journal *j)
{
    struct xenlu_status status;
    struct record_why why;

    if (!xenlu_get_status(c->lu, &status, NULL) && metrics_write(&status, j, &why))
        warn(c, "metrics: %s", why.text);
}

/* ---- hooks ---- */

void base_facts(struct cli *c, struct facts *f)
{
    struct xenlu_status s;
    struct xenlu_error err;

    *f = (struct facts){0};
    if (xenlu_get_status(c->lu, &s, &err))
        return;
    facts_add(f, "VERSION", "%s", s.version);
    facts_add(f, "CHANGESET", "%s", s.changeset);
    facts_add(f, "GENERATION", "%u", s.generation);
    facts_add(f, "STAGED", "%u", s.staged);
}

int run_pre_hook(struct cli *c, const char *name, const struct facts *f)
{
    struct record_why why;

    if (!hooks_run(name, f, &why))
        return EXIT_DONE;

    return complain_text(c, EXIT_REFUSED, "hook", "see what the hook says",
                         "%s; nothing has been tried", why.text);
}

void run_post_hook(struct cli *c, const char *name, const struct facts *f)
{
    struct record_why why;

    if (hooks_run(name, f, &why))
        warn(c, "%s", why.text);
}

/* ---- check ---- */

int check_domains(struct cli *c, FILE *to, const Lu__Manifest *names)
{
    struct xenlu_refusal *list;
    struct xenlu_error err;
    unsigned int nr;

    if (xenlu_check(c->lu, &list, &nr, &err))
        return complain(c, &err);
    json_object_set_new(c->out, "refusals", json_refusals(list, nr));
    if (!c->json || to == stderr)
        print_refusals(to, list, nr, names);
    free(list);

    return nr ? EXIT_REFUSED : EXIT_DONE;
}

Lu__Target *target_message(const char *path, const struct xenlu_target *t)
{
    Lu__Target *m = record_alloc(sizeof(*m));

    lu__target__init(m);
    m->path = record_text(path);
    m->version = record_text(t->version);
    m->changeset = record_text(t->changeset);
    m->build_id = record_text(t->build_id);
    m->command_line = record_text(t->command_line);
    m->segments = record_alloc(t->nr_segments * sizeof(*m->segments) + 1);
    for (unsigned int i = 0; i < t->nr_segments; i++) {
        Lu__Segment *s = record_alloc(sizeof(*s));

        lu__segment__init(s);
        s->name = record_text(t->segment[i].name);
        s->start = t->segment[i].start;
        s->size = t->segment[i].size;
        s->crc32c = t->segment[i].crc32c;
        m->segments[m->n_segments++] = s;
    }

    return m;
}
