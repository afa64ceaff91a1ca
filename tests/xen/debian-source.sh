#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# debian-source.sh linux | xen [RELEASE] | stock-xen [RELEASE] | libxen [RELEASE] | xen-tools
# Download from Debian, through apt and without touching the machine's apt state: the source of Linux or of
# Xen, Debian's own hypervisor (stock-xen), the headers and static libraries that Xen's tools of that
# release are built with (libxen, a prefix for CMake's XENREWIND_XEN_PREFIX), or xl and xenstored with their
# libraries (xen-tools).  The apt sources are the
# machine's own mirror lines, for the Debian that has that release of Xen.  Prints the folder of the cache
# that holds the files and `version`.  What has been downloaded is used until that folder is removed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

# The Debian that carries a release of Xen.
suite_of()
{
    case $1 in
    4.14) echo bullseye ;;
    4.17) echo bookworm ;;
    4.20) echo trixie ;;
    *) fail "Xen $1 is not one of the testbed's releases: 4.14, 4.17, 4.20" ;;
    esac
}

# private_sources DIR OURS THEIRS: the machine's entries for the Debian OURS, turned into entries for the
# Debian THEIRS, one file of each format, with source packages on.
private_sources()
{
    find /etc/apt/sources.list.d -name '*.sources' -exec awk -v ours="$2" -v theirs="$3" '
        function flush() { if (wanted) printf "%s\n", stanza; stanza = ""; wanted = 0 }
        FNR == 1 || /^[[:space:]]*$/ { flush() }
        /^Types:/ { $0 = "Types: deb deb-src" }
        /^Suites:/ { wanted = sub(" " ours, " " theirs); gsub(" " ours, " " theirs) }
        /./ { stanza = stanza $0 "\n" }
        END { flush() }' {} + >"$1/machine.sources"
    find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.list' -exec cat {} + 2>/dev/null |
        sed -nE "/cdrom:/d; s/^[[:space:]]*deb(-src)?[[:space:]]+(\[[^]]*\] *)?([^ ]+ +)$2/deb \2\3$3/p" |
        sed 'p; s/^deb /deb-src /' | sort -u >"$1/machine.list"
}

# private_apt DIR LOG SUITE: makes DIR/apt.conf, exports APT_CONFIG, gets the package lists.
private_apt()
{
    mkdir -p "$1/parts" "$1/lists/partial" "$1/cache/archives/partial"
    ours=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    private_sources "$1/parts" "${ours:-$3}" "$3"
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
    # One of another Debian's suites may be gone from the mirror: what is left may do.
    logged "$2" apt-get update || [ "$ours" != "$3" ]
}

# newest WHAT VERSIONS COMMAND...: each version that the mirror's index still names may have lost its files:
# take the newest of VERSIONS for which COMMAND, with VERSION in place of @, succeeds.
newest()
{
    what=$1
    versions=$2
    shift 2
    [ -n "$versions" ] || fail "the machine's mirrors name no $what (Debian's $(suite_of "$release") has it)"
    for version in $versions; do
        say "downloading $what $version"
        # shellcheck disable=SC2046 # the words of a command
        if $(echo "$@" | sed "s/@/$version/g") >>../log 2>&1; then
            echo "$version" >version
            return 0
        fi
        rm -f -- *
        say "it does not download"
    done
    tail -n 25 ../log >&2
    return 1
}

# Where Debian's own changes have gone from the mirror, the release that they start from does: our patches
# apply to either.
fetch_xen()
{
    versions=$(apt-cache showsrc xen | sed -n "s/^Version: \($release.*\)/\1/p" | sort -ruV)
    newest "the source of Xen" "$versions" apt-get source --download-only xen=@ ||
        newest "the upstream part of the source of Xen" "$versions" \
            apt-get source --download-only --tar-only xen=@ ||
        fail "no source package of Xen $release could be downloaded"
}

fetch_linux()
{
    say "downloading linux-source-6.1 (140 MB)"
    logged ../log apt-get download linux-source-6.1
    dpkg-deb -f linux-source-6.1_*.deb Version >version
}

# Debian's own kernel, unpacked from what its boot loader loads.
fetch_linux_image()
{
    image=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
    [ -n "$image" ] || fail "the machine's mirrors name no kernel (linux-image-amd64)"
    say "downloading Debian's $image (70 MB)"
    logged ../log apt-get download "$image"
    dpkg-deb -f ./*.deb Version >version
    dpkg-deb --fsys-tarfile ./*.deb | tar -xO --wildcards './boot/vmlinuz-*' >vmlinuz
    rm ./*.deb
    offset=$(LC_ALL=C grep -abo -m 1 "$(printf '\375')7zXZ" vmlinuz | head -n 1 | cut -d: -f1)
    # What follows the kernel in the file is not part of it: xz says so, having unpacked all.
    tail -c +$((offset + 1)) vmlinuz | xz -dc >vmlinux 2>/dev/null || :
    rm vmlinuz
    [ "$(head -c 4 vmlinux)" = "$(printf '\177ELF')" ] || fail "$image holds no kernel that can be unpacked"
}

# binary PACKAGE: the newest of the release's binary package.
binary()
{
    newest "Debian's $1" "$(apt-cache madison "$1" | cut -d'|' -f2 | tr -d ' ' | grep "^$release" | sort -ruV)" \
        apt-get download "$1=@" || fail "$1 could not be downloaded"
}

fetch_stock_xen()
{
    binary "xen-hypervisor-$release-amd64"
    dpkg-deb --fsys-tarfile ./*.deb | tar -xO "./boot/xen-$release-amd64.gz" >xen.gz
}

# A prefix of static libraries: what is linked with it runs beside any other release of them.  Debian 13's
# C library has C23 variants of some functions under names of their own, which an older one lacks.
fetch_libxen()
{
    binary libxen-dev
    dpkg-deb -x ./*.deb prefix
    mv prefix/usr/* .
    rm -r prefix ./*.deb
    find lib -name '*.so' -delete
    nm -u lib/*/libxen*.a 2>/dev/null | sed -n 's/.* U \(__isoc23_\(.*\)\)/\1 \2/p' | sort -u >c23
    for library in lib/*/libxen*.a; do
        objcopy --redefine-syms=c23 "$library"
    done
    sed -i -e "s|^prefix=.*|prefix=$ARTEFACT|" -e "s|=/usr/|=\${prefix}/|" \
        -e "s|^Requires.private:|Requires:|" lib/*/pkgconfig/xen*.pc
}

# What Debian's toolstack needs that is not on every machine, as they are found in a root of their own.
fetch_xen_tools()
{
    versions=$(apt-cache madison "xen-utils-$release" | cut -d'|' -f2 | tr -d ' ' | grep "^$release" | sort -ruV)
    newest "Debian's xl" "$versions" apt-get download "xen-utils-$release=@" "libxenmisc$release=@" libxenstore4=@ \
        libxengnttab1=@ libxenhypfs1=@ libxendevicemodel1=@ libxenevtchn1=@ libxencall1=@ libxenforeignmemory1=@ \
        libxentoolcore1=@ libxentoollog1=@ libyajl2 || fail "Debian's toolstack of Xen $release could not be downloaded"
    for deb in ./*.deb; do
        dpkg-deb -x "$deb" root
    done
    rm ./*.deb
}

fetch()
{
    mkdir "$1/files"
    say "reading the package lists of the machine's mirrors"
    private_apt "$1/apt" "$1/log" "$suite"
    (cd "$1/files" && "fetch_$(echo "$package" | tr - _)")
    mv "$1/files"/* "$1"
    rm -rf "$1/files" "$1/apt"
}

package=$1
case $package in
linux | linux-image)
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
    kind=source-$package
    ;;
*)
    release=${2:-$XRW_XEN_RELEASE}
    suite=$(suite_of "$release")
    kind=source-$package-$release
    ;;
esac
artefact "$kind" "$(hash_of "$kind, layout 1" /dev/null)" fetch
echo "$ARTEFACT"
