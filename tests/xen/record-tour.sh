# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: record `tour` twice, and a third time under the eyes of an independent reader.
set -eu
. ./dom0-lib.sh

parent=$(xrw-guest create /guest/tour)
for n in 1 2; do
    xenrewind record --parent "$parent" --allow-interrupts --symbols tour --guest-name tour \
        -o "/out/tour-$n.db" --json >"/out/tour-$n.json"
    only_domains_left "$parent"
done
xenrewind record --parent "$parent" --allow-interrupts --symbols tour --guest-name tour \
    --each-exit "witness /out/witness.dump 1024" -o /out/tour-witness.db
only_domains_left "$parent"
cat /out/*.json
