/* SPDX-License-Identifier: MIT */
/*
 * A stream as JSON and back, for people, scripts and tests.  For tools only.
 *
 *   { "format": 1, "records": [
 *       { "type": "TIMER", "version": 1, "domid": 0, "vcpu": 1,
 *         "fixed": { "singleshot": 0, ... }, "entries": [ { ... }, ... ] }, ... ] }
 *
 * "domid" and "vcpu" are there if the record's scope has them; "fixed" and
 * "entries" if the record has such a part.  Integers that do not fit in 53 bits
 * are strings ("0x..." unsigned, decimal signed).  Arrays of bytes, and entries
 * that are one byte each, are strings of hexadecimal digits.  Text that is not
 * printable is { "hex": "..." }.  A record that the description does not fit
 * has a number as its type if that is not known, "flags" and "index", both of its
 * parts as hexadecimal digits, and their "fixed_len" and "entry_len"; so has one
 * of an older version, whose fields are named nevertheless.
 *
 * All of it is made from lu_records[]: a new record needs nothing here.
 */
#ifndef XEN_LIVEUPDATE_DUMP_H
#define XEN_LIVEUPDATE_DUMP_H

#include <jansson.h>

#include "stream.h"

/* The record's lengths have been checked. */
json_t *lu_record_to_json(const struct lu_record *r);

/*
 * Need not have passed lu_stream_open(): what is not a record ends the dump, and
 * its offset is told as "broken_at".  Of @s only buf and length are used.
 */
json_t *lu_stream_to_json(const struct lu_stream *s);

/*
 * The reverse; the checksums are right, everything else is what @json says, be it
 * a sound stream or not.  Returns the record resp. stream, which the caller frees.
 * NULL: @json cannot be written as a stream (or out of memory), @error says why.
 */
#define LU_JSON_ERROR_LEN 160
void *lu_record_from_json(const json_t *json, uint64_t *length, char error[LU_JSON_ERROR_LEN]);
void *lu_stream_from_json(const json_t *json, uint64_t *length, char error[LU_JSON_ERROR_LEN]);

#endif /* XEN_LIVEUPDATE_DUMP_H */
