#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Build the Linux kernel that serves as dom0 and as debugged guest.  Prints the folder of the cache that
# holds vmlinux (with debug information) and vmlinux-boot (the same code, stripped).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

# Most of the source is drivers that are never compiled: not unpacking them saves half the time.
unpack()
{
    mkdir "$2"
    dpkg-deb --fsys-tarfile "$1"/linux-source-6.1_*.deb | tar -xO ./usr/src/linux-source-6.1.tar.xz |
        tar -xJ -C "$2" --strip-components=1 \
            --exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/net/*/*.[ch]' \
            --exclude='*/drivers/media/*.[ch]' --exclude='*/sound/*.[ch]' \
            --exclude='*/arch/[!x]*/*.[chS]' --exclude='*.rst' --exclude='*/tools/testing/*'
}

# Every line of the wanted configuration must have taken effect.
check_config()
{
    while read -r line; do
        case $line in
        '' | '#'*) ;;
        *=n) ! grep -q "^${line%n}y" "$2" || fail "kernel: ${line%=n} is on" ;;
        *) grep -qx "$line" "$2" || fail "kernel: $line has no effect" ;;
        esac
    done <"$1"
}

build()
{
    say "unpacking Linux $version"
    unpack "$source" "$1/src" >"$1/log" 2>&1
    cd "$1/src"
    export KBUILD_BUILD_TIMESTAMP='1 January 2000' KBUILD_BUILD_USER=xenrewind KBUILD_BUILD_HOST=testbed
    logged "$1/log" make -s allnoconfig KCONFIG_ALLCONFIG="$here/kernel.config"
    check_config "$here/kernel.config" .config
    say "building Linux $version for dom0 and guests (about 4 min; log: $1/log)"
    logged "$1/log" make -j"$(nproc)" KCFLAGS="-fdebug-prefix-map=$1/src=linux-6.1" vmlinux
    cp vmlinux .config "$1"
    objcopy --strip-all vmlinux "$1/vmlinux-boot"
    cd "$here"
    echo "$version" >"$1/version"
    rm -rf "$1/src"
    say "Linux is built"
}

source=$("$here/debian-source.sh" linux)
version=$(cat "$source/version")
artefact linux "$(hash_of "$version" "$here/build-kernel.sh" "$here/kernel.config")" build
echo "$ARTEFACT"
