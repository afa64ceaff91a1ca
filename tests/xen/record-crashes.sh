# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: a recorder that ends without a word, one that is asked to end, and one that is stopped for long.
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

for signal in KILL SEGV ABRT; do
    for exits in $([ $signal = KILL ] && echo 0 1 7 40 || echo 7); do
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

echo "== KILL of the recorder while what it has are no rows yet: they are made, and nothing is lost"
xenrewind record --parent "$spin" --mode async -o /out/later.db 2>/tmp/progress &
recorder=$!
under_way /out/later.db
until grep -q '^[0-9]* exits' /tmp/progress; do sleep 1; done
kill -KILL "$recorder"
wait "$recorder" || true
[ -e /out/later.db-ring ] || { echo "FAIL: rows were made at once"; exit 1; }
told=$(sed -n 's/^\([0-9]*\) exits, .*/\1/p' /tmp/progress | tail -n 1)
left_by "$recorder" /out/later.db
[ ! -e /out/later.db-ring ] || { echo "FAIL: the ring is still there"; exit 1; }
said whole xenrewind check /out/later.db
has=$(sed -n 's/.*"exits": *\([0-9]*\).*/\1/p' /tmp/info.json | head -n 1)
echo "$has exits, of which the recorder had told of $told"
[ "$told" -gt 1000 ] && [ "$has" -ge "$told" ] || { echo "FAIL: some are lost"; exit 1; }

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
