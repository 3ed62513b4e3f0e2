/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C in software, eight bytes at a time ("slicing by 8": M. E. Kounavis,
 * F. L. Berry, "A Systematic Approach to Building High Performance
 * Software-based CRC Generators", ISCC 2005).
 *
 * It runs inside the pause and in early boot, so the tables are constants: there
 * is nothing to initialise.
 */

#include <xen-liveupdate/stream.h>

/*
 * Table k, entry n: what a byte n does to the CRC once k more bytes have passed.
 * A CRC is linear, so the eight entries for single bits make up all others.
 */
/* clang-format off */
#define IF_BIT(n, b, value) ((n) >> (b) & 1 ? (value) : 0)
#define E1(n, b0, b1, b2, b3, b4, b5, b6, b7)                                            \
    IF_BIT(n, 0, b0) ^ IF_BIT(n, 1, b1) ^ IF_BIT(n, 2, b2) ^ IF_BIT(n, 3, b3) ^ IF_BIT(n, 4, b4) ^      \
        IF_BIT(n, 5, b5) ^ IF_BIT(n, 6, b6) ^ IF_BIT(n, 7, b7)
#define E4(n, ...)  E1(n, __VA_ARGS__), E1((n) + 1, __VA_ARGS__), \
                    E1((n) + 2, __VA_ARGS__), E1((n) + 3, __VA_ARGS__)
#define E16(n, ...) E4(n, __VA_ARGS__), E4((n) + 4, __VA_ARGS__), \
                    E4((n) + 8, __VA_ARGS__), E4((n) + 12, __VA_ARGS__)
#define E64(n, ...) E16(n, __VA_ARGS__), E16((n) + 16, __VA_ARGS__), \
                    E16((n) + 32, __VA_ARGS__), E16((n) + 48, __VA_ARGS__)
#define TABLE(...)  { E64(0, __VA_ARGS__), E64(64, __VA_ARGS__), \
                      E64(128, __VA_ARGS__), E64(192, __VA_ARGS__) }

/*
 * Read each line from right to left, and the lines from top to bottom: the first
 * is the polynomial, reflected, and each next one is what a zero bit makes of the
 * one before it.
 */
static const uint32_t table[8][256] = {
    TABLE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf,
          0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
    TABLE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8,
          0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
    TABLE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5,
          0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
    TABLE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6,
          0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
    TABLE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91,
          0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c),
    TABLE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f,
          0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6),
    TABLE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53,
          0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
    TABLE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da,
          0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664),
};
/* clang-format on */

static uint32_t one_byte(uint32_t crc, uint8_t byte)
{
    return table[0][(crc ^ byte) & 0xff] ^ crc >> 8;
}

uint32_t lu_crc32c(uint32_t crc, const void *buf, uint64_t len)
{
    const uint8_t *p = buf;

    crc = ~crc;

    for (; len && ((uintptr_t)p & 7); len--)
        crc = one_byte(crc, *p++);

    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        word ^= crc;
        crc = table[7][word & 0xff] ^ table[6][word >> 8 & 0xff] ^ table[5][word >> 16 & 0xff] ^
              table[4][word >> 24 & 0xff] ^ table[3][word >> 32 & 0xff] ^
              table[2][word >> 40 & 0xff] ^ table[1][word >> 48 & 0xff] ^ table[0][word >> 56];
    }

    for (; len; len--)
        crc = one_byte(crc, *p++);

    return ~crc;
}
