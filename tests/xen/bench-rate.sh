# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: rates of recording beside those of bare loops, in interleaved pairs.  Lines of /out/figures:
#     bare MODE EXITS SECONDS          record MODE MEMORY EXITS SECONDS USER SYSTEM SECONDS_FOR_ROWS
set -eu
. ./dom0-lib.sh

pairs=5
spin=$(xrw-guest create --cmdline spin /guest/tour)
xenrewind record --parent "$spin" --exits 50 --keep --quiet -o /tmp/kept.db
fork=$(xrw-guest list | tail -n 1 | cut -d' ' -f1)

# say FIGURES: to the file and the console
say()
{
    echo "$1" | tee -a /out/figures
}

# record MODE MEMORY EXITS
record()
{
    exits=$3
    time -f 'user %U system %S' -o /tmp/time xenrewind record --mode "$1" --memory "$2" --domain "$fork" \
        --parent "$spin" --exits "$exits" --force --quiet --json -o /tmp/bench.db >/tmp/bench.json
    seconds=$(sed -n 's/.*"seconds": *\([0-9.]*\).*/\1/p' /tmp/bench.json)
    rows=$(sed -n 's/.*"rows_seconds": *\([0-9.]*\).*/\1/p' /tmp/bench.json)
    got=$(sed -n 's/.*"exits": *\([0-9]*\).*/\1/p' /tmp/bench.json)
    say "record $1 $2 $got $seconds $(sed -n 's/user \([0-9.]*\) system \([0-9.]*\)/\1 \2/p' /tmp/time) $rows"
}

i=0
while [ "$i" -lt "$pairs" ]; do
    i=$((i + 1))
    say "bare async 20000 $(bare-loop async "$fork" 20000)"
    record async none 20000
    say "bare pause 800 $(bare-loop pause "$fork" 800)"
    record pause none 800
    record pause exit 800
done
