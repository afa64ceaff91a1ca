# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: forks that are kept, forks of others, one recorder too many, and sparse memory.
set -eu
. ./dom0-lib.sh

state_of()
{
    xrw-guest list | sed -n "s/^$1 \([a-z]*\) .*/\1/p"
}

spin=$(xrw-guest create --cmdline spin /guest/tour)

echo "== a fork that is kept, and recorded further"
xenrewind record --parent "$spin" --exits 30 --keep -o /out/kept.db
fork=$(xrw-guest list | tail -n 1 | cut -d' ' -f1)
only_domains_left "$spin" "$fork"
xenrewind record --domain "$fork" --parent "$spin" --exits 30 -o /out/further.db 2>/tmp/further.err
cat /tmp/further.err
! grep -q 'left over' /tmp/further.err || { echo "FAIL: a kept fork counts as left over"; exit 1; }
recorded /out/further.db exits
[ "$(state_of "$fork")" = paused ] || { echo "FAIL: the fork was paused before"; exit 1; }

echo "== without its parent, all of the fork's memory is brought in, and said so"
xenrewind record --domain "$fork" --exits 30 -o /out/alone.db 2>/tmp/alone.err
grep -q 'brought in' /tmp/alone.err || { cat /tmp/alone.err; echo "FAIL: it is not said"; exit 1; }
recorded /out/alone.db exits

echo "== a second recorder is refused, and the first goes on"
xenrewind record --domain "$fork" --parent "$spin" --quiet -o /out/first.db &
sleep 2
refused 1 'monitored already' xenrewind record --domain "$fork" -o /out/second.db
[ ! -e /out/second.db ] || { echo "FAIL: a file was made for nothing"; exit 1; }
kill -TERM $!
wait $!
recorded /out/first.db interrupted
[ "$(state_of "$fork")" = paused ] || { echo "FAIL: the fork was paused before"; exit 1; }

echo "== the fork is destroyed by someone else"
xenrewind record --domain "$fork" --parent "$spin" --quiet -o /out/gone.db 2>/tmp/gone.err &
sleep 2
xrw-guest destroy "$fork"
! wait $! || { echo "FAIL: that is an error"; exit 1; }
cat /tmp/gone.err
grep -q 'destroyed by someone else' /tmp/gone.err || { echo "FAIL: it is not said"; exit 1; }
recorded /out/gone.db error
only_domains_left "$spin"

echo "== a domain that is no fork"
xenrewind record --domain "$spin" --exits 30 -o /out/plain.db
recorded /out/plain.db exits
[ "$(state_of "$spin")" = paused ] || { echo "FAIL: it was paused before"; exit 1; }

echo "== memory at some exits, at the end, or not"
for memory in every=7 end none; do
    xenrewind record --parent "$spin" --exits 50 --memory "$memory" -o "/out/memory-$memory.db"
    recorded "/out/memory-$memory.db" exits
done
xenrewind record --parent "$spin" --exits 50 -o /out/memory-exit.db
only_domains_left "$spin"
