#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# usage: symbols.sh LIBBUS1.SO LIBBUS1.A
#
# The binary interface of the library: exactly five functions, one version node, the soname; and
# nothing inside that could break the promise of keeping no state: no writable data, and no calls
# but to open, ioctl and for errno.
set -u

if [ $# -ne 2 ]; then
	echo "usage: $0 LIBBUS1.SO LIBBUS1.A" >&2
	exit 2
fi
shared=$1
static=$2
checks=0
failures=0

functions="bus1_cmd_recv bus1_cmd_release bus1_cmd_send bus1_cmd_transfer bus1_peer_new"

same()
{
	checks=$((checks + 1))
	if [ "$2" != "$3" ]; then
		failures=$((failures + 1))
		printf 'FAILED: %s\n    expected: %s\n    found:    %s\n' "$1" "$2" "$3"
	fi
}

# words on standard input, sorted and without repetition, on one line
line()
{
	tr ' ' '\n' | sed '/^$/d' | LC_ALL=C sort -u | paste -sd ' '
}

expected=$(for f in $functions; do echo "$f@@LIBBUS1_1"; done | line)
same "functions of the shared library" "$expected" \
	"$(nm -D --defined-only "$shared" | awk '$2 == "T" { print $3 }' | line)"
same "anything else that it exports" "LIBBUS1_1@@LIBBUS1_1" \
	"$(nm -D --defined-only --with-symbol-versions "$shared" |
	   awk '$2 != "T" { print $3 }' | sed 's/^LIBBUS1_1$/&@@LIBBUS1_1/' | line)"
same "soname" "libbus1.so.1" \
	"$(readelf -dW "$shared" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')"
same "needed libraries other than libc" "" \
	"$(readelf -dW "$shared" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
	   grep -v '^\(libc\|ld-linux.*\)\.so' | line)"
# on 32 bit, gcc adds a hidden function for position-independent code
same "functions of the static archive" "$functions" \
	"$(nm --defined-only "$static" 2>/dev/null | awk '$2 == "T" { print $3 }' |
	   grep -v '^__x86\.get_pc_thunk\.' | line)"
same "variables in the static archive" "" \
	"$(nm --defined-only "$static" 2>/dev/null | awk '$2 ~ /^[BbCDdGgSsVv]$/ { print $3 }' |
	   grep -v '^__asan\|^__odr_asan\|^\.L\|^__gcov' | line)"
same "calls out of the static archive" "" \
	"$(nm --undefined-only "$static" 2>/dev/null | awk '$1 == "U" { print $2 }' |
	   grep -vx 'open\|open64\|__open_2\|__open64_2\|ioctl\|__errno_location' |
	   grep -v '^__asan\|^__ubsan\|^__stack_chk_fail\|^_GLOBAL_OFFSET_TABLE_\|^__gcov' | line)"

passed=$((checks - failures))
echo "$((passed * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" -eq 0 ]
