/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal and what hangs on it: cut off at any byte it stays readable and
 * usable; an attempt without an end is judged by what Xen says; losses are found;
 * hooks run in order; predictions follow what was measured.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lu-tools/record/record.h"
#include "fake_xen.h"
#include "suite.h"

static char dir[64];
static struct xenlu *lu;

/* ---- helpers ---- */

static void remove_dir(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (system(command))
        abort();
}

static int start(void)
{
    strcpy(dir, "/tmp/record-test.XXXXXX");
    if (!mkdtemp(dir) || setenv("XEN_LIVEUPDATE_DIR", dir, 1))
        return 1;
    fake_reset(3);

    return xenlu_open(&lu, NULL);
}

static int stop(void)
{
    xenlu_close(lu);
    remove_dir();

    return 0;
}

static void fresh(uint32_t nr_domains)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/journal", dir);
    unlink(path);
    fake_reset(nr_domains);
}

static Lu__Manifest *take(void)
{
    struct record_why why;
    Lu__Manifest *m;

    CU_ASSERT_EQUAL_FATAL(manifest_take(lu, &m, &why), 0);

    return m;
}

static Lu__Begin *new_begin(uint32_t id, Lu__Kind kind)
{
    Lu__Begin *b = record_alloc(sizeof(*b));

    lu__begin__init(b);
    b->id = id;
    b->time_ns = record_now();
    b->before = take();
    b->plan = record_alloc(sizeof(*b->plan));
    lu__plan__init(b->plan);
    b->plan->kind = kind;

    return b;
}

static Lu__End *new_end(uint32_t id, Lu__Outcome outcome)
{
    Lu__End *e = record_alloc(sizeof(*e));

    lu__end__init(e);
    e->id = id;
    e->outcome = outcome;
    e->message = record_text("for a test");

    return e;
}

static void begin_and_forget(Lu__Kind kind)
{
    struct record_why why;
    struct journal j;

    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(journal_begin(&j, new_begin(journal_next_id(&j), kind), &why), 0);
    journal_close(&j);
}

/* What completion makes of the last attempt. */
static Lu__Outcome completed(const char *message)
{
    Lu__Outcome outcome = LU__OUTCOME__UNDER_WAY;
    struct record_why why;
    struct journal j;
    const Lu__End *end;

    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(journal_complete(&j, lu, &why), 0);
    end = j.attempts[j.nr_attempts - 1].end;
    if (end) {
        outcome = end->outcome;
        CU_ASSERT_TRUE(end->afterwards);
        CU_ASSERT_PTR_NOT_NULL(strstr(end->message, message));
    }
    journal_close(&j);

    return outcome;
}

/* ---- the file ---- */

static void test_journal(void)
{
    struct record_why why;
    struct journal j, other;

    fresh(3);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(journal_next_id(&j), 1);
    CU_ASSERT_EQUAL(journal_begin(&j, new_begin(1, LU__KIND__UPDATE), &why), 0);
    /* One at a time; but everybody may look. */
    CU_ASSERT_EQUAL(journal_open(&other, true, &why), EBUSY);
    CU_ASSERT_EQUAL_FATAL(journal_open(&other, false, &why), 0);
    CU_ASSERT_EQUAL(other.nr_attempts, 1);
    CU_ASSERT_PTR_NULL(other.attempts[0].end);
    CU_ASSERT_STRING_EQUAL(journal_outcome(&other.attempts[0]), "under way");
    journal_close(&other);
    CU_ASSERT_EQUAL(journal_end(&j, new_end(1, LU__OUTCOME__DONE), &why), 0);
    journal_close(&j);

    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL(j.nr_attempts, 1);
    CU_ASSERT_STRING_EQUAL(journal_outcome(&j.attempts[0]), "done");
    CU_ASSERT_EQUAL(j.attempts[0].begin->before->n_domains, 3);
    CU_ASSERT_EQUAL(journal_next_id(&j), 2);
    CU_ASSERT_PTR_NULL(journal_find(&j, 0, LU__KIND__REHEARSAL));
    CU_ASSERT_PTR_NOT_NULL(journal_find(&j, 1, 0));
    journal_close(&j);
}

/* As after a power cut: whatever is left of the last frame, the one before stays, and the next one fits. */
static void test_cut(void)
{
    struct record_why why;
    struct journal j;
    char path[128];
    struct stat st;
    off_t first, whole;

    fresh(1);
    begin_and_forget(LU__KIND__UPDATE);
    snprintf(path, sizeof(path), "%s/journal", dir);
    stat(path, &st);
    first = st.st_size;
    begin_and_forget(LU__KIND__UPDATE);
    stat(path, &st);
    whole = st.st_size;

    for (off_t size = whole - 1; size > first; size--) {
        CU_ASSERT_EQUAL_FATAL(truncate(path, size), 0);
        CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
        CU_ASSERT_EQUAL(j.nr_attempts, 1);
        CU_ASSERT_EQUAL(j.skipped, (size_t)(size - first));
        journal_close(&j);
    }
    begin_and_forget(LU__KIND__UPDATE);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL(j.nr_attempts, 2);
    CU_ASSERT_EQUAL(j.skipped, 0);
    journal_close(&j);
}

/* A damaged frame in the middle costs that frame only. */
static void test_damage(void)
{
    struct record_why why;
    struct journal j;
    char path[128];
    FILE *f;

    fresh(1);
    for (int i = 0; i < 3; i++)
        begin_and_forget(LU__KIND__UPDATE);
    snprintf(path, sizeof(path), "%s/journal", dir);
    f = fopen(path, "r+");
    fseek(f, 20, SEEK_SET);
    fputc(0xff, f);
    fclose(f);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL(j.nr_attempts, 2);
    CU_ASSERT_TRUE(j.skipped > 0);
    journal_close(&j);
}

/* ---- what became of it ---- */

static void test_judge_same_xen(void)
{
    fresh(2);
    begin_and_forget(LU__KIND__UPDATE);
    CU_ASSERT_EQUAL(completed("nothing has happened"), LU__OUTCOME__NOT_TRIED);

    begin_and_forget(LU__KIND__UPDATE);
    fake.result.attempts++;
    fake.result.state = XEN_LIVEUPDATE_STATE_running;
    fake.query.phase = XEN_LIVEUPDATE_PHASE_check;
    CU_ASSERT_EQUAL(completed(""), LU__OUTCOME__UNDER_WAY);
    fake.result.state = XEN_LIVEUPDATE_STATE_failed;
    fake.query.phase = XEN_LIVEUPDATE_PHASE_idle;
    CU_ASSERT_EQUAL(completed("as it was"), LU__OUTCOME__FAILED);

    begin_and_forget(LU__KIND__REHEARSAL);
    fake.result.attempts++;
    fake.result.state = XEN_LIVEUPDATE_STATE_rehearsed;
    CU_ASSERT_EQUAL(completed("rehearsed"), LU__OUTCOME__REHEARSED);

    begin_and_forget(LU__KIND__UPDATE);
    fake.result.attempts++;
    CU_ASSERT_EQUAL(completed("before the update"), LU__OUTCOME__NOT_TRIED);

    begin_and_forget(LU__KIND__UPDATE);
    fake.result.attempts += 5;
    CU_ASSERT_EQUAL(completed("other attempts"), LU__OUTCOME__NOT_KNOWN);
}

static void replace_xen(void)
{
    fake.query.generation++;
    fake.result.generation++;
    fake.result.attempts = 0;
    fake.result.state = XEN_LIVEUPDATE_STATE_done;
}

static void test_judge_replaced(void)
{
    fresh(2);
    begin_and_forget(LU__KIND__UPDATE);
    replace_xen();
    CU_ASSERT_EQUAL(completed("done"), LU__OUTCOME__DONE);

    begin_and_forget(LU__KIND__UPDATE);
    replace_xen();
    replace_xen();
    CU_ASSERT_EQUAL(completed("other means"), LU__OUTCOME__NOT_KNOWN);

    begin_and_forget(LU__KIND__UPDATE);
    replace_xen();
    fake.nr_domains--;
    CU_ASSERT_EQUAL(completed("something was missing"), LU__OUTCOME__LOST);
}

static void test_judge_rebooted(void)
{
    struct xenlu_result r = {.state = XENLU_STATE_NONE};
    Lu__Host now = LU__HOST__INIT;
    Lu__Begin *b;
    Lu__End *end;

    fresh(2);
    b = new_begin(1, LU__KIND__UPDATE);
    now.boot_id = "another one";
    end = journal_judge(b, &now, false, &r);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    CU_ASSERT_EQUAL(end->outcome, LU__OUTCOME__NOT_KNOWN);
    CU_ASSERT_STRING_EQUAL(end->message, "began, not known to have ended; the host rebooted since");
    lu__end__free_unpacked(end, NULL);
    lu__begin__free_unpacked(b, NULL);
}

/* ---- manifests ---- */

static size_t losses(Lu__Manifest *before, const char *first)
{
    Lu__Manifest *after = take();
    char **missing;
    size_t nr;

    manifest_compare(before, after, &missing, &nr);
    if (nr)
        CU_ASSERT_STRING_EQUAL(missing[0], first);
    for (size_t i = 0; i < nr; i++)
        free(missing[i]);
    free(missing);
    lu__manifest__free_unpacked(after, NULL);

    return nr;
}

static void test_manifest(void)
{
    Lu__Manifest *before;

    fresh(90); /* more than the library asks for at first */
    before = take();
    CU_ASSERT_EQUAL(before->n_domains, 90);
    CU_ASSERT_EQUAL(losses(before, ""), 0);
    fake.domain[3].tot_pages -= 1000; /* ballooning is nobody's business */
    CU_ASSERT_EQUAL(losses(before, ""), 0);
    fake.domain[3].nr_vcpus++;
    CU_ASSERT_EQUAL(losses(before, "domain 3 has 5 vCPUs in place of 4"), 1);
    fake.domain[3].nr_vcpus--;
    fake.domain[4].flags = XEN_LIVEUPDATE_DOMAIN_SHUTDOWN;
    CU_ASSERT_EQUAL(losses(before, "domain 4 has shut down or crashed"), 1);
    fake.domain[4].flags = 0;
    fake.domain[5].handle[0]++;
    CU_ASSERT_EQUAL(losses(before, "domain 5 is another one: its UUID differs"), 1);
    fake.domain[5].handle[0]--;
    fake.domain[6].max_pages++;
    CU_ASSERT_EQUAL(losses(before, "domain 6 may have 32769 pages in place of 32768"), 1);
    fake.domain[6].max_pages--;
    fake.nr_domains = 89;
    CU_ASSERT_EQUAL(losses(before, "domain 89 is gone"), 1);
    lu__manifest__free_unpacked(before, NULL);
}

/* ---- prediction ---- */

static void write_attempt(Lu__Kind kind, int64_t save, int64_t pause, Lu__Outcome outcome)
{
    struct xenlu_result r = {.state = XENLU_STATE_DONE, .pause_ns = pause};
    struct record_why why;
    struct journal j;
    Lu__End *end;
    uint32_t id;

    for (int i = 0; i < XENLU_NR_PHASES; i++)
        r.phase_ns[i] = -1;
    r.phase_ns[XEN_LIVEUPDATE_PHASE_save] = save;
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    id = journal_next_id(&j);
    CU_ASSERT_EQUAL(journal_begin(&j, new_begin(id, kind), &why), 0);
    end = new_end(id, outcome);
    end->result = journal_result(&r);
    CU_ASSERT_EQUAL(journal_end(&j, end, &why), 0);
    journal_close(&j);
}

static int64_t predicted(const char *basis)
{
    struct record_why why;
    Lu__Manifest *m = take();
    Lu__Prediction *p;
    struct journal j;
    int64_t ns;

    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    p = predict_pause(&j, m, NULL);
    ns = p->pause_ns;
    CU_ASSERT_STRING_EQUAL(p->basis, basis);
    lu__prediction__free_unpacked(p, NULL);
    lu__manifest__free_unpacked(m, NULL);
    journal_close(&j);

    return ns;
}

static void test_prediction(void)
{
    static const char seen[] = "up to the jump: rehearsal 4; behind it: update 2";
    static const char booted[] = "up to the jump: rehearsal 1; behind it: the boot of this Xen";
    int64_t ns, longer, rehearsed;

    fresh(9);
    ns = predicted("up to the jump: a guess, rehearse measures it; behind it: a guess");
    CU_ASSERT_TRUE(ns > 20000000 && ns < 50000000);

    /* A machine whose Xen takes long to boot. */
    fake.boot_ns = 100000000;
    longer =
        predicted("up to the jump: a guess, rehearse measures it; behind it: the boot of this Xen");
    CU_ASSERT_TRUE(longer > ns + 95000000);

    /* And that is of half the speed. */
    write_attempt(LU__KIND__REHEARSAL, 2 * 39 * 9 * 32768, 23000000, LU__OUTCOME__REHEARSED);
    rehearsed = predicted(booted);
    CU_ASSERT_TRUE(rehearsed > longer + ns / 2 && rehearsed < longer + ns);
    fake.boot_ns *= 2;
    CU_ASSERT_TRUE(predicted(booted) > rehearsed + 100000000);

    /* What has been seen counts more; failures do not count. */
    write_attempt(LU__KIND__UPDATE, 10000000, 70000000, LU__OUTCOME__DONE);
    write_attempt(LU__KIND__UPDATE, 500000000, 900000000, LU__OUTCOME__FAILED);
    CU_ASSERT_EQUAL(predicted("up to the jump: update 2; behind it: update 2"), 70000000);
    write_attempt(LU__KIND__REHEARSAL, 12000000, 12000000, LU__OUTCOME__REHEARSED);
    CU_ASSERT_EQUAL(predicted(seen), 72000000);

    /* Twice the domains take longer, but not twice as long. */
    for (uint32_t i = 9; i < 18; i++) {
        fake.domain[i] = fake.domain[8];
        fake.domain[i].domid = i;
    }
    fake.nr_domains = 18;
    ns = predicted(seen);
    CU_ASSERT_TRUE(ns > 80000000 && ns < 144000000);
}

/* ---- hooks ---- */

static void write_hook(const char *when, const char *name, const char *text, mode_t mode)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, when);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/%s/%s", dir, when, name);
    f = fopen(path, "w");
    fprintf(f, "#!/bin/sh\n%s\n", text);
    fclose(f);
    chmod(path, mode);
}

static void test_hooks(void)
{
    struct facts facts = {0};
    struct record_why why;
    char path[128], text[64] = "";
    FILE *f;

    setenv("XEN_LIVEUPDATE_HOOKS", dir, 1);
    facts_add(&facts, "OUT", "%s/out", dir);
    CU_ASSERT_EQUAL(hooks_run("pre-check", &facts, &why), 0); /* no directory */

    write_hook("pre-apply", "20-b", "echo b $XEN_LIVEUPDATE_HOOK >>$XEN_LIVEUPDATE_OUT", 0755);
    write_hook("pre-apply", "10-a", "echo a >>$XEN_LIVEUPDATE_OUT", 0755);
    write_hook("pre-apply", "15-no.sh~", "echo no >>$XEN_LIVEUPDATE_OUT", 0755);
    write_hook("pre-apply", "README", "echo readme >>$XEN_LIVEUPDATE_OUT", 0644);
    CU_ASSERT_EQUAL(hooks_run("pre-apply", &facts, &why), 0);
    snprintf(path, sizeof(path), "%s/out", dir);
    f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    if (fread(text, 1, sizeof(text) - 1, f))
        CU_ASSERT_STRING_EQUAL(text, "a\nb pre-apply\n");
    fclose(f);

    write_hook("pre-apply", "15-fails", "exit 3", 0755);
    CU_ASSERT_EQUAL(hooks_run("pre-apply", &facts, &why), ECANCELED);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "/15-fails failed with exit code 3"));
    write_hook("pre-apply", "15-fails", "kill -9 $$", 0755);
    CU_ASSERT_EQUAL(hooks_run("pre-apply", &facts, &why), ECANCELED);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "ended by signal 9"));
    facts_free(&facts);
}

/* ---- staged, metrics, JSON ---- */

static void test_staged(void)
{
    Lu__Target t = LU__TARGET__INIT;
    struct record_why why;
    Lu__Manifest *m;
    Lu__Staged *s;

    fresh(1);
    m = take();
    t.path = "/boot/xen";
    CU_ASSERT_EQUAL(staged_write(m->host, &t, &why), 0);
    s = staged_read(m->host);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_STRING_EQUAL(s->target->path, "/boot/xen");
    lu__staged__free_unpacked(s, NULL);
    /* What another Xen had staged is gone with it. */
    m->host->generation++;
    CU_ASSERT_PTR_NULL(staged_read(m->host));
    m->host->generation--;
    CU_ASSERT_EQUAL(staged_write(NULL, NULL, &why), 0);
    CU_ASSERT_PTR_NULL(staged_read(m->host));
    lu__manifest__free_unpacked(m, NULL);
}

static void test_metrics(void)
{
    char path[128], text[4096] = "";
    struct xenlu_status s;
    struct record_why why;
    struct journal j;
    FILE *f;

    fresh(1);
    write_attempt(LU__KIND__UPDATE, 10000000, 70000000, LU__OUTCOME__DONE);
    setenv("XEN_LIVEUPDATE_METRICS", dir, 1);
    CU_ASSERT_EQUAL(xenlu_get_status(lu, &s, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL(metrics_write(&s, &j, &why), 0);
    journal_close(&j);
    snprintf(path, sizeof(path), "%s/xen_liveupdate.prom", dir);
    f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_TRUE(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nxen_liveupdate_staged 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nxen_liveupdate_last_result{outcome=\"done\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nxen_liveupdate_last_result{outcome=\"failed\"} 0\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nxen_liveupdate_last_pause_seconds 0.07\n"));
}

static void test_json(void)
{
    json_t *whole, *o;
    Lu__Begin *b;

    fresh(2);
    b = new_begin(7, LU__KIND__REHEARSAL);
    whole = o = message_json(&b->base);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(o, "id")), 7);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_object_get(o, "plan"), "kind")),
                           "rehearsal");
    CU_ASSERT_TRUE(json_is_null(json_object_get(json_object_get(o, "plan"), "target")));
    o = json_object_get(o, "before");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(o, "domains")), 2);
    o = json_object_get(json_array_get(json_object_get(o, "domains"), 1), "handle");
    CU_ASSERT_STRING_EQUAL(json_string_value(o), "01010101010101010101010101010101");
    json_decref(whole);
    lu__begin__free_unpacked(b, NULL);
}

/* ---- the library ---- */

static void grow(void)
{
    fake.nr_domains = 2;
}

static void test_library(void)
{
    struct xenlu_inventory inv;
    struct xenlu_target target;
    struct xenlu_result r;
    struct xenlu_domain *d;
    struct xenlu_error err;

    fresh(1);
    fake.on_execute = grow;
    CU_ASSERT_EQUAL(xenlu_apply(lu, 1, &r, &err), XENLU_OK);
    CU_ASSERT_EQUAL(r.pause_ns, 31000000);
    CU_ASSERT_EQUAL(xenlu_get_inventory(lu, &inv, &d, &err), XENLU_OK);
    CU_ASSERT_EQUAL(inv.nr_domains, 2);
    free(d);

    fresh(1);
    fake.fails = true;
    CU_ASSERT_EQUAL(xenlu_apply(lu, 1, &r, &err), XENLU_FAILED);
    CU_ASSERT_EQUAL(err.domid, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "phase save, resource grant, domain 1: for a test"));

    fake_reset(1);
    fake.fail_op = XEN_LIVEUPDATE_inventory;
    fake.error = EOPNOTSUPP;
    CU_ASSERT_EQUAL(xenlu_get_inventory(lu, &inv, &d, &err), XENLU_UNSUPPORTED);

    fake_reset(1);
    fake.pvh_dom0 = true;
    CU_ASSERT_EQUAL(xenlu_stage(lu, "/boot/xen", NULL, &target, &err), XENLU_REFUSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "dom0 is PVH"));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"the journal is written and read", test_journal},
        {"a journal that is cut off at any byte", test_cut},
        {"a damaged journal", test_damage},
        {"cut off: the same Xen", test_judge_same_xen},
        {"cut off: another Xen", test_judge_replaced},
        {"cut off: another boot", test_judge_rebooted},
        {"what is missing is found", test_manifest},
        {"the pause is predicted", test_prediction},
        {"hooks", test_hooks},
        {"what is staged", test_staged},
        {"metrics", test_metrics},
        {"messages as JSON", test_json},
        {"the library on another Xen", test_library},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"record", start, stop, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    return run_suites(suites);
}
