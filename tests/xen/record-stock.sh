# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0 of Debian's own Xen: no VM forks, no pause mode.  Both are said, with what to do.
set -eu
. ./dom0-lib.sh

guest=$(xrw-guest create /guest/tour)
refused 1 'MEM_SHARING' xenrewind record --parent "$guest" -o /tmp/none.db
refused 1 'xen-patch' xenrewind record --domain "$guest" -o /tmp/none.db
[ ! -e /tmp/none.db ] || { echo "FAIL: a file was made for nothing"; exit 1; }
only_domains_left "$guest"
