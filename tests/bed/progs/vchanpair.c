/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vchanpair serve DOMID STATUS | vchanpair connect DOMID STATUS
 *
 * Two guests that share memory and an event channel with each other, without a
 * back end between them: a libxenvchan connection with domain DOMID that
 * carries a known pseudo-random stream each way, every byte of which is
 * checked. Reported: connected, sent, received, mismatches, closed (the other
 * end is gone). Some 500 KiB/s each way.
 */
#include "common.h"

#include <libxenvchan.h>
#include <poll.h>
#include <stdbool.h>

#define PATH             "data/vchanpair"
#define RING             8192 /* more than a page: pages of their own for the data */
#define CHUNK            4096
#define SEND_INTERVAL_NS (NS_PER_SEC / 128)
#define SEED_SERVER      0x5e44e4
#define SEED_CLIENT      0xc11e47

static uint64_t sent, received, mismatches;
static bool closed;

static void report(const char *status, bool connected)
{
    write_status(status, "connected=%d sent=%llu received=%llu mismatches=%llu closed=%d\n",
                 connected, (unsigned long long)sent, (unsigned long long)received,
                 (unsigned long long)mismatches, closed);
}

static struct libxenvchan *open_channel(bool server, int domid)
{
    char path[64];

    if (server)
        return libxenvchan_server_init(NULL, domid, PATH, RING, RING);
    snprintf(path, sizeof(path), "/local/domain/%d/" PATH, domid);
    return libxenvchan_client_init(NULL, domid, path);
}

static void receive(struct libxenvchan *c, uint64_t seed)
{
    uint8_t buf[CHUNK], expected[CHUNK];
    int n;

    while ((n = libxenvchan_read(c, buf, sizeof(buf))) > 0) {
        random_bytes(expected, n, seed, received);
        for (int i = 0; i < n; i++)
            mismatches += buf[i] != expected[i];
        received += n;
    }
    closed |= n < 0;
}

static void transmit(struct libxenvchan *c, uint64_t seed)
{
    uint8_t buf[CHUNK];
    int n;

    random_bytes(buf, sizeof(buf), seed, sent);
    n = libxenvchan_write(c, buf, sizeof(buf));
    if (n > 0)
        sent += n;
    closed |= n < 0;
}

static void exchange(struct libxenvchan *c, bool server, const char *status)
{
    struct pollfd p = {.fd = libxenvchan_fd_for_select(c), .events = POLLIN};
    int64_t next_send = 0, reported = 0;
    bool seen = false, event = false;

    while (!stop_requested && !closed) {
        int64_t now = now_ns(CLOCK_MONOTONIC);

        /* Until the client comes, the server's ring has no other end. */
        if (!seen && libxenvchan_is_open(c) == 1)
            seen = event = true;
        /* Looks for data when an event says so and at no other time: a lost event ends the traffic. */
        if (seen && event) {
            receive(c, server ? SEED_CLIENT : SEED_SERVER);
            closed |= libxenvchan_is_open(c) != 1;
        }
        event = poll(&p, 1, SEND_INTERVAL_NS / 1000000) > 0;
        if (event)
            libxenvchan_wait(c); /* takes it */
        if (seen && now >= next_send) {
            transmit(c, server ? SEED_SERVER : SEED_CLIENT);
            next_send = now + SEND_INTERVAL_NS;
        }
        if (now - reported > NS_PER_SEC / 4) {
            report(status, seen);
            reported = now;
        }
    }
}

int main(int argc, char **argv)
{
    struct libxenvchan *c = NULL;
    bool server = argc == 4 && !strcmp(argv[1], "serve");

    if (argc != 4 || (!server && strcmp(argv[1], "connect")))
        usage("vchanpair serve|connect DOMID STATUS");
    stop_on_sigterm();
    report(argv[3], false);
    for (int try = 0; !c && try < 50 && !stop_requested; try++) {
        c = open_channel(server, atoi(argv[2]));
        if (!c)
            usleep(200000);
    }
    if (!c) {
        perror("vchanpair");
        return 1;
    }
    c->blocking = 0;
    exchange(c, server, argv[3]);
    report(argv[3], true);
    libxenvchan_close(c);
    return mismatches != 0;
}
