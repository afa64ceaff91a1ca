#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: lldb_session.sh MACHINE SCRIPT EXPECTED
# Drives the example target with real lldb over a Unix socket and compares the transcript; then sees
# that lldb asked for no memory before the user did but around the pc. UPDATE=1 rewrites EXPECTED.
set -eu

machine=$1
script=$2
expected=$3
lldb=${LLDB:-}
for name in lldb lldb-19 lldb-16 lldb-15 lldb-14; do
    [ -n "$lldb" ] || ! command -v "$name" >/dev/null || lldb=$name
done
[ -n "$lldb" ] || { echo "lldb is not installed: skipped"; exit 77; }

work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
"$machine" "$work/socket" &
server=$!
while [ ! -e "$work/socket" ]; do sleep 0.05; done

sed -e '/^#/d' -e "s|SOCKET|$work/socket|" "$script" >"$work/script"
timeout 120 "$lldb" -x -b -o "log enable -f $work/packets gdb-remote packets" \
    -o "command source -e false $work/script" </dev/null >"$work/raw" 2>&1 ||
    { cat "$work/raw"; echo "$lldb failed: $?"; exit 1; }

# What it says of watched values and of having detached comes whenever it likes.
sed -e '1,/command source/d' -e '/^Executing commands/d' -e "s|$work/||" -e 's/[ \t]*$//' -e '/^$/d' \
    -e '/^\(old\|new\) value:/d' -e '/^Watchpoint . hit:/d' -e '/^Process 1 detached/d' "$work/raw" >"$work/transcript"
if [ "${UPDATE:-}" = 1 ]; then
    cp "$work/transcript" "$expected"
fi
diff -u "$expected" "$work/transcript" || { echo "the transcript differs"; exit 1; }
if sed -n '/send packet: \$vCont/q; s/.*send packet: \$\(m[0-9a-f]*\),.*/\1/p' "$work/packets" |
    grep -vxE 'm1[0-9a-f]{3}|m[235][0-9a-f]{3}|m6d|m7c'; then
    echo "lldb searched memory"
    exit 1
fi
echo "$lldb: transcript as expected, $(grep -c '^(lldb)' "$work/transcript") commands"
