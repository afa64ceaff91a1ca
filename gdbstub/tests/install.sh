#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: install.sh SOURCE VERSION CMAKE CC
# Installs the library, moves what was installed, and builds a consumer on it by pkg-config and by
# find_package.
set -eu

source=$(cd "$1" && pwd)
version=$2
cmake=$3
cc=$4
consumer=$source/tests/consumer
answer='+$5a5a5a5a5a5a5a5a#b0'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
    echo "$*"
    exit 1
}

quietly()
{
    "$@" >"$work/log" 2>&1 || { cat "$work/log"; fail "failed: $*"; }
}

says_the_answer()
{
    said=$("$1") || fail "$1 failed"
    [ "$said" = "$answer" ] || fail "$1 said '$said', not '$answer'"
    echo "$2: as expected"
}

quietly "$cmake" -S "$source" -B "$work/build" -DCMAKE_C_COMPILER="$cc" -DBUILD_TESTING=OFF \
    -DCMAKE_BUILD_TYPE=Release
quietly "$cmake" --build "$work/build" --target gdbstub
quietly "$cmake" --install "$work/build" --prefix "$work/first"
mv "$work/first" "$work/prefix"

(cd "$work/prefix" && find . -type f | sort) >"$work/installed"
for file in include/gdbstub.h include/gdbstub_description.h include/gdbstub_x86.h share/man/man3/gdbstub.3 \
    gdbstub.pc libgdbstub.a gdbstubTargets.cmake gdbstubConfig.cmake gdbstubConfigVersion.cmake; do
    grep -q "/$file\$" "$work/installed" || fail "$file was not installed"
done
if grep -rlF -e "$source" -e "$work/build" "$work/prefix" --include='*.cmake' --include='*.pc'; then
    fail "these name a folder of the build"
fi

# By CMake, and not by a version that it is not.
quietly "$cmake" -S "$consumer" -B "$work/by-cmake" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_PREFIX_PATH="$work/prefix" -DWANTED_VERSION="$version"
quietly "$cmake" --build "$work/by-cmake"
says_the_answer "$work/by-cmake/consumer" find_package
if "$cmake" -S "$consumer" -B "$work/too-new" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_PREFIX_PATH="$work/prefix" -DWANTED_VERSION=99 >/dev/null 2>&1; then
    fail "find_package found version 99"
fi

command -v pkg-config >/dev/null || { echo "pkg-config is not installed: skipped"; exit 77; }
pc=$(find "$work/prefix" -name gdbstub.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion gdbstub)" = "$version" ] || fail "gdbstub.pc is of another version"
flags=$(pkg-config --cflags gdbstub)
libs=$(pkg-config --libs gdbstub)
# shellcheck disable=SC2086 # lists of options
quietly "$cc" -std=c11 -Wall -Wextra -Werror $flags "$consumer/consumer.c" $libs -o "$work/by-pc"
says_the_answer "$work/by-pc" pkg-config

# Each header stands alone; in C++ where the compiler has that.
languages=c
echo | "$cc" -x c++ -fsyntax-only - 2>/dev/null && languages="c c++"
for header in gdbstub.h gdbstub_description.h gdbstub_x86.h; do
    for language in $languages; do
        echo "#include <$header>" >"$work/alone.c"
        # shellcheck disable=SC2086
        quietly "$cc" -x $language -Wall -Wextra -Werror $flags -fsyntax-only "$work/alone.c"
    done
    echo "$header: stands alone in: $languages"
done
