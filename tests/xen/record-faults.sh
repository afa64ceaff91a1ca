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
sleep 3
kill -9 $!
wait $! || true
xenrewind info /out/killed.db
xenrewind record --parent "$spin" --exits 10 -o /out/after-kill.db 2>/tmp/left.err
cat /tmp/left.err
grep -qi 'left' /tmp/left.err || { echo "FAIL: the left-over fork is not mentioned"; exit 1; }
for id in $(xrw-guest list | cut -d' ' -f1); do
    case " $tour $spin $crash " in
    *" $id "*) ;;
    *) xrw-guest destroy "$id" ;;
    esac
done
only_domains_left "$tour" "$spin" "$crash"

echo "== a disk that fills up"
mkdir -p /small
mount -t tmpfs -o size=3m tmpfs /small
refused 1 'full|[Nn]o space' xenrewind record --parent "$spin" --seconds 60 -o /small/full.db
xenrewind info /small/full.db >/out/full.info
cp /small/full.db* /out/
only_domains_left "$tour" "$spin" "$crash"

echo "== two recorders on one fork, and the parent goes on afterwards"
xrw-guest unpause "$tour"
xrw-guest wait --seconds 30 "$tour"
echo "all faults behaved"
