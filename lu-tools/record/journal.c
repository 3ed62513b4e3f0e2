/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal: what was about to be done, and what became of it.
 *
 * An SQLite database with a row for each attempt.  Before anything happens Begin is on
 * the disk; whoever finds one without its End later, and the journal not locked, knows that
 * the process has been killed or the power was cut, and adds what can be known
 * (complete.c).
 *
 * A rollback journal and not a write-ahead log: when COMMIT returns, the one file has all of
 * it, and can be copied, put on a medium that is only read, and asked there.  It is
 * truncated, not removed, so that a commit does not depend on the directory; with
 * synchronous=EXTRA the truncation is on the disk as well, as a rollback journal that
 * comes back after a power cut would take back a Begin.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "record.h"

#define VERSION 1 /* of the table */
/* Who reads has the database for milliseconds. */
#define BUSY_MS 5000
/* Of updates, and as many rehearsals. */
#define KEEP 200

/* ---- attempts in memory ---- */

void journal_add(struct journal *j, Lu__Begin *begin, Lu__End *end)
{
    j->attempts = realloc(j->attempts, (j->nr_attempts + 1) * sizeof(*j->attempts));
    if (!j->attempts)
        abort();
    j->attempts[j->nr_attempts++] = (struct attempt){begin, end};
    if (begin->id > j->last_id)
        j->last_id = begin->id;
}

static void forget_attempts(struct journal *j)
{
    for (size_t i = 0; i < j->nr_attempts; i++) {
        lu__begin__free_unpacked((Lu__Begin *)j->attempts[i].begin, NULL);
        if (j->attempts[i].end)
            lu__end__free_unpacked((Lu__End *)j->attempts[i].end, NULL);
    }
    free(j->attempts);
    j->attempts = NULL;
    j->nr_attempts = 0;
}

bool journal_understands(const Lu__Begin *begin)
{
    return begin->before && begin->before->host && begin->plan;
}

/* ---- the database ---- */

/* What SQLite says of its last call; an errno. */
static int db_fail(const struct journal *j, const char *what, struct record_why *why)
{
    int code = sqlite3_errcode(j->db), errnum = sqlite3_system_errno(j->db);

    switch (code) {
    case SQLITE_BUSY: errnum = EBUSY; break;
    case SQLITE_FULL: errnum = ENOSPC; break;
    case SQLITE_CONSTRAINT: errnum = EEXIST; break;
    case SQLITE_NOMEM: errnum = ENOMEM; break;
    case SQLITE_READONLY: /* or it has been replaced by another file */
        return record_fail(why, EROFS, "%s: cannot be %s: %s", j->path, what,
                           sqlite3_errmsg(j->db));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a table that is not ours */
        return record_fail(why, EBADMSG,
                           "%s: is damaged: %s; put it aside, and a new one will be begun", j->path,
                           sqlite3_errmsg(j->db));
    default: errnum = errnum ? errnum : EIO;
    }

    return record_fail(why, errnum, "%s: cannot be %s: %s", j->path, what, strerror(errnum));
}

static int execute(struct journal *j, const char *sql, const char *what, struct record_why *why)
{
    return sqlite3_exec(j->db, sql, NULL, NULL, NULL) ? db_fail(j, what, why) : 0;
}

/* Statement @sql, for the attempt @id (?1) of @kind (?2), with messages (?3, ?4; NULL: none). */
static int change(struct journal *j, const char *sql, uint32_t id, Lu__Kind kind,
                  const Lu__Begin *begin, const Lu__End *end, struct record_why *why)
{
    const ProtobufCMessage *messages[] = {begin ? &begin->base : NULL, end ? &end->base : NULL};
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(j->db, sql, -1, &s, NULL);

    if (rc)
        return db_fail(j, "written", why);
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_int64(s, 2, kind);
    for (int i = 0; i < 2 && sqlite3_bind_parameter_count(s) >= 3 + i; i++)
        if (messages[i]) {
            size_t size = protobuf_c_message_get_packed_size(messages[i]);
            uint8_t *data = record_alloc(size + 1);

            protobuf_c_message_pack(messages[i], data);
            sqlite3_bind_blob64(s, 3 + i, data, size, free);
        }
    rc = sqlite3_step(s) == SQLITE_DONE ? 0 : db_fail(j, "written", why);
    sqlite3_finalize(s);

    return rc;
}

static int commit(struct journal *j, int rc, struct record_why *why)
{
    if (!rc)
        rc = execute(j, "COMMIT", "written", why);
    if (rc)
        sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);

    return rc;
}

/* One that has no End yet stays, however old. */
static int prune(struct journal *j, Lu__Kind kind, struct record_why *why)
{
    return change(j,
                  "DELETE FROM attempt WHERE kind = ?2 AND end IS NOT NULL AND id NOT IN "
                  "(SELECT id FROM attempt WHERE kind = ?2 ORDER BY id DESC LIMIT ?1)",
                  j->keep, kind, NULL, NULL, why);
}

static int insert(struct journal *j, const struct attempt *a, struct record_why *why)
{
    return change(j, "INSERT INTO attempt (id, kind, begin, end) VALUES (?1, ?2, ?3, ?4)",
                  a->begin->id, a->begin->plan->kind, a->begin, a->end, why);
}

/* ---- reading ---- */

/* A row that a later version has written may say nothing to this one. */
static void take_row(struct journal *j, sqlite3_stmt *s)
{
    sqlite3_int64 id = sqlite3_column_int64(s, 0);
    bool ended = sqlite3_column_type(s, 2) != SQLITE_NULL;
    Lu__Begin *begin;
    Lu__End *end = NULL;

    begin = lu__begin__unpack(NULL, sqlite3_column_bytes(s, 1), sqlite3_column_blob(s, 1));
    if (ended)
        end = lu__end__unpack(NULL, sqlite3_column_bytes(s, 2), sqlite3_column_blob(s, 2));

    if (id > 0 && id < UINT32_MAX && begin && begin->id == id && journal_understands(begin) &&
        (end || !ended)) {
        journal_add(j, begin, end);
        return;
    }
    j->skipped++;
    if (id > j->last_id && id < UINT32_MAX)
        j->last_id = id;
    if (begin)
        lu__begin__free_unpacked(begin, NULL);
    if (end)
        lu__end__free_unpacked(end, NULL);
}

static int read_rows(struct journal *j, struct record_why *why)
{
    sqlite3_stmt *s;
    int code;

    if (sqlite3_prepare_v2(j->db, "SELECT id, begin, end FROM attempt ORDER BY id", -1, &s, NULL))
        return db_fail(j, "read", why);
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        take_row(j, s);
    code = code == SQLITE_DONE ? 0 : db_fail(j, "read", why);
    sqlite3_finalize(s);

    return code;
}

/* *version: of the table; 0: there is none yet. */
static int read_version(struct journal *j, int *version, struct record_why *why)
{
    sqlite3_stmt *s;
    int rc = 0;

    if (sqlite3_prepare_v2(j->db, "PRAGMA user_version", -1, &s, NULL))
        return db_fail(j, "read", why);
    if (sqlite3_step(s) == SQLITE_ROW)
        *version = sqlite3_column_int(s, 0);
    else
        rc = db_fail(j, "read", why);
    sqlite3_finalize(s);
    if (!rc && (*version < 0 || *version > VERSION))
        rc = record_fail(why, ENOTSUP, "%s: was written by a later version", j->path);

    return rc;
}

/* ---- opening ---- */

static int lock(struct journal *j, const char *dir, struct record_why *why)
{
    char path[PATH_MAX];
    int rc = record_make_directory(dir);

    if (rc)
        return record_fail(why, rc, "%s: cannot be made: %s", dir, strerror(rc));
    snprintf(path, sizeof(path), "%s/lock", dir);
    j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (j->lock < 0)
        return record_fail(why, errno, "%s: cannot be opened: %s", path, strerror(errno));
    if (!flock(j->lock, LOCK_EX | LOCK_NB))
        return 0;

    rc = errno == EWOULDBLOCK ? EBUSY : errno;
    close(j->lock);
    j->lock = -1;

    return record_fail(why, rc, "%s: cannot be locked: %s", path, strerror(rc));
}

/* SQLite would make the file for others to read as well, and makes its own files like it. */
static int make_file(struct journal *j, bool write, bool *there, struct record_why *why)
{
    int fd = open(j->path, write ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);

    *there = fd >= 0 || errno != ENOENT;
    if (fd >= 0)
        close(fd);
    else if (*there)
        return record_fail(why, errno, "%s: cannot be %s: %s", j->path, write ? "written" : "read",
                           strerror(errno));

    return 0;
}

static int open_database(struct journal *j, bool write, struct record_why *why)
{
    /* Where it cannot be written SQLite opens it for reading. */
    if (sqlite3_open_v2(j->path, &j->db, SQLITE_OPEN_READWRITE, NULL))
        return db_fail(j, "opened", why);
    sqlite3_busy_timeout(j->db, BUSY_MS);

    return write ? execute(j,
                           "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = EXTRA;"
                           "PRAGMA temp_store = MEMORY",
                           "opened", why)
                 : 0;
}

/* The table, and in it what the old journal has: both or nothing. */
static int make_table(struct journal *j, struct record_why *why)
{
    int rc = execute(j,
                     "BEGIN IMMEDIATE; CREATE TABLE attempt (id INTEGER PRIMARY KEY, "
                     "kind INTEGER NOT NULL, begin BLOB NOT NULL, end BLOB);"
                     "PRAGMA user_version = 1",
                     "written", why);

    for (size_t i = 0; !rc && i < j->nr_attempts; i++)
        rc = insert(j, &j->attempts[i], why);
    for (int kind = LU__KIND__UPDATE; !rc && kind <= LU__KIND__REHEARSAL; kind++)
        rc = prune(j, kind, why);

    return commit(j, rc, why);
}

/* If that is cut off, or cannot be done, whoever comes next does it: the table is there. */
static void put_old_aside(const char *old)
{
    char kept[PATH_MAX];

    if (snprintf(kept, sizeof(kept), "%s.imported", old) < (int)sizeof(kept) &&
        !renameat2(AT_FDCWD, old, AT_FDCWD, kept, RENAME_NOREPLACE))
        record_sync_directory(old);
}

static int read_all(struct journal *j, const char *old, bool write, struct record_why *why)
{
    int version = 0, rc = j->db ? read_version(j, &version, why) : 0;

    if (!rc && !version)
        rc = old_journal_read(j, old, why);
    if (!rc && !version && write)
        rc = make_table(j, why);
    if (!rc && write)
        put_old_aside(old);
    if (rc || !version)
        return rc;

    return read_rows(j, why);
}

static int read_keep(struct journal *j, struct record_why *why)
{
    const char *text = record_dir("XEN_LIVEUPDATE_KEEP", NULL);
    char *end;

    j->keep = KEEP;
    if (!text)
        return 0;
    j->keep = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || !j->keep || j->keep > 1000000)
        return record_fail(why, EINVAL, "XEN_LIVEUPDATE_KEEP=%s: not a number from 1 to 1000000",
                           text);

    return 0;
}

int journal_open(struct journal *j, bool write, struct record_why *why)
{
    const char *dir = record_dir("XEN_LIVEUPDATE_DIR", RECORD_DIR);
    char old[PATH_MAX];
    bool there;
    int rc;

    *j = (struct journal){.lock = -1};
    snprintf(old, sizeof(old), "%s/journal", dir);
    if (asprintf(&j->path, "%s/journal.db", dir) < 0)
        return record_fail(why, ENOMEM, "no memory");
    rc = read_keep(j, why);
    if (!rc && write)
        rc = lock(j, dir, why);
    if (!rc)
        rc = make_file(j, write, &there, why);
    if (!rc && there)
        rc = open_database(j, write, why);
    if (!rc)
        rc = read_all(j, old, write, why);
    if (rc)
        journal_close(j);

    return rc;
}

void journal_close(struct journal *j)
{
    forget_attempts(j);
    free(j->path);
    sqlite3_close(j->db);
    if (j->lock >= 0)
        close(j->lock);
    *j = (struct journal){.lock = -1};
}

/* ---- writing ---- */

int journal_begin(struct journal *j, Lu__Begin *begin, struct record_why *why)
{
    int rc = execute(j, "BEGIN IMMEDIATE", "written", why);

    if (!rc)
        rc = insert(j, &(struct attempt){begin, NULL}, why);
    if (!rc)
        rc = prune(j, begin->plan->kind, why);
    rc = commit(j, rc, why);
    if (rc)
        lu__begin__free_unpacked(begin, NULL);
    else
        journal_add(j, begin, NULL);

    return rc;
}

int journal_end(struct journal *j, Lu__End *end, struct record_why *why)
{
    struct attempt *a = NULL;
    int rc;

    for (size_t i = 0; i < j->nr_attempts; i++)
        if (j->attempts[i].begin->id == end->id && !j->attempts[i].end)
            a = &j->attempts[i];
    rc = a ? change(j, "UPDATE attempt SET end = ?4 WHERE id = ?1", end->id, 0, NULL, end, why)
           : record_fail(why, ENOENT, "%s: attempt %u is not under way", j->path, end->id);
    if (rc)
        lu__end__free_unpacked(end, NULL);
    else
        a->end = end;

    return rc;
}

/* ---- looking things up ---- */

uint32_t journal_next_id(const struct journal *j)
{
    return j->last_id + 1;
}

const struct attempt *journal_find(const struct journal *j, uint32_t id, Lu__Kind kind)
{
    for (size_t i = j->nr_attempts; i-- > 0;)
        if (id ? j->attempts[i].begin->id == id : j->attempts[i].begin->plan->kind == kind)
            return &j->attempts[i];

    return NULL;
}

const char *journal_outcome(const struct attempt *a)
{
    static const char *const names[] = {
        [LU__OUTCOME__UNDER_WAY] = "under way", [LU__OUTCOME__DONE] = "done",
        [LU__OUTCOME__FAILED] = "failed",       [LU__OUTCOME__NOT_TRIED] = "not tried",
        [LU__OUTCOME__LOST] = "lost",           [LU__OUTCOME__NOT_KNOWN] = "not known",
        [LU__OUTCOME__REHEARSED] = "rehearsed", [LU__OUTCOME__RETURNED] = "returned",
    };
    unsigned int outcome = a->end ? a->end->outcome : LU__OUTCOME__UNDER_WAY;

    return outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "?";
}
