# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: the two recordings of the demo.
set -eu

echo "== tour: a small kernel that takes every kind of VM exit"
tour=$(xrw-guest create /guest/tour)
xenrewind record --parent "$tour" --allow-interrupts --symbols tour --guest-name tour -o /out/tour.db
xrw-guest destroy "$tour"

echo "== linux: booted, forked while it runs"
linux=$(xrw-guest create --memory 40 --initrd /guest/initrd.img \
    --cmdline "earlyprintk=xen,keep quiet loglevel=4 nokaslr mitigations=off" /vmlinux)
xrw-guest unpause "$linux"
xrw-guest wait --ready --seconds 60 "$linux"
xenrewind record --parent "$linux" --exits 1000 --symbols vmlinux --guest-name linux -o /out/linux.db
echo "the parent goes on, the fork is gone:"
xrw-guest list
