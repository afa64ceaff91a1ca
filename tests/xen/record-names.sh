# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0 with Debian's own xenstored and xl: guests that xl makes, by their names, as docs/xen.md has it.
set -eu
. ./dom0-lib.sh

echo "== without libxenstore, and without xenstored"
refused 1 'there is no libxenstore' xenrewind record --parent tour -o /tmp/none.db
export LD_LIBRARY_PATH=/usr/lib/tools
refused 1 'xenstore does not answer' xenrewind record --parent tour -o /tmp/none.db

echo "== xenstored and xl"
mount -t xenfs xenfs /proc/xen
mkdir -p /var/lib/xenstored /var/lib/xen /var/log/xen /run/xenstored /run/xen /var/run
ln -sfn /run/xenstored /var/run/xenstored
ln -sfn /run/xen /var/run/xen
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mkdir -p /etc/xen
: >/etc/xen/xl.conf
xenstored
xen-init-dom0
xenconsoled
said '^xen_version *: 4.17' xl info
said '^virt_caps .*hvm.* hap' xl info
for name in tour spin; do
    cat >/tmp/$name.cfg <<CONFIG
name = "$name"
type = "pvh"
kernel = "/guest/tour"
cmdline = "$name"
memory = 16
vcpus = 1
tsc_mode = "always_emulate"
CONFIG
    xl create -e -p /tmp/$name.cfg
done
xl list

echo "== recorded by name"
xenrewind record --parent tour -o /out/tour.db
recorded /out/tour.db guest-end
xenrewind record --domain spin --exits 100 -o /out/spin.db
recorded /out/spin.db exits
said 'can be recorded' xenrewind doctor --parent tour
cat /tmp/said

echo "== a name that nobody has"
refused 1 'nobody' xenrewind record --parent nobody -o /tmp/none.db
xl destroy tour
xl destroy spin
only_domains_left
