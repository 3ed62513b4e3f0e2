/* SPDX-License-Identifier: MIT */
/* The checksum: against published values and against its definition, bit by bit. */

#include "suite.h"
#include "world.h"

static uint32_t by_definition(const uint8_t *p, uint64_t len)
{
    uint32_t crc = ~0u;
    int bit;

    for (; len; len--, p++) {
        crc ^= *p;
        for (bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }

    return ~crc;
}

/* RFC 3720, B.4; the last is the "check" value of CRC catalogues. */
static void published_values(void)
{
    uint8_t buf[32];
    int i;

    memset(buf, 0, sizeof(buf));
    CU_ASSERT_EQUAL(lu_crc32c(0, buf, sizeof(buf)), 0x8a9136aa);
    memset(buf, 0xff, sizeof(buf));
    CU_ASSERT_EQUAL(lu_crc32c(0, buf, sizeof(buf)), 0x62a8ab43);
    for (i = 0; i < 32; i++)
        buf[i] = i;
    CU_ASSERT_EQUAL(lu_crc32c(0, buf, sizeof(buf)), 0x46dd794e);
    for (i = 0; i < 32; i++)
        buf[i] = 31 - i;
    CU_ASSERT_EQUAL(lu_crc32c(0, buf, sizeof(buf)), 0x113fdb5c);
    CU_ASSERT_EQUAL(lu_crc32c(0, "123456789", 9), 0xe3069283);
    CU_ASSERT_EQUAL(lu_crc32c(0, NULL, 0), 0);
}

/* Every table entry is used: random bytes, every alignment and length. */
static void definition(void)
{
    static uint8_t buf[65536];
    uint64_t state = 1;
    unsigned int i, start, len;

    for (i = 0; i < sizeof(buf); i++)
        buf[i] = world_random(&state);

    CU_ASSERT_EQUAL(lu_crc32c(0, buf, sizeof(buf)), by_definition(buf, sizeof(buf)));
    for (start = 0; start < 16; start++)
        for (len = 0; len < 64; len++)
            CU_ASSERT_EQUAL(lu_crc32c(0, buf + start, len), by_definition(buf + start, len));
}

static void in_pieces(void)
{
    static const uint8_t text[] = "what comes in pieces has the checksum of the whole";
    uint32_t whole = lu_crc32c(0, text, sizeof(text));
    unsigned int i;

    for (i = 0; i <= sizeof(text); i++)
        CU_ASSERT_EQUAL(lu_crc32c(lu_crc32c(0, text, i), text + i, sizeof(text) - i), whole);
}

CU_TestInfo crc32c_tests[] = {
    {"published values", published_values},
    {"definition", definition},
    {"in pieces", in_pieces},
    CU_TEST_INFO_NULL,
};
