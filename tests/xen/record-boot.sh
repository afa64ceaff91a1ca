# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: record a fork of a booting Linux, from early in its boot into user space.  Before, it spends two and a
# half seconds with a timer that is not there: a hundred thousand exits of no interest.  The kernel gives pages back to
# Xen, which refuses those that the fork has not got yet: xen_scrub_pages has it write to them first.
set -eu
. ./dom0-lib.sh

parent=$(xrw-guest create --memory 40 --initrd /guest/initrd.img \
    --cmdline "earlyprintk=xen,keep quiet loglevel=4 nokaslr mitigations=off xen_scrub_pages=1" /vmlinux)
xrw-guest unpause "$parent"
usleep 2900000
xrw-guest pause "$parent"
xenrewind record --parent "$parent" --exits 6300 --symbols vmlinux --guest-name linux -o /out/boot.db
only_domains_left "$parent"
