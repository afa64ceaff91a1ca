# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: record a fork of a running Linux; the parent goes on.
set -eu
. ./dom0-lib.sh

parent=$(xrw-guest create --memory 40 --initrd /guest/initrd.img \
    --cmdline "earlyprintk=xen,keep quiet loglevel=4 nokaslr mitigations=off" /vmlinux)
xrw-guest unpause "$parent"
xrw-guest wait --ready --seconds 60 "$parent"
xenrewind record --parent "$parent" --exits 800 --symbols vmlinux --guest-name linux -o /out/linux.db
only_domains_left "$parent"
xrw-guest list
