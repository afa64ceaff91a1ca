# SPDX-License-Identifier: GPL-2.0-or-later
# What the testbed's shell scripts share: messages, logs of long commands, and the cache of built
# artefacts.  Sourced, POSIX sh.

XRW_STARTED=${XRW_STARTED:-$(date +%s)}
XRW_CACHE=${XENREWIND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/xenrewind}
XRW_XEN_RELEASE=4.17 # of Xen, where none is asked for
export XRW_STARTED

# Everything said goes to stderr: stdout belongs to results.
say()
{
    printf '[%4d s] %s\n' "$(($(date +%s) - XRW_STARTED))" "$*" >&2
}

fail()
{
    printf 'xenrewind testbed: %s\n' "$*" >&2
    exit 125
}

# logged LOG COMMAND...: the command's output goes to LOG; on failure its tail is shown.  A long silence is
# broken now and then, lest it be taken for a hang.
logged()
{
    _log=$1
    shift
    tick "$_log" >/dev/null &
    _ticker=$!
    _status=0
    "$@" >>"$_log" 2>&1 </dev/null || _status=$?
    kill "$_ticker" 2>/dev/null || :
    wait "$_ticker" 2>/dev/null || :
    [ "$_status" -ne 0 ] || return 0
    say "failed: $*; the end of $_log:"
    tail -n 25 "$_log" >&2
    return 1
}

# tick LOG: say how far LOG is, every half minute, while the script lives.
tick()
{
    while sleep 30 2>/dev/null && kill -0 $$ 2>/dev/null; do
        say "... still at it: $(wc -l <"$1") lines in the log"
    done
}

# hash_of TEXT FILE...: twelve hex digits that change with the text and with the files' content.
hash_of()
{
    _text=$1
    shift
    { printf '%s\n' "$_text" && cat "$@"; } | sha256sum | cut -c1-12
}

# artefact KIND HASH FUNCTION: sets ARTEFACT to the folder KIND-HASH of the cache.  If it is not there,
# FUNCTION is run with a new, empty folder as $1, which is renamed into place when it succeeds: what has
# the final name is always whole.  The lock makes a second build of the same kind wait for the first.
# Of each kind the newest three stay.  Call it where `set -e` is in force: in a condition it is not.
artefact()
{
    ARTEFACT=$XRW_CACHE/$1-$2
    mkdir -p "$XRW_CACHE"
    [ -d "$ARTEFACT" ] || build_artefact "$1" "$3"
    touch "$ARTEFACT" 2>/dev/null || return 0 # a cache of someone else: only read
    prune "$1"
}

build_artefact()
{
    (
        flock -n 9 || { say "another build of $1 is under way: waiting for it"; flock 9; }
        [ ! -d "$ARTEFACT" ] || exit 0
        rm -rf "$XRW_CACHE/.build-$1"
        mkdir "$XRW_CACHE/.build-$1"
        "$2" "$XRW_CACHE/.build-$1" 9>&-
        mv "$XRW_CACHE/.build-$1" "$ARTEFACT"
    ) 9>"$XRW_CACHE/.lock-$1"
}

prune()
{
    ls -dt "$XRW_CACHE/$1"-???????????? 2>/dev/null | tail -n +4 | while read -r _old; do
        rm -rf "$_old"
    done
}
