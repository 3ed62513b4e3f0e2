/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target's file: read, and unpacked if gzip packed it (xen.gz).
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "lu-kexec.h"

/* A Xen has a few MiB; what is larger than this is something else. */
#define MAX_FILE (256u << 20)

static enum lu_kexec_error file_error(const char *path, const char *what, struct lu_kexec_why *why)
{
    int errnum = errno;

    lu_kexec_complain(why, LU_KEXEC_FILE, "%s: %s: %s", path, what, strerror(errnum));
    why->errnum = errnum;

    return LU_KEXEC_FILE;
}

static enum lu_kexec_error grow(struct lu_file *file, size_t *room, struct lu_kexec_why *why)
{
    size_t more = *room ? *room * 2 : 64u << 10;
    uint8_t *data;

    if (more > MAX_FILE)
        return lu_kexec_complain(why, LU_KEXEC_BAD_ARCHIVE,
                                 "unpacked it is larger than %u MiB, which no Xen is",
                                 MAX_FILE >> 20);
    data = realloc(file->data, more);
    if (!data)
        return lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory for %zu bytes of the file",
                                 more);
    file->data = data;
    *room = more;

    return LU_KEXEC_OK;
}

/* What is not packed comes as it is. */
static enum lu_kexec_error read_all(struct lu_file *file, gzFile gz, const char *path,
                                    struct lu_kexec_why *why)
{
    enum lu_kexec_error error = LU_KEXEC_OK;
    const char *text;
    size_t room = 0;
    int n, rc;

    do {
        if (file->size == room)
            error = grow(file, &room, why);
        if (error)
            return error;
        n = gzread(gz, file->data + file->size, room - file->size);
        if (n > 0)
            file->size += n;
    } while (n > 0);

    text = gzerror(gz, &rc);
    switch (rc) {
    case Z_OK: return LU_KEXEC_OK;
    case Z_ERRNO: return file_error(path, "cannot be read", why);
    case Z_MEM_ERROR: return lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory to unpack it");
    /* gzread() has given what there was, as if it were all. */
    case Z_BUF_ERROR:
        return lu_kexec_complain(why, LU_KEXEC_TRUNCATED, "the gzip archive is truncated");
    default:
        return lu_kexec_complain(why, LU_KEXEC_BAD_ARCHIVE, "the gzip archive is damaged: %s",
                                 text);
    }
}

enum lu_kexec_error lu_file_read(struct lu_file *file, const char *path, struct lu_kexec_why *why)
{
    enum lu_kexec_error error;
    struct stat st;
    gzFile gz;

    *file = (struct lu_file){0};
    if (stat(path, &st))
        return file_error(path, "cannot be opened", why);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return file_error(path, "cannot be read", why);
    }
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE)
        return lu_kexec_complain(why, LU_KEXEC_NOT_ELF,
                                 "%s is no Xen: not a file of at most %u MiB", path,
                                 MAX_FILE >> 20);
    gz = gzopen(path, "rbe");
    if (!gz)
        return file_error(path, "cannot be opened", why);

    error = read_all(file, gz, path, why);
    gzclose_r(gz);
    if (error)
        lu_file_free(file);

    return error;
}

void lu_file_free(struct lu_file *file)
{
    free(file->data);
    *file = (struct lu_file){0};
}
