# SPDX-License-Identifier: GPL-2.0-only
# Bad input is refused with a message of its own and changes nothing; a correct update right after
# succeeds.
# bed: smp=1 budget=60 timeout=400

before() {
    start_xen
    make_tool_disk
    make_guest g1 memory=128 disk=32
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    note_life
    refuse_files
    refuse_commands
    refuse_guest
    refuse_while_staged
    check_life
    check_equal "the same Xen runs" "$(xen_version)" "$(cat /run/bed/xen.version)"
    check "no two messages are the same" every_message_once
}

# --- How bad input is tried ----------------------------------------------------------------------

# bad TEXT EXIT_CODE CODE PATTERN ARGUMENTS...: xen-liveupdate with these arguments ends with that
# exit code, an error of that CODE ("-": none, since the JSON object is not printed) and a message
# that matches, and leaves the host as it is.
bad() {
    local text=$1
    shift
    xen-liveupdate status >/run/bed/status.before
    check "$text" is_refused "$@"
    xen-liveupdate status >/run/bed/status.after
    check "$text: nothing changed" host_unchanged
}

is_refused() {
    local wanted=$1 code=$2 pattern=$3 rc
    shift 3
    xen-liveupdate --json "$@" >/run/bed/bad.out 2>/run/bed/bad.err
    rc=$?
    cat /run/bed/bad.out /run/bed/bad.err
    report "$(head -n 1 /run/bed/bad.err)"
    head -n 1 /run/bed/bad.err | sed 's,/tmp/[^ ]*: ,,' >>/run/bed/messages
    [ $rc = $wanted ] || { echo "exit code $rc, expected $wanted"; return 1; }
    grep -q "$pattern" /run/bed/bad.err || { echo "the message does not say '$pattern'"; return 1; }
    [ $code = - ] || grep -q "\"code\": \"$code\"" /run/bed/bad.out || { echo "the code is not $code"; return 1; }
}

host_unchanged() { diff /run/bed/status.before /run/bed/status.after && wait_tick g1 30; }

every_message_once() { [ -z "$(sort /run/bed/messages | uniq -d)" ] || { sort /run/bed/messages | uniq -d; false; }; }

# --- Files ---------------------------------------------------------------------------------------

XEN=/boot/xen-target

refuse_files() {
    local kind size
    for kind in multiboot2 relocatable note stranger format-old format-new slot; do
        breakxen $kind $XEN /tmp/$kind || not_ok "a broken Xen can be made: $kind"
    done
    size=$(stat -c %s $XEN)
    head -c $((size / 2)) $XEN >/tmp/half
    gzip -c $XEN >/tmp/good.gz
    size=$(stat -c %s /tmp/good.gz)
    head -c $((size / 2)) /tmp/good.gz >/tmp/half.gz
    cp /tmp/good.gz /tmp/corrupt.gz
    printf 'not what was here' | dd of=/tmp/corrupt.gz bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null

    bad "no such file" 1 system "No such file" stage /tmp/nothing
    bad "a directory" 1 system "Is a directory" stage /tmp
    bad "not ELF" 1 not-elf "not an ELF file" stage /init
    bad "a program" 1 not-xen "not a bootable Xen but a 64-bit ELF file" stage /bin/busybox
    bad "another kernel" 1 not-xen "not one of Xen" stage /tmp/stranger
    bad "not multiboot2" 1 not-multiboot2 "no multiboot2 header" stage /tmp/multiboot2
    bad "not relocatable" 1 not-relocatable "does not allow relocation" stage /tmp/relocatable
    bad "no note" 1 no-note "built without live update" stage /tmp/note
    bad "a target too old" 1 format-too-old "too old: it reads streams of format 0 to 0" stage /tmp/format-old
    bad "a target too new" 1 format-too-new "too new: it reads streams of format 2 to 2" stage /tmp/format-new
    bad "a target too large" 1 region-too-small "boot with liveupdate=[0-9]*M" stage /tmp/slot
    bad "a truncated file" 1 truncated "is truncated: it needs [0-9]* bytes and has [0-9]*" stage /tmp/half
    bad "a truncated archive" 1 truncated "gzip archive is truncated" stage /tmp/half.gz
    bad "a damaged archive" 1 bad-file "gzip archive is damaged" stage /tmp/corrupt.gz
    # As an answer of the check it has that exit code, and the same message.
    check "the check refuses a broken target" is_refused 3 no-note "built without live update" check /tmp/note
    sed -i '$d' /run/bed/messages
}

# --- Commands ------------------------------------------------------------------------------------

refuse_commands() {
    bad "apply with nothing staged" 1 not-staged "no target is staged" apply
    bad "unstage with nothing staged" 1 not-staged "no target is staged" unstage
    sed -i '$d' /run/bed/messages # the same as the one before
    bad "abort with no update scheduled" 1 nothing-to-abort "no update is scheduled" abort
    bad "no stream to read" 1 no-stream "there is no stream" read-stream /tmp/stream
    bad "an unknown verb" 64 usage 'no verb "upgrade"' upgrade
    bad "an unknown option" 64 usage "no option --force" apply --force
    bad "an option of another verb" 64 usage "status does not take --timeout" status --timeout 3
    bad "an argument that is missing" 64 usage "too few arguments: .*: stage TARGET" stage
    bad "a timeout that is no number" 64 usage "soon: not a number of seconds" apply --timeout soon
    bad "an option that a domain would notice" 1 option-refused "dom0_mem" stage $XEN --append dom0_mem=512M
}

# What is staged is not lost to a file that is refused.
refuse_while_staged() {
    check "a target is staged" xen-liveupdate stage /tmp/good.gz
    bad "another target, not Xen" 1 - "not an ELF file" stage /bed/lib.sh
    sed -i '$d' /run/bed/messages
    check "the first one is still staged" grep -q '^staged: yes' /run/bed/status.after
    check "unstage" xen-liveupdate unstage
}

# --- Not dom0 ------------------------------------------------------------------------------------

# A disk with the tool, its libraries and their loader, for the guest.
make_tool_disk() {
    local lib=/lib/x86_64-linux-gnu
    mkdir /tmp/tool
    cp /usr/bin/xen-liveupdate /lib64/ld-linux-x86-64.so.2 $lib/libc.so.6 $lib/libxen[ct]*.so.1 $lib/libxenstore.so.* \
        $lib/libjansson.so.4 $lib/libprotobuf-c.so.1 $lib/libsqlite3.so.0 $lib/libm.so.6 \
        $lib/libz.so.1 /tmp/tool
    truncate -s 32M /tmp/g1.disk
    # Not busybox's, which cannot fill the file system.
    check "a disk with the tool" /usr/sbin/mke2fs -q -t ext4 -d /tmp/tool /tmp/g1.disk
}

refuse_guest() {
    local tool='/mnt/ld-linux-x86-64.so.2 --library-path /mnt /mnt/xen-liveupdate'
    check "the guest has the tool" guest g1 "modprobe xen-privcmd; mount -o ro /dev/xvda /mnt && $tool --version"
    xen-liveupdate status >/run/bed/status.before
    check "not dom0" guest_is_refused "$tool status"
    check "not dom0: no update from a guest" guest_is_refused "$tool apply"
    check "not dom0: no target from a guest" guest_is_refused "$tool stage /mnt/xen-liveupdate"
    xen-liveupdate status >/run/bed/status.after
    check "not dom0: nothing changed" host_unchanged
    guest g1 'umount /mnt'
}

guest_is_refused() {
    local rc
    guest g1 "$1" >/run/bed/guest.out
    rc=$?
    cat /run/bed/guest.out
    report "guest: $(grep -m 1 xen-liveupdate /run/bed/guest.out)"
    [ $rc = 1 ] && grep -q "only the hardware domain may do this" /run/bed/guest.out
}

# --- Two at once ---------------------------------------------------------------------------------

after() {
    check "the update was the first one" has_generation 1
    note_life
    check "a target is staged again" stage_image /boot/xen-source
    apply_until_done 1 &
    apply_until_done 2 &
    wait $!
    wait
    for n in 1 2; do sed "s/^/  | contender $n: /" /run/bed/contender.$n; done
    cat /run/bed/contender.1 /run/bed/contender.2 >/run/bed/contenders
    check_equal "of two at once one updates" "$(grep -c '^0 ' /run/bed/contenders)" 1
    check "the other one is told that it is busy" grep -q "^2 xen-liveupdate: an update is under way" /run/bed/contenders
    check_equal "there is no other answer" \
        "$(grep -v -e '^0 ' -e '^2 xen-liveupdate: an update is under way' -e '^1 xen-liveupdate: no target is staged' /run/bed/contenders)" ""
    check "there was one update" has_generation 2
    check_life
}

has_generation() { xen-liveupdate status | grep "^generation: $1\$"; }

# Each answer becomes a line "EXIT_CODE first line of the message".
apply_until_done() {
    local rc
    while [ ! -e /run/bed/done ]; do
        xen-liveupdate --quiet apply >/run/bed/answer.$1 2>&1
        rc=$?
        echo "$rc $(head -n 1 /run/bed/answer.$1)" >>/run/bed/contender.$1
        [ $rc != 0 ] || touch /run/bed/done
    done
}
