# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0 of Debian's own Xen: no VM forks, no pause mode.  Both are said, with what to do; a domain
# itself is recorded in async or sync mode.
set -eu
. ./dom0-lib.sh

guest=$(xrw-guest create /guest/tour)
spin=$(xrw-guest create --cmdline spin /guest/tour)
refused 1 'MEM_SHARING' xenrewind record --parent "$guest" -o /tmp/none.db
refused 1 'xen-patch' xenrewind record --mode pause --domain "$guest" -o /tmp/none.db
[ ! -e /tmp/none.db ] || { echo "FAIL: a file was made for nothing"; exit 1; }
only_domains_left "$guest" "$spin"

echo "== async is the best there is, and that is said"
xenrewind record --domain "$spin" --exits 3000 -o /out/spin.db 2>/tmp/record.err
cat /tmp/record.err
grep -q 'mode async: this Xen lacks the patches' /tmp/record.err || { echo "FAIL: it is not said"; exit 1; }
recorded /out/spin.db exits
said 'known only where the guest was held' xenrewind info /out/spin.db
said '"memory": *"none"' xenrewind info --json /out/spin.db

echo "== held at every 12th exit, and at one every 50 ms"
xenrewind record --domain "$spin" --memory every=12 --exits 1300 --each-exit "witness /out/frames.dump 512" \
    -o /out/frames.db
recorded /out/frames.db exits
xenrewind record --domain "$spin" --memory every=50ms --seconds 2 -o /out/times.db
recorded /out/times.db seconds

echo "== sync"
xenrewind record --mode sync --domain "$spin" -o /out/sync.db
recorded /out/sync.db one-exit
xrw-guest list | grep -q "^$spin paused" || { echo "FAIL: it was paused before"; exit 1; }
# It takes that exit once more, and goes on.
xenrewind record --domain "$spin" --exits 300 --quiet -o /out/after-sync.db
recorded /out/after-sync.db exits

echo "== to the guest's end"
xenrewind record --domain "$guest" -o /out/tour.db
recorded /out/tour.db guest-end
xrw-guest destroy "$guest"
guest=$spin

echo "== doctor says the same, all at once"
# The host can record, in async mode; that guest cannot be forked.
for options in "" "--parent $guest"; do
    status=0
    # shellcheck disable=SC2086 # may be none
    xenrewind doctor $options >/tmp/said || status=$?
    cat /tmp/said
    [ "$status" = "${options:+1}" ] || [ "$status$options" = 0 ] || { echo "FAIL: exit status $status"; exit 1; }
    for line in 'ok       Xen .*4\.[12]' 'ok       control interface' 'ok       dom0 .*PV' \
        'ok       processor .*Intel, VMX' 'ok       hardware paging' 'missing  VM forks' \
        'ok       VM-exit event' 'note     pause mode' '-> build Xen with CONFIG_MEM_SHARING=y' \
        '-> apply the patches of xen-patch/'; do
        grep -q -- "$line" /tmp/said || { echo "FAIL: no line '$line'"; exit 1; }
    done
done
grep -q 'missing  forking it .*no VM forks' /tmp/said || { echo "FAIL: forking must be refused"; exit 1; }
only_domains_left "$guest"
