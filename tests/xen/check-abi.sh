#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check-abi.sh RELEASE stock | patched
# Compare xen-patch/vmexit_abi.h with the public headers of a release of Xen: those of Debian's libxen-dev, or
# those that our patches make of them.  Says what differs; 0 if nothing does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case $2 in
stock) headers=$("$here/debian-source.sh" libxen "$1")/include ;;
patched) headers=$("$here/build-xen.sh" "$1")/include ;;
*) exit 2 ;;
esac
cc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -isystem "$headers" "$here/../../xen-patch/abi_check.c"
echo "the event of Xen $1, $2, is as vmexit_abi.h has it: $(grep "#define VM_EVENT_INTERFACE_VERSION" "$headers/xen/vm_event.h")"
