# SPDX-License-Identifier: GPL-2.0-only
# Interrupts from outside in the middle of an update arrive exactly once, although nothing is injected on suspicion
# (liveupdate-spurious=no): one for each vector and update, at a random moment. m1 to m6 are ports of a virtio-serial
# card with an MSI-X vector each, l1 one with a level-triggered line of the I/O APIC, s1 a serial line on an xHCI
# controller that has MSI. A byte from outside is one interrupt; dom0's kernel counts both. With several CPUs dom0 runs on
# the second one, and so interrupts arrive there, which does not make the jump; apic=bigsmp: each CPU has vectors of its own.
# bed: smp=2 dom0_vcpus=1 updates=3 budget=50 timeout=300 xen_args="liveupdate=64M liveupdate-spurious=no apic=bigsmp"
# bed: smp=2 dom0_vcpus=1 iommu=amdvi updates=4 budget=50 timeout=300 xen_args="liveupdate=64M liveupdate-spurious=no"
# bed: smp=1 iommu=vtd updates=4 budget=50 timeout=300 xen_args="liveupdate=64M liveupdate-spurious=no"
# bed-long: smp=1 updates=100 timeout=2400 xen_args="liveupdate=64M liveupdate-spurious=no"
# bed-long: smp=2 dom0_vcpus=1 iommu=amdvi updates=100 timeout=2400 xen_args="liveupdate=64M liveupdate-spurious=no"
# bed-long: smp=2 dom0_vcpus=1 updates=100 timeout=2400 xen_args="liveupdate=64M liveupdate-spurious=no apic=bigsmp"
# bed-long: smp=1 iommu=vtd updates=100 timeout=2400 xen_args="liveupdate=64M liveupdate-spurious=no"
# qemu: -device virtio-serial-pci,id=msix,vectors=20,max_ports=7,disable-legacy=on,iommu_platform=on
# qemu: -chardev socket,id=m1,path=@RUN@/m1,server=on,wait=off -device virtserialport,bus=msix.0,name=m1,chardev=m1
# qemu: -chardev socket,id=m2,path=@RUN@/m2,server=on,wait=off -device virtserialport,bus=msix.0,name=m2,chardev=m2
# qemu: -chardev socket,id=m3,path=@RUN@/m3,server=on,wait=off -device virtserialport,bus=msix.0,name=m3,chardev=m3
# qemu: -chardev socket,id=m4,path=@RUN@/m4,server=on,wait=off -device virtserialport,bus=msix.0,name=m4,chardev=m4
# qemu: -chardev socket,id=m5,path=@RUN@/m5,server=on,wait=off -device virtserialport,bus=msix.0,name=m5,chardev=m5
# qemu: -chardev socket,id=m6,path=@RUN@/m6,server=on,wait=off -device virtserialport,bus=msix.0,name=m6,chardev=m6
# qemu: -device virtio-serial-pci,id=line,vectors=0,max_ports=2,disable-legacy=on,iommu_platform=on
# qemu: -chardev socket,id=l1,path=@RUN@/l1,server=on,wait=off -device virtserialport,bus=line.0,name=l1,chardev=l1
# qemu: -device nec-usb-xhci,id=usb,msi=on,msix=off
# qemu: -chardev socket,id=s1,path=@RUN@/s1,server=on,wait=off -device usb-serial,bus=usb.0,chardev=s1,always-plugged=on
# qemu: -device virtio-serial-pci,id=ctl,max_ports=3,disable-legacy=on,iommu_platform=on
# qemu: -chardev socket,id=control,path=@RUN@/control,server=on,wait=off
# qemu: -device virtserialport,bus=ctl.0,name=control,chardev=control
# qemu: -chardev socket,id=ticks,path=@RUN@/ticks,server=on,wait=off
# qemu: -device virtserialport,bus=ctl.0,name=ticks,chardev=ticks

PORTS="m1 m2 m3 m4 m5 m6 l1 s1"

# The helper's end of the control port: one line there, one line back.
ask() {
    echo "$*" >&3
    read -r ANSWER <&3
}

port_of() {
    case $1 in
    s1) echo /dev/ttyUSB0 ;;
    *) echo /dev/$(basename $(dirname $(grep -lx $1 /sys/class/virtio-ports/*/name))) ;;
    esac
}

# kind_of PORT: how it interrupts, in the words of /proc/interrupts.
kind_of() {
    case $1 in
    m*) echo msi-x ;;
    l*) echo ioapic-level ;;
    s*) echo msi ;;
    esac
}

# counts FILE: "irq kind count" of each physical interrupt.
counts() {
    awk '$0 ~ "xen-pirq" { n = 0; for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i; sub(":", "", $1); sub("^-", "", $(i + 1)); print $1, $(i + 1), n }' \
        /proc/interrupts >$1
}
count_of() { awk -v irq=$(cat /run/bed/$1.irq) '$1 == irq { n = $3 } END { print n + 0 }' $2; }
bytes_of() { stat -c %s /run/bed/$1.bytes; }
has_bytes() { [ "$(bytes_of $1)" -ge $2 ]; }

# Which interrupt is this port's? The one of its kind that counts one more with each of two bytes.
learn() {
    local p=$1 n

    echo none >/run/bed/$p.irq
    counts /run/bed/counts.0
    for n in 1 2; do
        ask poke $p
        wait_for 5 has_bytes $p $n || return 1
        usleep 100000
    done
    counts /run/bed/counts.1
    awk -v kind=$(kind_of $p) 'NR == FNR { old[$1] = $3; next } $2 == kind && $3 == old[$1] + 2 { print $1 }' \
        /run/bed/counts.0 /run/bed/counts.1 >/run/bed/$p.irq
    cat /run/bed/counts.0 /run/bed/counts.1
    [ "$(wc -w </run/bed/$p.irq)" = 1 ]
}

# Xen's irqs of dom0 that go to CPU 1 alone.
irqs_on_cpu_1() {
    xl dmesg -c >/dev/null
    xl debug-keys i
    sleep 1
    xl dmesg | grep 'aff:{1}/.* d0:'
}
all_on_cpu_1() { [ "$(irqs_on_cpu_1 | wc -l)" -ge 8 ]; }

before() {
    local p

    start_xen
    [ "$SMP" = 1 ] || check "dom0 runs on CPU 1" xl vcpu-pin 0 all 1
    for p in virtio_pci virtio_console xhci_pci ftdi_sio; do modprobe $p; done
    for p in $PORTS control ticks; do
        check "dom0 has port $p" wait_for 60 has_port $p
    done
    check "the serial line is raw" stty -F /dev/ttyUSB0 raw -echo
    exec 3<>$(port_of control)
    host_start
    ask hello
    check_equal "the helper is there" "$ANSWER" hello
    # Only now: without someone at the other end a port is at its end at once.
    for p in $PORTS; do dd if=$(port_of $p) bs=1 >/run/bed/$p.bytes 2>/dev/null & done
    # The gap between these tells the helper when the pause was.
    while :; do echo; usleep 4000; done >$(port_of ticks) &
    echo $! >/run/bed/ticks.pid
    for p in $PORTS; do
        check "a byte for $p is one interrupt ($(kind_of $p))" learn $p
    done
    check_equal "all interrupts differ" "$(for p in $PORTS; do cat /run/bed/$p.irq; done | sort -u | wc -l)" 8
    if [ "$SMP" != 1 ]; then
        check "and is taken by CPU 1" wait_for 10 all_on_cpu_1
    fi
    say "irqs: $(for p in $PORTS; do echo "$p $(cat /run/bed/$p.irq)"; done | tr '\n' ' ')"
}
has_port() { [ -c "$(port_of $1)" ]; }

update() {
    stage_image "$1" || return 1
    counts /run/bed/counts.before
    ask go
    xen-liveupdate apply
}

after_each() {
    local p n

    ask end
    say "round $1: $ANSWER"
    for p in $PORTS; do
        n=$((2 + $1))
        wait_for 5 has_bytes $p $n
    done
    usleep 300000
    counts /run/bed/counts.after
    for p in $PORTS; do
        check_equal "$1: $p: one byte ($(moment_of $p))" $(($(bytes_of $p) - $1 - 1)) 1
        check_equal "$1: $p: one interrupt" \
            $(($(count_of $p /run/bed/counts.after) - $(count_of $p /run/bed/counts.before))) 1
    done
    check "$1: none was injected on suspicion" grep -q '"spurious": *0[,}]*$' <<JSON
$(xen-liveupdate --json result | tr ',' '\n')
JSON
}
moment_of() { echo $ANSWER | tr ' ' '\n' | sed -n "s/^$1=//p"; }

after() {
    kill $(cat /run/bed/ticks.pid)
    ask sum
    report "$ANSWER"
    check_equal "every interrupt was raised" $(moment_of of) $((UPDATES * 8))
    # About two thirds do. CPUs that take turns on a real one stand still at other times, too, which the helper takes for it.
    if [ "$SMP" = 1 ]; then
        check "a third and more came in a pause ($(moment_of in_pause))" test $(($(moment_of in_pause) * 3)) -ge $(moment_of of)
    else
        check "some came in a pause ($(moment_of in_pause))" test $(moment_of in_pause) -ge 1
    fi
    host_stop
}
