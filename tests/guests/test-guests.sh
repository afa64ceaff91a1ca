# SPDX-License-Identifier: GPL-2.0-or-later
# In dom0: each guest does what it is there for, run by Xen without anybody watching.
set -eu

fail()
{
    echo "FAIL: $*"
    exit 1
}

# ends STATUS PATTERN COMMANDLINE: tour with that command line ends so.
ends()
{
    id=$(xrw-guest create --cmdline "$3" /guest/tour)
    [ "$(xrw-guest list)" = "$id paused 4" ] || fail "list says: $(xrw-guest list)"
    xrw-guest unpause "$id"
    status=0
    end=$(xrw-guest wait --seconds 10 "$id") || status=$?
    echo "tour '$3': $end"
    [ "$status" = "$1" ] || fail "status $status, expected $1"
    echo "$end" | grep -q "$2" || fail "expected $2"
    xrw-guest destroy "$id"
}

# refused STATUS PATTERN COMMAND...
refused()
{
    expected=$1 pattern=$2 status=0
    shift 2
    "$@" >/tmp/out 2>/tmp/err || status=$?
    cat /tmp/err
    [ "$status" = "$expected" ] || fail "$*: status $status, expected $expected"
    grep -q "$pattern" /tmp/err || fail "$*: expected '$pattern'"
    [ -z "$(xrw-guest list)" ] || fail "$*: left a domain: $(xrw-guest list)"
}

ends 0 '^poweroff pass' ''
ends 0 '^poweroff pass' tour
ends 3 '^reboot started' triple-fault
ends 3 '^poweroff fail' no-such-mode

id=$(xrw-guest create --cmdline spin /guest/tour)
xrw-guest unpause "$id"
status=0
xrw-guest wait --seconds 1 "$id" || status=$?
[ "$status" = 4 ] || fail "spin: status $status"
xrw-guest destroy "$id"

id=$(xrw-guest create --cmdline wait /guest/tour)
xrw-guest unpause "$id"
[ "$(xrw-guest wait --ready --seconds 10 "$id")" = ready ] || fail "wait: not ready"
xrw-guest destroy "$id"

id=$(xrw-guest create --cmdline input /guest/tour)
xrw-guest unpause "$id"
[ "$(xrw-guest wait --ready --seconds 10 "$id")" = ready ] || fail "input: not ready"
xrw-guest destroy "$id"

id=$(xrw-guest create --memory 40 --initrd /guest/initrd.img --cmdline quiet /vmlinux)
xrw-guest unpause "$id"
[ "$(xrw-guest wait --ready --seconds 60 "$id")" = ready ] || fail "Linux: not ready"
xrw-guest destroy "$id"

head -c 3000 /guest/tour >/tmp/short
refused 1 'no such file\|No such file' xrw-guest create /no/such/file
refused 1 'not an ELF file' xrw-guest create /guest/initrd.img
refused 1 'truncated' xrw-guest create /tmp/short
refused 1 'PVH entry' xrw-guest create --memory 16 /bin/busybox
refused 1 '.--memory' xrw-guest create --memory 4 /vmlinux
refused 1 '.--memory' xrw-guest create --initrd /vmlinux /guest/tour
refused 1 'command line' xrw-guest create --cmdline "$(head -c 5000 /dev/zero | tr '\0' x)" /guest/tour
refused 1 'no domain 77' xrw-guest wait 77
refused 2 'number' xrw-guest pause x
refused 2 'number' xrw-guest create --memory 1 /guest/tour
echo "all guests behave"
