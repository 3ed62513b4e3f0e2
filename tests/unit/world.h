/* SPDX-License-Identifier: MIT */
/*
 * A small host as a stream, for tests: two or three domains that share frames,
 * event channels, grants and interrupts as they should.  What no other record
 * refers to is filled from a seed, so that every type of record is in it.
 */
#ifndef TESTS_UNIT_WORLD_H
#define TESTS_UNIT_WORLD_H

#include <xen-liveupdate/stream.h>

#define WORLD_SEED 1u

/* Domain 0 has two vCPUs, the others one and three. */
#define WORLD_DOMAINS 3
extern const uint16_t world_domid[WORLD_DOMAINS];
extern const uint32_t world_vcpus[WORLD_DOMAINS];

/* Domain @i owns these frames; the map starts and ends with frames of others. */
#define WORLD_FRAMES   64u
#define WORLD_FRAME(i) (0x100u + (i)*WORLD_FRAMES)
#define WORLD_MAX_PAGE 0x1000u
/* Four frames with its I/O page tables. */
#define WORLD_IO_TABLES 0xa00u

/*
 * Writes the stream into @buf and returns its length, 0 if @size is too little.
 * @w is left as the writer ended, for its @need.
 */
uint64_t world_write(struct lu_writer *w, void *buf, uint64_t size);

/* The same in memory that the caller frees. */
void *world_make(uint64_t *length);

/*
 * One record of @desc by itself, filled from @seed, with @nr entries, in a buffer
 * of the writer's.  pad fields are 0.
 */
void world_fill_record(struct lu_writer *w, const struct lu_record_desc *desc, uint16_t domid,
                       uint16_t index, uint32_t nr, uint32_t seed);

/* The bytes of its fixed part and entries, made without a writer; returns how many. */
uint32_t world_fill_bytes(uint8_t *bytes, uint32_t size, const struct lu_record_desc *desc,
                          uint16_t domid, uint16_t index, uint32_t nr, uint32_t seed);

/* A sequence that is the same everywhere. */
uint64_t world_random(uint64_t *state);

/* The record of @type in a stream that may be altered; asserts that there is one. */
struct lu_record *world_record(void *stream, uint64_t length, uint32_t type, uint16_t domid,
                               uint16_t index);

/* Where a field of entry @entry (-1: the fixed part) is; asserts that it exists. */
void *world_field(struct lu_record *r, int entry, const char *field, unsigned int *size);

/*
 * A copy in which records are rearranged: @edit is called for each of them and
 * says how often to take it; it may alter the copy at @r.  The header is made
 * right again.  The caller frees it.
 */
typedef unsigned int world_edit(struct lu_record *r, void *arg);
void *world_rewrite(const void *stream, uint64_t length, world_edit *edit, void *arg,
                    uint64_t *new_length);

#endif
