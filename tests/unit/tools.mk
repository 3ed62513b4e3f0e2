# SPDX-License-Identifier: GPL-2.0-only
#
# Unit tests of lu-tools/, with a Xen that is a piece of C (fake_xen.c in place of kexec/xen.c); and
# the library's example, which has to compile and link with its header and its symbols alone.
# Part of this directory's Makefile.

LU := $(TOP)/lu-tools
PB := $B/proto

record_SRC := record_test.c suite.c fake_xen.c kexec_image.c $(wildcard $(LU)/record/*.c) $(wildcard $(LU)/lib/*.c) \
              $(addprefix $(TOP)/kexec/,cmdline.c elf.c entry32.S error.c file.c mbi.c multiboot2.c plan.c) \
              $(PB)/manifest.pb-c.c $(PB)/report.pb-c.c $(FORMAT_SRC)
record_CFLAGS := -D_GNU_SOURCE -D__XEN_TOOLS__ -I$(PB) -I$(TOP)/kexec -I$(LU)/include \
                 -I$(TOP)/hypervisor/src/xen/include/public -idirafter /usr/include/xen
# notify.c's messages come to the test.
record_CFLAGS += -DJOURNAL_SOCKET='"journal.socket"'
record_LIBS := -lcunit -ljansson -lprotobuf-c -lxenstore -lsqlite3 -lz

# The command line on the same Xen.
cli_SRC := cli_test.c world.c $(filter-out record_test.c,$(record_SRC)) $(DUMP_SRC) \
           $(filter-out %/gen.c,$(wildcard $(LU)/cli/*.c)) $(LU)/example/update.c
cli_CFLAGS := $(record_CFLAGS) -DLU_TOOLS_VERSION='"test"'
cli_main_CFLAGS := -Dmain=xen_liveupdate_main
# The example as well; lib/update.c has no main().
cli_update_CFLAGS := -Dmain=example_main
cli_LIBS := $(record_LIBS)

# And with each of its system calls and hypercalls failing in turn.
faults_SRC := faults_test.c intercept.c $(filter-out cli_test.c world.c,$(cli_SRC))
faults_CFLAGS := $(cli_CFLAGS)
faults_main_CFLAGS := $(cli_main_CFLAGS)
faults_update_CFLAGS := $(cli_update_CFLAGS)
faults_LIBS := $(cli_LIBS)
# Thousands of processes: with the sanitizers, which the other two have, each takes ten times as long to make.
$B/faults $B/obj/faults/%: SANITIZE :=

# The library with a program that was compiled for another version of it.
abi_older_SRC := abi_test.c $(filter-out record_test.c,$(record_SRC))
abi_newer_SRC := $(abi_older_SRC)
abi_older_CFLAGS := $(record_CFLAGS)
abi_newer_CFLAGS := $(record_CFLAGS)
abi_older_abi_test_CFLAGS := -iquote $B/abi/older
abi_newer_abi_test_CFLAGS := -iquote $B/abi/newer -DNEWER
abi_older_LIBS := $(record_LIBS)
abi_newer_LIBS := $(abi_older_LIBS)

$B/abi/%/xenliveupdate.h: $(LU)/include/xenliveupdate.h abi.awk
	@mkdir -p $(@D)
	$(Q)awk -v age=$* -f abi.awk $< >$@
$B/obj/abi_older/abi_test.c.o: $B/abi/older/xenliveupdate.h
$B/obj/abi_newer/abi_test.c.o: $B/abi/newer/xenliveupdate.h

# A host for the tests of fleet/, whose Xen lives in a file.
fake-host_SRC := ../fleet/fake_host.c $(filter-out cli_test.c suite.c world.c %/example/update.c,$(cli_SRC))
fake-host_CFLAGS := $(cli_CFLAGS)
fake-host_main_CFLAGS := $(cli_main_CFLAGS)
fake-host_LIBS := $(cli_LIBS)
# Started hundreds of times.
$B/fake-host $B/obj/fake-host/%: SANITIZE :=

PROGRAMS += record cli faults abi_older abi_newer
TOOLS += fake-host

$(PB)/%.pb-c.c: $(FORMAT)/%.proto
	@mkdir -p $(@D)
	$(Q)protoc-c -I$(FORMAT) --c_out=$(PB) $<
$(PB)/report.pb-c.c: $(PB)/manifest.pb-c.c
# Their headers are needed before anything that includes them is compiled.
$(filter %_test.c.o $(foreach p,record cli faults fake-host abi_older abi_newer,$B/obj/$p/lu-tools/%),$(foreach p,record cli faults fake-host abi_older abi_newer,$(call objects,$p))): | \
    $(PB)/manifest.pb-c.c $(PB)/report.pb-c.c

# Every verb and the library once more, without the sanitizers and under valgrind: that sees what is not initialised, and what
# a process that ends by _exit() has lost.
VALGRIND := valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=99 \
            --track-origins=yes --num-callers=20
.PHONY: valgrind
valgrind:
	@$(MAKE) --no-print-directory -s B=$B/valgrind SANITIZE= OPT='-O1 -g' $B/valgrind/record $B/valgrind/cli
	@for p in record cli; do \
	    UNDER_VALGRIND=1 $(VALGRIND) $B/valgrind/$$p $(FORMAT)/golden $B/valgrind >$B/valgrind/$$p.log 2>&1 && \
	    ! grep '==[0-9]*== ' $B/valgrind/$$p.log | grep -qv -e execve -e 'EXEC FAILED' || { cat $B/valgrind/$$p.log; exit 1; }; \
	    sed -n '/Run Summary/,$$p' $B/valgrind/$$p.log; done

# Help, completion, man pages, schemas, pkg-config, header and example against each other.
.PHONY: tools-check
tools-check: $B/from_json
	@$(MAKE) --no-print-directory -s -C $(LU)
	@sh tools_check.sh $(abspath $(TOP))
