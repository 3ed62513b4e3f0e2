/* SPDX-License-Identifier: MIT */
/*
 * The descriptions in records.def as tables: the reader holds each record
 * against them; dumps and the tables of SPEC.md are made from them.
 */

#include <xen-liveupdate/stream.h>

/* The hypervisor dumps nothing: the texts stay out of its image. */
#ifdef __XEN__
#define DOC(text) NULL
#else
#define DOC(text) text
#endif

#define KIND_uint8_t  LU_KIND_u8
#define KIND_uint16_t LU_KIND_u16
#define KIND_uint32_t LU_KIND_u32
#define KIND_uint64_t LU_KIND_u64
#define KIND_int64_t  LU_KIND_s64

/* clang-format off */

/* The fields of each record, in two tables. */
#define LU_RECORD(NAME, name, type, version, flags, scope, doc) \
    static const struct lu_field_desc name##_fixed[] = {
#define LU_FIELD(type, field, doc)    { #field, DOC(doc), KIND_##type, 1, sizeof(type) },
#define LU_ARRAY(type, field, n, doc) { #field, DOC(doc), KIND_##type, n, sizeof(type) * (n) },
#define LU_CHARS(field, n, doc)       { #field, DOC(doc), LU_KIND_chars, n, n },
#define LU_ENTRIES(NAME, name, doc)   }; static const struct lu_field_desc name##_entry[] = {
#define LU_END(NAME, name)            };
#include <xen-liveupdate/records.def>
#undef LU_RECORD
#undef LU_FIELD
#undef LU_ARRAY
#undef LU_CHARS
#undef LU_ENTRIES
#undef LU_END

#define NR(array) (sizeof(array) / sizeof(struct lu_field_desc))

/* The records. */
#define LU_RECORD(NAME, name_, type_, version_, flags_, scope_, doc_) \
    [LU_INDEX_##NAME] = {                                             \
        .name = #NAME,                                                \
        .doc = DOC(doc_),                                             \
        .type = type_,                                                \
        .version = version_,                                          \
        .flags = flags_,                                              \
        .scope = scope_,                                              \
        .fixed_len = sizeof(struct lu_##name_),                       \
        .entry_len = sizeof(struct lu_##name_##_entry),               \
        .nr_fixed = NR(name_##_fixed),                                \
        .nr_entry = NR(name_##_entry),                                \
        .fixed = name_##_fixed,                                       \
        .entry = name_##_entry,
#define LU_FIELD(type, field, doc)
#define LU_ARRAY(type, field, n, doc)
#define LU_CHARS(field, n, doc)
#define LU_ENTRIES(NAME, name, doc_) .entry_doc = DOC(doc_),
#define LU_END(NAME, name) },
const struct lu_record_desc lu_records[] = {
#include <xen-liveupdate/records.def>
};
#undef LU_RECORD
#undef LU_FIELD
#undef LU_ARRAY
#undef LU_CHARS
#undef LU_ENTRIES
#undef LU_END

/* clang-format on */

const unsigned int lu_nr_records = LU_NR_RECORDS;

/* A type that is used twice does not compile. */
const struct lu_record_desc *lu_record_desc(uint32_t type)
{
    /* clang-format off */
    switch (type) {
#define LU_RECORD(NAME, name, type, version, flags, scope, doc) \
    case type: return &lu_records[LU_INDEX_##NAME];
#define LU_FIELD(type, field, doc)
#define LU_ARRAY(type, field, n, doc)
#define LU_CHARS(field, n, doc)
#define LU_ENTRIES(NAME, name, doc)
#define LU_END(NAME, name)
#include <xen-liveupdate/records.def>
#undef LU_RECORD
#undef LU_FIELD
#undef LU_ARRAY
#undef LU_CHARS
#undef LU_ENTRIES
#undef LU_END
    default: return NULL;
    }
    /* clang-format on */
}
