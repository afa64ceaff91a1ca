#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# in-debian13-gdb.sh COMMAND...: run a test with Debian 13's gdb as its client ($GDB).
set -eu
GDB=$("$(dirname "$0")/debian13-gdb.sh")
export GDB
exec "$@"
