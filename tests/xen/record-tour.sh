# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: record `tour` twice, then with a base image of what it touches alone, and at last under the eyes of
# an independent reader.
set -eu
. ./dom0-lib.sh

parent=$(xrw-guest create /guest/tour)
for n in 1 2; do
    xenrewind record --parent "$parent" --allow-interrupts --symbols tour --guest-name tour \
        -o "/out/tour-$n.db" --json >"/out/tour-$n.json"
    only_domains_left "$parent"
done
xenrewind record --parent "$parent" --allow-interrupts --symbols tour --base touched -o /out/touched.db --quiet
said "only pages that a run reached" xenrewind info /out/touched.db
xenrewind check /out/touched.db
only_domains_left "$parent"
xenrewind record --parent "$parent" --allow-interrupts --symbols tour --guest-name tour \
    --each-exit "witness /out/witness.dump 1024" -o /out/tour-witness.db
only_domains_left "$parent"
cat /out/*.json
