#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The cache of built artefacts: whole or absent, built once, pruned.  Prints what is wrong; 0 if nothing is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
XENREWIND_CACHE=$(mktemp -d)
export XENREWIND_CACHE
trap 'rm -rf "$XENREWIND_CACHE"' EXIT
cd "$XENREWIND_CACHE"

# build HASH COMMANDS: a build of the kind `thing`, as the build scripts do it; prints the artefact.
build()
{
    setsid -w sh -c 'set -eu; . "$1/common.sh"
        commands=$3
        run() { (cd "$1" && eval "$commands"); }
        artefact thing "$2" run
        echo "$ARTEFACT"' sh "$here" "$@" 2>>log
}

expect()
{
    [ "$2" = "$3" ] || {
        echo "$1: expected '$2', got '$3'" >&2
        exit 1
    }
}

# A build that fails leaves nothing with the final name, and says so by its status.
status=0
build 000000000001 'echo half >file; false' >/dev/null || status=$?
expect 'status of a failed build' 1 "$status"
expect 'artefact of a failed build' '' "$(ls -d thing-* 2>/dev/null || :)"

# So does one that is killed, with all its processes; the next one starts afresh.
build 000000000001 'echo half >file; echo $$ >"$XENREWIND_CACHE/pid"; sleep 60' >/dev/null 2>&1 &
until [ -s pid ]; do sleep 0.1; done
kill -s KILL -- "-$(cat pid)"
wait $! || :
expect 'artefact of a killed build' '' "$(ls -d thing-* 2>/dev/null || :)"

# Two at once build once, and both get the result.
for side in a b; do
    build 000000000001 'echo built >>"$XENREWIND_CACHE/count"; sleep 1; echo whole >file2' >"$side" &
done
wait
expect 'number of builds' 1 "$(wc -l <count)"
expect 'first result' "$XENREWIND_CACHE/thing-000000000001" "$(cat a)"
expect 'second result' "$(cat a)" "$(cat b)"
expect 'content' file2 "$(ls thing-000000000001)"

# What is there is not built again; of more than three the oldest goes.
build 000000000001 'echo built >>"$XENREWIND_CACHE/count"' >/dev/null
expect 'number of builds after a repeat' 1 "$(wc -l <count)"
for number in 2 3 4; do
    touch -d '1 hour ago' thing-000000000001
    build "00000000000$number" : >/dev/null
done
expect 'what is left after four builds' 'thing-000000000002 thing-000000000003 thing-000000000004' \
    "$(echo thing-*)"
echo 'the cache keeps its promises'
