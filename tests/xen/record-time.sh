# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: a guest measures by its timer's interrupts, TSC and PV clock how long a fixed piece of work takes.  Held at
# each of its VM exits in pause mode, it finds what it finds where nobody watches.  Where it is paused now and then
# and its time goes on, as at key frames, it finds much more: so it would have noticed.
set -eu
. ./dom0-lib.sh

# measured NAME ID: what the guest has found, as NAME_ticks, NAME_tsc and NAME_pv (in us); the guest goes.
measured()
{
    line=$(xrw-guest wait --seconds 60 "$2") || { echo "FAIL: $1: $line"; exit 1; }
    value=${line##*value=}
    eval "$1_ticks=$((0x${value%????????????}))"
    value=${value#????}
    eval "$1_tsc=$((0x${value%??????})) $1_pv=$((0x${value#??????}))"
    eval "echo \"$1: \$$1_ticks ticks, TSC \$$1_tsc us, PV clock \$$1_pv us\""
    xrw-guest destroy "$2"
}

# of_fork NAME RECORD-OPTIONS...: of a fork of $parent, recorded so; `free' is let go after its first exit.
of_fork()
{
    name=$1
    shift
    xenrewind record --quiet --parent "$parent" --allow-interrupts --keep "$@" -o "/out/$tsc-$name.db"
    fork=$(xrw-guest list | tail -n 1 | cut -d' ' -f1)
    [ "$fork" != "$parent" ] || { echo "FAIL: there is no fork"; exit 1; }
    if [ "$name" = free ]; then
        xrw-guest unpause "$fork"
        sleep 2 # looking at it takes time from it
    else
        recorded "/out/$tsc-$name.db" guest-end
    fi
    measured "$name" "$fork"
}

# compare CLOCK FREE HELD PAUSED: HELD is FREE but for a fifth (and a tick), PAUSED is twice as much.
compare()
{
    [ "$2" -ge 30 ] || { echo "FAIL: $1: $2 is too little to compare"; exit 1; }
    off=$(($3 - $2))
    [ $((${off#-} * 5)) -le $(($2 + 5)) ] || { echo "FAIL: $1: $3 held, $2 not"; exit 1; }
    [ "$4" -ge $(($2 * 2)) ] || { echo "FAIL: $1: $4 paused, $2 not: this shows nothing"; exit 1; }
}

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
    compare 'timer interrupts' "$free_ticks" "$held_ticks" "$paused_ticks"
    compare TSC "$free_tsc" "$held_tsc" "$paused_tsc"
    compare 'PV clock' "$free_pv" "$held_pv" "$paused_pv"
    xrw-guest destroy "$parent"
    only_domains_left
done
