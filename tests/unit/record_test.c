/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal and what hangs on it: what was written is read, or refused; an attempt without an end is judged by what Xen says; losses are found;
 * hooks run in order; predictions follow what was measured.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "../../lu-tools/record/message_json.h"
#include "../../lu-tools/record/record.h"
#include "fake_xen.h"
#include "kexec_test.h"
#include "old_frame.h"

static char dir[64];
static struct xenlu *lu;

/* ---- what is on the disk ---- */

static char synced[1024]; /* names of files, each behind a space */
static int fsync_error;   /* the next ones fail with this errno */

static int synced_by(int fd, long call)
{
    char link[64], path[256];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    if (strlen(synced) + strlen(path) + 2 < sizeof(synced))
        sprintf(synced + strlen(synced), " %s", path);
    if (fsync_error) {
        errno = fsync_error;
        return -1;
    }

    return syscall(call, fd);
}

/* In place of libc's, for SQLite as well. */
int fsync(int fd)
{
    return synced_by(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return synced_by(fd, SYS_fdatasync);
}

/* Are the file and its name on the disk, since synced was emptied? */
static bool on_disk(const char *name)
{
    char path[256], parent[256];

    snprintf(path, sizeof(path), " %s/%s ", dir, name);
    snprintf(parent, sizeof(parent), " %s ", dir);
    strcat(synced, " ");

    return strstr(synced, path) && strstr(synced, parent);
}

/* The mode of a file in the directory; 0: it is not there, or not a file. */
static mode_t mode_of(const char *name)
{
    char path[256];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    return !lstat(path, &st) && S_ISREG(st.st_mode) ? st.st_mode & 07777 : 0;
}

static size_t read_text(const char *name, char *text, size_t size)
{
    char path[256];
    FILE *f;
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "r");
    if (f) {
        n = fread(text, 1, size - 1, f);
        fclose(f);
    }
    text[n] = '\0';

    return n;
}

/* Of a file anywhere, as it is read: files in /proc have no length. */
static size_t read_file_size(const char *path)
{
    FILE *f = fopen(path, "r");
    char text[256];
    size_t n = 0;

    if (f) {
        n = fread(text, 1, sizeof(text), f);
        fclose(f);
    }

    return n;
}

/* ---- helpers ---- */

static void remove_dir(void)
{
    char command[128];

    snprintf(command, sizeof(command), "cd / && rm -rf '%s'", dir);
    if (system(command))
        abort();
}

static int start(void)
{
    strcpy(dir, "/tmp/record-test.XXXXXX");
    if (!mkdtemp(dir) || setenv("XEN_LIVEUPDATE_DIR", dir, 1) || chdir(dir))
        return 1;
    signal(SIGXFSZ, SIG_IGN);
    umask(022);
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
    unlink("journal.db");
    unlink("journal.db-journal");
    unlink("journal");
    unlink("journal.imported");
    unlink("staged");
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

    /* Numbers go on behind the highest, and the last one of a kind is found. */
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(journal_begin(&j, new_begin(7, LU__KIND__UPDATE), &why), 0);
    CU_ASSERT_EQUAL(journal_begin(&j, new_begin(5, LU__KIND__REHEARSAL), &why), 0);
    CU_ASSERT_EQUAL(journal_next_id(&j), 8);
    CU_ASSERT_EQUAL(journal_find(&j, 0, LU__KIND__UPDATE)->begin->id, 7);
    CU_ASSERT_EQUAL(journal_find(&j, 0, LU__KIND__REHEARSAL)->begin->id, 5);
    journal_close(&j);
}

static void test_journal_disk(void)
{
    struct record_why why;
    struct journal j;
    struct rlimit limit;

    /* Begin is on the disk when this returns, and for root alone; so is the directory's own name. */
    fresh(1);
    synced[0] = '\0';
    setenv("XEN_LIVEUPDATE_DIR", "new/state", 1);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    strcat(synced, " ");
    CU_ASSERT_TRUE(on_disk("new"));
    journal_close(&j);
    setenv("XEN_LIVEUPDATE_DIR", dir, 1);
    synced[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(journal_begin(&j, new_begin(1, LU__KIND__UPDATE), &why), 0);
    CU_ASSERT_TRUE(on_disk("journal.db"));
    CU_ASSERT_EQUAL(mode_of("journal.db"), 0600);

    /* What does not get there is an error, and no entry. */
    fsync_error = EIO;
    CU_ASSERT_EQUAL(journal_end(&j, new_end(1, LU__OUTCOME__DONE), &why), EIO);
    fsync_error = 0;
    CU_ASSERT_PTR_NULL(j.attempts[0].end);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 100;
    setrlimit(RLIMIT_FSIZE, &limit);
    CU_ASSERT_EQUAL(journal_end(&j, new_end(1, LU__OUTCOME__DONE), &why), EFBIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "/journal.db: cannot be written: File too large"));
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    CU_ASSERT_PTR_NULL(j.attempts[0].end);
    journal_close(&j);

    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(j.nr_attempts, 1);
    CU_ASSERT_PTR_NULL(j.attempts[0].end);
    journal_close(&j);
}

/* What cannot be read is not taken for an empty journal. */
static void test_journal_unreadable(void)
{
    struct record_why why;
    struct journal j;

    fresh(1);
    CU_ASSERT_EQUAL_FATAL(mkdir("journal.db", 0700), 0);
    CU_ASSERT_EQUAL(journal_open(&j, true, &why), EISDIR);
    CU_ASSERT_EQUAL_FATAL(rmdir("journal.db"), 0);

    setenv("XEN_LIVEUPDATE_DIR", "/dev/null", 1);
    CU_ASSERT_EQUAL(journal_open(&j, false, &why), ENOTDIR);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "/dev/null/journal.db: cannot be read"));
    CU_ASSERT_NOT_EQUAL(journal_open(&j, true, &why), 0);
    /* An empty one counts as none. */
    setenv("XEN_LIVEUPDATE_DIR", "", 1);
    CU_ASSERT_STRING_EQUAL(record_dir("XEN_LIVEUPDATE_DIR", "/standard"), "/standard");
    setenv("XEN_LIVEUPDATE_DIR", dir, 1);
    CU_ASSERT_STRING_EQUAL(record_dir("XEN_LIVEUPDATE_DIR", "/standard"), dir);
}

/* By other hands than the journal's. */
static void sql(const char *text)
{
    sqlite3 *db;

    CU_ASSERT_EQUAL_FATAL(sqlite3_open("journal.db", &db), SQLITE_OK);
    CU_ASSERT_EQUAL_FATAL(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A row with @b, which is freed. */
static void insert_row(int id, Lu__Begin *b)
{
    size_t size = lu__begin__get_packed_size(b);
    uint8_t *data = record_alloc(size + 1);
    char *text = record_alloc(2 * size + 100), *p = text;

    lu__begin__pack(b, data);
    p += sprintf(p, "INSERT INTO attempt VALUES (%d, 0, x'", id);
    for (size_t i = 0; i < size; i++)
        p += sprintf(p, "%02x", data[i]);
    strcpy(p, "', NULL)");
    sql(text);
    free(text);
    free(data);
    lu__begin__free_unpacked(b, NULL);
}

/* Attempts that this version does not understand are left out, and counted; their numbers are taken. */
static void test_journal_strange(void)
{
    struct record_why why;
    struct journal j;
    Lu__Begin *b;

    fresh(1);
    begin_and_forget(LU__KIND__UPDATE);
    b = new_begin(2, LU__KIND__UPDATE);
    lu__plan__free_unpacked(b->plan, NULL);
    b->plan = NULL;
    insert_row(2, b);
    b = new_begin(3, LU__KIND__UPDATE);
    lu__host__free_unpacked(b->before->host, NULL);
    b->before->host = NULL;
    insert_row(3, b);
    insert_row(4, new_begin(5, LU__KIND__UPDATE));
    sql("INSERT INTO attempt VALUES (6, 0, x'ffff', NULL)");

    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL_FATAL(j.nr_attempts, 1);
    CU_ASSERT_EQUAL(j.attempts[0].begin->id, 1);
    CU_ASSERT_EQUAL(j.skipped, 4);
    CU_ASSERT_EQUAL(journal_next_id(&j), 7);
    journal_close(&j);

    /* An End that is not understood does not make it under way. */
    sql("DELETE FROM attempt WHERE id > 1; UPDATE attempt SET end = x'ffff'");
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL(j.nr_attempts, 0);
    CU_ASSERT_EQUAL(j.skipped, 1);
    journal_close(&j);

    sql("PRAGMA user_version = 2");
    CU_ASSERT_EQUAL(journal_open(&j, false, &why), ENOTSUP);
    CU_ASSERT_EQUAL(journal_open(&j, true, &why), ENOTSUP);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "journal.db: was written by a later version"));
}

/* A number is one attempt's, and an End belongs to one that is under way. */
static void test_same_number(void)
{
    struct record_why why;
    struct journal j;

    fresh(1);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(journal_begin(&j, new_begin(1, LU__KIND__UPDATE), &why), 0);
    CU_ASSERT_EQUAL(journal_begin(&j, new_begin(1, LU__KIND__REHEARSAL), &why), EEXIST);
    CU_ASSERT_EQUAL(journal_end(&j, new_end(2, LU__OUTCOME__DONE), &why), ENOENT);
    CU_ASSERT_EQUAL(journal_complete(&j, lu, &why), 0);
    CU_ASSERT_EQUAL(journal_end(&j, new_end(1, LU__OUTCOME__DONE), &why), ENOENT);
    CU_ASSERT_EQUAL(journal_next_id(&j), 2);
    journal_close(&j);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL_FATAL(j.nr_attempts, 1);
    CU_ASSERT_STRING_EQUAL(journal_outcome(&j.attempts[0]), "not tried");
    journal_close(&j);
}

/* As many as are to be kept, of each kind; what is under way is not dropped. */
static void test_keep(void)
{
    static const char *const bad[] = {"0", "-1", "x", "1x", "1000001", " 5"};
    struct record_why why;
    struct journal j;

    fresh(1);
    setenv("XEN_LIVEUPDATE_KEEP", "3", 1);
    begin_and_forget(LU__KIND__UPDATE);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    for (uint32_t id = 2; id < 10; id++) {
        Lu__Kind kind = id < 5 ? LU__KIND__REHEARSAL : LU__KIND__UPDATE;

        CU_ASSERT_EQUAL(journal_begin(&j, new_begin(id, kind), &why), 0);
        CU_ASSERT_EQUAL(journal_end(&j, new_end(id, LU__OUTCOME__DONE), &why), 0);
    }
    journal_close(&j);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL_FATAL(j.nr_attempts, 7);
    CU_ASSERT_EQUAL(j.attempts[0].begin->id, 1);
    CU_ASSERT_EQUAL(j.attempts[1].begin->id, 2);
    CU_ASSERT_EQUAL(j.attempts[4].begin->id, 7);
    CU_ASSERT_EQUAL(journal_next_id(&j), 10);
    journal_close(&j);

    /* What is newer, and of the other kind, does not count. */
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    for (uint32_t id = 10; id < 15; id++) {
        Lu__Kind kind = id < 14 ? LU__KIND__REHEARSAL : LU__KIND__UPDATE;

        CU_ASSERT_EQUAL(journal_begin(&j, new_begin(id, kind), &why), 0);
        CU_ASSERT_EQUAL(journal_end(&j, new_end(id, LU__OUTCOME__DONE), &why), 0);
    }
    journal_close(&j);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL_FATAL(j.nr_attempts, 7);
    CU_ASSERT_EQUAL(j.attempts[1].begin->id, 8);
    CU_ASSERT_EQUAL(j.attempts[3].begin->id, 11);
    journal_close(&j);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv("XEN_LIVEUPDATE_KEEP", bad[i], 1);
        CU_ASSERT_EQUAL(journal_open(&j, true, &why), EINVAL);
    }
    unsetenv("XEN_LIVEUPDATE_KEEP");
}

static void test_outcomes(void)
{
    static const struct {
        Lu__Outcome outcome;
        const char *name;
    } names[] = {
        {LU__OUTCOME__UNDER_WAY, "under way"}, {LU__OUTCOME__DONE, "done"},
        {LU__OUTCOME__FAILED, "failed"},       {LU__OUTCOME__NOT_TRIED, "not tried"},
        {LU__OUTCOME__LOST, "lost"},           {LU__OUTCOME__NOT_KNOWN, "not known"},
        {LU__OUTCOME__REHEARSED, "rehearsed"}, {99, "?"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        Lu__End end = {.outcome = names[i].outcome};
        struct attempt a = {NULL, &end};

        CU_ASSERT_STRING_EQUAL(journal_outcome(&a), names[i].name);
    }
}

/* A file that is no database, or a damaged one, is not written to; nor is it taken for an empty one. */
static void test_damage(void)
{
    struct record_why why;
    struct journal j;
    struct stat st;
    FILE *f;

    fresh(1);
    for (int i = 0; i < 3; i++)
        begin_and_forget(LU__KIND__UPDATE);
    for (int whole = 0; whole < 2; whole++) {
        stat("journal.db", &st);
        f = fopen("journal.db", "r+");
        for (int i = 0; i < 512; i++) {
            fseek(f, whole ? i : st.st_size - 4096 + i, SEEK_SET);
            fputc(0xff, f);
        }
        fclose(f);
        CU_ASSERT_EQUAL(journal_open(&j, false, &why), EBADMSG);
        CU_ASSERT_EQUAL(journal_open(&j, true, &why), EBADMSG);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "journal.db: is damaged: "));
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "; put it aside"));
    }
    unlink("journal.db");
    begin_and_forget(LU__KIND__UPDATE);
}

/* ---- the journal of before ---- */

static void write_old(void)
{
    FILE *f = fopen("journal", "w");
    uint32_t ids[] = {1, 2, 2, 7};

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    for (size_t i = 0; i < 4; i++) {
        Lu__Begin *b = new_begin(ids[i], i == 1 ? LU__KIND__REHEARSAL : LU__KIND__UPDATE);
        Lu__End *e = new_end(ids[i], i == 1 ? LU__OUTCOME__REHEARSED : LU__OUTCOME__DONE);

        old_frame_begin(f, b);
        if (i < 3)
            old_frame_end(f, e);
        if (i == 1) {
            fputs("garbage", f);
            /* One that is not what it was. */
            b->id = 9;
            b->plan->timeout_s = 5;
            old_frame_begin(f, b);
            fseek(f, -1, SEEK_CUR);
            fputc(6, f);
        }
        lu__begin__free_unpacked(b, NULL);
        lu__end__free_unpacked(e, NULL);
    }
    fputs("XLUJ cut short", f);
    fclose(f);
}

static void check_imported(const struct journal *j, size_t skipped)
{
    static const char *const outcomes[] = {"done", "rehearsed", "done", "under way"};
    static const uint32_t ids[] = {1, 2, 3, 7};

    CU_ASSERT_EQUAL_FATAL(j->nr_attempts, 4);
    CU_ASSERT_EQUAL(j->skipped, skipped);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(j->attempts[i].begin->id, ids[i]);
        CU_ASSERT_STRING_EQUAL(journal_outcome(&j->attempts[i]), outcomes[i]);
    }
    CU_ASSERT_EQUAL(journal_next_id(j), 8);
}

/* Read by whoever only reads, taken over once by the first who writes, and kept. */
static void test_import(void)
{
    struct record_why why;
    struct journal j;

    fresh(1);
    write_old();
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    check_imported(&j, 3);
    journal_close(&j);
    CU_ASSERT_EQUAL(mode_of("journal.db"), 0);

    /* What cannot be read is not left behind. */
    rename("journal", "aside");
    CU_ASSERT_EQUAL_FATAL(mkdir("journal", 0700), 0);
    CU_ASSERT_EQUAL(journal_open(&j, true, &why), EISDIR);
    CU_ASSERT_EQUAL_FATAL(rmdir("journal"), 0);
    rename("aside", "journal");

    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    check_imported(&j, 3);
    CU_ASSERT_EQUAL(journal_end(&j, new_end(7, LU__OUTCOME__FAILED), &why), 0);
    journal_close(&j);
    CU_ASSERT_EQUAL(mode_of("journal"), 0);
    CU_ASSERT_NOT_EQUAL(mode_of("journal.imported"), 0);

    /* Cut off before it was put aside: not taken over again. */
    rename("journal.imported", "journal");
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(j.nr_attempts, 4);
    CU_ASSERT_STRING_EQUAL(journal_outcome(&j.attempts[3]), "failed");
    journal_close(&j);
    CU_ASSERT_EQUAL(mode_of("journal"), 0);

    /* Nothing is ever put in the place of one that was kept. */
    write_old();
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(j.nr_attempts, 4);
    journal_close(&j);
    CU_ASSERT_NOT_EQUAL(mode_of("journal"), 0);
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

    begin_and_forget(LU__KIND__UPDATE);
    fake.result.attempts++;
    fake.result.state = XEN_LIVEUPDATE_STATE_returned;
    CU_ASSERT_EQUAL(completed("the target refused and came back"), LU__OUTCOME__RETURNED);

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

    /* An update that has to keep a limit rehearses first, a rehearsal does not. */
    begin_and_forget(LU__KIND__UPDATE);
    fake.result.attempts += 2;
    fake.result.state = XEN_LIVEUPDATE_STATE_failed;
    CU_ASSERT_EQUAL(completed("as it was"), LU__OUTCOME__FAILED);
    begin_and_forget(LU__KIND__REHEARSAL);
    fake.result.attempts += 2;
    CU_ASSERT_EQUAL(completed("other attempts"), LU__OUTCOME__NOT_KNOWN);
}

/* What has an End is not judged again. */
static void test_judge_once(void)
{
    struct record_why why;
    struct journal j;

    fresh(1);
    begin_and_forget(LU__KIND__UPDATE);
    CU_ASSERT_EQUAL(completed("nothing has happened"), LU__OUTCOME__NOT_TRIED);
    CU_ASSERT_EQUAL(completed("nothing has happened"), LU__OUTCOME__NOT_TRIED);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL(j.nr_attempts, 1);
    journal_close(&j);
}

static void test_result(void)
{
    struct xenlu_result r = {.state = XENLU_STATE_FAILED,
                             .errnum = EIO,
                             .phase = XEN_LIVEUPDATE_PHASE_save,
                             .domid = 3,
                             .resource = "grant",
                             .reason = "for a test",
                             .pause_ns = -1};
    Lu__Result *m;

    for (int i = 0; i < XENLU_NR_PHASES; i++)
        r.phase_ns[i] = -1;
    r.phase_ns[XEN_LIVEUPDATE_PHASE_stage] = 1;
    r.phase_ns[XEN_LIVEUPDATE_PHASE_settle] = 0;
    m = journal_result(&r);
    CU_ASSERT_EQUAL_FATAL(m->n_phases, 2);
    CU_ASSERT_STRING_EQUAL(m->phases[0]->name, "stage");
    CU_ASSERT_STRING_EQUAL(m->phases[1]->name, "settle");
    CU_ASSERT_STRING_EQUAL(m->failed_phase, "save");
    CU_ASSERT_STRING_EQUAL(m->failed_resource, "grant");
    CU_ASSERT_STRING_EQUAL(m->reason, "for a test");
    CU_ASSERT_EQUAL(m->failed_domain, 3);
    CU_ASSERT_EQUAL(m->errnum, EIO);
    lu__result__free_unpacked(m, NULL);

    r.domid = XENLU_NO_DOMAIN;
    m = journal_result(&r);
    CU_ASSERT_EQUAL(m->failed_domain, -1);
    lu__result__free_unpacked(m, NULL);
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

    begin_and_forget(LU__KIND__REHEARSAL);
    replace_xen();
    CU_ASSERT_EQUAL(completed("whether the rehearsal ended"), LU__OUTCOME__NOT_KNOWN);
}

/* It is done if it is the target that runs now. */
static void test_judge_target(void)
{
    static const struct {
        const char *version;
        Lu__Outcome outcome;
    } cases[] = {{"4.17.5-old", LU__OUTCOME__DONE}, {"4.17.9", LU__OUTCOME__NOT_KNOWN}};

    for (size_t i = 0; i < 2; i++) {
        struct record_why why;
        struct journal j;
        Lu__Begin *b;

        fresh(1);
        b = new_begin(1, LU__KIND__UPDATE);
        b->plan->target = record_alloc(sizeof(*b->plan->target));
        lu__target__init(b->plan->target);
        b->plan->target->version = record_text(cases[i].version);
        CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
        CU_ASSERT_EQUAL(journal_begin(&j, b, &why), 0);
        journal_close(&j);
        replace_xen();
        CU_ASSERT_EQUAL(completed(""), cases[i].outcome);
    }
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
    Lu__End *end = new_end(1, LU__OUTCOME__DONE);
    size_t nr;

    manifest_compare(before, after, &(struct domids){0}, end);
    nr = end->n_missing;
    if (nr)
        CU_ASSERT_STRING_EQUAL(end->missing[0], first);
    lu__end__free_unpacked(end, NULL);
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
    /* Who has shut down by himself is not missing; another one of that number is. */
    fake.domain[4].flags |= XEN_LIVEUPDATE_DOMAIN_ENDED | XEN_LIVEUPDATE_DOMAIN_DYING;
    CU_ASSERT_EQUAL(losses(before, ""), 0);
    fake.domain[4].handle[0]++;
    CU_ASSERT_EQUAL(losses(before, "domain 4 is another one: its UUID differs"), 1);
    fake.domain[4].handle[0]--;
    fake.domain[4].flags = 0;
    fake.domain[5].handle[0]++;
    CU_ASSERT_EQUAL(losses(before, "domain 5 is another one: its UUID differs"), 1);
    fake.domain[5].handle[0]--;
    fake.domain[6].max_pages++;
    CU_ASSERT_EQUAL(losses(before, "domain 6 may have 32769 pages in place of 32768"), 1);
    fake.domain[6].max_pages--;
    fake.domain[6].max_pages--;
    CU_ASSERT_EQUAL(losses(before, "domain 6 may have 32767 pages in place of 32768"), 1);
    fake.domain[6].max_pages++;
    /* What it had not been given yet it has not lost. */
    before->domains[8]->vcpus = 0;
    before->domains[8]->max_pages = 0;
    CU_ASSERT_EQUAL(losses(before, ""), 0);
    fake.domain[7].flags = XEN_LIVEUPDATE_DOMAIN_DYING;
    CU_ASSERT_EQUAL(losses(before, "domain 7 is being destroyed"), 1);
    fake.domain[7].flags = XEN_LIVEUPDATE_DOMAIN_HVM;
    CU_ASSERT_EQUAL(losses(before, "domain 7 is of another type"), 1);
    fake.domain[7].flags = XEN_LIVEUPDATE_DOMAIN_PAUSED;
    CU_ASSERT_EQUAL(losses(before, ""), 0);
    fake.domain[7].flags = 0;
    fake.nr_domains = 89;
    CU_ASSERT_EQUAL(losses(before, "domain 89 is gone"), 1);
    lu__manifest__free_unpacked(before, NULL);
}

/* What was so before is no loss. */
static void test_manifest_flags(void)
{
    Lu__Manifest *before;

    fresh(3);
    fake.domain[1].flags = XEN_LIVEUPDATE_DOMAIN_DYING | XEN_LIVEUPDATE_DOMAIN_SHUTDOWN;
    fake.domain[2].flags = XEN_LIVEUPDATE_DOMAIN_PAUSED | XEN_LIVEUPDATE_DOMAIN_HVM;
    fake.domain[2].tot_pages = 100;
    fake.domain[2].nr_online = 2;
    before = take();
    CU_ASSERT_TRUE(before->domains[1]->dying && before->domains[1]->shutdown);
    CU_ASSERT_FALSE(before->domains[1]->paused || before->domains[1]->hvm);
    CU_ASSERT_TRUE(before->domains[2]->paused && before->domains[2]->hvm);
    CU_ASSERT_FALSE(before->domains[2]->dying || before->domains[2]->shutdown);
    CU_ASSERT_EQUAL(before->domains[2]->online, 2);
    CU_ASSERT_EQUAL(manifest_pages(before), 2 * 32768 + 100);
    CU_ASSERT_EQUAL(losses(before, ""), 0);
    /* Whose digests agree is the same domain. */
    fake.domain[1].handle[15]++;
    CU_ASSERT_EQUAL(losses(before, "domain 1 is another one: its UUID differs"), 1);
    fake.domain[0].flags = fake.domain[1].flags;
    CU_ASSERT_EQUAL(losses(before, "domain 0 is being destroyed"), 3);
    lu__manifest__free_unpacked(before, NULL);
}

static void test_digest(void)
{
    uint8_t handle[16] = {1}, other[16] = {2};
    Lu__Domain d = LU__DOMAIN__INIT;
    uint32_t digest;

    d.domid = 3;
    d.handle.data = handle;
    d.handle.len = sizeof(handle);
    digest = manifest_digest(&d);
    d.pages = 77;
    CU_ASSERT_EQUAL(manifest_digest(&d), digest);
    d.handle.data = other;
    CU_ASSERT_NOT_EQUAL(manifest_digest(&d), digest);
    d.handle.data = handle;
    d.vcpus++;
    CU_ASSERT_NOT_EQUAL(manifest_digest(&d), digest);
}

static void test_devices(void)
{
    static const struct {
        const char *bus, *name, *driver, *state, *loss;
    } cases[] = {
        {"pci", "0000:00:03.0", "e1000e", "", NULL},
        {"pci", "0000:00:04.0", "e1000e", "", "domain 0: pci device 0000:00:04.0 is gone"},
        {"xen-backend", "0000:00:03.0", "e1000e", "",
         "domain 0: xen-backend device 0000:00:03.0 is gone"},
        {"pci", "0000:00:03.0", "vfio", "",
         "domain 0: pci device 0000:00:03.0 has driver \"e1000e\" in place of \"vfio\""},
        {"xen-backend", "vif-1-0", "vif", "Connected",
         "domain 0: xen-backend device vif-1-0 is no longer connected (Closed)"},
        {"xen-backend", "vif-1-0", "vif", "Closing", NULL},
    };
    Lu__Device there = LU__DEVICE__INIT, back_end = LU__DEVICE__INIT, was = LU__DEVICE__INIT;
    Lu__Device *now[] = {&there, &back_end}, *then[] = {&was};
    Lu__Host host = LU__HOST__INIT;
    Lu__Manifest before = LU__MANIFEST__INIT, after = LU__MANIFEST__INIT;

    there.bus = "pci", there.name = "0000:00:03.0", there.driver = "e1000e";
    back_end.bus = "xen-backend", back_end.name = "vif-1-0", back_end.driver = "vif",
    back_end.state = "Closed";
    CU_ASSERT_EQUAL(manifest_back_end_domid("vif-1-0"), 1);
    CU_ASSERT_EQUAL(manifest_back_end_domid("9pfs-12-0"), 12);
    CU_ASSERT_EQUAL(manifest_back_end_domid("console"), 0);
    before.host = after.host = &host;
    before.devices = then, before.n_devices = 1;
    after.devices = now, after.n_devices = 2;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Lu__End *end = new_end(1, LU__OUTCOME__DONE);

        was.bus = (char *)cases[i].bus, was.name = (char *)cases[i].name;
        was.driver = (char *)cases[i].driver, was.state = (char *)cases[i].state;
        manifest_compare(&before, &after, &(struct domids){0}, end);
        CU_ASSERT_EQUAL(end->n_missing, cases[i].loss ? 1 : 0);
        if (end->n_missing == 1 && cases[i].loss)
            CU_ASSERT_STRING_EQUAL(end->missing[0], cases[i].loss);
        lu__end__free_unpacked(end, NULL);
    }
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
    static const char first[] = "up to the jump: rehearsal 4; behind it: update 2";
    static const char seen[] = "up to the jump: rehearsal 6; behind it: update 5";
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
    CU_ASSERT_EQUAL(predicted(first), 72000000);

    /* A newer update counts more than an older rehearsal. */
    write_attempt(LU__KIND__UPDATE, 10000000, 70000000, LU__OUTCOME__LOST);
    CU_ASSERT_EQUAL(predicted("up to the jump: update 5; behind it: update 5"), 70000000);
    write_attempt(LU__KIND__REHEARSAL, 12000000, 12000000, LU__OUTCOME__REHEARSED);
    CU_ASSERT_EQUAL(predicted(seen), 72000000);

    /* Behind the jump, an update with other CPUs tells nothing. */
    fake.nr_cpus = 3;
    predicted("up to the jump: rehearsal 6; behind it: the boot of this Xen");
    fake.nr_cpus = 2;

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

static char problems[2048];
static volatile sig_atomic_t stop_hooks;
static bool post; /* come what may */

static void note_problem(const char *text, void *data)
{
    (void)data;
    snprintf(problems + strlen(problems), sizeof(problems) - strlen(problems), "%s\n", text);
}

static unsigned int run_hooks(const char *occasion, const struct facts *facts)
{
    struct hooks_how how = {.problem = note_problem, .stop = post ? NULL : &stop_hooks};

    problems[0] = '\0';

    return facts ? hooks_run(occasion, facts, &how) : hooks_check(occasion, &how);
}

static bool has_problem(const char *text)
{
    bool found = strstr(problems, text);

    if (!found)
        fprintf(stderr, "\n    no problem: %s\n%s", text, problems);

    return found;
}

static void remove_hooks(void)
{
    char command[256];

    snprintf(command, sizeof(command),
             "cd '%s' && rm -rf pre-check pre-apply post-apply on-failure out", dir);
    if (system(command))
        abort();
}

static void test_hooks(void)
{
    struct facts facts = {0};
    char path[160], text[64] = "";

    setenv("XEN_LIVEUPDATE_HOOKS", dir, 1);
    facts_add(&facts, "OUT", "%s/out", dir);
    CU_ASSERT_EQUAL(run_hooks("pre-check", &facts), 0); /* no directory */

    write_hook("pre-apply", "20-b", "echo b $XEN_LIVEUPDATE_HOOK >>$XEN_LIVEUPDATE_OUT", 0755);
    write_hook("pre-apply", "10-a", "echo a >>$XEN_LIVEUPDATE_OUT", 0755);
    write_hook("pre-apply", "15-no~", "echo no >>$XEN_LIVEUPDATE_OUT", 0755);
    write_hook("pre-apply", "README", "echo readme >>$XEN_LIVEUPDATE_OUT", 0644);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", NULL), 0);
    CU_ASSERT_EQUAL(read_text("out", text, sizeof(text)), 0);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 0);
    read_text("out", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "a\nb pre-apply\n");

    /* Of those that can refuse the first one that fails is the last one; of others none is. */
    unlink("out");
    write_hook("pre-apply", "15-fails", "exit 3", 0755);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
    CU_ASSERT_TRUE(has_problem("/15-fails failed with exit code 3"));
    read_text("out", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "a\n");
    unlink("out");
    post = true;
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
    read_text("out", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "a\nb pre-apply\n");
    post = false;
    write_hook("pre-apply", "15-fails", "kill -9 $$", 0755);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
    CU_ASSERT_TRUE(has_problem("ended by signal 9"));
    write_hook("on-failure", "bad", "", 0755);
    snprintf(path, sizeof(path), "sed -i 's,#!/bin/sh,#!/nowhere,' %s/on-failure/bad", dir);
    CU_ASSERT_EQUAL_FATAL(system(path), 0);
    CU_ASSERT_EQUAL(run_hooks("on-failure", &facts), 1);
    /* Valgrind ends a process whose execve() fails. */
    if (!getenv("UNDER_VALGRIND"))
        CU_ASSERT_TRUE(has_problem("/bad: cannot be run: No such file or directory"));

    /* A link is as good as the file. */
    remove_hooks();
    write_hook("on-failure", "hook", "echo linked >$XEN_LIVEUPDATE_OUT", 0755);
    mkdir("post-apply", 0755);
    CU_ASSERT_EQUAL_FATAL(symlink("../on-failure/hook", "post-apply/linked"), 0);
    CU_ASSERT_EQUAL(run_hooks("post-apply", &facts), 0);
    read_text("out", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "linked\n");
    remove_hooks();
    facts_free(&facts);
}

/* A file that looks like a hook and would not be run is named, with the reason. */
static void test_hooks_not_run(void)
{
    static const char *const left[] = {"10-a.dpkg-new", "10-a.dpkg-old", "10-a.ucf-dist",
                                       "10-a.rpmsave",  ".hidden",       "10-a~"};
    struct facts facts = {0};
    char text[8];

    facts_add(&facts, "OUT", "%s/out", dir);
    write_hook("pre-apply", "10-good", "echo ran >$XEN_LIVEUPDATE_OUT", 0755);
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
        write_hook("pre-apply", left[i], "", 0644);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", NULL), 0);

    write_hook("pre-apply", "20-mode", "", 0644);
    write_hook("pre-apply", "20-group", "", 0775);
    write_hook("pre-apply", "20-world", "", 0757);
    write_hook("pre-apply", "20-suffix.sh", "", 0755);
    write_hook("pre-apply", "20-b.dpkg", "", 0755);
    mkdir("pre-apply/20-directory", 0755);
    CU_ASSERT_EQUAL_FATAL(symlink("/nowhere", "pre-apply/20-link"), 0);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", NULL), 7);
    CU_ASSERT_TRUE(has_problem("/20-mode: not executable\n"));
    CU_ASSERT_TRUE(has_problem("/20-group: others than its owner may write to "));
    CU_ASSERT_TRUE(has_problem("/20-group (mode 0775)\n"));
    CU_ASSERT_TRUE(has_problem("/20-world (mode 0757)\n"));
    CU_ASSERT_TRUE(has_problem("/20-suffix.sh: a name with other characters than "));
    CU_ASSERT_TRUE(has_problem("/20-b.dpkg: a name with other characters than "));
    CU_ASSERT_TRUE(has_problem("/20-directory: no regular file\n"));
    CU_ASSERT_TRUE(has_problem("/20-link: a link to what is not there\n"));
    /* Behind the event the others are run. */
    post = true;
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 7);
    post = false;
    CU_ASSERT_EQUAL(read_text("out", text, sizeof(text)), 4);

    /* Not in a directory into which others may write, nor behind a link into one. */
    remove_hooks();
    write_hook("pre-apply", "10-good", "echo ran >$XEN_LIVEUPDATE_OUT", 0755);
    chmod("pre-apply", 01777);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
    CU_ASSERT_TRUE(has_problem("/pre-apply (mode 1777)\n"));
    mkdir("on-failure", 0755);
    CU_ASSERT_EQUAL_FATAL(symlink("../pre-apply/10-good", "on-failure/linked"), 0);
    CU_ASSERT_EQUAL(run_hooks("on-failure", &facts), 1);
    /* Nor a good one, if others may have put the link there. */
    mkdir("post-apply", 0755);
    CU_ASSERT_EQUAL_FATAL(symlink("/bin/true", "post-apply/linked"), 0);
    CU_ASSERT_EQUAL(run_hooks("post-apply", &facts), 0);
    chmod("post-apply", 0777);
    CU_ASSERT_EQUAL(run_hooks("post-apply", &facts), 1);
    CU_ASSERT_TRUE(has_problem("/post-apply (mode 0777)\n"));
    chmod("pre-apply", 0755);
    chmod(".", 0775);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
    chmod(".", 0700);
    if (!geteuid()) {
        CU_ASSERT_EQUAL_FATAL(chown("pre-apply/10-good", 1, -1), 0);
        CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
        CU_ASSERT_TRUE(has_problem("/10-good belongs to user 1, not to root\n"));
        CU_ASSERT_EQUAL_FATAL(chown("pre-apply/10-good", 0, -1), 0);
        CU_ASSERT_EQUAL_FATAL(chown("pre-apply", 1, -1), 0);
        CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
        CU_ASSERT_TRUE(has_problem("/pre-apply belongs to user 1, not to root\n"));
        CU_ASSERT_EQUAL_FATAL(chown("pre-apply", 0, -1), 0);
    }
    CU_ASSERT_EQUAL(read_text("out", text, sizeof(text)), 0);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 0);

    /* Nor is a directory passed over that is not there but for its name. */
    remove_hooks();
    CU_ASSERT_EQUAL_FATAL(symlink("/nowhere", "pre-apply"), 0);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
    CU_ASSERT_TRUE(has_problem("/pre-apply cannot be listed: No such file or directory\n"));
    remove_hooks();
    facts_free(&facts);
}

/* Hooks get what they are promised, and nothing of whoever called. */
static void test_hook_files(void)
{
    struct facts facts = {0};
    char text[1024];
    int in = dup(STDIN_FILENO), err = dup(STDERR_FILENO), leaked;
    sigset_t blocked, before;
    FILE *f;

    /* Nothing on standard input; what they say goes to standard error. */
    write_hook("post-apply", "files", "cat; echo said; ls -l /proc/self/fd | grep -c leaked", 0755);
    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen("/proc/self/status", "r", stdin));
    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen("said", "w", stderr));
    leaked = open("leaked", O_RDWR | O_CREAT, 0600);
    run_hooks("post-apply", &facts);
    close(leaked);
    dup2(in, STDIN_FILENO);
    dup2(err, STDERR_FILENO);
    close(in);
    close(err);
    read_text("said", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "said\n0\n");
    remove_hooks();

    /* A clean environment; the settings of these tools are in it. */
    facts_add(&facts, "OUT", "%s/out", dir);
    setenv("LD_LIBRARY_PATH", "/evil", 1);
    setenv("XEN_LIVEUPDATE_STRANGE", "x", 1);
    write_hook("post-apply", "environment",
               "{ env -u PWD -u OLDPWD -u SHLVL -u _ | cut -d= -f1 | sort | tr '\\n' ' '\n"
               "echo \"$PATH $(pwd) $(umask)\"; } >$XEN_LIVEUPDATE_OUT",
               0755);
    CU_ASSERT_EQUAL(run_hooks("post-apply", &facts), 0);
    unsetenv("LD_LIBRARY_PATH");
    unsetenv("XEN_LIVEUPDATE_STRANGE");
    read_text("out", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "PATH XEN_LIVEUPDATE_DIR XEN_LIVEUPDATE_HOOK XEN_LIVEUPDATE_HOOKS "
                                 "XEN_LIVEUPDATE_OUT "
                                 "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin / "
                                 "0022\n");
    remove_hooks();

    /* Signals (to 28; libc has two of its own behind) as a new process has them; its own group. */
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    /* Not the shell, which unblocks signals itself. */
    write_hook("post-apply", "signals", "", 0755);
    f = fopen("post-apply/signals", "w");
    fputs("#!/usr/bin/awk -f\n"
          "BEGIN {\n"
          "    out = ENVIRON[\"XEN_LIVEUPDATE_OUT\"]\n"
          "    while ((getline line < \"/proc/self/status\") > 0)\n"
          "        if (line ~ /^Sig(Blk|Ign)/)\n"
          "            print substr(line, 4, 3), substr(line, length(line) - 6) > out\n"
          "    getline line < \"/proc/self/stat\"\n"
          "    split(line, stat, \" \")\n"
          "    print stat[1] == stat[5] ? \"leader\" : \"member\" > out\n"
          "    exit 5\n"
          "}\n",
          f);
    fclose(f);
    CU_ASSERT_EQUAL(run_hooks("post-apply", &facts), 1);
    CU_ASSERT_TRUE(has_problem("failed with exit code 5\n"));
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    read_text("out", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "Blk 0000000\nIgn 0000000\nleader\n");
    remove_hooks();
    facts_free(&facts);
}

static void note_stop(int signal)
{
    (void)signal;
    stop_hooks = 1;
}

/* Does a process live whose number is in "child"?  It may take its time to go. */
static bool child_lives(void)
{
    char text[32];
    pid_t pid;

    CU_ASSERT_TRUE_FATAL(read_text("child", text, sizeof(text)) > 1);
    pid = atoi(text);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "/proc/%d/cmdline", pid);
        /* A zombie, which is somebody else's to bury, has no command line. */
        if (!read_file_size(text))
            return false;
        usleep(20000);
    }

    return true;
}

/* What takes too long is ended with all that it has started, and so is what is interrupted. */
static void test_hook_limit(void)
{
    static const char *const bad[] = {"5s", "-1", "x", "1000001", " 5"};
    struct facts facts = {0};
    time_t began = time(NULL);
    char text[16];

    facts_add(&facts, "OUT", "%s/out", dir);
    facts_add(&facts, "CHILD", "%s/child", dir);
    write_hook("pre-apply", "10-slow",
               "exec >/dev/null 2>&1\ntrap '' TERM\n"
               "sleep 30 & echo $! >$XEN_LIVEUPDATE_CHILD\nsleep 30",
               0755);
    write_hook("pre-apply", "20-next", "echo ran >$XEN_LIVEUPDATE_OUT", 0755);
    setenv("XEN_LIVEUPDATE_HOOK_TIMEOUT", "1", 1);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
    CU_ASSERT_TRUE(has_problem("/10-slow took longer than 1 seconds and was killed\n"));
    CU_ASSERT_FALSE(child_lives());
    CU_ASSERT_EQUAL(read_text("out", text, sizeof(text)), 0);
    CU_ASSERT_TRUE(time(NULL) - began < 60);

    setenv("XEN_LIVEUPDATE_HOOK_TIMEOUT", "0", 1);
    signal(SIGALRM, note_stop);
    alarm(1);
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 1);
    CU_ASSERT_TRUE(has_problem("/10-slow was interrupted\n"));
    CU_ASSERT_FALSE(child_lives());
    /* So are those that have not begun, but none of those that follow the event. */
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 0);
    CU_ASSERT_EQUAL(read_text("out", text, sizeof(text)), 0);
    unlink("pre-apply/10-slow");
    post = true;
    CU_ASSERT_EQUAL(run_hooks("pre-apply", &facts), 0);
    CU_ASSERT_EQUAL(read_text("out", text, sizeof(text)), 4);
    post = false;
    stop_hooks = 0;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv("XEN_LIVEUPDATE_HOOK_TIMEOUT", bad[i], 1);
        CU_ASSERT_EQUAL(run_hooks("pre-check", NULL), 1);
        CU_ASSERT_TRUE(has_problem(": not a number of seconds\n"));
    }
    unsetenv("XEN_LIVEUPDATE_HOOK_TIMEOUT");
    remove_hooks();
    facts_free(&facts);
}

/* ---- files that are replaced ---- */

static void test_replace(void)
{
    struct record_why why;
    struct rlimit limit;
    char text[64], path[128];
    struct stat st;
    FILE *f;

    snprintf(path, sizeof(path), "%s/file", dir);
    synced[0] = '\0';
    CU_ASSERT_EQUAL(record_replace(path, 0600, "one", 3, &why), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(synced, "/file.new"));
    strcat(synced, " ");
    CU_ASSERT_PTR_NOT_NULL(strstr(synced + strlen(synced) - strlen(dir) - 1, dir));
    CU_ASSERT_EQUAL(mode_of("file"), 0600);
    read_text("file", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "one");
    CU_ASSERT_EQUAL(access("file.new", F_OK), -1);

    /* Neither mode nor readers of the old file have a part in the new one. */
    chmod("file", 0666);
    f = fopen("file", "r");
    CU_ASSERT_EQUAL(record_replace(path, 0640, "two", 3, &why), 0);
    CU_ASSERT_EQUAL(mode_of("file"), 0640);
    CU_ASSERT_EQUAL(fread(text, 1, sizeof(text), f), 3);
    CU_ASSERT(!memcmp(text, "one", 3));
    fclose(f);

    /* Links are replaced, also the one that waits for the new file; what they name stays. */
    CU_ASSERT_EQUAL(record_replace("other", 0644, "other", 5, &why), 0);
    unlink("file");
    CU_ASSERT_EQUAL_FATAL(symlink("other", "file"), 0);
    CU_ASSERT_EQUAL_FATAL(symlink("other", "file.new"), 0);
    CU_ASSERT_EQUAL(record_replace(path, 0600, "three", 5, &why), 0);
    CU_ASSERT_EQUAL(mode_of("file"), 0600);
    CU_ASSERT_EQUAL(mode_of("other"), 0644);
    read_text("other", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "other");

    /* What cannot be written leaves the old one, and nothing beside it. */
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 2;
    setrlimit(RLIMIT_FSIZE, &limit);
    CU_ASSERT_EQUAL(record_replace(path, 0600, "four", 4, &why), EFBIG);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    fsync_error = EIO;
    CU_ASSERT_EQUAL(record_replace(path, 0600, "four", 4, &why), EIO);
    fsync_error = 0;
    read_text("file", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "three");
    CU_ASSERT_EQUAL(access("file.new", F_OK), -1);
    CU_ASSERT_EQUAL(record_replace("nowhere/file", 0600, "x", 1, &why), ENOENT);

    /* Neither a device nor a directory. */
    CU_ASSERT_EQUAL_FATAL(mkfifo("pipe", 0600), 0);
    CU_ASSERT_EQUAL(record_replace("pipe", 0600, "x", 1, &why), EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "pipe: is there and is no regular file"));
    CU_ASSERT_TRUE(!lstat("pipe", &st) && S_ISFIFO(st.st_mode));
    CU_ASSERT_EQUAL(record_replace(dir, 0600, "x", 1, &why), EINVAL);
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
    m->host->boot_id[0]++;
    CU_ASSERT_PTR_NULL(staged_read(m->host));
    m->host->boot_id[0]--;
    CU_ASSERT_EQUAL(mode_of("staged"), 0600);
    CU_ASSERT_EQUAL(staged_write(NULL, NULL, &why), 0);
    CU_ASSERT_PTR_NULL(staged_read(m->host));
    lu__manifest__free_unpacked(m, NULL);
}

static void test_metrics(void)
{
    char text[4096];
    struct xenlu_status s;
    struct record_why why;
    struct journal j;

    fresh(1);
    write_attempt(LU__KIND__UPDATE, 10000000, 70000000, LU__OUTCOME__DONE);
    write_attempt(LU__KIND__REHEARSAL, 10000000, 40000000, LU__OUTCOME__REHEARSED);
    setenv("XEN_LIVEUPDATE_METRICS", dir, 1);
    CU_ASSERT_EQUAL(xenlu_get_status(lu, &s, sizeof(s), NULL), 0);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    CU_ASSERT_EQUAL(metrics_write(&s, &j, &why), 0);
    journal_close(&j);
    CU_ASSERT_TRUE(read_text("xen_liveupdate.prom", text, sizeof(text)) > 0);
    CU_ASSERT_EQUAL(mode_of("xen_liveupdate.prom"), 0644);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nxen_liveupdate_staged 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nxen_liveupdate_last_result{outcome=\"done\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nxen_liveupdate_last_result{outcome=\"failed\"} 0\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nxen_liveupdate_last_pause_seconds 0.07\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nxen_liveupdate_region_bytes 67108864\n"));

    /* What cannot be written is told; no directory is nobody's concern. */
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    unlink("xen_liveupdate.prom");
    CU_ASSERT_EQUAL_FATAL(mkdir("xen_liveupdate.prom", 0700), 0);
    CU_ASSERT_EQUAL(metrics_write(&s, &j, &why), EINVAL);
    rmdir("xen_liveupdate.prom");
    setenv("XEN_LIVEUPDATE_METRICS", "/nowhere", 1);
    CU_ASSERT_EQUAL(metrics_write(&s, &j, &why), 0);
    journal_close(&j);
}

/* ---- the system's log ---- */

static unsigned int syslogs;

/* In the place of libc's. */
void syslog(int priority, const char *format, ...)
{
    (void)priority, (void)format;
    syslogs++;
}

/* The message that a socket in the place of systemd's gets. */
static void logged(int fd, Lu__Kind kind, Lu__Outcome outcome, char *text, size_t size)
{
    Lu__Begin *b = new_begin(4, kind);
    Lu__End *e = new_end(4, outcome);
    ssize_t n;

    notify_end(b, e);
    n = recv(fd, text, size - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    lu__end__free_unpacked(e, NULL);
    lu__begin__free_unpacked(b, NULL);
}

static void test_log(void)
{
    static const struct {
        Lu__Outcome outcome;
        const char *id, *priority;
    } cases[] = {
        {LU__OUTCOME__DONE, "eced5237c01646c7822d166a6b4c3a0c", "5"},
        {LU__OUTCOME__FAILED, "4f13d1fe1a614084bd6e2f3ff25a447f", "3"},
        {LU__OUTCOME__RETURNED, "540513d078624837bf0260859e12868e", "3"},
        {LU__OUTCOME__NOT_TRIED, "4f13d1fe1a614084bd6e2f3ff25a447f", "3"},
        {LU__OUTCOME__LOST, "4ac54396285e4ad9a0fcc2ccf153fd87", "2"},
        {LU__OUTCOME__NOT_KNOWN, "1534b03ff7fe4318975916c00cbf350d", "4"},
    };
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0), writer = socket(AF_UNIX, SOCK_DGRAM, 0);
    char text[1024], wanted[512];
    Lu__Begin *b;
    ssize_t n;

    fresh(2);
    syslogs = 0;
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Lu__End end = {.outcome = cases[i].outcome};
        struct attempt a = {NULL, &end};

        logged(fd, LU__KIND__UPDATE, cases[i].outcome, text, sizeof(text));
        snprintf(wanted, sizeof(wanted),
                 "MESSAGE_ID=%s\nPRIORITY=%s\nSYSLOG_IDENTIFIER=xen-liveupdate\n"
                 "MESSAGE=live update 4: %s: for a test\nXEN_LIVEUPDATE_ID=4\n",
                 cases[i].id, cases[i].priority, journal_outcome(&a));
        CU_ASSERT_STRING_EQUAL(text, wanted);
    }
    logged(fd, LU__KIND__REHEARSAL, LU__OUTCOME__REHEARSED, text, sizeof(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "MESSAGE_ID=a919c3a347cf4926a5ca6184379d5b5a\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "live update rehearsal 4: rehearsed"));

    b = new_begin(9, LU__KIND__UPDATE);
    notify_begin(b);
    n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "MESSAGE_ID=344d96443c10434cb84af342be38d982\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "live update 9 of Xen 4.17.5-old begins, 2 domains"));
    b->plan->kind = LU__KIND__REHEARSAL;
    notify_begin(b);
    CU_ASSERT_EQUAL(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
    b->plan->kind = LU__KIND__UPDATE;

    /* Who had asked for the update was ended: its hooks have not loaded the crash kernel again. */
    for (int loaded = 0; loaded < 2; loaded++) {
        fresh(2);
        fake.crash_loaded = true;
        begin_and_forget(LU__KIND__UPDATE);
        fake.query.generation = fake.result.generation = 1;
        fake.result.state = XEN_LIVEUPDATE_STATE_done;
        fake.crash_loaded = loaded;
        CU_ASSERT_EQUAL(completed("done"), LU__OUTCOME__DONE);
        CU_ASSERT(recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0);
        n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
        text[n > 0 ? n : 0] = '\0';
        CU_ASSERT_EQUAL(n < 0, loaded);
        CU_ASSERT_EQUAL(!!strstr(text, "MESSAGE_ID=387da35ee4fd4ab59dc926fe1c6f4771\nPRIORITY=4\n"),
                        !loaded);
    }

    /* What Xen says is a value, whatever is in it. */
    strcpy(b->before->host->version, "4\nA=1");
    notify_begin(b);
    n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "of Xen 4 A=1 begins"));

    /* A journal that takes no more holds nobody up; without one it is told to syslog. */
    CU_ASSERT_EQUAL(syslogs, 0);
    for (int i = 0; i < 10000 && n >= 0; i++)
        n = sendto(writer, "X=1\n", 4, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof(address));
    CU_ASSERT_EQUAL_FATAL(n, -1);
    notify_begin(b);
    CU_ASSERT_EQUAL(syslogs, 0);
    close(fd);
    notify_begin(b);
    CU_ASSERT_EQUAL(syslogs, 1);
    unlink(JOURNAL_SOCKET);
    notify_begin(b);
    CU_ASSERT_EQUAL(syslogs, 2);
    lu__begin__free_unpacked(b, NULL);
    close(writer);
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

/* Values of each kind, and the schema that allows them. */
static void test_json_values(void)
{
    struct xenlu_result r = {.state = XENLU_STATE_DONE, .pause_ns = -1};
    Lu__Result *m = journal_result(&r);
    Lu__End *e = new_end(1, LU__OUTCOME__NOT_KNOWN);
    Lu__Prediction p = LU__PREDICTION__INIT;
    json_t *o, *s, *properties;

    o = message_json(&m->base);
    CU_ASSERT_TRUE(json_is_null(json_object_get(o, "pause_ns")));
    json_decref(o);
    m->pause_ns = 0;
    o = message_json(&m->base);
    CU_ASSERT_TRUE(json_is_integer(json_object_get(o, "pause_ns")));
    s = json_object_get(o, "phase_ns");
    CU_ASSERT_EQUAL(json_object_size(s), m->n_phases);
    CU_ASSERT_TRUE(json_is_integer(json_object_get(s, "check")));
    CU_ASSERT_TRUE(json_is_null(json_object_get(o, "failure")));
    CU_ASSERT_TRUE(json_is_null(json_object_get(o, "to")));
    json_decref(o);
    /* What came back has a reason as well. */
    free(m->state);
    m->state = record_text("returned");
    m->failed_phase = record_text("adopt");
    m->reason = record_text("for a test");
    o = message_json(&m->base);
    s = json_object_get(o, "failure");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(s, "phase")), "adopt");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(s, "reason")), "for a test");
    json_decref(o);
    lu__result__free_unpacked(m, NULL);

    /* So it is with any number that may be missing, and with none that is not -1. */
    p.pause_ns = -1;
    p.source_ns = -2;
    o = message_json(&p.base);
    CU_ASSERT_TRUE(json_is_null(json_object_get(o, "pause_ns")));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(o, "source_ns")), -2);
    json_decref(o);

    o = message_json(&e->base);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(o, "outcome")), "not-known");
    CU_ASSERT_TRUE(json_is_null(json_object_get(o, "result")));
    json_decref(o);
    lu__end__free_unpacked(e, NULL);

    s = message_schema(&lu__plan__descriptor);
    properties = json_object_get(s, "properties");
    o = json_object_get(json_object_get(properties, "max_pause_ns"), "type");
    CU_ASSERT_EQUAL(json_array_size(o), 2);
    json_decref(s);
    s = message_schema(&lu__target__descriptor);
    properties = json_object_get(s, "properties");
    o = json_object_get(json_object_get(properties, "segments"), "type");
    CU_ASSERT_STRING_EQUAL(json_string_value(o), "array");
    json_decref(s);
}

static void test_time(void)
{
    int64_t before = (int64_t)time(NULL) * 1000000000;

    CU_ASSERT_TRUE(record_now() >= before - 1000000000);
    CU_ASSERT_TRUE(record_now() < before + 60ll * 1000000000);
}

/* ---- the library ---- */

static unsigned int seen_phases;

static void see(struct xenlu *of, uint32_t phase, void *data)
{
    CU_ASSERT_PTR_EQUAL(of, lu);
    CU_ASSERT_PTR_EQUAL(data, &seen_phases);
    seen_phases |= 1u << phase;
}

static void grow(enum fake_stage stage)
{
    if (stage == FAKE_SETTLE)
        fake.nr_domains = 2;
}

/* As if xenlu_stage() had been asked for it. */
static void record_target(const char *version)
{
    struct xenlu_target t = {0};
    struct record_why why;
    Lu__Manifest *m;
    Lu__Target *target;

    snprintf(t.version, sizeof(t.version), "%s", version);
    target = target_message("xen", &t);
    if (!manifest_take(lu, &m, &why)) {
        CU_ASSERT_EQUAL(staged_write(m->host, target, &why), 0);
        lu__manifest__free_unpacked(m, NULL);
    }
    lu__target__free_unpacked(target, NULL);
}

static enum xenlu_code attempt(enum xenlu_kind kind, unsigned int timeout, struct xenlu_result *r,
                               struct xenlu_error *err)
{
    struct xenlu_plan plan = {.kind = kind, .timeout = timeout};
    enum xenlu_code code;

    record_target("4.17.6-new");
    code = xenlu_start(lu, &plan, sizeof(plan), err);

    return code ? code : xenlu_wait(lu, see, &seen_phases, r, r ? sizeof(*r) : 0, err);
}

/* Xen returns at once; the library comes back with the outcome, and when the next attempt could be made. */
static void test_update(void)
{
    struct xenlu_inventory inv;
    struct xenlu_result r;
    struct xenlu_domain *d;
    struct xenlu_error err;

    fresh(1);
    fake.on_stage = grow;
    seen_phases = 0;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 5, &r, &err), XENLU_OK);
    CU_ASSERT_EQUAL(fake.stage, FAKE_IDLE);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 1);
    CU_ASSERT_EQUAL(seen_phases,
                    1u << XEN_LIVEUPDATE_PHASE_stage | 1u << XEN_LIVEUPDATE_PHASE_check |
                        1u << XEN_LIVEUPDATE_PHASE_save | 1u << XEN_LIVEUPDATE_PHASE_settle);
    CU_ASSERT_EQUAL(r.state, XENLU_STATE_DONE);
    CU_ASSERT_EQUAL(r.pause_ns, 31000000);
    CU_ASSERT_EQUAL(r.phase_ns[XEN_LIVEUPDATE_PHASE_save], 10000000);
    CU_ASSERT_EQUAL(r.phase_ns[XEN_LIVEUPDATE_PHASE_check], -1);
    CU_ASSERT_STRING_EQUAL(r.from, "4.17.5-old");
    CU_ASSERT_STRING_EQUAL(r.to, "4.17.6-new");
    CU_ASSERT_EQUAL(xenlu_get_inventory(lu, &inv, sizeof(inv), &d, sizeof(*d), &err), XENLU_OK);
    CU_ASSERT_EQUAL(inv.nr_domains, 2);
    free(d);

    /* Without a limit, and once more. */
    fake.query.staged = 1;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 0, NULL, &err), XENLU_OK);
    CU_ASSERT_EQUAL(fake.query.generation, 2);
    CU_ASSERT_EQUAL(attempt(XENLU_REHEARSAL, 5, &r, &err), XENLU_OK);
    CU_ASSERT_EQUAL(r.state, XENLU_STATE_REHEARSED);
    CU_ASSERT_EQUAL(fake.query.generation, 2);

    fresh(1);
    fake.fails = true;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 5, &r, &err), XENLU_FAILED);
    CU_ASSERT_EQUAL(err.domid, 1);
    CU_ASSERT_EQUAL(err.errnum, EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "phase save, resource grant, domain 1: for a test"));
}

/* Xen has the last word, whatever it has said of itself before. */
static void test_xen_refuses(void)
{
    static const struct {
        int error;
        enum xenlu_code code;
    } cases[] = {
        {ENOENT, XENLU_NOT_STAGED},
        {ENODEV, XENLU_NO_REGION},
        {EOPNOTSUPP, XENLU_UNSUPPORTED},
        {EBUSY, XENLU_BUSY},
    };
    struct xenlu_error err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fresh(1);
        fake.fail_op = XEN_LIVEUPDATE_execute;
        fake.error = cases[i].error;
        CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 5, NULL, &err), cases[i].code);
        CU_ASSERT_EQUAL(err.errnum, cases[i].error);
    }
}

/* A program that has other things to do meanwhile. */
static void test_poll(void)
{
    struct xenlu_plan plan = {.kind = XENLU_UPDATE};
    unsigned int polls = 0, phases = 0;
    struct xenlu_result r;
    struct xenlu_error err;
    enum xenlu_code code;

    fresh(1);
    CU_ASSERT_EQUAL(xenlu_poll(lu, &r, sizeof(r), &err), XENLU_NOT_STARTED);
    CU_ASSERT_EQUAL(xenlu_wait(lu, NULL, NULL, NULL, 0, &err), XENLU_NOT_STARTED);
    record_target("4.17.6-new");
    CU_ASSERT_EQUAL(xenlu_start(lu, &plan, sizeof(plan), &err), XENLU_OK);
    CU_ASSERT_EQUAL(fake.stage, FAKE_SCHEDULED);
    while ((code = xenlu_poll(lu, &r, sizeof(r), NULL)) == XENLU_UNDER_WAY && polls++ < 100)
        phases |= 1u << r.phase;
    CU_ASSERT_EQUAL(code, XENLU_OK);
    CU_ASSERT(polls > 2);
    CU_ASSERT(phases & 1u << XEN_LIVEUPDATE_PHASE_save);
    CU_ASSERT_EQUAL(r.state, XENLU_STATE_DONE);
    CU_ASSERT_EQUAL(xenlu_poll(lu, &r, sizeof(r), &err), XENLU_NOT_STARTED);

    /* It is not over while the new Xen gives memory back, though the result says "done". */
    fresh(1);
    fake.stuck = FAKE_SETTLE;
    record_target("4.17.6-new");
    CU_ASSERT_EQUAL(xenlu_start(lu, &plan, sizeof(plan), &err), XENLU_OK);
    for (polls = 0; polls < 50; polls++)
        CU_ASSERT_EQUAL(xenlu_poll(lu, &r, sizeof(r), &err), XENLU_UNDER_WAY);
    CU_ASSERT_EQUAL(r.state, XENLU_STATE_DONE);
    CU_ASSERT_EQUAL(r.phase, XEN_LIVEUPDATE_PHASE_settle);
    fake.stuck = FAKE_IDLE;
    CU_ASSERT_EQUAL(xenlu_wait(lu, NULL, NULL, &r, sizeof(r), &err), XENLU_OK);

    /* Taken back by whoever polls. */
    fresh(1);
    fake.stuck = FAKE_SCHEDULED;
    record_target("4.17.6-new");
    CU_ASSERT_EQUAL(xenlu_start(lu, &plan, sizeof(plan), &err), XENLU_OK);
    CU_ASSERT_EQUAL(xenlu_poll(lu, NULL, 0, &err), XENLU_UNDER_WAY);
    CU_ASSERT_EQUAL(xenlu_abort(lu, &err), XENLU_OK);
    CU_ASSERT_EQUAL(xenlu_poll(lu, NULL, 0, &err), XENLU_FAILED);

    /* Of somebody who has not said what he wants nothing is started. */
    fresh(1);
    plan.kind = 0;
    CU_ASSERT_EQUAL(xenlu_start(lu, &plan, sizeof(plan), &err), XENLU_UNSUPPORTED);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
}

/* What the journal says of attempt @id, 0: the last; NULL: it has none. */
static const char *outcome_of(uint32_t id)
{
    static char text[32];
    struct record_why why;
    struct journal j;
    const struct attempt *a;

    CU_ASSERT_EQUAL_FATAL(journal_open(&j, false, &why), 0);
    a = journal_find(&j, id ? id : journal_next_id(&j) - 1, LU__KIND__UPDATE);
    snprintf(text, sizeof(text), "%s", a ? journal_outcome(a) : "");
    journal_close(&j);

    return a ? text : NULL;
}

static void lose_one(enum fake_stage stage)
{
    if (stage == FAKE_SETTLE)
        fake.nr_domains--;
}

static void end_by_itself(enum fake_stage stage)
{
    if (stage == FAKE_CHECK)
        fake.domain[2].flags |= XEN_LIVEUPDATE_DOMAIN_SHUTDOWN | XEN_LIVEUPDATE_DOMAIN_ENDED;
    else if (stage == FAKE_SETTLE)
        fake.nr_domains--;
}

/* A program's update is recorded as that of the command line is. */
static void test_recorded(void)
{
    struct xenlu_plan plan = {.kind = XENLU_UPDATE};
    struct xenlu_result r;
    struct xenlu_error err;
    struct xenlu *other;

    fresh(3);
    CU_ASSERT_EQUAL(attempt(XENLU_REHEARSAL, 5, NULL, &err), XENLU_OK);
    CU_ASSERT_STRING_EQUAL(outcome_of(0), "rehearsed");
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 5, NULL, &err), XENLU_OK);
    CU_ASSERT_STRING_EQUAL(outcome_of(0), "done");
    CU_ASSERT_PTR_NULL(xenlu_missing(lu, 0));
    CU_ASSERT_NOT_EQUAL(access("staged", F_OK), 0);

    fresh(3);
    fake.fails = true;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 5, NULL, &err), XENLU_FAILED);
    CU_ASSERT_STRING_EQUAL(outcome_of(0), "failed");

    /* For who was compiled when there was no other outcome it is a failure; the state says which. */
    fresh(3);
    fake.returns = true;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 5, &r, &err), XENLU_FAILED);
    CU_ASSERT_EQUAL(r.state, XENLU_STATE_RETURNED);
    CU_ASSERT_EQUAL(r.pause_ns, 52000000);
    CU_ASSERT_STRING_EQUAL(outcome_of(0), "returned");

    fresh(3);
    fake.on_stage = lose_one;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 5, NULL, &err), XENLU_LOST);
    CU_ASSERT_STRING_EQUAL(outcome_of(0), "lost");
    CU_ASSERT_STRING_EQUAL(xenlu_missing(lu, 0), "domain 2 is gone");
    CU_ASSERT_PTR_NULL(xenlu_missing(lu, 1));
    CU_ASSERT_PTR_NULL(xenlu_left(lu, 0));

    fresh(3);
    fake.on_stage = end_by_itself;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 5, NULL, &err), XENLU_OK);
    CU_ASSERT_STRING_EQUAL(xenlu_left(lu, 0), "domain 2 has shut down by itself");
    CU_ASSERT_PTR_NULL(xenlu_left(lu, 1));

    /* A program that ends meanwhile leaves the outcome to the next. */
    fresh(3);
    record_target("4.17.6-new");
    CU_ASSERT_EQUAL_FATAL(xenlu_open(&other, &err), 0);
    CU_ASSERT_EQUAL(xenlu_start(other, &plan, sizeof(plan), &err), XENLU_OK);
    CU_ASSERT_EQUAL(xenlu_start(other, &plan, sizeof(plan), &err), XENLU_BUSY);
    CU_ASSERT_EQUAL(xenlu_unstage(lu, &err), XENLU_BUSY);
    xenlu_close(other);
    CU_ASSERT_STRING_EQUAL(outcome_of(0), "under way");
    for (int i = 0; i < 100 && fake.stage != FAKE_IDLE; i++)
        xenlu_abort(lu, NULL);
    CU_ASSERT_EQUAL(attempt(XENLU_REHEARSAL, 5, NULL, &err), XENLU_OK);
    CU_ASSERT_STRING_EQUAL(outcome_of(1), "failed");

    /* Nothing is begun that cannot be written down. */
    fresh(3);
    CU_ASSERT_EQUAL(mkdir("journal.db", 0700), 0);
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 5, NULL, &err), XENLU_JOURNAL);
    CU_ASSERT_EQUAL(rmdir("journal.db"), 0);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
}

/* What is staged by nobody knows whom is not executed. */
static void test_target_known(void)
{
    struct xenlu_plan plan = {.kind = XENLU_UPDATE, .max_pause_ns = INT64_C(1000000000)};
    struct xenlu_error err;

    fresh(1);
    CU_ASSERT_EQUAL(xenlu_start(lu, &plan, sizeof(plan), &err), XENLU_TARGET_UNKNOWN);
    CU_ASSERT_PTR_NULL(outcome_of(0));

    record_target("4.17.6-new");
    CU_ASSERT_EQUAL(xenlu_start(lu, &plan, sizeof(plan), &err), XENLU_OK);
    record_target("4.17.7-other");
    CU_ASSERT_EQUAL(xenlu_wait(lu, NULL, NULL, NULL, 0, &err), XENLU_TARGET_CHANGED);
    CU_ASSERT_STRING_EQUAL(outcome_of(0), "not tried");
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
}

/* It rehearses first, and goes ahead or not. */
static void test_limit(void)
{
    struct xenlu_plan plan = {.kind = XENLU_UPDATE, .max_pause_ns = 1};
    struct xenlu_result r;
    struct xenlu_error err;

    fresh(1);
    record_target("4.17.6-new");
    CU_ASSERT_EQUAL(xenlu_start(lu, &plan, sizeof(plan), &err), XENLU_OK);
    CU_ASSERT_EQUAL(xenlu_wait(lu, NULL, NULL, NULL, 0, &err), XENLU_PAUSE_TOO_LONG);
    CU_ASSERT_STRING_EQUAL(outcome_of(0), "not tried");
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_rehearse], 1);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);

    plan.max_pause_ns = INT64_C(1000000000);
    CU_ASSERT_EQUAL(xenlu_start(lu, &plan, sizeof(plan), &err), XENLU_OK);
    CU_ASSERT_EQUAL(xenlu_abort(lu, &err), XENLU_OK);
    CU_ASSERT_NOT_EQUAL(xenlu_wait(lu, NULL, NULL, NULL, 0, &err), XENLU_OK);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);

    CU_ASSERT_EQUAL(xenlu_start(lu, &plan, sizeof(plan), &err), XENLU_OK);
    CU_ASSERT_EQUAL(xenlu_wait(lu, NULL, NULL, &r, sizeof(r), &err), XENLU_OK);
    CU_ASSERT_EQUAL(r.state, XENLU_STATE_DONE);
    CU_ASSERT_STRING_EQUAL(outcome_of(0), "done");
}

static void test_lock(void)
{
    struct xenlu_error err;
    struct xenlu *other;

    fresh(1);
    CU_ASSERT_EQUAL_FATAL(xenlu_open(&other, &err), 0);
    CU_ASSERT_EQUAL(xenlu_lock(other, &err), XENLU_OK);
    CU_ASSERT_EQUAL(xenlu_lock(other, &err), XENLU_OK);
    xenlu_unlock(other);
    CU_ASSERT_EQUAL(xenlu_lock(lu, &err), XENLU_BUSY);
    CU_ASSERT_EQUAL(xenlu_unstage(lu, &err), XENLU_BUSY);
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 1, NULL, &err), XENLU_BUSY);
    CU_ASSERT_EQUAL(xenlu_unstage(other, &err), XENLU_OK);
    CU_ASSERT_EQUAL(xenlu_lock(lu, &err), XENLU_BUSY);
    xenlu_close(other);
    CU_ASSERT_EQUAL(xenlu_lock(lu, &err), XENLU_OK);
    xenlu_unlock(lu);
    xenlu_unlock(lu);
}

static void replace_under_way(enum fake_stage stage)
{
    if (stage == FAKE_SAVE) {
        fake.query.generation++;
        fake.result.generation++;
    }
}

static void test_too_late(void)
{
    struct xenlu_result r;
    struct xenlu_error err;

    /* What has not begun is taken back; what runs is not. */
    fresh(1);
    fake.stuck = FAKE_SCHEDULED;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 1, &r, &err), XENLU_TIMEOUT);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(err.message, "did not begin within 1 seconds and was taken back"));
    CU_ASSERT_EQUAL(fake.stage, FAKE_IDLE);
    fresh(1);
    fake.stuck = FAKE_SAVE;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 1, &r, &err), XENLU_TIMEOUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "no outcome within 1 seconds"));
    CU_ASSERT_EQUAL(fake.stage, FAKE_SAVE);

    /* Another Xen's rehearsal is not ours. */
    fresh(1);
    fake.on_stage = replace_under_way;
    CU_ASSERT_EQUAL(attempt(XENLU_REHEARSAL, 1, &r, &err), XENLU_TIMEOUT);
}

static void test_not_now(void)
{
    struct xenlu_result r;
    struct xenlu_error err;

    fresh(1);
    fake.query.staged = 0;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 1, &r, &err), XENLU_NOT_STAGED);
    CU_ASSERT_EQUAL(err.domid, XENLU_NO_DOMAIN);
    CU_ASSERT_EQUAL(xenlu_unstage(lu, &err), XENLU_NOT_STAGED);
    CU_ASSERT_EQUAL(fake.unloads, 0);
    fake.query.nr_slots = 0;
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 1, &r, &err), XENLU_NO_REGION);

    fresh(1);
    fake.fail_op = XEN_LIVEUPDATE_rehearse;
    fake.error = EOPNOTSUPP;
    CU_ASSERT_EQUAL(attempt(XENLU_REHEARSAL, 1, &r, &err), XENLU_UNSUPPORTED);
    fake.error = EPERM;
    CU_ASSERT_EQUAL(attempt(XENLU_REHEARSAL, 1, &r, &err), XENLU_NOT_DOM0);
    fake.error = EIO;
    CU_ASSERT_EQUAL(attempt(XENLU_REHEARSAL, 1, &r, &err), XENLU_SYSTEM);
    CU_ASSERT_EQUAL(err.errnum, EIO);

    fresh(1);
    CU_ASSERT_EQUAL(xenlu_abort(lu, &err), XENLU_NOTHING_TO_ABORT);
    fake.stage = FAKE_SCHEDULED;
    CU_ASSERT_EQUAL(xenlu_abort(lu, &err), XENLU_OK);
    fake.stage = fake.stuck = FAKE_SAVE;
    CU_ASSERT_EQUAL(xenlu_abort(lu, &err), XENLU_BUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "too late"));
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 1, &r, &err), XENLU_BUSY);

    /* A Xen that does not know the command returns 0 and does nothing. */
    fresh(1);
    memset(&fake.query, 0, sizeof(fake.query));
    CU_ASSERT_EQUAL(attempt(XENLU_UPDATE, 1, &r, &err), XENLU_UNSUPPORTED);
}

static void test_status(void)
{
    struct xenlu_status s;
    struct xenlu_error err;

    fresh(1);
    fake.query.generation = 7;
    CU_ASSERT_EQUAL(xenlu_get_status(lu, &s, sizeof(s), &err), XENLU_OK);
    CU_ASSERT_EQUAL(s.generation, 7);
    CU_ASSERT_EQUAL(s.region_start, 0x40000000);
    CU_ASSERT_EQUAL(s.region_size, 64u << 20);
    CU_ASSERT_EQUAL(s.slot_start, 0x42000000);
    CU_ASSERT_EQUAL(s.slot_size, 32u << 20);
    CU_ASSERT_TRUE(s.staged && s.can_rehearse);
    CU_ASSERT_FALSE(s.busy || s.can_fault || s.crash_loaded);
    fake.query.phase = XEN_LIVEUPDATE_PHASE_settle;
    fake.query.caps = XEN_LIVEUPDATE_CAP_FAULT;
    fake.crash_loaded = true;
    CU_ASSERT_EQUAL(xenlu_get_status(lu, &s, sizeof(s), &err), XENLU_OK);
    CU_ASSERT_TRUE(s.busy && s.can_fault && s.crash_loaded);
    CU_ASSERT_FALSE(s.can_rehearse);
    CU_ASSERT_STRING_EQUAL(xenlu_phase_name(XEN_LIVEUPDATE_PHASE_settle), "settle");
    CU_ASSERT_PTR_NULL(xenlu_phase_name(XEN_LIVEUPDATE_PHASE_settle + 1));
    CU_ASSERT_STRING_EQUAL(xenlu_state_name(XENLU_STATE_DONE), "done");
    CU_ASSERT_STRING_EQUAL(xenlu_state_name(99), "unknown");
    CU_ASSERT_STRING_EQUAL(xenlu_code_name(XENLU_TIMEOUT), "timeout");
    CU_ASSERT_STRING_EQUAL(xenlu_code_name(99), "unknown");
}

static void test_check(void)
{
    struct xenlu_refusal *list;
    struct xenlu_error err;
    unsigned int nr;

    fresh(1);
    CU_ASSERT_EQUAL(xenlu_check(lu, &list, sizeof(*list), &nr, &err), XENLU_OK);
    CU_ASSERT_EQUAL(nr, 0);
    free(list);

    fake_refuse(XEN_LIVEUPDATE_NO_DOMAIN, EBUSY, "host", "not now");
    for (unsigned int i = 1; i < 100; i++)
        fake_refuse(i, EOPNOTSUPP, "grant", "for a test");
    CU_ASSERT_EQUAL(xenlu_check(lu, &list, sizeof(*list), &nr, &err), XENLU_OK);
    CU_ASSERT_EQUAL_FATAL(nr, 100);
    CU_ASSERT_EQUAL(list[0].domid, XENLU_NO_DOMAIN);
    CU_ASSERT_EQUAL(list[0].errnum, EBUSY);
    CU_ASSERT_STRING_EQUAL(list[0].resource, "host");
    CU_ASSERT_EQUAL(list[99].domid, 99);
    CU_ASSERT_STRING_EQUAL(list[99].reason, "for a test");
    free(list);
}

/* Names and numbers are for ever. */
static void test_features(void)
{
    static const char *const names[] = {
        "pv",           "pv32",          "hvm",         "shadow-paging",  "pv-linear-pt",
        "sched-credit", "sched-credit2", "sched-rtds",  "sched-arinc653", "sched-null",
        "xsm-flask",    "xsm-silo",      "livepatch",   "kexec",          "argo",
        "mem-sharing",  "mem-paging",    "tracebuffer", "xenoprof",       "hypfs",
        "gdbsx",        "bigmem",        "efi",         "tools-4-17",     "tools-4-18",
        "tools-4-20",
    };
    unsigned int nr = sizeof(names) / sizeof(names[0]);

    for (unsigned int i = 0; i < nr; i++) {
        CU_ASSERT_STRING_EQUAL(xenlu_feature_name(i), names[i]);
        CU_ASSERT_TRUE(*xenlu_feature_use(i));
    }
    CU_ASSERT_PTR_NULL(xenlu_feature_name(nr));
    CU_ASSERT_PTR_NULL(xenlu_feature_use(nr));
    CU_ASSERT_PTR_NULL(xenlu_feature_name(31));
    CU_ASSERT_EQUAL(LU_HAS_SHADOW_PAGING, 1 << 3);
    CU_ASSERT_EQUAL(LU_HAS_BIGMEM, 1 << 21);
    CU_ASSERT_EQUAL(LU_HAS_EFI, 1 << 22);
}

/* A program that stages by the library is asked what it agrees to lose. */
static void test_features_lost(void)
{
    uint32_t lost = LU_HAS_SHADOW_PAGING | LU_HAS_LIVEPATCH, unknown = 1u << 30;
    struct xenlu_target target;
    struct xenlu_status status;
    struct xenlu_refusal *list;
    struct xenlu_error err;
    struct record_why why;
    struct image image;
    unsigned int nr;

    fresh(2);
    fake.query.features |= unknown;
    image_good(&image);
    image_note(&image)->flags = FAKE_FEATURES & ~lost;
    CU_ASSERT_EQUAL_FATAL(record_replace("xen", 0600, &image, sizeof(image), &why), 0);
    CU_ASSERT_EQUAL(xenlu_check_target(lu, "xen", NULL, &target, sizeof(target), &err), XENLU_OK);
    CU_ASSERT_EQUAL(target.features, FAKE_FEATURES & ~lost);
    CU_ASSERT_EQUAL(target.lost, lost);
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, &target, sizeof(target), &err),
                    XENLU_FEATURES_LOST);
    CU_ASSERT_STRING_EQUAL(xenlu_code_name(err.code), "features-lost");
    xenlu_set_without(lu, LU_HAS_LIVEPATCH);
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, NULL, 0, &err), XENLU_FEATURES_LOST);
    CU_ASSERT_EQUAL(fake.loads, 0);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_check], 2);
    xenlu_set_without(lu, lost | LU_HAS_PV);
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, &target, sizeof(target), &err), XENLU_OK);
    CU_ASSERT_EQUAL(fake.loads, 1);
    CU_ASSERT_EQUAL(xenlu_get_status(lu, &status, sizeof(status), &err), XENLU_OK);
    CU_ASSERT_EQUAL(status.features, FAKE_FEATURES | unknown);
    CU_ASSERT_EQUAL(status.staged_features, target.features);

    /* What is in use: of the staged one, and of any other. */
    fake.needs = LU_HAS_SHADOW_PAGING;
    fake.needs_domid = 1;
    CU_ASSERT_EQUAL(xenlu_check(lu, &list, sizeof(*list), &nr, &err), XENLU_OK);
    CU_ASSERT_EQUAL_FATAL(nr, 1);
    CU_ASSERT_EQUAL(list[0].domid, 1);
    free(list);
    CU_ASSERT_EQUAL(xenlu_check_features(lu, 0, &list, sizeof(*list), &nr, &err), XENLU_OK);
    CU_ASSERT_EQUAL(nr, 0);
    CU_ASSERT_EQUAL(xenlu_check_features(lu, FAKE_FEATURES, &list, sizeof(*list), &nr, &err),
                    XENLU_OK);
    CU_ASSERT_EQUAL(nr, 0);
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, NULL, 0, &err), XENLU_REFUSED);
    CU_ASSERT_EQUAL(err.domid, 1);
    CU_ASSERT_EQUAL(err.errnum, EOPNOTSUPP);
    fake.needs_domid = XENLU_NO_DOMAIN;
    fake_refuse(0, EBUSY, "grant", "not now");
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, NULL, 0, &err), XENLU_REFUSED);
    CU_ASSERT_STRING_EQUAL(err.message, "the host: the target is built without its need");
    CU_ASSERT_EQUAL(err.domid, XENLU_NO_DOMAIN);
    CU_ASSERT_EQUAL(fake.loads, 1);
    fake.needs_domid = 1;
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, NULL, 0, NULL), XENLU_REFUSED);

    /* Nor may it have what Xen cannot hand over to. */
    image_note(&image)->flags = FAKE_FEATURES | LU_HAS_PV32;
    CU_ASSERT_EQUAL_FATAL(record_replace("xen", 0600, &image, sizeof(image), &why), 0);
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, NULL, 0, &err), XENLU_OK);
    fake_refuse(XEN_LIVEUPDATE_NO_DOMAIN, EOPNOTSUPP, "target", "for a test");
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, NULL, 0, &err), XENLU_REFUSED);
    CU_ASSERT_STRING_EQUAL(err.message, "the host: for a test");
    CU_ASSERT_EQUAL(fake.loads, 2);

    /* Xen is asked about one that does not say what it is built with, too: a host that EFI has booted refuses it. */
    image_note(&image)->flags = 0;
    CU_ASSERT_EQUAL_FATAL(record_replace("xen", 0600, &image, sizeof(image), &why), 0);
    fake_refuse(XEN_LIVEUPDATE_NO_DOMAIN, EOPNOTSUPP, "target", "for a test");
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, NULL, 0, &err), XENLU_REFUSED);
    CU_ASSERT_EQUAL(fake.loads, 2);
    fake.nr_refusals = 0;
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, NULL, 0, &err), XENLU_OK);
    CU_ASSERT_EQUAL(fake.loads, 3);
}

static void test_inventory(void)
{
    struct xenlu_inventory inv;
    struct xenlu_domain *d;
    struct xenlu_error err;

    fresh(FAKE_DOMAINS);
    fake.domain[150].tot_pages = 5;
    fake.domain[150].flags = XEN_LIVEUPDATE_DOMAIN_HVM;
    CU_ASSERT_EQUAL(xenlu_get_inventory(lu, &inv, sizeof(inv), &d, sizeof(*d), &err), XENLU_OK);
    CU_ASSERT_EQUAL_FATAL(inv.nr_domains, FAKE_DOMAINS);
    CU_ASSERT_TRUE(fake.calls[XEN_LIVEUPDATE_inventory] <= 3);
    CU_ASSERT_EQUAL(d[150].domid, 150);
    CU_ASSERT_EQUAL(d[150].pages, 5);
    CU_ASSERT_EQUAL(d[150].max_pages, 32768);
    CU_ASSERT_EQUAL(d[150].flags, XENLU_DOMAIN_HVM);
    free(d);

    fake.fail_op = XEN_LIVEUPDATE_inventory;
    fake.error = EOPNOTSUPP;
    CU_ASSERT_EQUAL(xenlu_get_inventory(lu, &inv, sizeof(inv), &d, sizeof(*d), &err),
                    XENLU_UNSUPPORTED);
}

static void test_stream(void)
{
    struct xenlu_error err;
    size_t size = 0;
    void *buf;

    fresh(1);
    CU_ASSERT_EQUAL(xenlu_read_stream(lu, &buf, &size, &err), XENLU_NO_STREAM);
    fake.stream_len = FAKE_STREAM;
    for (size_t i = 0; i < FAKE_STREAM; i++)
        fake.stream[i] = i * i >> 3;
    CU_ASSERT_EQUAL_FATAL(xenlu_read_stream(lu, &buf, &size, &err), XENLU_OK);
    CU_ASSERT_EQUAL(size, FAKE_STREAM);
    CU_ASSERT(!memcmp(buf, fake.stream, FAKE_STREAM));
    free(buf);
}

static void test_staging(void)
{
    struct xenlu_target target;
    struct xenlu_error err;
    struct record_why why;
    struct image image;

    fresh(1);
    image_good(&image);
    strcpy(image_note(&image)->changeset, "a changeset");
    CU_ASSERT_EQUAL_FATAL(record_replace("xen", 0600, &image, sizeof(image), &why), 0);
    CU_ASSERT_EQUAL(xenlu_check_target(lu, "xen", "loglvl=all", &target, sizeof(target), &err),
                    XENLU_OK);
    CU_ASSERT_EQUAL(fake.loads, 0);
    CU_ASSERT_STRING_EQUAL(target.version, "4.17.5-test");
    CU_ASSERT_STRING_EQUAL(target.changeset, "a changeset");
    CU_ASSERT_STRING_EQUAL(target.command_line,
                           "loglvl=all no-real-mode liveupdate=32M@0x42000000");
    CU_ASSERT_EQUAL(target.entry, 0x42000000 + IMAGE_PADDR);
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, NULL, 0, &err), XENLU_OK);
    CU_ASSERT_EQUAL(fake.loads, 1);
    CU_ASSERT_EQUAL(access("staged", F_OK), 0);
    CU_ASSERT_EQUAL(xenlu_unstage(lu, &err), XENLU_OK);
    CU_ASSERT_EQUAL(fake.unloads, 1);

    /* The file is named, and the size that would do. */
    fake.query.slot_size = 4u << 20;
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, &target, sizeof(target), &err),
                    XENLU_REGION_TOO_SMALL);
    CU_ASSERT_EQUAL(err.size_needed, 44u << 20);
    fake.query.slot_size = 32u << 20;
    image_ehdr(&image)->e_machine = 40;
    CU_ASSERT_EQUAL_FATAL(record_replace("xen", 0600, &image, sizeof(image), &why), 0);
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, &target, sizeof(target), &err), XENLU_NOT_XEN);
    CU_ASSERT(!strncmp(err.message, "xen: ", 5));
    CU_ASSERT_EQUAL(xenlu_stage(lu, "/nowhere", NULL, &target, sizeof(target), &err), XENLU_SYSTEM);
    CU_ASSERT_EQUAL(err.errnum, ENOENT);

    /* While an update runs, a target can be looked at, but not loaded. */
    image_good(&image);
    CU_ASSERT_EQUAL_FATAL(record_replace("xen", 0600, &image, sizeof(image), &why), 0);
    fake.stage = fake.stuck = FAKE_SETTLE;
    fake.query.phase = XEN_LIVEUPDATE_PHASE_settle;
    CU_ASSERT_EQUAL(xenlu_stage(lu, "xen", NULL, &target, sizeof(target), &err), XENLU_BUSY);
    CU_ASSERT_EQUAL(xenlu_check_target(lu, "xen", NULL, &target, sizeof(target), &err), XENLU_OK);
    CU_ASSERT_EQUAL(fake.loads, 1);

    fake_reset(1);
    fake.pvh_dom0 = true;
    CU_ASSERT_EQUAL(xenlu_stage(lu, "/boot/xen", NULL, &target, sizeof(target), &err),
                    XENLU_REFUSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "dom0 is PVH"));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"the journal is written and read", test_journal},
        {"the journal is on the disk", test_journal_disk},
        {"a journal that cannot be read", test_journal_unreadable},
        {"entries of a later version", test_journal_strange},
        {"two attempts of one number", test_same_number},
        {"names of outcomes", test_outcomes},
        {"a damaged journal", test_damage},
        {"the journal of before is taken over", test_import},
        {"what the journal keeps", test_keep},
        {"cut off: the same Xen", test_judge_same_xen},
        {"cut off: judged once", test_judge_once},
        {"cut off: another Xen", test_judge_replaced},
        {"cut off: is it the target", test_judge_target},
        {"cut off: another boot", test_judge_rebooted},
        {"results as messages", test_result},
        {"what is missing is found", test_manifest},
        {"what was so before is not missing", test_manifest_flags},
        {"digests", test_digest},
        {"devices", test_devices},
        {"the pause is predicted", test_prediction},
        {"hooks", test_hooks},
        {"hooks that would not be run", test_hooks_not_run},
        {"what hooks get", test_hook_files},
        {"a time limit for hooks", test_hook_limit},
        {"files that are replaced", test_replace},
        {"what is staged", test_staged},
        {"metrics", test_metrics},
        {"the system's log", test_log},
        {"messages as JSON", test_json},
        {"values as JSON", test_json_values},
        {"time", test_time},
        {"library: update", test_update},
        {"what Xen refuses", test_xen_refuses},
        {"library: poll", test_poll},
        {"library: an attempt is recorded", test_recorded},
        {"library: the target is known", test_target_known},
        {"library: a limit for the pause", test_limit},
        {"library: the lock", test_lock},
        {"library: too late", test_too_late},
        {"library: not now", test_not_now},
        {"library: status", test_status},
        {"library: check", test_check},
        {"library: features", test_features},
        {"library: features that are lost", test_features_lost},
        {"library: inventory", test_inventory},
        {"library: stream", test_stream},
        {"library: staging", test_staging},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"record", start, stop, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    return run_suites(suites);
}
