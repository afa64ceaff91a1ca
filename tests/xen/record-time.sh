# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: a guest measures by its timer's interrupts, TSC and PV clock how long a fixed piece of work takes.  Held at
# each of its VM exits in pause mode, it finds what it finds where nobody watches.  Where it is paused now and then
# and its time goes on, as at key frames, it finds much more: so it would have noticed.
set -eu
. ./dom0-lib.sh

for tsc in emulated native; do
    echo "== a fork, TSC $tsc"
    option=
    [ $tsc = emulated ] || option=--native-tsc
    # shellcheck disable=SC2086 # may be none
    parent=$(xrw-guest create $option --cmdline clocks /guest/tour)
    xrw-guest unpause "$parent"
    xrw-guest wait --ready --seconds 60 "$parent"
    of_fork free --memory none --exits 1
    of_fork held --memory none
    of_fork paused --mode async --memory every=20
    compare 5 'timer interrupts' "$free_ticks" "$held_ticks" "$paused_ticks"
    compare 5 TSC "$free_first" "$held_first" "$paused_first"
    compare 5 'PV clock' "$free_second" "$held_second" "$paused_second"
    xrw-guest destroy "$parent"
    only_domains_left
done
