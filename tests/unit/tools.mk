# SPDX-License-Identifier: GPL-2.0-only
#
# Unit tests of lu-tools/, with a Xen that is a piece of C (fake_xen.c in place of kexec/xen.c); and
# the library's example, which has to compile and link with its header and its symbols alone.
# Part of this directory's Makefile.

LU := $(TOP)/lu-tools
PB := $B/proto

record_SRC := record_test.c suite.c fake_xen.c $(wildcard $(LU)/record/*.c) $(wildcard $(LU)/lib/*.c) \
              $(addprefix $(TOP)/kexec/,cmdline.c elf.c entry32.S error.c file.c mbi.c multiboot2.c plan.c) \
              $(PB)/manifest.pb-c.c $(PB)/report.pb-c.c $(FORMAT_SRC)
record_CFLAGS := -D_GNU_SOURCE -D__XEN_TOOLS__ -I$(PB) -I$(TOP)/kexec -I$(LU)/include \
                 -I$(TOP)/hypervisor/src/xen/include/public -idirafter /usr/include/xen
record_LIBS := -lcunit -ljansson -lprotobuf-c -lxenstore -lz

PROGRAMS += record

$(PB)/%.pb-c.c: $(FORMAT)/%.proto
	@mkdir -p $(@D)
	protoc-c -I$(FORMAT) --c_out=$(PB) $<
$(PB)/report.pb-c.c: $(PB)/manifest.pb-c.c

# Help, completion, man pages, schemas, pkg-config, header and example against each other.
.PHONY: tools-check
tools-check: $B/from_json
	@$(MAKE) --no-print-directory -s -C $(LU)
	@sh tools_check.sh $(abspath $(TOP))
