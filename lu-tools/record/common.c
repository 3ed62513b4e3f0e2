/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of record/ share.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

int record_fail(struct record_why *why, int errnum, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(why->text, sizeof(why->text), fmt, args);
    va_end(args);

    return errnum;
}

/* Not from the environment of somebody who is not root. */
const char *record_dir(const char *variable, const char *standard)
{
    const char *dir = secure_getenv(variable);

    return dir && *dir ? dir : standard;
}

void *record_alloc(size_t size)
{
    void *p = calloc(1, size);

    if (!p) {
        fputs("xen-liveupdate: no memory\n", stderr);
        exit(1);
    }

    return p;
}

/* An empty text is the one that messages have by default, so that it can be told from a copy. */
char *record_text(const char *text)
{
    size_t size = strlen(text) + 1;

    return size == 1 ? (char *)protobuf_c_empty_string : memcpy(record_alloc(size), text, size);
}

int64_t record_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);

    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int record_write(int fd, const void *data, size_t size)
{
    const uint8_t *p = data;

    while (size) {
        ssize_t n = write(fd, p, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        p += n;
        size -= n;
    }

    return 0;
}

int record_sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    int fd, rc;

    if (!slash)
        strcpy(dir, ".");
    else if (slash == path)
        strcpy(dir, "/");
    else
        snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    rc = fsync(fd) && errno != EINVAL ? errno : 0;
    close(fd);

    return rc;
}

static int make_one(const char *path, mode_t mode)
{
    if (!mkdir(path, mode))
        return record_sync_directory(path);

    return errno == EEXIST ? 0 : errno;
}

int record_make_directory(const char *dir)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s", dir);
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            int rc;

            *p = '\0';
            rc = make_one(path, 0755);
            *p = '/';
            if (rc)
                return rc;
        }

    return make_one(path, 0700);
}

/* The new file, beside the one that it will replace; a process that was killed may have left one. */
static int write_new(const char *path, mode_t mode, const void *data, size_t size)
{
    int rc, fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    rc = fchmod(fd, mode) ? errno : record_write(fd, data, size);
    if (!rc && fsync(fd))
        rc = errno;
    if (close(fd) && !rc)
        rc = errno;

    return rc;
}

int record_replace(const char *path, mode_t mode, const void *data, size_t size,
                   struct record_why *why)
{
    char new[PATH_MAX];
    struct stat st;
    int rc;

    /* A device or a directory is not to be replaced; a symbolic link is. */
    if (!lstat(path, &st) && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return record_fail(why, EINVAL, "%s: is there and is no regular file", path);
    if (snprintf(new, sizeof(new), "%s.new", path) >= (int)sizeof(new))
        return record_fail(why, ENAMETOOLONG, "%s: %s", path, strerror(ENAMETOOLONG));

    rc = write_new(new, mode, data, size);
    if (!rc && rename(new, path))
        rc = errno;
    if (rc)
        unlink(new);
    else
        rc = record_sync_directory(path);

    return rc ? record_fail(why, rc, "%s: cannot be written: %s", path, strerror(rc)) : 0;
}
