/* SPDX-License-Identifier: MIT */
/* Streams as JSON and back. */

#include <stdlib.h>

#include <xen-liveupdate/dump.h>

#include "suite.h"
#include "world.h"

static void same_after_json(const void *buf, uint64_t length)
{
    const struct lu_stream s = {.buf = buf, .length = length};
    char error[LU_JSON_ERROR_LEN] = "", *text;
    json_t *json = lu_stream_to_json(&s), *parsed;
    uint64_t back_length = 0;
    void *back;

    CU_ASSERT_PTR_NULL(json_object_get(json, "broken_at"));
    text = json_dumps(json, 0);
    parsed = json_loads(text, 0, NULL);
    back = lu_stream_from_json(parsed, &back_length, error);
    CU_ASSERT_STRING_EQUAL(error, "");
    CU_ASSERT_EQUAL(back_length, length);
    CU_ASSERT_TRUE(back && back_length == length && !memcmp(back, buf, length));

    free(back);
    free(text);
    json_decref(parsed);
    json_decref(json);
}

static void round_trip(void)
{
    uint64_t length;
    void *buf = world_make(&length);

    same_after_json(buf, length);
    free(buf);
}

/* Types, versions, sizes and flags that the description does not have. */
static void strangers(void)
{
    static const struct lu_record headers[] = {
        {.type = 0x7e57,
         .version = 3,
         .domid = 9,
         .index = 8,
         .fixed_len = 8,
         .entry_len = 3,
         .nr = 5,
         .length = 24},
        {.type = 0x7e58, .flags = 1},
        {.type = LU_REC_TIMER, .version = 2, .flags = 1, .domid = 1, .fixed_len = 48, .length = 48},
        {.type = LU_REC_TIMER, .version = 1, .flags = 1, .domid = 1, .fixed_len = 16, .length = 16},
        {.type = LU_REC_WATCHDOG, .version = 1, .domid = 1, .entry_len = 8, .nr = 2, .length = 16},
        {.type = LU_REC_WATCHDOG, .version = 1, .domid = 1, .entry_len = 6, .nr = 4, .length = 24},
        {.type = LU_REC_TIME, .version = 1, .flags = 1, .domid = 4, .index = 3},
    };
    _Alignas(8) uint8_t buf[1024] = {0};
    struct lu_stream_header *hdr = (void *)buf;
    unsigned int i, j;

    *hdr = (struct lu_stream_header){
        .magic = LU_STREAM_MAGIC,
        .format = 7,
        .header_len = sizeof(*hdr),
        .length = sizeof(*hdr),
    };
    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct lu_record *r = (void *)(buf + hdr->length);

        *r = headers[i];
        for (j = 0; j < r->fixed_len + r->nr * r->entry_len; j++)
            ((uint8_t *)(r + 1))[j] = 37 * j + i;
        hdr->length += sizeof(*r) + r->length;
        hdr->nr_records++;
    }
    lu_stream_seal(buf, hdr->length);
    same_after_json(buf, hdr->length);
}

/* The extremes of each kind survive, and are what JSON readers can hold. */
static void numbers(void)
{
    static const uint64_t values[] = {
        0,         1,          (1ull << 53) - 1, 1ull << 53,    (1ull << 53) + 1,
        INT64_MAX, 1ull << 63, UINT64_MAX,       -(1ull << 53), -(1ull << 53) - 1,
    };
    uint64_t length;
    uint8_t *buf = world_make(&length);
    struct lu_record *r = world_record(buf, length, LU_REC_TIME, 0, 0);
    unsigned int i, size;
    json_t *json, *fixed;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        memcpy(world_field(r, -1, "tsc", &size), &values[i], 8);
        memcpy(world_field(r, -1, "stime", &size), &values[i], 8);
        lu_stream_seal(buf, length);
        same_after_json(buf, length);

        json = lu_record_to_json(r);
        fixed = json_object_get(json, "fixed");
        CU_ASSERT_EQUAL(json_is_integer(json_object_get(fixed, "tsc")), values[i] <= 1ull << 53);
        json_decref(json);
    }
    free(buf);
}

static void text(void)
{
    static const char *const texts[] = {"", "hpet", "12345678", "a\0b", "\x80", "tab\t"};
    uint64_t length;
    uint8_t *buf = world_make(&length);
    struct lu_record *r = world_record(buf, length, LU_REC_TIME, 0, 0);
    unsigned int i, size;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *field = world_field(r, -1, "platform", &size);

        memset(field, 0, size);
        memcpy(field, texts[i], i == 3 ? 3 : strlen(texts[i]));
        lu_stream_seal(buf, length);
        same_after_json(buf, length);
    }
    free(buf);
}

/* A damaged stream is shown as far as it goes. */
static void broken(void)
{
    uint64_t length, size;
    uint8_t *buf = world_make(&length);

    for (size = 0; size < length; size += 8) {
        uint8_t *copy = malloc(size ?: 1);
        const struct lu_stream s = {.buf = copy, .length = size};
        json_t *json;

        memcpy(copy, buf, size);
        json = lu_stream_to_json(&s);
        CU_ASSERT_PTR_NOT_NULL(json);
        json_decref(json);
        free(copy);
    }
    free(buf);
}

/* A header that is no longer where records begin. */
static void broken_header(void)
{
    static const uint16_t lengths[] = {0, 8, 24, 36};
    uint64_t length;
    uint8_t *buf = world_make(&length);
    const struct lu_stream s = {.buf = buf, .length = length};
    unsigned int i;

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        json_t *json;

        ((struct lu_stream_header *)buf)->header_len = lengths[i];
        json = lu_stream_to_json(&s);
        CU_ASSERT_TRUE(json_is_integer(json_object_get(json, "broken_at")));
        CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "records")), 0);
        json_decref(json);
    }
    free(buf);
}

/* A text has room or is refused. */
static void long_text(void)
{
    char error[LU_JSON_ERROR_LEN];
    uint64_t length;
    uint8_t *buf = world_make(&length);
    json_t *json = lu_record_to_json(world_record(buf, length, LU_REC_TIME, 0, 0));
    void *back;

    json_object_set_new(json_object_get(json, "fixed"), "platform", json_string("12345678"));
    back = lu_record_from_json(json, &length, error);
    CU_ASSERT_PTR_NOT_NULL(back);
    free(back);
    json_object_set_new(json_object_get(json, "fixed"), "platform", json_string("123456789"));
    CU_ASSERT_PTR_NULL(lu_record_from_json(json, &length, error));
    CU_ASSERT_STRING_EQUAL(error, "platform: more than 8 characters");
    json_decref(json);
    free(buf);
}

static void refused(void)
{
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"{}", "records: not an array"},
        {"{\"format\": \"x\", \"records\": []}", "format: not an integer"},
        {"{\"format\": 65536, \"records\": []}", "format: 65536 is too large"},
        {"{\"records\": [{\"type\": \"NONSENSE\"}]}", "record 0: type: not known"},
        {"{\"records\": [{\"type\": 4294967296}]}", "record 0: type: does not fit in 4 bytes"},
        {"{\"records\": [{\"type\": \"END\", \"domid\": 65536}]}",
         "record 0: domid: 65536 is too large"},
        {"{\"records\": [{\"type\": \"END\"}, {\"type\": \"SOURCE_PHASES\", \"fixed\": {}}]}",
         "record 1: 0 fields instead of 3"},
        {"{\"records\": [{\"type\": \"PIT\", \"fixed\": {\"speaker\": -1}}]}",
         "record 0: entries: not an array"},
        {"{\"records\": [{\"type\": \"PIT\", \"fixed\": {\"speaked\": 1}}]}",
         "record 0: speaker is missing"},
        {"{\"records\": [{\"type\": \"PIT\", \"fixed\": {\"speaker\": \"1x\"}}]}",
         "record 0: speaker: not an integer"},
        {"{\"records\": [{\"type\": \"GSIS\", \"entries\": [{\"gsi\": 4294967296, \"flags\": "
         "0}]}]}",
         "record 0: gsi: does not fit in 4 bytes"},
        {"{\"records\": [{\"type\": \"XSTATE\", \"fixed\": {\"xcr0\": 7, \"xcr0_accum\": 7}, "
         "\"entries\": \"0g\"}]}",
         "record 0: entries: not a hexadecimal digit"},
        {"{\"records\": [{\"type\": \"XSTATE\", \"fixed\": {\"xcr0\": 7, \"xcr0_accum\": 7}, "
         "\"entries\": \"0f0\"}]}",
         "record 0: entries: not a string of pairs of digits"},
        {"{\"records\": [{\"type\": 99, \"entry_len\": 3, \"entries\": \"01020304\"}]}",
         "record 0: entries: do not make up entries of 3 bytes"},
        {"{\"records\": [{\"type\": 99, \"fixed_len\": 8, \"fixed\": \"00\"}]}",
         "record 0: fixed: 1 bytes instead of 8"},
    };
    unsigned int i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[LU_JSON_ERROR_LEN] = "";
        json_t *json = json_loads(cases[i].json, 0, NULL);
        uint64_t length;

        CU_ASSERT_PTR_NOT_NULL_FATAL(json);
        CU_ASSERT_PTR_NULL(lu_stream_from_json(json, &length, error));
        if (strcmp(error, cases[i].error))
            fprintf(stderr, "\n    %s: %s", cases[i].json, error);
        CU_ASSERT_STRING_EQUAL(error, cases[i].error);
        json_decref(json);
    }
}

CU_TestInfo dump_tests[] = {
    {"round trip", round_trip},
    {"records that the description does not fit", strangers},
    {"numbers", numbers},
    {"text", text},
    {"broken streams", broken},
    {"JSON that is no stream", refused},
    {"broken header", broken_header},
    {"a long text", long_text},
    CU_TEST_INFO_NULL,
};
