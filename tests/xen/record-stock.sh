# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0 of Debian's own Xen: no VM forks, no pause mode.  Both are said, with what to do.
set -eu
. ./dom0-lib.sh

guest=$(xrw-guest create /guest/tour)
refused 1 'MEM_SHARING' xenrewind record --parent "$guest" -o /tmp/none.db
refused 1 'xen-patch' xenrewind record --domain "$guest" -o /tmp/none.db
[ ! -e /tmp/none.db ] || { echo "FAIL: a file was made for nothing"; exit 1; }
only_domains_left "$guest"

echo "== doctor says the same, all at once"
for options in "" "--parent $guest"; do
    # shellcheck disable=SC2086 # may be none
    ! xenrewind doctor $options >/tmp/said || { echo "FAIL: this host cannot record"; exit 1; }
    cat /tmp/said
    for line in 'ok       Xen .*4\.17' 'ok       control interface' 'ok       dom0 .*PV' \
        'ok       processor .*Intel, VMX' 'ok       hardware paging' 'missing  VM forks' \
        'ok       VM-exit event' 'missing  pause mode' '-> build Xen with CONFIG_MEM_SHARING=y' \
        '-> apply the patches of xen-patch/4.17'; do
        grep -q -- "$line" /tmp/said || { echo "FAIL: no line '$line'"; exit 1; }
    done
done
grep -q 'missing  forking it .*no VM forks' /tmp/said || { echo "FAIL: forking must be refused"; exit 1; }
only_domains_left "$guest"
