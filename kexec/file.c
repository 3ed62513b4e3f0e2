/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target's file: read, and unpacked if gzip packed it (xen.gz).
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lu-kexec.h"

/* A Xen has a few MiB; what is larger than this is something else. */
#define MAX_FILE (256u << 20)

/* inflateInit2(): the largest window, and a gzip header. */
#define GZIP_WINDOW (15 + 16)

static bool is_gzip(const uint8_t *data, size_t size)
{
    return size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

static enum lu_kexec_error grow(struct lu_file *file, size_t *room, struct lu_kexec_why *why)
{
    size_t more = *room ? *room * 2 : 4u << 20;
    uint8_t *data = more <= MAX_FILE ? realloc(file->data, more) : NULL;

    if (!data)
        return lu_kexec_complain(why, more > MAX_FILE ? LU_KEXEC_BAD_ARCHIVE : LU_KEXEC_NO_MEMORY,
                                 "unpacked it is larger than %u MiB, which no Xen is",
                                 MAX_FILE >> 20);
    file->data = data;
    *room = more;

    return LU_KEXEC_OK;
}

static enum lu_kexec_error gunzip(struct lu_file *file, const uint8_t *data, size_t size,
                                  struct lu_kexec_why *why)
{
    z_stream z = {.next_in = (Bytef *)data, .avail_in = size};
    enum lu_kexec_error error = LU_KEXEC_OK;
    size_t room = 0;
    int rc = Z_OK;

    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory to unpack the file");

    while (rc == Z_OK && !error) {
        if (file->size == room)
            error = grow(file, &room, why);
        if (error)
            break;
        z.next_out = file->data + file->size;
        z.avail_out = room - file->size;
        rc = inflate(&z, Z_NO_FLUSH);
        file->size = room - z.avail_out;
    }
    inflateEnd(&z);

    if (error)
        return error;
    if (rc == Z_BUF_ERROR)
        return lu_kexec_complain(why, LU_KEXEC_TRUNCATED,
                                 "the gzip archive is truncated: it ends after %zu bytes", size);
    if (rc != Z_STREAM_END)
        return lu_kexec_complain(why, LU_KEXEC_BAD_ARCHIVE, "the gzip archive is damaged: %s",
                                 z.msg ? z.msg : zError(rc));

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_file_unpack(struct lu_file *file, const void *data, size_t size,
                                   struct lu_kexec_why *why)
{
    enum lu_kexec_error error = LU_KEXEC_OK;

    *file = (struct lu_file){0};

    if (is_gzip(data, size)) {
        error = gunzip(file, data, size, why);
        if (error)
            lu_file_free(file);
        return error;
    }

    file->data = malloc(size ? size : 1);
    if (!file->data)
        return lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory for %zu bytes of the file",
                                 size);
    memcpy(file->data, data, size);
    file->size = size;

    return LU_KEXEC_OK;
}

static enum lu_kexec_error file_error(const char *path, const char *what, struct lu_kexec_why *why)
{
    int errnum = errno;

    lu_kexec_complain(why, LU_KEXEC_FILE, "%s: %s: %s", path, what, strerror(errnum));
    why->errnum = errnum;

    return LU_KEXEC_FILE;
}

/* Reads all of @fd; *data is the caller's to free. */
static enum lu_kexec_error read_all(int fd, const char *path, uint8_t **data, size_t *size,
                                    struct lu_kexec_why *why)
{
    struct stat st;
    size_t room;
    ssize_t n;

    if (fstat(fd, &st))
        return file_error(path, "cannot be read", why);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return file_error(path, "cannot be read", why);
    }
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE)
        return lu_kexec_complain(why, LU_KEXEC_NOT_ELF,
                                 "%s is no Xen: not a file of at most %u MiB", path,
                                 MAX_FILE >> 20);

    room = st.st_size;
    *data = malloc(room ? room : 1);
    if (!*data)
        return lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory for %zu bytes of %s", room,
                                 path);
    for (*size = 0; *size < room; *size += n) {
        n = read(fd, *data + *size, room - *size);
        if (n < 0)
            return file_error(path, "cannot be read", why);
        if (!n)
            break;
    }

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_file_read(struct lu_file *file, const char *path, struct lu_kexec_why *why)
{
    enum lu_kexec_error error;
    uint8_t *data = NULL;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *file = (struct lu_file){0};
    if (fd < 0)
        return file_error(path, "cannot be opened", why);

    error = read_all(fd, path, &data, &size, why);
    close(fd);
    if (!error && is_gzip(data, size)) {
        error = gunzip(file, data, size, why);
        if (error)
            lu_file_free(file);
    } else if (!error) {
        file->data = data;
        file->size = size;
        data = NULL;
    }
    free(data);

    return error;
}

void lu_file_free(struct lu_file *file)
{
    free(file->data);
    *file = (struct lu_file){0};
}
