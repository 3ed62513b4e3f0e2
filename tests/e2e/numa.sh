# SPDX-License-Identifier: GPL-2.0-only
# Two NUMA nodes: CPUs and domains' memory are where they were, and a new guest gets memory of the node that it asks for.
# bed-long: smp=2 mem=3072 updates=2 timeout=400
# qemu: -object memory-backend-ram,id=node0,size=1536M -numa node,nodeid=0,memdev=node0,cpus=0
# qemu: -object memory-backend-ram,id=node1,size=1536M -numa node,nodeid=1,memdev=node1,cpus=1

before() {
    start_xen
    start_on 0 g0
    start_on 1 g1
    DOMAINS="g0 g1"
    nodes >/run/bed/nodes
    check "there are two nodes" grep -q '^CPU1 -> NODE1' /run/bed/nodes
}

# start_on NODE NAME
start_on() {
    make_guest $2 memory=128 extra="cpus=\"node:$1\""
    check "$2 ticks" wait_tick $2 120
}

# Not of guests from before: a host that has just booted was seen to give the first one memory of the other node.
check_node() { check_equal "$2 has memory of node $1 alone" "$(memory_of $2)" "Node $1"; }

# CPUs' nodes, and how much each domain has of which.
nodes() {
    xl dmesg -c >/dev/null
    xl debug-keys u
    xl dmesg | sed -n 's/^(XEN) \(\[[^]]*\] \)\{0,1\}//; /^CPU[0-9]* -> NODE/p; /^Domain/,$p'
}

memory_of() {
    nodes | awk -v domain="$(xl domid $1)" '
        /^Domain/ { mine = $2 == domain }
        mine && /Node/ && $3 > 0 { sub(/:/, "", $2); print $1, $2 }'
}

after_each() {
    nodes >/run/bed/nodes.$1
    save_file /run/bed/nodes.$1
    check "$1: CPUs and memory are on the nodes where they were" diff /run/bed/nodes /run/bed/nodes.$1
    start_on 0 n0
    check_node 0 n0
    start_on 1 n1
    check_node 1 n1
    check "$1: a guest on node 0 can be destroyed" xl destroy n0
    check "$1: a guest on node 1 can be destroyed" xl destroy n1
}

after() { :; }
