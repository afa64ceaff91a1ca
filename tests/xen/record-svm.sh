# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0 of an AMD host: forks and domains in each mode, and a fork that is reset.
set -eu
. ./dom0-lib.sh

keeps-vectors || { echo "FAIL: this processor loses vector registers"; exit 1; }

tour=$(xrw-guest create /guest/tour)
said 'ok       processor .*AMD, SVM' xenrewind doctor --parent "$tour"
for part in 'VM forks' 'VM-exit event' 'pause mode' 'forking it' events; do
    grep -q "^ok       $part " /tmp/said || { cat /tmp/said; echo "FAIL: $part is not there"; exit 1; }
done
only_domains_left "$tour"

echo "== forks"
for n in 1 2; do
    xenrewind record --parent "$tour" --allow-interrupts --symbols tour -o "/out/fork-$n.db" --quiet
    recorded "/out/fork-$n.db" guest-end
    only_domains_left "$tour"
done
xenrewind record --mode async --parent "$tour" --allow-interrupts --memory every=20 -o /out/async.db --quiet
recorded /out/async.db guest-end
xenrewind record --mode sync --parent "$tour" --allow-interrupts -o /out/sync.db --quiet
recorded /out/sync.db one-exit
only_domains_left "$tour"

echo "== a fork that is reset"
xenrewind record --parent "$tour" --exits 140 --keep -o /out/run-0.db --quiet
fork=$(xrw-guest list | tail -n 1 | cut -d' ' -f1)
for n in 1 2; do
    xrw-guest reset "$fork"
    xenrewind record --domain "$fork" --parent "$tour" --exits 120 -o "/out/run-$n.db" --quiet
    recorded "/out/run-$n.db" exits
done
xrw-guest destroy "$fork"
only_domains_left "$tour"

echo "== the domain itself"
xenrewind record --domain "$tour" -o /out/domain.db --quiet
recorded /out/domain.db guest-end
xrw-guest list | grep -q "^$tour poweroff" || { xrw-guest list; echo "FAIL: it has not ended"; exit 1; }
xrw-guest wait "$tour"
