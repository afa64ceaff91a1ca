# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: what goes wrong while recording is said clearly, loses nothing and leaves nothing behind.
set -eu
. ./dom0-lib.sh

tour=$(xrw-guest create /guest/tour)
spin=$(xrw-guest create --cmdline spin /guest/tour)
crash=$(xrw-guest create --cmdline triple-fault /guest/tour)

echo "== a domain that is not there, wrong usage, a file in the way"
refused 1 'domain 4242' xenrewind record --parent 4242 -o /tmp/none.db
[ ! -e /tmp/none.db ] || { echo "FAIL: a file was made for nothing"; exit 1; }
refused 2 'parent|domain' xenrewind record -o /tmp/none.db
refused 2 'until-reason|reason' xenrewind record --parent "$tour" --until-reason NONSENSE -o /tmp/none.db
echo precious >/tmp/there.db
refused 1 'exists' xenrewind record --parent "$tour" -o /tmp/there.db
[ "$(cat /tmp/there.db)" = precious ] || { echo "FAIL: the file was overwritten"; exit 1; }
refused 1 'no/such/folder' xenrewind record --parent "$tour" -o /no/such/folder/x.db
only_domains_left "$tour" "$spin" "$crash"

echo "== stop conditions"
xenrewind record --parent "$spin" --exits 50 -o /out/exits.db
recorded /out/exits.db exits
xenrewind record --parent "$spin" --seconds 1 -o /out/seconds.db
recorded /out/seconds.db seconds
xenrewind record --parent "$tour" --allow-interrupts --until-reason WBINVD -o /out/reason.db
recorded /out/reason.db until-reason
xenrewind record --parent "$crash" -o /out/crash.db
recorded /out/crash.db guest-end
only_domains_left "$tour" "$spin" "$crash"

echo "== Ctrl-C"
xenrewind record --parent "$spin" -o /out/interrupted.db &
sleep 2
kill -INT $!
wait $! || true
recorded /out/interrupted.db interrupted
only_domains_left "$tour" "$spin" "$crash"

echo "== kill -9: the file opens, the fork that was left is named and can be removed"
xenrewind record --parent "$spin" -o /out/killed.db &
killed=$!
sleep 3
kill -9 "$killed"
wait "$killed" || true
xenrewind info /out/killed.db
xenrewind record --parent "$spin" --exits 10 -o /out/after-kill.db 2>/tmp/left.err
cat /tmp/left.err
grep -q 'doctor --clean' /tmp/left.err || { echo "FAIL: the left-over fork is not mentioned"; exit 1; }

echo "== doctor: the fork that was left is removed, one that is being recorded is not"
fork=$(xrw-guest list | tail -n 1 | cut -d' ' -f1)
said '1 left over' xenrewind doctor
said "fork $fork of domain $spin: left over by process $killed" xenrewind doctor
# The same fork is taken by another recorder now; and there is one that was made for one.
xenrewind record --domain "$fork" --parent "$spin" --quiet -o /out/taken.db 2>/tmp/taken.err &
taking=$!
xenrewind record --parent "$spin" --quiet -o /out/live.db 2>/tmp/live.err &
living=$!
sleep 4
cat /tmp/taken.err /tmp/live.err
said '0 left over.* 2 being recorded' xenrewind doctor --clean
said "fork $fork of domain $spin: being recorded by process $taking" xenrewind doctor --clean
said "fork [0-9]* of domain $spin: being recorded by process $living" xenrewind doctor --clean
kill -TERM "$taking" "$living"
wait "$taking" "$living"
recorded /out/taken.db interrupted
recorded /out/live.db interrupted
said "fork $fork of domain $spin: left over by process $killed" xenrewind doctor
xrw-guest unpause "$spin"
said "fork $fork of domain $spin: left over, removed; its parent, domain $spin, goes on" xenrewind doctor --clean
xrw-guest pause "$spin"
only_domains_left "$tour" "$spin" "$crash"
said '0 left over' xenrewind doctor

echo "== doctor of a guest: one that can be recorded, one that cannot, one that is not there"
said "Domain $spin can be recorded" xenrewind doctor --parent "$spin"
cat /tmp/said
xenrewind doctor --parent "$spin" --json >/out/doctor.json
grep -q '"can_record": true' /out/doctor.json || { echo "FAIL: JSON says otherwise"; exit 1; }
! xenrewind doctor --parent 4242 >/tmp/said || { echo "FAIL: there is no domain 4242"; exit 1; }
grep -q 'missing  guest .*there is no domain 4242' /tmp/said || { cat /tmp/said; echo "FAIL: it is not said"; exit 1; }
refused 2 'not the number of a domain' xenrewind doctor --parent 0
only_domains_left "$tour" "$spin" "$crash"

echo "== a disk that fills up"
mkdir -p /small
mount -t tmpfs -o size=3m tmpfs /small
refused 1 'full|[Nn]o space' xenrewind record --parent "$spin" --seconds 60 -o /small/full.db
xenrewind info /small/full.db >/out/full.info
cp /small/full.db* /out/
only_domains_left "$tour" "$spin" "$crash"

echo "== a parent stands still while a left-over fork is there, and goes on when that is removed"
xenrewind record --parent "$tour" --allow-interrupts --each-exit 'while read -r line; do :; done' --quiet -o /out/held.db &
killed=$!
sleep 2
kill -9 "$killed"
wait "$killed" || true
xrw-guest unpause "$tour"
still=0
xrw-guest wait --seconds 2 "$tour" || still=$?
[ "$still" = 4 ] || { echo "FAIL: exit status $still, expected 4: the parent is frozen"; exit 1; }
said "left over, removed; its parent, domain $tour, goes on" xenrewind doctor --clean
xrw-guest wait --seconds 30 "$tour"
only_domains_left "$tour" "$spin" "$crash"
echo "all faults behaved"
