#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Build the hypervisor from Debian's source with our patches.  Prints the folder of the cache that holds
# xen.gz (to boot) and xen-syms (symbols).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
patches=$(cd "$here/../../xen-patch/4.17" 2>/dev/null && pwd) || patches=

# The series file says what applies and in which order.
patch_files()
{
    [ -n "$patches" ] && [ -e "$patches/series" ] || return 0
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -e "s|^|$patches/|" "$patches/series"
}

build()
{
    say "building Xen $version with $(echo "$series" | grep -c .) patches (about 2 min; log: $1/log)"
    dpkg-source --no-check -x "$source"/xen_*.dsc "$1/src" >"$1/log" 2>&1
    for file in $series; do
        logged "$1/log" patch -d "$1/src" -p1 --fuzz=0 -i "$file"
    done
    cp "$here/xen.config" "$1/src/xen/.config"
    logged "$1/log" make -C "$1/src/xen" olddefconfig XEN_CONFIG_EXPERT=y
    grep -q '^CONFIG_MEM_SHARING=y' "$1/src/xen/.config"
    logged "$1/log" make -C "$1/src/xen" -j"$(nproc)" XEN_CONFIG_EXPERT=y
    cp "$1/src/xen/xen.gz" "$1/src/xen/xen-syms" "$1"
    echo "$version" >"$1/version"
    rm -rf "$1/src" "$1"/*.orig.tar.xz
    say "Xen is built"
}

source=$("$here/debian-source.sh" xen)
version=$(cat "$source/version")
series=$(patch_files)
# shellcheck disable=SC2086 # a list of files
artefact xen "$(hash_of "$version" "$here/build-xen.sh" "$here/xen.config" $series)" build
echo "$ARTEFACT"
