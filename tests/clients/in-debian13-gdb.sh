#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# in-debian13-gdb.sh COMMAND...: run a test with Debian 13's gdb as its client, as $GDB and in the PATH.
set -eu
GDB=$("$(dirname "$0")/debian13-gdb.sh")
PATH=$(dirname "$GDB"):$PATH
export GDB PATH
exec "$@"
