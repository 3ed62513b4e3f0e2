# SPDX-License-Identifier: GPL-2.0-only
#
# Unit tests of kexec/: what is computed when a target is staged. Part of this directory's Makefile.

kexec_SRC := kexec_test.c suite.c kexec_elf.c kexec_image.c kexec_plan.c kexec_cmdline.c \
             $(addprefix $(TOP)/kexec/,cmdline.c elf.c entry32.S error.c file.c mbi.c multiboot2.c plan.c) \
             $(TOP)/format/crc32c.c
kexec_CFLAGS := -I$(TOP)/kexec -D_GNU_SOURCE
kexec_LIBS := -lcunit -lz

PROGRAMS += kexec

# The hypercalls, with a libxencall of the test's own.
xen_SRC := xen_test.c suite.c $(addprefix $(TOP)/kexec/,elf.c error.c multiboot2.c xen.c)
xen_CFLAGS := -I$(TOP)/kexec -D_GNU_SOURCE -D__XEN_TOOLS__ -I$(TOP)/hypervisor/src/xen/include/public \
              -idirafter /usr/include/xen
xen_LIBS := -lcunit

PROGRAMS += xen
