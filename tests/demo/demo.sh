#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `./run demo`: record two guests on real Xen, then walk through the recordings with gdb and sqlite3.
# `./run demo --quick`: record one in the embedded engine instead, without Xen, in seconds.
# XENREWIND_TESTBED_BUILD names the build folder.  Leaves demo/tour.db and demo/linux.db.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$top/tests/xen/common.sh"
build=${XENREWIND_TESTBED_BUILD:?}
demo=$top/demo
xenrewind=$build/cli/xenrewind

heading()
{
    printf '\n=== %s\n' "$*"
}

# Runs a statement, which is shown, in the sqlite3 shell.
ask()
{
    printf '\nsqlite3 demo/%s "%s"\n' "$1" "$2"
    sqlite3 -readonly -header -column "$demo/$1" "$2"
}

record()
{
    rm -rf "$demo/.new"
    mkdir -p "$demo/.new"
    say "recording on real Xen, in Bochs (about 45 s)"
    "$top/tests/xen/dom0.py" --build "$build" --out "$demo/.new" "$here/record.sh"
    kernel=$("$top/tests/xen/build-kernel.sh")
    cp "$kernel/vmlinux" "$build/tests/guests/tour/tour" "$demo/.new"
    mv -f "$demo/.new"/*.db "$demo/.new/vmlinux" "$demo/.new/tour" "$demo"
    rm -rf "$demo/.new"
}

# An exit to look at: the last text that the kernel printed, but not so late that no steps forward are left.
interesting_exit()
{
    sqlite3 -readonly "$demo/linux.db" \
        "SELECT max(id) FROM exits WHERE reason = 'IO_INSTRUCTION' AND id < (SELECT max(id) FROM exit) - 20"
}

# walk FILE.db SCRIPT: run a gdb script on a recording, each command shown as if it were typed.
walk()
{
    sed -n '/^[^#]/{s/\\/&&/g;h;s/.*/echo \\n(gdb) &\\n/p;x;p}' "$here/$2" |
        sed -e "s/@START@/${start:-}/" -e "s/@CPUID@/${cpuid:-}/" >"$demo/.commands"
    "$xenrewind" replay "$demo/$1" --gdb -- -q -nx -batch \
        -ex 'set pagination off' -ex 'set width 0' -ex 'set print frame-arguments none' \
        -x "$demo/.commands" 2>&1
    rm -f "$demo/.commands"
}

# Only the place to start and where to break are looked up: the rest gdb finds.
walk_linux()
{
    start=$(interesting_exit)
    cpuid=$(sqlite3 -readonly "$demo/linux.db" \
        "SELECT rip_hex FROM exits WHERE reason = 'CPUID' AND id < $start ORDER BY id DESC LIMIT 1")
    walk linux.db linux.gdb
}

walk_tour()
{
    heading "tour.db in gdb: who changed this variable? Backward from the end"
    walk tour.db tour.gdb
}

ask_tour()
{
    ask tour.db "SELECT id, leaf_hex, subleaf_hex, eax_hex, ebx_hex FROM cpuid LIMIT 5"
    ask tour.db "SELECT port_hex, direction, size, count(*) AS times FROM io GROUP BY 1, 2, 3 LIMIT 8"
}

# The same guest, run by the engine as if it were a fork of a Xen domain.
quick()
{
    mkdir -p "$demo"
    cp "$build/tests/guests/tour/tour" "$demo/tour"
    heading "a guest in the embedded engine: no Xen, no KVM, no root"
    (cd "$demo" && "$xenrewind" record --source machine --platform xen --guest-memory 4 --symbols tour \
        --force -o tour.db tour)
    walk_tour
    heading "what the guest ran between the exits, executed again and compared"
    "$xenrewind" verify "$demo/tour.db"
    heading "two questions in SQL"
    ask_tour
    heading "go on by hand"
    cat <<TEXT
    ./run xenrewind replay demo/tour.db --gdb
    sqlite3 demo/tour.db "SELECT * FROM exits LIMIT 10"
TEXT
}

full()
{
    record
    heading "linux.db in gdb: where are we, and why did the guest exit?"
    walk_linux
    walk_tour
    heading "three questions in SQL"
    ask linux.db "SELECT reason, count(*) AS exits FROM exits GROUP BY reason ORDER BY exits DESC LIMIT 5"
    ask_tour
    heading "go on by hand"
    cat <<TEXT
    ./run xenrewind replay demo/linux.db --gdb
    sqlite3 demo/linux.db "SELECT * FROM exits LIMIT 10"
TEXT
}

case ${1:-} in
'') full ;;
--quick) quick ;;
*)
    echo "usage: ./run demo [--quick]" >&2
    exit 2
    ;;
esac
say "done"
