/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * udpcount receive PORT RATE RING STATUS | udpcount send HOST PORT RATE STATUS
 *
 * Numbered datagrams, RATE in a second, one way. What a datagram says beyond its number follows
 * from the number, so that memory that was written to a wrong place is seen. Reported by the
 * receiver: received, next (the highest number, plus one), lost (numbers that never came), excused (what came
 * in each silence beyond the RING datagrams that the card holds), mismatches, max_gap_us (the longest
 * silence); by the sender: sent, error.
 */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define WORDS     64
#define REPORT_NS (NS_PER_SEC / 10)

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

static int receive(const char *port, int rate, int ring, const char *status)
{
    uint64_t received = 0, next = 0, mismatches = 0, excused = 0;
    int64_t last = 0, reported = 0, max_gap = 0;
    struct timeval wait = {.tv_usec = REPORT_NS / 1000};
    struct sockaddr_in addr;
    int fd = udp_socket(NULL, port, &addr), size = SOCKET_BUFFER;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
        bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
        return 1;

    while (!stop_requested) {
        struct datagram d;
        ssize_t n = recv(fd, &d, sizeof(d), 0);
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
            if (last) {
                int64_t came = (now - last) * rate / NS_PER_SEC;

                if (now - last > max_gap)
                    max_gap = now - last;
                excused += came > ring ? came - ring : 0;
            }
            last = now;
        }
        if (now - reported > REPORT_NS) {
            write_status(
                status,
                "received=%llu next=%llu lost=%lld excused=%llu mismatches=%llu max_gap_us=%lld\n",
                (unsigned long long)received, (unsigned long long)next,
                (long long)(next - received), (unsigned long long)excused,
                (unsigned long long)mismatches, (long long)max_gap / 1000);
            reported = now;
        }
    }

    return 0;
}

static int transmit(const char *host, const char *port, int rate, const char *status)
{
    int64_t start = now_ns(CLOCK_MONOTONIC);
    struct sockaddr_in addr;
    int fd = udp_socket(host, port, &addr), error = 0;
    struct datagram d = {0};

    while (!stop_requested) {
        int64_t due = start + (int64_t)d.number * NS_PER_SEC / rate;
        struct timespec ts = {.tv_sec = due / NS_PER_SEC, .tv_nsec = due % NS_PER_SEC};

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
        for (unsigned int i = 0; i < WORDS; i++)
            d.words[i] = word(d.number, i);
        if (sendto(fd, &d, sizeof(d), 0, (struct sockaddr *)&addr, sizeof(addr)) != sizeof(d))
            error = errno;
        d.number++;
        if (!(d.number % rate))
            write_status(status, "sent=%llu error=%d\n", (unsigned long long)d.number, error);
    }
    write_status(status, "sent=%llu error=%d\n", (unsigned long long)d.number, error);

    return error != 0;
}

int main(int argc, char *argv[])
{
    stop_on_sigterm();
    if (argc == 6 && !strcmp(argv[1], "receive"))
        return receive(argv[2], atoi(argv[3]), atoi(argv[4]), argv[5]);
    if (argc == 6 && !strcmp(argv[1], "send") && atoi(argv[4]) > 0)
        return transmit(argv[2], argv[3], atoi(argv[4]), argv[5]);
    fprintf(stderr, "usage: udpcount receive PORT RATE RING STATUS | send HOST PORT RATE STATUS\n");

    return 2;
}
