/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tohost line TEXT... | tohost file NAME PATH
 *
 * Sends something from dom0 to the driver outside, through the emulator's debug
 * console: one I/O port, no interrupt, nothing that a driver in dom0 or a live
 * update could lose. Which port it is comes with the run's settings: the environment's
 * DEBUG_PORT. A file goes as a line "@file NAME SIZE" and its bytes.
 */
#include "common.h"

#include <fcntl.h>
#include <sys/stat.h>

static int ports;
static off_t port;

static void send_bytes(const char *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (pwrite(ports, data + i, 1, port) != 1) {
            perror("tohost: /dev/port");
            exit(1);
        }
}

static int send_file(const char *name, const char *path)
{
    static char buf[65536];
    char head[256];
    struct stat st;
    off_t left;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || fstat(fd, &st)) {
        perror(path);
        return 1;
    }
    snprintf(head, sizeof(head), "@file %s %lld\n", name, (long long)st.st_size);
    send_bytes(head, strlen(head));
    for (left = st.st_size; left > 0;) {
        ssize_t n = read(fd, buf, sizeof(buf) < (size_t)left ? sizeof(buf) : (size_t)left);

        if (n <= 0) { /* it shrank: keep the promised size */
            memset(buf, 0, sizeof(buf));
            n = sizeof(buf) < (size_t)left ? (ssize_t)sizeof(buf) : left;
        }
        send_bytes(buf, n);
        left -= n;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *number = getenv("DEBUG_PORT");

    port = number ? strtol(number, NULL, 0) : 0;
    if (!port) {
        fprintf(stderr, "tohost: DEBUG_PORT is not set to a port's number\n");
        return 1;
    }
    ports = open("/dev/port", O_RDWR);
    if (ports < 0) {
        perror("tohost: /dev/port");
        return 1;
    }
    if (argc == 4 && !strcmp(argv[1], "file"))
        return send_file(argv[2], argv[3]);
    if (argc < 3 || strcmp(argv[1], "line"))
        usage("tohost line TEXT... | tohost file NAME PATH");
    for (int i = 2; i < argc; i++) {
        send_bytes(argv[i], strlen(argv[i]));
        send_bytes(i + 1 < argc ? " " : "\n", 1);
    }
    return 0;
}
