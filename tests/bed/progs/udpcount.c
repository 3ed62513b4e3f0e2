/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * udpcount receive PORT STATUS | udpcount send HOST PORT RATE WINDOW STATUS
 *
 * Numbered datagrams, at most RATE in a second, and at most WINDOW of which the receiver has not said that they
 * came: if the card holds as many, none is lost, however long nobody takes them. What a datagram says beyond its number
 * follows from the number, so that memory that was written to a wrong place is seen. Reported by the
 * receiver: received, next (the highest number, plus one), lost (numbers that never came), mismatches,
 * max_gap_us (the longest silence); by the sender: sent, unanswered, error.
 */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define WORDS        64
#define REPORT_NS    (NS_PER_SEC / 10)
#define ANSWER_AFTER 16

/* What the card has kept during a pause comes at once, before the receiver runs. */
#define SOCKET_BUFFER (8 << 20)

struct datagram {
    uint64_t number;
    uint64_t words[WORDS];
};

static uint64_t word(uint64_t number, unsigned int i)
{
    return (number * WORDS + i) * 0x9e3779b97f4a7c15u;
}

static int udp_socket(const char *host, const char *port, struct sockaddr_in *addr)
{
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    if (host)
        inet_pton(AF_INET, host, &addr->sin_addr);

    return socket(AF_INET, SOCK_DGRAM, 0);
}

/* Tells who sent the last one which number comes next: for several at once, or when nothing comes for a moment. */
static void answer(int fd, uint64_t next, const struct sockaddr_in *to)
{
    sendto(fd, &next, sizeof(next), 0, (const struct sockaddr *)to, sizeof(*to));
}

static int receive(const char *port, const char *status)
{
    uint64_t received = 0, next = 0, answered = 0, mismatches = 0;
    int64_t last = 0, reported = 0, max_gap = 0;
    struct timeval wait = {.tv_usec = REPORT_NS / 1000};
    struct sockaddr_in addr, from;
    int fd = udp_socket(NULL, port, &addr), size = SOCKET_BUFFER;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
        bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
        return 1;

    while (!stop_requested) {
        struct datagram d;
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(fd, &d, sizeof(d), 0, (struct sockaddr *)&from, &len);
        int64_t now = now_ns(CLOCK_MONOTONIC);

        if (n == sizeof(d)) {
            for (unsigned int i = 0; i < WORDS; i++)
                if (d.words[i] != word(d.number, i)) {
                    mismatches++;
                    break;
                }
            received++;
            if (d.number >= next)
                next = d.number + 1;
            if (last && now - last > max_gap)
                max_gap = now - last;
            last = now;
        }
        if (received && (n < 0 || next - answered >= ANSWER_AFTER)) {
            answer(fd, next, &from);
            answered = next;
        }
        if (now - reported > REPORT_NS) {
            write_status(status,
                         "received=%llu next=%llu lost=%lld mismatches=%llu max_gap_us=%lld\n",
                         (unsigned long long)received, (unsigned long long)next,
                         (long long)(next - received), (unsigned long long)mismatches,
                         (long long)max_gap / 1000);
            reported = now;
        }
    }

    return 0;
}

/* Waits until less than @window are on their way, or for a moment. @answered: what comes next, as far as it was said. */
static bool has_room(int fd, uint64_t next, uint64_t window, uint64_t *answered)
{
    uint64_t said;

    while (recv(fd, &said, sizeof(said), next - *answered < window ? MSG_DONTWAIT : 0) ==
           sizeof(said))
        if (said > *answered)
            *answered = said;

    return next - *answered < window;
}

static int transmit(const char *host, const char *port, int rate, uint64_t window,
                    const char *status)
{
    struct timeval wait = {.tv_usec = REPORT_NS / 1000};
    uint64_t answered = 0;
    struct sockaddr_in addr;
    int fd = udp_socket(host, port, &addr), error = 0;
    struct datagram d = {0};

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
        return 1;

    while (!stop_requested) {
        struct timespec ts = {.tv_nsec = NS_PER_SEC / rate};

        clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
        if (has_room(fd, d.number, window, &answered)) {
            for (unsigned int i = 0; i < WORDS; i++)
                d.words[i] = word(d.number, i);
            if (sendto(fd, &d, sizeof(d), 0, (struct sockaddr *)&addr, sizeof(addr)) != sizeof(d))
                error = errno;
            d.number++;
        }
        write_status(status, "sent=%llu unanswered=%llu error=%d\n", (unsigned long long)d.number,
                     (unsigned long long)(d.number - answered), error);
    }

    return error != 0;
}

int main(int argc, char *argv[])
{
    stop_on_sigterm();
    if (argc == 4 && !strcmp(argv[1], "receive"))
        return receive(argv[2], argv[3]);
    if (argc == 7 && !strcmp(argv[1], "send") && atoi(argv[4]) > 1 && atoi(argv[5]) > 0)
        return transmit(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]), argv[6]);
    fprintf(stderr, "usage: udpcount receive PORT STATUS | send HOST PORT RATE WINDOW STATUS\n");

    return 2;
}
