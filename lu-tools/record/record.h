/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is kept about updates: the manifest of the host, the journal, the
 * prediction of the pause; and whom they are told to: hooks, metrics, the log.
 *
 * Messages are those of format/manifest.proto and format/report.proto, always
 * allocated, so that their *__free_unpacked() frees them.  Functions that can
 * fail return 0 or an errno, and then *why says what is wrong; nothing is printed.
 */
#ifndef RECORD_H
#define RECORD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "manifest.pb-c.h"
#include "report.pb-c.h"
#include "xenliveupdate.h"

/* Where things are kept; the environment may say otherwise (see xen-liveupdate(8)). */
#define RECORD_DIR  "/var/lib/xen/liveupdate"
#define HOOKS_DIR   "/etc/xen/liveupdate.d"
#define METRICS_DIR "/var/lib/prometheus/node-exporter"

#define ADVICE_DISK "make room, or set XEN_LIVEUPDATE_DIR to a directory that can be written"

/* What is wrong: one sentence. */
struct record_why {
    char text[384];
};

int record_fail(struct record_why *why, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* 0 or an errno. */
int record_write(int fd, const void *data, size_t size);
/* Makes the names in the directory of @path be on the disk; 0 or an errno. */
int record_sync_directory(const char *path);
/* @dir and what it lies in, where they are missing, are on the disk; 0 or an errno. */
int record_make_directory(const char *dir);
/* The directory that @variable names, else @standard. */
const char *record_dir(const char *variable, const char *standard);
/* strdup() for messages: never NULL but for want of memory, which ends the program. */
char *record_text(const char *text);
void *record_alloc(size_t size);
int64_t record_now(void); /* ns since 1970 */
/*
 * File @path holds @size bytes at @data from now on, with @mode, on the disk: a new file
 * in the place of the old one, so that nobody sees half of it, and nothing that
 * stood there (a symbolic link, a file that others may read) decides where it goes.
 */
int record_replace(const char *path, mode_t mode, const void *data, size_t size,
                   struct record_why *why);

/* ---- manifest.c ---- */

/* *manifest: host, domains and devices as they are now. */
int manifest_take(struct xenlu *lu, Lu__Manifest **manifest, struct record_why *why);
struct domids {
    uint32_t *domid;
    size_t nr;
};

/* Adds those of @list that have shut down by themselves: the toolstack may remove them at once. */
void manifest_note_ended(const struct xenlu_domain *list, uint32_t nr, struct domids *ended);
/*
 * Into @end: what @before has and @after has not, and who has left by himself, as @after says or
 * was seen meanwhile (@ended), each as a sentence with the domain first.
 */
void manifest_compare(const Lu__Manifest *before, const Lu__Manifest *after,
                      const struct domids *ended, Lu__End *end);
/* CRC-32C of the facts of @d that no update may change. */
uint32_t manifest_digest(const Lu__Domain *d);
/* "domain 3 (web1)", "domain 3" */
void manifest_name(const Lu__Manifest *m, uint32_t domid, char *text, size_t size);
/* "vif-1-0" serves domain 1, "9pfs-12-0" domain 12; 0: none is named. */
uint32_t manifest_back_end_domid(const char *name);
uint64_t manifest_pages(const Lu__Manifest *m); /* of all domains */

/* ---- journal.c ---- */

/* One attempt: end is NULL while it is under way, or after it was cut off. */
struct attempt {
    const Lu__Begin *begin;
    const Lu__End *end;
};

struct sqlite3;

struct journal {
    char *path;
    int lock; /* -1: only for reading */
    struct sqlite3 *db;
    struct attempt *attempts; /* owned; in the order of their numbers */
    size_t nr_attempts;
    uint32_t last_id;   /* of those left out as well */
    size_t skipped;     /* attempts left out: not understood */
    unsigned long keep; /* of each kind */
};

/*
 * Reads the journal; no file is an empty one.  @write: locked until it is closed;
 * EBUSY: another process has it.  It is to be closed unless this fails.
 */
int journal_open(struct journal *j, bool write, struct record_why *why);
void journal_close(struct journal *j);
/* On the disk when this returns.  Takes the message over, also when it fails. */
int journal_begin(struct journal *j, Lu__Begin *begin, struct record_why *why);
int journal_end(struct journal *j, Lu__End *end, struct record_why *why);
uint32_t journal_next_id(const struct journal *j);
/* NULL: there is none.  @id 0: the last one of @kind. */
const struct attempt *journal_find(const struct journal *j, uint32_t id, Lu__Kind kind);

/* Of journal.c and old_journal.c: takes both over; @end may be NULL. */
void journal_add(struct journal *j, Lu__Begin *begin, Lu__End *end);
bool journal_understands(const Lu__Begin *begin);
/* Adds what the old file @path has, in memory; none is no error. */
int old_journal_read(struct journal *j, const char *path, struct record_why *why);

Lu__Result *journal_result(const struct xenlu_result *r);
/* Was the attempt tried, and is everything as it was, under the same Xen? */
bool result_undone(const struct xenlu_result *r);
const char *journal_outcome(const struct attempt *a); /* "done", "under-way", ... */

/*
 * What became of attempts without an end, from what the running Xen says.  Those
 * that still run stay as they are.  @j is locked.
 */
int journal_complete(struct journal *j, struct xenlu *lu, struct record_why *why);
/* The decision alone: an End, or NULL if it is still under way. */
Lu__End *journal_judge(const Lu__Begin *begin, const Lu__Host *now, bool busy,
                       const struct xenlu_result *r);
/* An update drops it: was a crash kernel loaded in the Xen of @before, and is none in the other one, of @s? */
bool host_lost_crash_kernel(const Lu__Host *before, const struct xenlu_status *s);
/* Was a crash kernel loaded before the update that the Xen of @s comes from, and is none now? */
bool journal_lost_crash_kernel(const struct journal *j, const struct xenlu_status *s);

/* ---- staged.c ---- */

/* What is staged: @target is copied; NULL: nothing is. */
int staged_write(const Lu__Host *host, const Lu__Target *target, struct record_why *why);
/* NULL if nothing is known.  The caller frees it (lu__staged__free_unpacked()). */
Lu__Staged *staged_read(const Lu__Host *host);
/* The target in file @path as a message. */
Lu__Target *target_message(const char *path, const struct xenlu_target *t);
Lu__Target *target_copy(const Lu__Target *t);
/* The same file with the same contents, command line and place? */
bool target_equal(const Lu__Target *a, const Lu__Target *b);

/* ---- predict.c ---- */

/*
 * The pause of an update of the host that @m describes.  @rehearsed: the result of
 * a rehearsal just made, NULL: the last one in the journal serves.
 */
Lu__Prediction *predict_pause(const struct journal *j, const Lu__Manifest *m,
                              const Lu__Result *rehearsed);

/* ---- hooks.c ---- */

struct fact {
    const char *name; /* of the environment, behind XEN_LIVEUPDATE_ */
    char *value;      /* owned by the list */
};

#define FACTS_MAX 32

struct facts {
    struct fact fact[FACTS_MAX];
    unsigned int nr;
};

void facts_add(struct facts *f, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void facts_free(struct facts *f);

struct hooks_how {
    /* Told of each hook that is not run, and of each that fails, in a sentence with its name. */
    void (*problem)(const char *text, void *data);
    void *data;
    /*
     * Of hooks that can refuse: the first problem ends it, and so does *stop, which
     * also ends the hook that runs.  NULL: all are run, come what may.
     */
    const volatile sig_atomic_t *stop;
};

/*
 * Runs the hooks of @occasion ("pre-apply", ...) in the order of their names.
 * Returns the number of problems.
 */
unsigned int hooks_run(const char *occasion, const struct facts *facts,
                       const struct hooks_how *how);
/* Would they all be run?  Runs none. */
unsigned int hooks_check(const char *occasion, const struct hooks_how *how);

/* ---- notify.c ---- */

/* To the system's log, with an id that never changes. */
void notify_begin(const Lu__Begin *begin);
void notify_end(const Lu__Begin *begin, const Lu__End *end);
/* Of update @id: the crash kernel that was loaded before it is not loaded any more. */
void notify_crash_kernel(uint32_t id);

/* Metrics for node_exporter, if there is a directory for them. */
int metrics_write(const struct xenlu_status *s, const struct journal *j, struct record_why *why);

#endif /* RECORD_H */
