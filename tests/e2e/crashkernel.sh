# SPDX-License-Identifier: GPL-2.0-only
# The crash kernel is loaded again after an update, by a hook behind it: Xen says that it is armed, and so does apply.
# A second update, without the hook, is told to have lost it. So it is however often it was loaded, and unloaded.
# bed-long: smp=1 updates=2 mem=2048 timeout=240 xen_args="liveupdate=64M crashkernel=192M@1024M" files="build/kernel/domu/boot/vmlinuz-*"

KERNEL=$(echo /bed/files/vmlinuz-*)
HOOKS=/run/bed/hooks
export XEN_LIVEUPDATE_HOOKS=$HOOKS

load_crash_kernel() { kexec -p $KERNEL --command-line="console=ttyS0 earlyprintk=ttyS0 panic=-1"; }

before() {
    start_xen
    # Hooks are root's from the root directory on.
    chown 0:0 / /run
    mkdir -p $HOOKS/post-apply
    # As the package's hook does, by the means that this dom0 has in place of kdump-tools.
    printf '#!/bin/sh\n[ "$XEN_LIVEUPDATE_CRASH_KERNEL_LOST" = 1 ] || exit 0\nexec kexec -p %s --command-line=panic=-1\n' \
        $KERNEL >$HOOKS/post-apply/10-crash-kernel
    chmod 755 $HOOKS/post-apply/10-crash-kernel
    check "the crash kernel is loaded" load_crash_kernel
    check "it is armed" armed
    check "it is loaded once more" load_crash_kernel
    check "it still is armed" armed
    check "it is unloaded" kexec -p -u
    check "it is not armed" not_armed
    kexec -p -u
    check "nor if it is unloaded once more" not_armed
    check "it is loaded for the third time" load_crash_kernel
    check "and for the fourth" load_crash_kernel
    check "it is armed again" armed
}

# kexec tells by its exit code: 1, one is loaded.
says() { xen-liveupdate status | tee /run/bed/status; grep -q "^crash kernel: $1" /run/bed/status || return 1; kexec -p -S; [ $? = $2 ]; }
armed() { says armed 1; }
not_armed() { says "not armed" 0; }

after_each() {
    if [ "$1" = 1 ]; then
        check "apply says that it is armed again" grep "^crash kernel: armed again" /run/bed/update.out
        check "it is armed again" armed
        rm $HOOKS/post-apply/10-crash-kernel
    fi
}

after() {
    check "without the hook apply warns" grep "warning: the crash kernel that was armed before" /run/bed/update.out
    check "and it is not armed" not_armed
    check "it can be loaded again" load_crash_kernel
    check "then it is armed" armed
}
