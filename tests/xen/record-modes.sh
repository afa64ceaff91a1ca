# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: the same guest in each capture mode.
set -eu
. ./dom0-lib.sh

# recorded_as MODE FILE COMMAND...: record FILE by COMMAND; it must be in that mode.
recorded_as()
{
    mode=$1
    file=$2
    shift 2
    echo "+ $*"
    "$@" -o "$file" 2>/tmp/record.err || { cat /tmp/record.err; echo "FAIL: it did not succeed"; exit 1; }
    sed 's/^/    /' /tmp/record.err
    said "\"mode\": *\"$mode\"" xenrewind info --json "$file"
}

noticed()
{
    grep -q -- "$1" /tmp/record.err || { echo "FAIL: '$1' is not said"; exit 1; }
}

tour=$(xrw-guest create /guest/tour)
spin=$(xrw-guest create --cmdline spin /guest/tour)

echo "== pause, which is what this Xen can do best"
recorded_as pause /out/pause.db xenrewind record --parent "$tour" --allow-interrupts
noticed 'mode pause: this Xen is patched'
only_domains_left "$tour" "$spin"

echo "== async"
recorded_as async /out/async.db xenrewind record --mode async --parent "$tour" --allow-interrupts
recorded_as async /out/frames.db xenrewind record --mode async --parent "$tour" --allow-interrupts --memory exit \
    --each-exit "witness /out/frames.dump 512"
recorded_as async /out/times.db xenrewind record --mode async --parent "$spin" --memory every=100ms --seconds 2
recorded_as async /out/ends.db xenrewind record --mode async --parent "$spin" --memory end --exits 100
recorded_as async /out/reason.db xenrewind record --mode async --parent "$tour" --memory end --until-reason CPUID
only_domains_left "$tour" "$spin"
for file in frames times ends reason; do
    xenrewind info --json "/out/$file.db" | grep -q '"memory": *"frames"' || { echo "FAIL: $file.db has no frames"; exit 1; }
done

echo "== sync"
recorded_as sync /out/sync.db xenrewind record --mode sync --parent "$tour"
recorded /out/sync.db one-exit
only_domains_left "$tour" "$spin"

echo "== a domain that is no fork"
forked=$spin
spin=$(xrw-guest create --cmdline spin /guest/tour)
recorded_as async /out/plain-async.db xenrewind record --mode async --domain "$spin" --exits 2000
recorded /out/plain-async.db exits
recorded_as async /out/plain-end.db xenrewind record --mode async --domain "$spin" --memory end --exits 200
recorded_as sync /out/plain-sync.db xenrewind record --mode sync --domain "$spin"
noticed 'is no fork'
xrw-guest list | grep -q "^$spin paused" || { echo "FAIL: it was paused before"; exit 1; }
xrw-guest unpause "$spin"
recorded_as async /out/running.db xenrewind record --mode async --domain "$spin" --seconds 1
xrw-guest list | grep -q "^$spin running" || { echo "FAIL: it was running before"; exit 1; }
xrw-guest pause "$spin"

echo "== async, ended from outside"
xenrewind record --mode async --domain "$spin" --quiet -o /out/interrupted.db &
sleep 2
kill -INT $!
wait $!
recorded /out/interrupted.db interrupted
xenrewind record --mode async --parent "$forked" --quiet -o /out/killed.db &
killed=$!
sleep 3
kill -9 "$killed"
wait "$killed" || true
xenrewind info /out/killed.db >/tmp/said
said "left over by process $killed, removed\|left over, removed" xenrewind doctor --clean
gone=$(xrw-guest create --cmdline spin /guest/tour)
xenrewind record --mode async --domain "$gone" --quiet -o /out/gone.db 2>/tmp/record.err &
under_way /out/gone.db
xrw-guest destroy "$gone"
! wait $! || { echo "FAIL: that is an error"; exit 1; }
noticed 'destroyed by someone else'
recorded /out/gone.db error
only_domains_left "$tour" "$forked" "$spin"

echo "== the whole guest, not a fork of it, held at each exit: what a stock Xen is compared with"
xrw-guest destroy "$tour"
tour=$(xrw-guest create /guest/tour)
recorded_as pause /out/plain-pause.db xenrewind record --domain "$tour"
recorded /out/plain-pause.db guest-end
refused 2 'auto, pause, async or sync' xenrewind record --mode fast --domain "$spin"
refused 2 'every=0ms|not 0' xenrewind record --memory every=0ms --domain "$spin"
