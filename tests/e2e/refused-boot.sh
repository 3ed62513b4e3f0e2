# SPDX-License-Identifier: GPL-2.0-only
# What cannot be carried and is decided by the command line or the machine: refused by name, nothing is paused.
# bed: smp=2 updates=0 cpu="qemu64,family=16,+svm,+npt,+rdrand" budget=20 timeout=300 files="docs/carried.md tests/e2e/refusals.txt" xen_args="liveupdate=64M vpmu=on sched-gran=socket" qemu_args="-smp 2,sockets=1,cores=2 -m 3072,slots=2,maxmem=8G -object memory-backend-ram,id=m0,size=3072M -numa node,memdev=m0"

. /bed/refused.sh

before() {
    start_xen
    provoked platform "performance counters are virtualised (vpmu)"
    provoked features "vCPU <number> uses performance counters (vpmu)" 0
    provoked cpupool "cpupool <number>: vCPUs are scheduled in groups (sched-gran)"
    provoked memmap "the host supports memory hotplug"
    refusals_summary refused-boot.sh
}

after() { :; }
