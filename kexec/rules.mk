# SPDX-License-Identifier: GPL-2.0-only
#
# Staging a target, as objects: included by whoever links them. Needs TOP (the repository) and sets
#   KEXEC_SRCS        all sources
#   KEXEC_PURE_SRCS   those that make no hypercalls
#   KEXEC_CPPFLAGS    to compile them and their users

KEXEC_DIR := $(TOP)/kexec

KEXEC_PURE_SRCS := $(addprefix $(KEXEC_DIR)/,cmdline.c elf.c entry32.S error.c file.c mbi.c multiboot2.c plan.c)
KEXEC_SRCS := $(KEXEC_PURE_SRCS) $(KEXEC_DIR)/xen.c

# Xen's installed headers come last: some are named like those of the C library.
KEXEC_CPPFLAGS := -D_GNU_SOURCE -D__XEN_TOOLS__ -I$(KEXEC_DIR) -I$(TOP)/format/include \
    -I$(TOP)/hypervisor/src/xen/include/public -idirafter /usr/include/xen
