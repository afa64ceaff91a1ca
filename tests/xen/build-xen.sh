#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# build-xen.sh [RELEASE]
# Build the hypervisor from Debian's source with our patches for that release.  Prints the folder of the cache
# that holds xen.gz (to boot), xen-syms (symbols), and `include`, with the folder `xen` of public headers.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
release=${1:-$XRW_XEN_RELEASE}
patches=$here/../../xen-patch/$release

# The series file says what applies and in which order.
patch_files()
{
    [ -e "$patches/series" ] || return 0
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -e "s|^|$patches/|" "$patches/series"
}

unpack()
{
    if ls "$source"/*.dsc >/dev/null 2>&1; then
        dpkg-source --no-check -x "$source"/xen_*.dsc "$1"
    else
        mkdir "$1"
        tar -xf "$source"/xen_*.orig.tar.* -C "$1" --strip-components=1
    fi
}

# no_warning LOG SOURCE: the compiler has warned of no file that our patches touch.
no_warning()
{
    # shellcheck disable=SC2086 # a list of files
    touched=$(cat /dev/null $series | sed -nE 's|^\+\+\+ b/xen/||p' | sort -u)
    for file in $touched; do
        ! grep -E "^[^ ]*$file:[0-9:]+ warning" "$1" >&2 || fail "our patches for Xen $release make the compiler warn"
    done
}

build()
{
    say "building Xen $version with $(echo "$series" | grep -c .) patches (about 2 min; log: $1/log)"
    unpack "$1/src" >"$1/log" 2>&1
    for file in $series; do
        logged "$1/log" patch -d "$1/src" -p1 --fuzz=0 -i "$file"
    done
    cp "$here/xen.config" "$1/src/xen/.config"
    logged "$1/log" make -C "$1/src/xen" olddefconfig XEN_CONFIG_EXPERT=y
    grep -q '^CONFIG_MEM_SHARING=y' "$1/src/xen/.config"
    logged "$1/log" make -C "$1/src/xen" -j"$(nproc)" XEN_CONFIG_EXPERT=y CC="$compiler"
    no_warning "$1/log"
    cp "$1/src/xen/xen.gz" "$1/src/xen/xen-syms" "$1"
    mkdir "$1/include"
    cp -r "$1/src/xen/include/public" "$1/include/xen"
    echo "$version" >"$1/version"
    rm -rf "$1/src" "$1"/*.orig.tar.xz
    say "Xen is built"
}

# Xen is built with -Werror.  GCC 12 warns of more than the oldest release was written for: the linker's
# symbols taken for empty arrays, and comparisons that are always true.
compiler=gcc
[ "$release" != 4.14 ] || compiler='gcc -Wno-array-bounds -Wno-address'

source=$("$here/debian-source.sh" xen "$release")
version=$(cat "$source/version")
series=$(patch_files)
# shellcheck disable=SC2086 # a list of files
artefact "xen-$release" "$(hash_of "$version" "$here/build-xen.sh" "$here/xen.config" $series)" build
echo "$ARTEFACT"
