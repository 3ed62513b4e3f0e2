# SPDX-License-Identifier: GPL-2.0-only
# The harness inside dom0 and the helpers for scenarios. Sourced by init, after /bed/settings
# (UPDATE, UPDATES, ALTERNATE, SMP, NET, ... as given to bed.py).
#
# A scenario defines before() and after(), and update() if the default will not do.

CONSOLES=/var/log/xen/console
GUEST_NET=10.9.0

# --- Results -------------------------------------------------------------------------------------

# say TEXT: for people who read the log.
say() { echo "bed: $*"; }

# One result each; the host's copy does not go through Xen's console.
ok() { echo "ok - $*"; tohost line "ok - $*"; }
not_ok() { echo "not ok - $*"; tohost line "not ok - $*"; }
skip() { echo "ok - $* # SKIP"; tohost line "ok - $* # SKIP"; }

# check TEXT COMMAND...: ok if the command succeeds. Its output is shown if it does not.
check() {
    local text=$1
    shift
    if "$@" >/run/bed/check.out 2>&1; then
        ok "$text"
    else
        not_ok "$text"
        echo "  failed: $*"
        sed 's/^/  | /' /run/bed/check.out
    fi
}

# check_equal TEXT GOT WANTED
check_equal() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: '$2', expected '$3'"; fi
}

# expect WHAT GOT WANTED: part of a check that looks at several things: says so in its output, and sets $bad, if they differ.
expect() {
    [ "$2" != "$3" ] || return 0
    echo "$1 is '$2', expected '$3'"
    bad=1
}

# expect_field NAME WANTED FILE: the same of a line "NAME: WANTED" in a file. By the shell alone.
expect_field() {
    local name value
    while IFS=: read -r name value; do
        [ "$name" != "$1" ] || break
        value=
    done <"$3"
    expect "$1" "${value# }" "$2"
}

# list_points: where an update can be made to fail, a line "PHASE NAME" each, into /run/bed/points. A build of Xen that injects
# no faults is a reason to skip.
list_points() {
    xen-liveupdate fault list >/run/bed/points 2>/run/bed/points.err && return
    skip "faults: $(cat /run/bed/points.err)"
    return 1
}

# report TEXT: a line of the report that `make demo` prints.
report() { echo "report: $*"; tohost line "# $*"; }

# save_file PATH [NAME]: keeps a file under build/runs/<run>/files/.
save_file() {
    [ -e "$1" ] || return 0
    gzip -c "$1" >/run/bed/packed && tohost file "${2:-$(basename "$1")}.packed" /run/bed/packed
}

# value KEY FILE: the value of a "key=value" word, as the programs of the bed write them.
value() { tr ' ' '\n' <"$2" | sed -n "s/^$1=//p"; }

# A process costs the emulator some 30 ms: what is done again and again is done by the shell itself.

# wait_for SECONDS COMMAND...: until the command succeeds. It fails after that time on a machine that does nothing else:
# four times that, so that nothing fails because others have the real CPUs. What takes longer than a second is looked at less
# often: while a guest boots, looking ten times a second takes a fifth of the CPU from it.
wait_for() {
    local now until=$1 nothing looks=0 pause=0.1
    read_uptime
    until=$((now + 4 * until))
    shift
    until "$@" >/dev/null 2>&1; do
        read_uptime
        [ "$now" -lt "$until" ] || return 1
        looks=$((looks + 1))
        [ $looks -lt 10 ] || pause=0.4
        read -r -t $pause nothing <>/run/bed/never # a pipe to which nobody writes
    done
    return 0
}

# random N: sets R to 0 .. N - 1, from SEED. The upper bits: the lower ones of such a generator repeat soon.
random() {
    SEED=$(((SEED * 1103515245 + 12345) & 0x7fffffff))
    R=$(((SEED >> 8) % $1))
}

# read_uptime: whole seconds, into the caller's variable "now".
read_uptime() {
    local up idle
    read -r up idle </proc/uptime
    now=${up%.*}
}
uptime_s() { local now; read_uptime; echo $now; }
boot_id() { cat /proc/sys/kernel/random/boot_id; }

# --- Xen and its tools ---------------------------------------------------------------------------

start_xen() {
    xenstored --pid-file /run/xenstored.pid
    xen-init-dom0 >/dev/null
    xenconsoled --log=all
    say "Xen's tools are up at $(cut -d' ' -f1 /proc/uptime) s"
}

# Version and changeset of the running Xen; the kernel asks the hypervisor on every read.
xen_version() {
    echo "$(cat /sys/hypervisor/version/major).$(cat /sys/hypervisor/version/minor)$(cat /sys/hypervisor/version/extra)" \
        "changeset $(cat /sys/hypervisor/properties/changeset)"
}

# check_refuses TEXT: the check forbids an update and says TEXT.
check_refuses() { ! xen-liveupdate check >/run/bed/refused 2>&1 && grep "$1" /run/bed/refused; }

# free_pages: Xen's free memory in pages, after scrubbing.
free_pages() { physinfo | tr ' ' '\n' | sed -n 's/^free_pages=//p'; }

# note_free_pages N: what is free after update N. 0: before the first.
note_free_pages() {
    free_pages >/run/bed/free.$1
    say "free pages after update $1: $(cat /run/bed/free.$1)"
}

# check_free_pages: each update leaves as many free as the one before it. The first one is where the count starts: what
# dom0 was booted from is free since then. Two builds may differ in what Xen itself takes: like is compared with like.
check_free_pages() {
    local step=$((1 + ALTERNATE)) n=1
    while [ $((n + step)) -le "$UPDATES" ]; do
        check_equal "free pages after update $((n + step)) as after $n" \
            "$(cat /run/bed/free.$((n + step)))" "$(cat /run/bed/free.$n)"
        n=$((n + step))
    done
}

# --- Network -------------------------------------------------------------------------------------

# start_net: dom0's own network interface (the run must have NET=<model>).
start_net() {
    modprobe virtio_net; modprobe virtio_pci; modprobe e1000; modprobe e1000e
    wait_for 10 test -e /sys/class/net/eth0 || return 1
    ip addr add 10.0.2.15/24 dev eth0
    ip link set eth0 up
    wait_for 15 ping -c 1 -W 1 10.0.2.2
}

# start_bridged_net: the same, on the bridge, as most hosts have it: guests are on the outside's
# network, too. The first guest is the one that the host reaches (GUEST_PORT of the helper).
start_bridged_net() {
    start_net || return 1
    GUEST_NET=10.0.2
    echo 15 >/run/bed/guests
    ip addr flush dev eth0
    start_bridge
    ip addr flush dev xenbr0
    ip addr add 10.0.2.15/24 dev xenbr0
    brctl addif xenbr0 eth0
    wait_for 15 ping -c 1 -W 1 10.0.2.2
}

# The helper on the host (<scenario>.host) is started when dom0 says so. host_stop ends it; its
# exit status becomes a result of the run.
host_start() { tohost line "@host start"; }
host_stop() { tohost line "@host stop"; sleep 2; }

start_bridge() {
    [ ! -e /sys/class/net/xenbr0 ] || return 0
    modprobe bridge
    brctl addbr xenbr0
    ip addr add $GUEST_NET.1/24 dev xenbr0
    ip link set xenbr0 up
}

# --- Guests --------------------------------------------------------------------------------------

# make_guest NAME [vcpus=N] [memory=MiB] [type=pv|pvh|hvm] [vif=1] [disk=MiB] [extra="xl config lines"]
#            [args="words for its kernel"] [kernel=FILE] [paused=1]
#
# The type is the run's (GUEST) unless given. A disk whose file /tmp/NAME.disk exists is used as it is.
# A kernel of one's own gets no RAM disk; paused=1 leaves the guest as it was created.
# type=hvm (the run must have HVM=1) has a device model. Its network, disk and console come from PV
# drivers; with emulated=1 from the device model only (virtio-net, IDE, ttyS0; the guest does not know of Xen).
make_guest() {
    local name=$1 vcpus=1 memory=128 type=$GUEST vif= disk= extra= emulated= paused= number args=
    local kernel= ramdisk= console=hvc0
    shift
    while [ $# -gt 0 ]; do local "$1"; shift; done

    if [ -z "$kernel" ]; then
        if [ $type = hvm ]; then
            kernel=/boot/hvm.grub
        else
            kernel=/boot/vmlinux-domu ramdisk=/boot/domu.cpio
        fi
    fi
    if [ -n "$emulated" ]; then
        console=ttyS0 args="$args xen_nopv"
    fi
    number=$(($(cat /run/bed/guests 2>/dev/null || echo 1) + 1))
    echo $number >/run/bed/guests
    {
        echo "name=\"$name\""
        echo "type=\"$type\""
        echo "kernel=\"$kernel\""
        [ -z "$ramdisk" ] || echo "ramdisk=\"$ramdisk\""
        echo "on_crash=\"preserve\""
        echo "vcpus=$vcpus"
        echo "memory=$memory"
        if [ -n "$vif" ]; then
            start_bridge
            modprobe xen-netback
            [ $type != hvm ] || modprobe tun
            echo "vif=['bridge=xenbr0,script=/bed/vif${emulated:+,model=virtio-net}']"
            args="$args bed.ip=$GUEST_NET.$number/24"
            echo $GUEST_NET.$number >/run/bed/$name.ip
        fi
        if [ -n "$disk" ]; then
            modprobe xen-blkback
            modprobe loop
            truncate -s "${disk}M" /tmp/$name.disk
            if [ $type = hvm ]; then
                # The device model opens the disk as well: it must be one that needs no script.
                losetup "$(losetup -f)" /tmp/$name.disk
                echo "disk=['format=raw,vdev=hda,access=rw,target=$(loop_of $name)']"
            else
                echo "disk=['format=raw,vdev=xvda,access=rw,script=/bed/block,target=/tmp/$name.disk']"
            fi
        fi
        if [ $type = hvm ]; then
            echo "serial=\"pty\""
            echo "vnc=0"
            hvm_words "console=$console quiet $QUICK_BOOT $args" >/run/bed/$name.words
            echo "device_model_args_hvm=[$(boot_disk 1 /boot/hvm.disk) $(boot_disk 2 /run/bed/$name.words)"
            echo "    '-global','rtl8139.romfile=','-global','virtio-net-pci.romfile=']"
            [ -z "$emulated" ] || echo "xen_platform_pci=0"
        fi
        echo "extra=\"console=$console quiet $QUICK_BOOT $args\""
        [ -z "$extra" ] || echo "$extra"
    } >/run/bed/$name.cfg
    xl create -q ${paused:+-p} /run/bed/$name.cfg || return 1
    xl domid $name >/run/bed/$name.id
    wait_for 60 has_tty $name || return 1
    if [ -n "$emulated" ]; then
        guest_path $name serial/0/tty >/run/bed/$name.tty
        # xenconsoled does not keep what the device model's serial line says.
        cat "$(guest_tty $name)" >"$(guest_log $name)" &
    fi
}

# boot_disk N FILE: the Nth disk of an HVM guest's firmware (mkdisk.sh): the first is all guests', the second has the
# words for its kernel, which has no driver for them.
boot_disk() {
    printf "'-drive','file=%s,if=none,id=boot%s,format=raw,readonly=on','-device','virtio-blk-pci,drive=boot%s,bootindex=%s'," \
        $2 $1 $1 $1
}
hvm_words() {
    { printf 'linux $kernel %s\ninitrd $ramdisk\nboot\n' "$1"; yes ''; } | head -c 4096
}

# loop_of NAME: the loop device of an HVM guest's disk.
loop_of() { losetup -a | sed -n "s,^\([^:]*\): .*/tmp/$1.disk.*,\1,p"; }

guest_path() { xenstore-read "/local/domain/$(cat /run/bed/$1.id)/$2"; }
guest_tty() { local tty; read -r tty </run/bed/$1.tty; echo "$tty"; }
guest_ip() { cat /run/bed/$1.ip; }
guest_log() { local log; find_log $1; echo "$log"; }
# find_log NAME: the same, into the caller's variable "log".
find_log() {
    log=$CONSOLES/guest-$1.log
    [ ! -e /run/bed/$1.log ] || read -r log </run/bed/$1.log
}
# find_guest NAME [LOG]: the guest has another domid now, and its console perhaps another log.
find_guest() {
    xl domid $1 >/run/bed/$1.id && wait_for 60 has_tty $1 || return 1
    echo "$CONSOLES/guest-${2:-$1}.log" >/run/bed/$1.log
}
# The name is there before the console is, whose entry is empty at first.
has_tty() { guest_path $1 console/tty >/run/bed/$1.tty 2>/dev/null && [ "$(guest_tty $1)" ]; }
# has_other_id NAME OLD: the guest was made again. While the old one goes, find_guest would wait for a console that
# does not come.
has_other_id() {
    local id=$(xl domid $1)
    [ -n "$id" ] && [ "$id" != $2 ] && find_guest $1
}
# A network card of its own that a guest drives (passthrough), in the outside's network.
has_card() { guest $1 'for i in 1 2 3 4 5 6 7 8 9 10; do test -e /sys/class/net/eth0 && exit 0; sleep 1; done; exit 1'; }
reaches_outside() {
    guest $1 'ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; ping -c 1 -W 5 10.0.2.2 || ping -c 2 -W 5 10.0.2.2'
}
ticks() { local log; find_log $1; grep -ac '^tick ' "$log"; }

more_ticks_than() { [ "$(ticks $1)" -gt "$2" ]; }
# wait_tick NAME [SECONDS]: until the guest ticked once more.
wait_tick() { wait_for "${2:-60}" more_ticks_than $1 "$(ticks $1)"; }

# guest NAME COMMAND...: runs a shell command of one line in the guest; its output and exit status
# are returned.
guest() {
    local name=$1 id log rc
    shift
    random_id
    find_log $name
    echo "$id $*" >"$(guest_tty $name)"
    wait_for "${GUEST_TIMEOUT:-60}" grep -aq "^@$id rc=[0-9][0-9]*;" $log || {
        echo "guest $name does not answer"
        { xl list $name; tail -n 60 $log; } 2>&1 | sed "s/^/  $name: /" >&2
        return 255
    }
    tr -d '\r' <$log | sed -n "s/^@$id: //p"
    rc=$(sed -n "s/^@$id rc=\([0-9][0-9]*\);.*/\1/p" $log)
    return "${rc:-255}"
}

# random_id: into the caller's variable "id".
random_id() { read -r id </proc/sys/kernel/random/uuid; id=${id%%-*}; }

# All of the command is in the background: what ends the guest must not outrun the answer.
guest_bg() { local name=$1; shift; guest $name "{ $*; } >/dev/null 2>&1 &"; }

# --- Test kernels (tests/guests/) -----------------------------------------------------------------

# make_kernel NAME FILE [LINES]: a guest with that kernel, paused. LINES: more of its configuration.
make_kernel() {
    {
        echo "name=\"$1\""
        echo "kernel=\"$2\""
        echo "memory=8"
        [ -z "$3" ] || echo "$3"
        cat $2.cfg
    } >/run/bed/$1.cfg
    xl create -qp /run/bed/$1.cfg && xl domid $1 >/run/bed/$1.id
}

# said NAME TEXT: a line of the kernel that begins with it.
said() { tr -d '\r' <"$(guest_log $1)" | grep -aq "^$2"; }

only_dom0() { [ "$(xl list | grep -vc '^Name')" = 1 ]; }
# settled: Xen has returned all memory, so that the next update can be made.
settled() { [ "$UPDATE" = none ] || xen-liveupdate check; }
# A page that is lost keeps its domain from going. all_free N is about Xen's own: N pages are free, as many as in
# /run/bed/free but for those that dom0's tables of event channels and grants have grown by.
all_free() { [ "$UPDATE" = none ] || [ $(($(cat /run/bed/free) - $1)) -le 16 ]; }
no_complaint() { ! xl dmesg | grep -e 'not clean' -e 'Xen BUG' -e Assertion; }

# --- Survival ------------------------------------------------------------------------------------

# What must go on is noted before an update and compared after it: note_life, check_life.
# DOMAINS lists the guests that take part; dom0 always does.
DOMAINS=

life_of() {
    if [ $1 = dom0 ]; then
        echo "$(boot_id) $(uptime_s)"
    else
        guest $1 'echo $(cat /proc/sys/kernel/random/boot_id) $(cut -d. -f1 /proc/uptime)'
    fi
}

note_life() {
    local d
    for d in dom0 $DOMAINS; do life_of $d >/run/bed/$d.life; done
    xen_version >/run/bed/xen.version
}

check_life() {
    local d old new
    for d in dom0 $DOMAINS; do
        old=$(cat /run/bed/$d.life)
        new=$(life_of $d)
        report "$d: boot id and uptime before: $old s, after: $new s"
        if [ "${old% *}" = "${new% *}" ] && [ "${new#* }" -ge "${old#* }" ]; then
            ok "$d lives on: same boot id, uptime went on"
        else
            not_ok "$d lives on: was '$old', is '$new'"
        fi
    done
    for d in $DOMAINS; do check "$d ticks" wait_tick $d; done
}

# check_new_xen N: after the Nth update another Xen runs, unless it is the same build once more.
check_new_xen() {
    local old=$(cat /run/bed/xen.version) new=$(xen_version)
    [ "$UPDATE" != none ] || return 0
    report "Xen before: $old"
    report "Xen after:  $new"
    if [ "$ALTERNATE" = 0 ] && [ $1 -gt 1 ]; then
        check_equal "the same build of Xen runs" "$new" "$old"
    elif [ "$old" != "$new" ]; then
        ok "another Xen runs"
    else
        not_ok "another Xen runs: still $new"
    fi
}

# Busy programs: start_watch NAME... and check_watch NAME...; NAME is dom0 or a guest.
in_domain() {
    local d=$1
    shift
    if [ $d = dom0 ]; then sh -c "$*"; else guest $d "$*"; fi
}

# It looks at the clocks every WATCH_MS milliseconds: each time is several changes between Xen and a guest, which is what
# the emulator is slow at, so a shorter time is for what measures the pause. A timer's periods are counted by the kernel,
# however rarely it is asked.
WATCH_MS=10
start_watch() {
    local d
    for d in "$@"; do in_domain $d "tickwatch /tmp/watch $WATCH_MS >/dev/null 2>&1 & echo \$! >/tmp/watch.pid"; done
}

check_watch() {
    local d f
    for d in "$@"; do
        f=/run/bed/$d.watch
        in_domain $d 'p=$(cat /tmp/watch.pid); kill $p; while [ -e /proc/$p/exe ]; do usleep 50000; done; cat /tmp/watch' >$f
        report "$d: pause seen $(value max_gap_us $f) us, next longest gap $(value second_gap_us $f) us"
        check_equal "$d: the monotonic clock never went back" "$(value backwards $f)" 0
        check_equal "$d: the wall clock never went back" "$(value wall_backwards $f)" 0
        check_equal "$d: no expiry of a timer lost" "$(value timer_lost $f)" 0
        check_equal "$d: no timer expired before its time" "$(value timer_gained $f)" 0
        save_file $f
    done
}

# Clocks: start_clocks NAME in a guest with a network; then ask_clocks NAME FILE measures how far its
# clocks and dom0's are apart, and how wrong that may be. Both run on one CPU for that: Xen's clocks of
# two CPUs can be milliseconds apart in the emulator (xl debug-keys t).
start_clocks() { guest_bg $1 "clockpair serve 7123"; }
ask_clocks() {
    local rc=0
    pin_vcpus 0 Domain-0 $1
    clockpair ask $(guest_ip $1) 7123 300 >$2 || rc=1
    pin_vcpus all Domain-0 $1
    return $rc
}

# pin_vcpus CPUS NAME...
pin_vcpus() {
    local d cpus=$1
    shift
    for d in "$@"; do xl vcpu-pin $d all $cpus all; done
}

# clock_moved CLOCK BEFORE AFTER: against dom0's, into "moved"; "error" is what measuring twice may have added. By how
# much it may: a millisecond, and that.
clock_moved() {
    moved=$(($(value ${1}_ns $3) - $(value ${1}_ns $2)))
    error=$(($(value error_ns $2) + $(value error_ns $3)))
    [ ${moved#-} -le $((1000000 + error)) ]
}
clocks_stay() { local moved error; clock_moved mono $1 $2 && clock_moved wall $1 $2; }

# check_clocks NAME BEFORE AFTER
check_clocks() {
    local clock moved error
    for clock in mono wall; do
        clock_moved $clock $2 $3
        report "$1: $clock moved by $((moved / 1000)) us against dom0, measured with an error of $((error / 1000)) us"
        check "$1: $clock stays where it is against dom0's (${moved#-} ns)" clock_moved $clock $2 $3
    done
}

start_memsum() {
    local d
    for d in "$@"; do in_domain $d "memsum 42 /tmp/memsum >/dev/null 2>&1 & echo \$! >/tmp/memsum.pid"; done
}

memsum_passes() {
    in_domain $1 'cat /tmp/memsum' >/run/bed/$1.memsum
    value passes /run/bed/$1.memsum
}
more_passes_than() { [ "$(memsum_passes $1)" -gt "$2" ]; }

check_memsum() {
    local d f
    for d in "$@"; do
        f=/run/bed/$d.memsum
        check "$d: checksums go on" wait_for 60 more_passes_than $d "$(memsum_passes $d)"
        in_domain $d 'kill $(cat /tmp/memsum.pid)'
        say "$d: $(cat $f)"
        check_equal "$d: 64 MiB unharmed" "$(value memory_errors $f)" 0
        check_equal "$d: FPU registers unharmed (avx=$(value avx $f))" "$(value register_errors $f)" 0
    done
}

# --- The update ----------------------------------------------------------------------------------

# update_image N: the Xen for the Nth update. Xens alternate unless ALTERNATE=0.
update_image() {
    if [ "$ALTERNATE" != 0 ] && [ $(($1 % 2)) = 0 ]; then echo /boot/xen-source; else echo /boot/xen-target; fi
}

# stage_image IMAGE: with what the run agrees to lose.
stage_image() { xen-liveupdate stage ${WITHOUT:+--without $WITHOUT} "$1"; }

# come_back IMAGE: a target each that fails at the points of RETURNS, PHASE:NAME,..., and comes back.
come_back() {
    local point rc
    for point in $(echo "$RETURNS" | tr , ' '); do
        stage_image "$1" && xen-liveupdate fault ${point%%:*} ${point#*:} || return 1
        echo "a target that comes back from $point"
        xen-liveupdate apply
        rc=$?
        xen-liveupdate fault off
        [ $rc = 7 ] || { echo "ended with $rc, expected 7"; return 1; }
    done
}

# update IMAGE: one live update, by the means that the run chose. A scenario may bring its own.
update() {
    case $UPDATE in
    none) ;;
    lu)
        come_back "$1" && stage_image "$1" && xen-liveupdate apply && xen-liveupdate result
        ;;
    kexec-tools)
        # The target's command line is the running Xen's; kexec adds the region's place itself.
        kexec -l --load-live-update "$1" --module=/init \
            --command-line="$(xl info | sed -n 's/^xen_commandline *: //p' | sed 's/liveupdate=[^ ]*//') no-real-mode" &&
            kexec --exec-live-update -x
        ;;
    esac
}

# do_updates: as many as asked for, with the survivors compared after each, or after each LIFE_EVERY of them: guests that
# are busy, and talk by way of an emulated serial line, take longer to say that they live than an update takes.
LIFE_EVERY=1
do_updates() {
    local n=1 rc
    while [ $n -le "$UPDATES" ]; do
        [ $(((n - 1) % LIFE_EVERY)) != 0 ] || note_life
        xen_version >/run/bed/xen.version
        say "update $n of $UPDATES: $(update_image $n), $(cut -d' ' -f1 /proc/uptime) s"
        update "$(update_image $n)" >/run/bed/update.out 2>&1
        rc=$?
        say "update $n ended with $rc, $(cut -d' ' -f1 /proc/uptime) s"
        sed 's/^/  | /' /run/bed/update.out
        [ "$UPDATE" = none ] || check_equal "update $n succeeds" $rc 0
        check_new_xen $n
        [ $((n % LIFE_EVERY)) != 0 ] && [ $n != "$UPDATES" ] || check_life
        if type after_each >/dev/null 2>&1; then after_each $n; fi
        n=$((n + 1))
    done
}

save_results() {
    local f
    if command -v xen-liveupdate >/dev/null && [ "$UPDATE" != none ]; then
        xen-liveupdate result >/run/bed/result.txt 2>&1
        xen-liveupdate --json result >/run/bed/result.json 2>&1
        xen-liveupdate read-stream /run/bed/stream.bin >/dev/null 2>&1
        for f in result.txt result.json stream.bin; do save_file /run/bed/$f; done
    fi
    for f in $CONSOLES/*.log; do save_file "$f"; done
}

run_scenario() {
    say "dom0 up on $(uname -r), $(nproc) CPUs, Xen $(xen_version), $(cut -d' ' -f1 /proc/uptime) s"
    tohost line "@begin"
    before
    do_updates
    after
    save_results
    tohost line "@end"
    echo "bed: end"
}
