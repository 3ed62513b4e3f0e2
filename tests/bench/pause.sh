# SPDX-License-Identifier: GPL-2.0-only
# The pause of a live update, as dom0 and a PV guest of 128 MiB see it.
# bed: smp=1 icount=0 timeout=1800

# The pause is measured.
WATCH_MS=1

before() {
    start_xen
    make_guest g1
    DOMAINS=g1
    check "the guest ticks" wait_tick g1 90
    xen-liveupdate -j rehearse >/run/bed/rehearse.json
    save_file /run/bed/rehearse.json
    start_watch dom0 g1
    sleep 3
}

after() {
    sleep 1
    check_watch dom0 g1
}
