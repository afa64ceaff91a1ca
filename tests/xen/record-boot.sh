# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: record a fork of a booting Linux, from early in its boot to where its program says that it is up.
# Before, it reads a timer that is not there for most of three seconds: 150 thousand exits of no interest.  How far it
# gets in a given time varies: it is left alone for most of them, and watched up to the RDMSR that comes after them.
# The kernel gives pages back to Xen, which refuses those that the fork has not got yet: xen_scrub_pages has it write to
# them first.  retain_initrd and rodata=off spare it to give back a thousand pages more, at an exit each.
set -eu
. ./dom0-lib.sh

boot_end=0x10000000 # .boot_end of ../guests/linux/init.c

cmdline="earlyprintk=xen,keep quiet loglevel=4 nokaslr mitigations=off xen_scrub_pages=1 retain_initrd rodata=off"
parent=$(xrw-guest create --memory 40 --initrd /guest/initrd.img --cmdline "$cmdline" /vmlinux)
xrw-guest unpause "$parent"
usleep 2600000
xrw-guest pause "$parent"
xenrewind record --mode async --memory none --domain "$parent" --until-reason MSR_READ -o /tmp/before.db
recorded /tmp/before.db until-reason
xenrewind record --parent "$parent" --until-rip $boot_end --exits 15000 --symbols vmlinux --guest-name linux \
    -o /out/boot.db
recorded /out/boot.db until-rip
only_domains_left "$parent"
