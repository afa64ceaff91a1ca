# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: many runs of a fork in one recording, each with an input of its own.
set -eu
. ./dom0-lib.sh

gpa=0x9e000
gva=0xffffffff8009e000

parent=$(xrw-guest create --cmdline input /guest/tour)
xrw-guest unpause "$parent"
xrw-guest wait --ready "$parent"
xrw-guest pause "$parent"

echo "== the same run again and again: each as the first"
printf 'cmsov' >/tmp/one
xenrewind record --parent "$parent" --runs 5 --input gva=$gva,file=/tmp/one -o /out/again.db
only_domains_left "$parent"

echo "== what runs end by"
mkdir /tmp/ends
printf cc >/tmp/ends/1-poweroff
printf cx >/tmp/ends/2-crash
printf ch >/tmp/ends/3-idle
printf cc >/tmp/ends/4-poweroff-after-idle
printf cw >/tmp/ends/5-until
xenrewind record --parent "$parent" --inputs /tmp/ends --input gpa=$gpa,file=@ --until-reason WBINVD -o /out/ends.db
xenrewind runs /out/ends.db
only_domains_left "$parent"

echo "== a thousand inputs"
tour_inputs /tmp/inputs "${RUNS:-1000}"
xenrewind record --parent "$parent" --inputs /tmp/inputs --input gva=$gva,file=@ --json -o /out/thousand.db \
    >/out/thousand.json
only_domains_left "$parent"

echo "== Ctrl-C within a run, and between runs"
printf 'cccc' >/tmp/one
xenrewind record --parent "$parent" --runs 1000000 --input gva=$gva,file=/tmp/one --quiet -o /out/interrupted.db &
sleep 3
kill -INT $!
wait $!
only_domains_left "$parent"

echo "== what cannot be"
refused 1 'no/such' xenrewind record --parent "$parent" --input gva=$gva,file=/no/such -o /tmp/none.db
refused 1 'not mapped' xenrewind record --parent "$parent" --input gva=0x123456789000,file=/tmp/one -o /tmp/none.db
refused 1 'not RAM' xenrewind record --parent "$parent" --input gpa=0xfed00000,file=/tmp/one -o /tmp/none.db
refused 1 'is no fork' xenrewind record --domain "$parent" --runs 2 -o /tmp/none.db
refused 2 'file=@' xenrewind record --parent "$parent" --inputs /tmp/inputs -o /tmp/none.db
refused 2 'file=@' xenrewind record --parent "$parent" --input gva=1,file=@ -o /tmp/none.db
[ ! -e /tmp/none.db ] || { echo "FAIL: a file was made for nothing"; exit 1; }
only_domains_left "$parent"
echo "all runs behaved"
