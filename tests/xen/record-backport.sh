# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0 of Xen 4.14, which has the VM-exit event from our patches alone: forks in each mode, one that is reset, and
# changes of mode.
set -eu
. ./dom0-lib.sh

tour=$(xrw-guest create /guest/tour)
said '^ok       Xen .*4\.14' xenrewind doctor --parent "$tour"
for part in 'control interface' 'VM forks' 'VM-exit event' 'pause mode' 'forking it' events; do
    grep -q "^ok       $part " /tmp/said || { cat /tmp/said; echo "FAIL: $part is not there"; exit 1; }
done
only_domains_left "$tour"

echo "== forks"
for mode in pause async; do
    xenrewind record --mode $mode --parent "$tour" --allow-interrupts --symbols tour --guest-name tour \
        -o "/out/$mode.db" --quiet
    recorded "/out/$mode.db" guest-end
done
xenrewind record --mode sync --parent "$tour" --allow-interrupts -o /out/sync.db --quiet
recorded /out/sync.db one-exit
only_domains_left "$tour"

echo "== a fork that is reset"
xenrewind record --parent "$tour" --runs 2 -o /out/runs.db --quiet
recorded /out/runs.db guest-end
only_domains_left "$tour"

echo "== changes of mode"
mode-changes "$tour"
xrw-guest wait --seconds 60 "$tour"
xrw-guest destroy "$tour"
only_domains_left
