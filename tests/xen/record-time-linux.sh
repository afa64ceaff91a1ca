# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0, as record-time.sh: Linux' ticks and clocks for 100 million instructions.  Its ticks come from the LAPIC timer:
# a fork has no PV timer, which Linux prefers, and without event channels it does without.  To find out how fast that
# timer is it needs a PIT, and to be told how fast its TSC is: as fast as the machine (--mhz).
set -eu
. ./dom0-lib.sh

mhz=250
cmdline="earlyprintk=xen,keep quiet loglevel=4 mitigations=off reboot=triple xen_no_vector_callback"
for tsc in emulated native; do
    echo "== a fork of Linux, TSC $tsc"
    option=
    [ $tsc = emulated ] || option=--native-tsc
    # shellcheck disable=SC2086 # may be none
    parent=$(xrw-guest create $option --pc-timers --memory 40 --initrd /guest/initrd.img \
        --cmdline "$cmdline tsc=reliable tsc_early_khz=${mhz}000 clocks" /vmlinux)
    xrw-guest unpause "$parent"
    xrw-guest wait --ready --seconds 60 "$parent"
    of_fork free --memory none --exits 1
    of_fork held --memory none
    of_fork paused --mode async --memory every=10
    compare 10 'timer interrupts' "$free_ticks" "$held_ticks" # paused, some are lost
    compare 10 CLOCK_MONOTONIC "$free_first" "$held_first" "$paused_first"
    compare 10 jiffies "$free_second" "$held_second" "$paused_second"
    xrw-guest destroy "$parent"
    only_domains_left
done
