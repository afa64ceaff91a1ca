# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: what a recorder stands on goes: the parent, the fork, memory, and room on the disk.
set -eu
. ./dom0-lib.sh

spin=$(xrw-guest create --cmdline spin /guest/tour)

echo "== no memory for a fork"
# Another guest takes all but the last MiB.
size=$(xenrewind doctor | sed -n 's/^ok  *memory  *\([0-9]*\) MiB.*/\1/p')
until other=$(xrw-guest create --memory "$size" --cmdline spin /guest/tour 2>/dev/null); do size=$((size - 1)); done
echo "another guest has $size MiB"
refused 1 'not enough|emory' xenrewind record --parent "$spin" -o /tmp/none.db
[ ! -e /tmp/none.db ] || { echo "FAIL: a file was made for nothing"; exit 1; }
only_domains_left "$spin" "$other"
xrw-guest destroy "$other"

echo "== the parent is destroyed by someone else: it goes when its fork has gone"
victim=$(xrw-guest create --cmdline spin /guest/tour)
xenrewind record --parent "$victim" --quiet -o /out/parent-gone.db 2>/tmp/gone.err &
recorder=$!
under_way /out/parent-gone.db
xrw-guest destroy "$victim"
sleep 1
kill -INT "$recorder" 2>/dev/null || true
wait "$recorder" || true
cat /tmp/gone.err
xenrewind info /out/parent-gone.db | grep -E 'exits +[1-9]|stopped'
only_domains_left "$spin"

echo "== the fork is destroyed by someone else between runs of it"
xenrewind record --parent "$spin" --runs 100000 --exits 3 --quiet -o /out/fork-gone.db 2>/tmp/gone.err &
recorder=$!
under_way /out/fork-gone.db
# The recorder, which sees it dying, may end it first: then this one finds it gone.
xrw-guest destroy "$(xrw-guest list | tail -n 1 | cut -d' ' -f1)" || true
! wait "$recorder" || { echo "FAIL: that is an error"; exit 1; }
cat /tmp/gone.err
grep -q 'destroyed by someone else' /tmp/gone.err || { echo "FAIL: it is not said"; exit 1; }
xenrewind runs --json /out/fork-gone.db | grep -q '"stop": *"error"' || { echo "FAIL: the last run does not say so"; exit 1; }
only_domains_left "$spin"

echo "== a disk that fills up between runs"
mkdir -p /small
mount -t tmpfs -o size=2m tmpfs /small
refused 1 'full|[Nn]o space' xenrewind record --parent "$spin" --runs 100000 --exits 20 -o /small/full.db
xenrewind runs --paths /small/full.db
cp /small/full.db* /out/
only_domains_left "$spin"
