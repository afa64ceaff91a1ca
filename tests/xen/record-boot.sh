# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: record a fork of a Linux that has not run yet, through its boot into user space.
set -eu
. ./dom0-lib.sh

parent=$(xrw-guest create --memory 40 --initrd /guest/initrd.img \
    --cmdline "earlyprintk=xen,keep quiet loglevel=4 nokaslr mitigations=off" /vmlinux)
xenrewind record --parent "$parent" --exits 7000 --symbols vmlinux --guest-name linux -o /out/boot.db
only_domains_left "$parent"
