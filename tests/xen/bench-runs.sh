# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: runs a second with recording, beside those of a loop that records nothing, in interleaved pairs.
# Lines of /out/figures: MODE PAIR RECORDED LOOP, both in microseconds a run.
set -eu
. ./dom0-lib.sh

gpa=0x9e000
parent=$(xrw-guest create --cmdline input /guest/tour)
xrw-guest unpause "$parent"
xrw-guest wait --ready "$parent"
xrw-guest pause "$parent"
tour_inputs /tmp/inputs "${RUNS:-200}"

# microseconds RUNS NANOSECONDS
microseconds()
{
    awk -v runs="$1" -v ns="$2" 'BEGIN { printf "%.1f", ns / runs / 1000 }'
}

for mode in ${MODES:-pause sync}; do
    for pair in 1 2 3; do
        # shellcheck disable=SC2046 # three numbers
        set -- $(reset_loop "$mode" "$parent" "$gpa" /tmp/inputs)
        loop=$(microseconds "$1" "$3")
        xenrewind record --mode "$mode" --parent "$parent" --inputs /tmp/inputs --input gpa=$gpa,file=@ --force \
            --quiet --json -o /tmp/bench.db >/tmp/bench.json
        runs=$(sed 's/.*"runs": *\([0-9]*\).*/\1/' /tmp/bench.json)
        seconds=$(sed 's/.*"seconds": *\([0-9.]*\).*/\1/' /tmp/bench.json)
        echo "$mode $pair $(awk -v runs="$runs" -v s="$seconds" 'BEGIN { printf "%.1f", s * 1e6 / runs }') $loop" | tee -a /out/figures
    done
done
only_domains_left "$parent"
