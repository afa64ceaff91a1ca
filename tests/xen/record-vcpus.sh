# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: a guest with two vCPUs, which make exits of their own, in the modes that are there.
set -eu
. ./dom0-lib.sh

two=$(xrw-guest create --vcpus 2 --cmdline spin-two /guest/tour)
xrw-guest unpause "$two"
xrw-guest wait --ready --seconds 20 "$two"
xrw-guest pause "$two"

xenrewind record --parent "$two" --exits 300 --symbols tour -o /out/pause.db 2>/tmp/record.err
cat /tmp/record.err
grep -q 'several vCPUs' /tmp/record.err || { echo "FAIL: it is not said"; exit 1; }
recorded /out/pause.db exits
xenrewind record --parent "$two" --mode async --exits 3000 -o /out/async.db
recorded /out/async.db exits
xenrewind record --parent "$two" --mode async --exits 600 --memory every=25 --symbols tour -o /out/frames.db
recorded /out/frames.db exits
only_domains_left "$two"
said '"vcpus": *2' xenrewind info --json /out/async.db

xenrewind record --domain "$two" --mode async --exits 1000 -o /out/plain.db
recorded /out/plain.db exits
xrw-guest list | grep -q "^$two paused" || { echo "FAIL: it was paused before"; exit 1; }
xrw-guest unpause "$two"
xenrewind record --domain "$two" --mode async --seconds 1 -o /out/running.db
xrw-guest list | grep -q "^$two running" || { echo "FAIL: it was running before"; exit 1; }
