#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# debian-source.sh xen | linux | stock-xen
# Download a Debian source (or, for stock-xen, Debian's own hypervisor) through apt, without touching the machine's apt state: sources made from the
# machine's own mirror lines, own package lists, own cache.  Prints the folder of the cache that holds the
# files and `version`.  What has been downloaded is used until that folder is removed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

# private_sources DIR: the machine's entries as one file of each format, with source packages on.
private_sources()
{
    find /etc/apt/sources.list.d -name '*.sources' -exec awk '
        FNR == 1 && NR > 1 { print "" }
        /^Types:/ { print "Types: deb deb-src"; next }
        { print }' {} + >"$1/machine.sources"
    find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.list' -exec cat {} + 2>/dev/null |
        sed -nE '/cdrom:/d; s/^[[:space:]]*deb(-src)?[[:space:]]+(.*)/deb \2\ndeb-src \2/p' |
        sort -u >"$1/machine.list"
}

# private_apt DIR LOG: makes DIR/apt.conf, exports APT_CONFIG, gets the package lists.
private_apt()
{
    mkdir -p "$1/parts" "$1/lists/partial" "$1/cache/archives/partial"
    private_sources "$1/parts"
    cat >"$1/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$1/parts";
Dir::State::lists "$1/lists";
Dir::Cache "$1/cache";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
CONF
    APT_CONFIG=$1/apt.conf
    export APT_CONFIG
    logged "$2" apt-get update
}

# Each release that the mirror's index still names may have lost its files: take the newest that downloads.
fetch_xen()
{
    versions=$(apt-cache showsrc xen | sed -n 's/^Version: \(4\.17.*\)/\1/p' | sort -ruV)
    [ -n "$versions" ] || fail "the machine's apt sources name no source package xen 4.17 (Debian 12 has it)"
    for version in $versions; do
        say "downloading the source of Xen $version"
        if apt-get source --download-only "xen=$version" >>../log 2>&1; then
            echo "$version" >version
            return 0
        fi
        say "its source does not download; trying the next older one"
        rm -f -- *
    done
    tail -n 25 ../log >&2
    fail "no source package of Xen 4.17 could be downloaded"
}

fetch_linux()
{
    say "downloading linux-source-6.1 (140 MB)"
    logged ../log apt-get download linux-source-6.1
    dpkg-deb -f linux-source-6.1_*.deb Version >version
}

fetch_stock_xen()
{
    say "downloading Debian's own hypervisor"
    logged ../log apt-get download xen-hypervisor-4.17-amd64
    dpkg-deb -f xen-hypervisor-4.17-amd64_*.deb Version >version
    dpkg-deb --fsys-tarfile xen-hypervisor-4.17-amd64_*.deb | tar -xO ./boot/xen-4.17-amd64.gz >xen.gz
}

fetch()
{
    mkdir "$1/files"
    say "reading the package lists of the machine's mirrors"
    private_apt "$1/apt" "$1/log"
    (cd "$1/files" && "fetch_$(echo "$package" | tr - _)")
    mv "$1/files"/* "$1"
    rm -rf "$1/files" "$1/apt"
}

package=$1
artefact "source-$package" "$(hash_of "$package" "$here/debian-source.sh")" fetch
echo "$ARTEFACT"
