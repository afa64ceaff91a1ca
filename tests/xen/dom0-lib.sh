# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests that run in dom0 share.  Sourced.

# only_domains_left ID...: no other domains but dom0, or fail.
only_domains_left()
{
    left=$(xrw-guest list | cut -d' ' -f1 | tr '\n' ' ')
    if [ "$left" != "${*:+$* }" ]; then
        echo "FAIL: domains left: '$left', expected '$*'"
        xrw-guest list
        exit 1
    fi
}

# refused STATUS PATTERN COMMAND...: COMMAND must exit with STATUS, say PATTERN, in one to three lines,
# and leave no core dump.
refused()
{
    status=$1
    pattern=$2
    shift 2
    echo "+ $*"
    got=0
    "$@" >/tmp/refused.out 2>/tmp/refused.err || got=$?
    sed 's/^/    /' /tmp/refused.err
    if [ "$got" != "$status" ]; then
        echo "FAIL: exit status $got, expected $status"
        exit 1
    fi
    if ! grep -qE -- "$pattern" /tmp/refused.err; then
        echo "FAIL: the message does not match '$pattern'"
        exit 1
    fi
}

# recorded FILE STOP: FILE is a recording that was closed cleanly and stopped because of STOP.
recorded()
{
    if ! xenrewind info --json "$1" >/tmp/info.json; then
        echo "FAIL: $1 does not open"
        exit 1
    fi
    if ! grep -q "\"stop\": *\"$2\"" /tmp/info.json; then
        echo "FAIL: $1 did not stop by '$2':"
        cat /tmp/info.json
        exit 1
    fi
}

# under_way FILE: wait until it has exits, be they rows or not.
under_way()
{
    until xenrewind info --json "$1" 2>/dev/null | grep -q '"exits": *[1-9]\|"without_rows": *[1-9][0-9]\{4\}'; do
        usleep 200000
    done
}

# said PATTERN COMMAND...: COMMAND must succeed and say PATTERN on one line of its output, which stays in /tmp/said.
said()
{
    pattern=$1
    shift
    echo "+ $*"
    if ! "$@" >/tmp/said; then
        cat /tmp/said
        echo "FAIL: it did not succeed"
        exit 1
    fi
    if ! grep -q -- "$pattern" /tmp/said; then
        cat /tmp/said
        echo "FAIL: '$pattern' is not said"
        exit 1
    fi
}

# tour_inputs FOLDER COUNT: texts of two letters that `tour input' obeys, many of them alike.
tour_inputs()
{
    mkdir -p "$1"
    awk -v folder="$1" -v count="$2" 'BEGIN {
        split("c o m v w s x", letter, " ")
        for (n = 0; n < count; n++) {
            file = sprintf("%s/%04d", folder, n)
            printf "%s%s", letter[n % 7 + 1], letter[int(n / 7) % 7 + 1] > file
            close(file)
        }
    }'
}

# measured NAME ID: what a guest that measures time has found, as NAME_ticks and, in us by two clocks, NAME_first and
# NAME_second; the guest goes.
measured()
{
    line=$(xrw-guest wait --seconds 60 "$2") || { echo "FAIL: $1: $line"; exit 1; }
    value=${line##*value=}
    eval "$1_ticks=$((0x${value%????????????}))"
    value=${value#????}
    eval "$1_first=$((0x${value%??????})) $1_second=$((0x${value#??????}))"
    eval "echo \"$1: \$$1_ticks ticks, \$$1_first us, \$$1_second us\""
    xrw-guest destroy "$2"
}

# of_fork NAME RECORD-OPTIONS...: measured NAME of a fork of $parent, recorded so into /out/$tsc-NAME.db; `free' is let
# go after its first exit.
of_fork()
{
    name=$1
    shift
    xenrewind record --quiet --parent "$parent" --allow-interrupts --keep "$@" -o "/out/$tsc-$name.db"
    fork=$(xrw-guest list | tail -n 1 | cut -d' ' -f1)
    [ "$fork" != "$parent" ] || { echo "FAIL: there is no fork"; exit 1; }
    if [ "$name" = free ]; then
        xrw-guest unpause "$fork"
        sleep 2 # looking at it takes time from it
    else
        recorded "/out/$tsc-$name.db" guest-end
    fi
    measured "$name" "$fork"
}

# compare PART WHAT FREE HELD [PAUSED]: HELD is FREE but for a PART-th (and a tick), PAUSED is twice as much.
compare()
{
    [ "$3" -ge 30 ] || { echo "FAIL: $2: $3 is too little to compare"; exit 1; }
    off=$(($4 - $3))
    [ $((${off#-} * $1)) -le $(($3 + $1)) ] || { echo "FAIL: $2: $4 held, $3 not"; exit 1; }
    [ $# -lt 5 ] || [ "$5" -ge $(($3 * 2)) ] || { echo "FAIL: $2: $5 paused, $3 not: this shows nothing"; exit 1; }
}
