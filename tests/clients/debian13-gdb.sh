#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian 13's gdb on this machine, for tests: its packages and all that they need, unpacked side by side
# into a folder of the cache; nothing is installed, no root is needed. Prints the path of a command that
# is that gdb. 77: it cannot be had here, and stderr says why.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/xen/common.sh
. "$here/../xen/common.sh"

cannot()
{
    echo "Debian 13's gdb cannot be had: $*" >&2
    exit 77
}

# sources DIR: the machine's own mirrors of Debian, for the release after.
sources()
{
    find /etc/apt/sources.list.d -name '*.sources' -exec awk '
        FNR == 1 && NR > 1 { print "" }
        { print }' {} + | sed 's/\<bookworm/trixie/g' >"$1/next.sources"
    find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.list' -exec cat {} + 2>/dev/null |
        sed -n '/cdrom:/d; /bookworm/{s/bookworm/trixie/gp}' | sort -u >"$1/next.list"
}

# apt with no knowledge of this machine's packages, so that all that gdb needs is downloaded.
private_apt()
{
    mkdir -p "$1/parts" "$1/lists/partial" "$1/cache/archives/partial"
    : >"$1/status"
    sources "$1/parts"
    cat >"$1/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$1/parts";
Dir::State::lists "$1/lists";
Dir::State::status "$1/status";
Dir::Cache "$1/cache";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
CONF
    APT_CONFIG=$1/apt.conf
    export APT_CONFIG
    logged "$2" apt-get -q update
    logged "$2" apt-get -q -y --no-install-recommends --download-only install gdb
}

unpack()
{
    say "downloading Debian 13's gdb (33 MB) and unpacking it"
    private_apt "$1/apt" "$1/log"
    mkdir "$1/root"
    for package in "$1"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$1/root"
    done
    rm -rf "$1/apt"
    cat >"$1/gdb" <<'WRAPPER'
#!/bin/sh
# gdb of another release: with its own loader, libraries and Python.
root=$(dirname "$0")/root
PYTHONHOME=$root/usr exec "$root/usr/lib64/ld-linux-x86-64.so.2" --argv0 gdb \
    --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/usr/bin/gdb" --data-directory "$root/usr/share/gdb" "$@"
WRAPPER
    chmod +x "$1/gdb"
    "$1/gdb" -nx -batch -ex 'python print("python", gdb.VERSION)' >>"$1/log" 2>&1
}

if [ "${1:-}" = fetch ]; then # on its own, so that the first failure ends it
    artefact debian13-gdb "$(hash_of gdb "$0")" unpack
    echo "$ARTEFACT/gdb"
    exit
fi
[ "$(uname -m)" = x86_64 ] || cannot "this is not an x86-64 machine"
command -v dpkg-deb >/dev/null || cannot "this machine has no dpkg"
"$0" fetch || cannot "downloading or unpacking it failed (see above)"
