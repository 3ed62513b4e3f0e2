/* SPDX-License-Identifier: GPL-2.0-only */
/* seeds DIR: what the mutations begin with, where it is not in the repository: a target, packed and not, and a journal, in both its forms. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "../../lu-tools/record/record.h"
#include "../unit/fake_xen.h"
#include "../unit/kexec_test.h"
#include "../unit/old_frame.h"

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(name, "wb");

    if (!f || fwrite(data, 1, size, f) != size || fclose(f)) {
        perror(name);
        exit(1);
    }
}

static void write_target(void)
{
    struct image image;
    uint8_t packed[2048];
    z_stream z = {.next_in = image.bytes,
                  .avail_in = sizeof(image.bytes),
                  .next_out = packed,
                  .avail_out = sizeof(packed)};

    image_good(&image);
    /* Little to sum up. */
    image_load(&image)->p_memsz = 0x8000;
    write_file("target", image.bytes, sizeof(image.bytes));
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        exit(1);
    write_file("target.gz", packed, z.total_out);
    deflateEnd(&z);
}

static Lu__Begin *begin(struct xenlu *lu, uint32_t id)
{
    struct record_why why;
    Lu__Begin *b = record_alloc(sizeof(*b));

    lu__begin__init(b);
    b->id = id;
    b->plan = record_alloc(sizeof(*b->plan));
    lu__plan__init(b->plan);
    if (manifest_take(lu, &b->before, &why))
        exit(1);
    /* The same bytes every time: nothing of this host. */
    b->before->time_ns = 1;
    b->before->n_devices = 0;
    b->before->host->boot_id = record_text("a boot");
    b->before->host->kernel = record_text("a kernel");

    return b;
}

static void write_journal(void)
{
    struct xenlu_result r;
    struct record_why why;
    struct journal j;
    struct xenlu *lu;
    FILE *old = fopen("journal", "wb");

    unlink("journal.db");
    setenv("XEN_LIVEUPDATE_DIR", "new", 1);
    fake_reset(2);
    if (!old || xenlu_open(&lu, NULL) || xenlu_get_result(lu, &r, sizeof(r), NULL) ||
        journal_open(&j, true, &why))
        exit(1);
    for (uint32_t id = 1; id <= 2; id++) {
        Lu__Begin *b = begin(lu, id);
        Lu__End *e = record_alloc(sizeof(*e));

        lu__end__init(e);
        e->id = id;
        e->outcome = LU__OUTCOME__DONE;
        e->message = record_text("done");
        e->result = journal_result(&r);
        old_frame_begin(old, b);
        old_frame_end(old, e);
        if (journal_begin(&j, b, &why) || journal_end(&j, e, &why))
            exit(1);
    }
    journal_close(&j);
    xenlu_close(lu);
    if (fclose(old) || rename("new/journal.db", "journal.db"))
        exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 2 || chdir(argv[1])) {
        fprintf(stderr, "usage: seeds DIR\n");
        return 2;
    }
    write_target();
    write_journal();

    return 0;
}
