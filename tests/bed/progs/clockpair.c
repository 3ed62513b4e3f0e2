/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * clockpair serve PORT | clockpair ask HOST PORT PROBES
 *
 * How far the clocks of two domains are apart. One end answers each UDP packet
 * with its clocks, the other asks and takes the answer that came back fastest:
 * the asker's clock stood somewhere between sending and receiving, so half of
 * that time is how wrong the result can be. Printed by ask:
 *   mono_ns, wall_ns   the server's CLOCK_MONOTONIC and CLOCK_REALTIME, less
 *                      the asker's
 *   error_ns           by how much both may be wrong
 *   answers            how many of the probes were answered
 */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define ANSWER_MS 500

struct packet {
    int64_t probe, mono, wall;
};

static struct sockaddr_in address(const char *host, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};

    if (host)
        inet_pton(AF_INET, host, &a.sin_addr);
    return a;
}

static int serve(int fd, const char *port)
{
    struct sockaddr_in peer, a = address(NULL, port);
    struct packet p;

    if (bind(fd, (void *)&a, sizeof(a))) {
        perror("clockpair: bind");
        return 1;
    }
    while (!stop_requested) {
        socklen_t len = sizeof(peer);

        if (recvfrom(fd, &p, sizeof(p), 0, (void *)&peer, &len) != sizeof(p))
            continue;
        p.mono = now_ns(CLOCK_MONOTONIC);
        p.wall = now_ns(CLOCK_REALTIME);
        sendto(fd, &p, sizeof(p), 0, (void *)&peer, len);
    }
    return 0;
}

static int ask(int fd, const char *host, const char *port, int64_t probes)
{
    struct timeval limit = {.tv_usec = ANSWER_MS * 1000};
    struct sockaddr_in a = address(host, port);
    int64_t best = INT64_MAX, mono = 0, wall = 0;
    int answers = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (void *)&a, sizeof(a))) {
        perror("clockpair: connect");
        return 1;
    }
    for (int64_t i = 0; i < probes && !stop_requested; i++) {
        struct packet p = {.probe = i};
        int64_t wall_sent = now_ns(CLOCK_REALTIME), sent = now_ns(CLOCK_MONOTONIC), took;

        if (send(fd, &p, sizeof(p), 0) != sizeof(p) || recv(fd, &p, sizeof(p), 0) != sizeof(p) ||
            p.probe != i)
            continue;
        took = now_ns(CLOCK_MONOTONIC) - sent;
        answers++;
        if (took < best) {
            best = took;
            mono = p.mono - (sent + took / 2);
            wall = p.wall - (wall_sent + took / 2);
        }
    }
    if (!answers) {
        fprintf(stderr, "clockpair: no answer\n");
        return 1;
    }
    printf("mono_ns=%lld wall_ns=%lld error_ns=%lld answers=%d\n", (long long)mono, (long long)wall,
           (long long)best / 2, answers);
    return 0;
}

int main(int argc, char **argv)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    stop_on_sigterm();
    if (argc == 3 && !strcmp(argv[1], "serve"))
        return serve(fd, argv[2]);
    if (argc == 5 && !strcmp(argv[1], "ask"))
        return ask(fd, argv[2], argv[3], atoll(argv[4]));
    usage("clockpair serve PORT | clockpair ask HOST PORT PROBES");
}
