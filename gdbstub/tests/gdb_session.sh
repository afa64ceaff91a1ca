#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: gdb_session.sh MACHINE SCRIPT EXPECTED [CC PROGRAM.S]
# Drives the example target with real gdb and compares the transcript; with symbols, if there is a
# source to assemble. GDB is the client (gdb).
# UPDATE=1 rewrites what it compares with.
set -eu

machine=$1
script=$2
expected=$3
gdb=${GDB:-gdb}
command -v "$gdb" >/dev/null || { echo "$gdb is not installed: skipped"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$("$gdb" -nx -batch -ex 'show version' | sed -n '1s/.* \([0-9]*\)\..*/\1/p')

symbols=
if [ $# -gt 3 ]; then
    symbols=$work/program.elf
    "$4" -nostdlib -static -Wl,-Ttext=0x1000,-e,main,--build-id=none -o "$symbols" "$5" 2>"$work/log" ||
        { cat "$work/log"; echo "the program cannot be assembled: skipped"; exit 77; }
    cd "$(dirname "$5")"
fi

# Commands on standard input: unlike in a script, an error does not end the session.
timeout 120 "$gdb" -nx -q -iex 'set debuginfod enabled off' -ex 'set pagination off' -ex 'set confirm off' \
    -ex 'set style enabled off' -ex 'set width 0' ${symbols:+"$symbols"} -ex "target remote | $machine --stdio" \
    -ex 'set trace-commands on' <"$script" >"$work/raw" 2>&1 || { cat "$work/raw"; echo "$gdb failed: $?"; exit 1; }

# What comes before the first command depends on gdb's configuration. Newer versions say some things
# in other words.
sed -e '1,/(gdb) /{/(gdb) /!d}' -e "s|$work/||" \
    -e 's/^Reached end of recorded history; stopping\.$/No more reverse-execution history./' \
    -e '/^Following forward execution will be added to history\.$/d' \
    -e '/^Backward execution from here not possible\.$/d' \
    -e 's/^Error in testing condition for breakpoint .*:/Error in testing breakpoint condition:/' \
    -e 's/^Protocol error with Rcmd: \(.*\)\.$/\1/' -e "s/reply 'E\./reply '/" "$work/raw" >"$work/transcript"
if [ "${UPDATE:-}" = 1 ]; then
    cp "$work/transcript" "$expected"
fi
diff -u "$expected" "$work/transcript" || { echo "the transcript differs"; exit 1; }
echo "gdb $version: transcript as expected, $(grep -c '^(gdb) +' "$work/transcript") commands"
