# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: a recorder that ends without a word, parents and forks that go, and one that is stopped.
set -eu
. ./dom0-lib.sh

spin=$(xrw-guest create --cmdline spin /guest/tour)

# left_by PROCESS FILE: the file opens with every exit that was committed, its fork is left over, and --clean
# removes it, after which the parent is as before.
left_by()
{
    xenrewind info --json "$2" >/tmp/info.json || { echo "FAIL: $2 does not open"; exit 1; }
    grep -q '"closed": *false' /tmp/info.json || { echo "FAIL: $2 was closed"; exit 1; }
    said "fork [0-9]* of domain $spin: left over by process $1" xenrewind doctor
    said "left over, removed" xenrewind doctor --clean
    only_domains_left "$spin"
}

# under_way FILE: wait until it has exits.
under_way()
{
    until xenrewind info --json "$1" 2>/dev/null | grep -q '"exits": *[1-9]'; do usleep 200000; done
}

for signal in KILL SEGV ABRT; do
    for exits in 0 1 7 40; do
        echo "== $signal of the recorder after $exits exits"
        file=/out/$signal-$exits.db
        # The signal comes while the fork is held at that exit; 0: while its memory is read.
        if [ $exits = 0 ]; then
            xenrewind record --parent "$spin" --quiet -o "$file" 2>/dev/null &
            recorder=$!
            while [ ! -e "$file-wal" ]; do usleep 1000; done
        else
            rm -f /tmp/at
            xenrewind record --parent "$spin" --quiet -o "$file" \
                --each-exit "while read -r exit domain; do [ \$exit != $exits ] || { echo >/tmp/at; sleep 60; }; echo; done" 2>/dev/null &
            recorder=$!
            while [ ! -e /tmp/at ]; do usleep 20000; done
        fi
        kill -"$signal" "$recorder"
        wait "$recorder" || true
        left_by "$recorder" "$file"
    done
done

for signal in INT TERM HUP; do
    echo "== $signal of the recorder at an exit"
    xenrewind record --parent "$spin" --quiet -o "/out/$signal.db" &
    recorder=$!
    under_way "/out/$signal.db"
    kill -"$signal" "$recorder"
    wait "$recorder" || { echo "FAIL: it did not end well"; exit 1; }
    recorded "/out/$signal.db" interrupted
    only_domains_left "$spin"
done

echo "== a recorder that is stopped for long: the ring is full, and nothing is lost"
xenrewind record --parent "$spin" --mode async --exits 30000 --quiet -o /out/stopped.db &
recorder=$!
under_way /out/stopped.db
kill -STOP "$recorder"
sleep 5
kill -CONT "$recorder"
wait "$recorder" || { echo "FAIL: it did not end well"; exit 1; }
recorded /out/stopped.db exits
only_domains_left "$spin"

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
printf 'x' >/tmp/one
xenrewind record --parent "$spin" --runs 100000 --exits 3 --quiet -o /out/fork-gone.db 2>/tmp/gone.err &
recorder=$!
under_way /out/fork-gone.db
xrw-guest destroy "$(xrw-guest list | tail -n 1 | cut -d' ' -f1)"
! wait "$recorder" || { echo "FAIL: that is an error"; exit 1; }
cat /tmp/gone.err
grep -q 'destroyed by someone else' /tmp/gone.err || { echo "FAIL: it is not said"; exit 1; }
xenrewind runs --json /out/fork-gone.db | grep -q '"stop": *"error"' || { echo "FAIL: the last run does not say so"; exit 1; }
only_domains_left "$spin"

echo "== no memory for a fork"
big=$(xrw-guest create --memory "$(($(xenrewind doctor | sed -n 's/^ok  *memory  *\([0-9]*\) MiB.*/\1/p') - 12))" --cmdline spin /guest/tour)
refused 1 'not enough|emory' xenrewind record --parent "$big" -o /tmp/none.db
[ ! -e /tmp/none.db ] || { echo "FAIL: a file was made for nothing"; exit 1; }
only_domains_left "$spin" "$big"
xrw-guest destroy "$big"

echo "== a disk that fills up between runs"
mkdir -p /small
mount -t tmpfs -o size=2m tmpfs /small
refused 1 'full|[Nn]o space' xenrewind record --parent "$spin" --runs 100000 --exits 20 -o /small/full.db
xenrewind runs --paths /small/full.db
cp /small/full.db* /out/
only_domains_left "$spin"
echo "all faults behaved"
