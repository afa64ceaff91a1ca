# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: change the mode of the VM-exit event under a running `tour`, which must not notice.
set -eu
. ./dom0-lib.sh

guest=$(xrw-guest create /guest/tour)
mode-changes "$guest"
xrw-guest wait --seconds 60 "$guest"
xrw-guest destroy "$guest"
only_domains_left
