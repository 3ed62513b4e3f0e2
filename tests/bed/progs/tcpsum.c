/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tcpsum listen PORT STATUS | tcpsum connect HOST PORT STATUS
 *
 * One TCP connection that carries a known pseudo-random stream each way; each
 * end checks every byte it receives. About 128 KiB/s each way, so that a machine
 * in an emulator has time for other things. On SIGTERM an end stops sending
 * and reads on until the other does so too. Reported: connected, sent,
 * received, mismatches, error (errno of a broken connection: a reset is 104),
 * closed (the other end finished).
 */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#define SEED_LISTENER    0x1157e4e4
#define SEED_CONNECTOR   0xc044ec74
#define CHUNK            8192
#define SEND_INTERVAL_NS (NS_PER_SEC / 16)
#define DRAIN_NS         (90 * NS_PER_SEC)

struct end {
    int fd;
    const char *status;
    uint64_t seed_out, seed_in;
    uint64_t sent, received, mismatches;
    int error;
    bool closed;
};

static void report(const struct end *e)
{
    write_status(e->status,
                 "connected=%d sent=%llu received=%llu mismatches=%llu error=%d closed=%d\n",
                 e->fd >= 0, (unsigned long long)e->sent, (unsigned long long)e->received,
                 (unsigned long long)e->mismatches, e->error, e->closed);
}

static void receive(struct end *e)
{
    uint8_t buf[CHUNK], expected[CHUNK];
    ssize_t n = recv(e->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n == 0)
        e->closed = true;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        e->error = errno;
    if (n <= 0)
        return;
    random_bytes(expected, n, e->seed_in, e->received);
    for (ssize_t i = 0; i < n; i++)
        e->mismatches += buf[i] != expected[i];
    e->received += n;
}

static void transmit(struct end *e)
{
    uint8_t buf[CHUNK];
    ssize_t n;

    random_bytes(buf, sizeof(buf), e->seed_out, e->sent);
    n = send(e->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        e->sent += n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        e->error = errno;
}

static void exchange(struct end *e)
{
    int64_t next_send = 0, reported = 0, drain_until = 0;

    while (!e->error && !e->closed) {
        struct pollfd p = {.fd = e->fd, .events = POLLIN};
        int64_t now = now_ns(CLOCK_MONOTONIC);

        if (stop_requested && !drain_until) {
            shutdown(e->fd, SHUT_WR);
            drain_until = now + DRAIN_NS;
        }
        if (drain_until && now > drain_until)
            break;
        if (!drain_until && now >= next_send) {
            transmit(e);
            next_send = now + SEND_INTERVAL_NS;
        }
        if (poll(&p, 1, SEND_INTERVAL_NS / 1000000) > 0)
            receive(e);
        if (now - reported > NS_PER_SEC / 4) {
            report(e);
            reported = now;
        }
    }
}

/* A socket that listens. */
static int start_listening(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (void *)&addr, sizeof(addr)) || listen(fd, 1)) {
        perror("tcpsum: listen");
        exit(1);
    }
    return fd;
}

/* The connection, or -1 when told to stop before there was one. */
static int accept_connection(int fd)
{
    while (!stop_requested) {
        int c = accept(fd, NULL, NULL);

        if (c >= 0)
            return c;
    }
    return -1;
}

static int open_connection(const char *host, int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_pton(AF_INET, host, &addr.sin_addr);
    while (!stop_requested) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (!connect(fd, (void *)&addr, sizeof(addr)))
            return fd;
        close(fd);
        usleep(100000);
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct end e = {.fd = -1};
    int listening = -1;
    bool listener = argc == 4 && !strcmp(argv[1], "listen");

    if (!listener && (argc != 5 || strcmp(argv[1], "connect")))
        usage("tcpsum listen PORT STATUS | tcpsum connect HOST PORT STATUS");
    run_behind_others();
    e.status = argv[argc - 1];
    e.seed_out = listener ? SEED_LISTENER : SEED_CONNECTOR;
    e.seed_in = listener ? SEED_CONNECTOR : SEED_LISTENER;
    if (listener)
        listening = start_listening(atoi(argv[2]));
    /* The status says that an end is ready; a connection before that is reset. */
    report(&e);
    e.fd = listener ? accept_connection(listening) : open_connection(argv[2], atoi(argv[3]));
    if (e.fd >= 0)
        exchange(&e);
    report(&e);
    return !(e.received && !e.mismatches && !e.error);
}
