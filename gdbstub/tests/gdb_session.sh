#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: gdb_session.sh MACHINE SCRIPT EXPECTED
# Drives the example target with real gdb and compares the transcript. UPDATE=1 rewrites EXPECTED.
set -eu

machine=$1
script=$2
expected=$3
command -v gdb >/dev/null || { echo "gdb is not installed: skipped"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Commands on standard input: unlike in a script, an error does not end the session.
timeout 60 gdb -nx -q -ex 'set pagination off' -ex 'set confirm off' -ex 'set style enabled off' \
    -ex 'set width 0' -ex "target remote | $machine --stdio" -ex 'set trace-commands on' \
    <"$script" >"$work/raw" 2>&1 || { cat "$work/raw"; echo "gdb failed: $?"; exit 1; }

# What comes before the first command depends on gdb's configuration.
sed -n '/(gdb) /,$p' "$work/raw" >"$work/transcript"
if [ "${UPDATE:-}" = 1 ]; then
    cp "$work/transcript" "$expected"
fi
diff -u "$expected" "$work/transcript" || { echo "the transcript differs"; exit 1; }
echo "transcript as expected, $(grep -c '^(gdb) +' "$work/transcript") commands"
