# SPDX-License-Identifier: GPL-2.0-only
# Memory that is known to be bad (badpage=), or was taken offline, is nobody's after an update either, nor after the
# next; a guest's frame that is to go offline goes when the guest has gone.
# bed-long: smp=2 mem=1536 dom0_mem=768M timeout=400 updates=2 xen_args="liveupdate=64M badpage=0x20000-0x200ff,0x22000"

before() {
    start_xen
    make_guest g1 memory=96
    make_guest g2 memory=96
    DOMAINS=g1
    for g in g1 g2; do check "$g ticks" wait_tick $g 120; done

    OF_G2=$(frames_of g2 | sed -n 5000p)
    # For a PV domain's frame Xen takes a lock that nobody has initialised: it says that CPU 0 has it.
    xl vcpu-pin 0 all 1
    offline_free_frames
    check_equal "frames that are free go offline at once" "$(state $FREE)" "offline offline offline"
    check "a guest's frame is to go" memoffline offline $OF_G2
    check_equal "later" "$(state $OF_G2)" pending
    xl vcpu-pin 0 all all
    report "offline:" $FREE, "of g2: $OF_G2"
}

after_each() {
    check "$1: all memory is handed out" wait_for 60 settled
    # In what the update told.
    check_equal "$1: what is bad is known to be" "$(bad_runs)" \
        "$((0x20000)) 256 $((0x22000)) 1"
    check_equal "$1: what was offline is offline" "$(state $FREE)" "offline offline offline"
    check_equal "$1: a guest's frame is its own still" "$(state $OF_G2)" pending
    check_equal "$1: and no other guest's" "$(frames_of g2 | grep -cx $OF_G2)" 1
}

after() {
    check "g2 ticks" wait_tick g2 60
    check "g2 goes" xl destroy g2
    check "and its frame with it" wait_for 30 is $OF_G2 offline

    # A guest of nearly all that is free.
    make_guest big memory=$(($(free_pages) / 256 - 24))
    check "a large guest ticks" wait_tick big 120
    report "free pages beside it: $(free_pages)"
    printf '%s\n' $FREE $OF_G2 >/run/bed/out_of_use
    printf '0x200%02x\n' $(seq 0 255) >>/run/bed/out_of_use
    echo 0x22000 >>/run/bed/out_of_use
    set -- $(frames_and_bad_ones big)
    check "it has most of the memory" test "$1" -gt 50000
    check_equal "no frame of it is bad or offline" "$2" 0
    check "it goes" xl destroy big

    F=$(free_pages)
    check "a frame comes back" memoffline online ${FREE%% *}
    check_equal "and is free" "$(free_pages)" $((F + 1))
}

# Of class LU_MEM_BAD in the memory map: first frame, how many.
bad_runs() {
    xen-liveupdate --json inspect --last | awk '
        /"class":/ { class = $2 } /"mfn":/ { mfn = $2 }
        /"nr":/ { if (class == "8,") out = out " " mfn " " $2; class = "" }
        END { gsub(/,/, "", out); print substr(out, 2) }'
}

# FREE: three of those that the M2P has no entry for, as it has none for 2000 before them. Xen itself may use one.
offline_free_frames() {
    local m
    FREE=
    for m in $(xen-mfndump dump-m2p | awk '/mfn=0x/ {
        m = $0; sub(/.*mfn=0x/, "0x", m); sub(/ .*/, "", m)
        if ($0 ~ /ffffffffffff/) { if (++n % 4096 == 2000) print m } else n = 0 }'); do
        memoffline offline $m
        if [ "$(state $m)" = offline ]; then FREE="$FREE${FREE:+ }$m"; else memoffline online $m; fi
        [ $(echo $FREE | wc -w) -lt 3 ] || break
    done
}
# frames_and_bad_ones NAME: how many a guest has, and how many of them are in out_of_use. In one pass, for there are many.
frames_and_bad_ones() {
    xen-mfndump dump-p2m $(xl domid $1) | awk -F 'mfn=' '
        NR == FNR { bad[$1]; next }
        NF > 1 { sub(/ .*/, "", $2); n++; found += $2 in bad }
        END { print n, found + 0 }' /run/bed/out_of_use -
}
frames_of() { xen-mfndump dump-p2m $(xl domid $1) | sed -n 's/.*mfn=\(0x[0-9a-f]*\).*/\1/p'; }
# What becomes of frames, in one line.
state() { memoffline query "$@" | sed 's/.* //' | tr '\n' ' ' | sed 's/ $//'; }
is() { [ "$(state $1)" = $2 ]; }
