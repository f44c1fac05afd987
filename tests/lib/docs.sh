#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The documentation against the rest of the tree: every function of the library has a page with
# all its sections, mandoc has no serious complaint, the code in pages and README compiles, and the
# errors in the pages are the ones that the tests of the library and of the kernel interface know.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
checks=0
failures=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

check()
{
	local what=$1
	shift
	checks=$((checks + 1))
	if ! "$@" >"$tmp/log" 2>&1; then
		failures=$((failures + 1))
		echo "FAILED: $what"
		sed 's/^/    /' "$tmp/log"
	fi
}

# $1 = $2, word by word
same()
{
	[ "$1" = "$2" ] && return
	printf 'expected: %s\nfound:    %s\n' "$1" "$2"
	return 1
}

# words on standard input, sorted and without repetition, on one line
line()
{
	tr ' ' '\n' | sed '/^$/d' | LC_ALL=C sort -u | paste -sd ' '
}

# section $2 of page $1
section()
{
	awk -v name="$2" '/^\.Sh / { on = ($0 == ".Sh " name); next } on' "$1"
}

# the code in section $2 of page $1
code()
{
	section "$1" "$2" | awk '/^\.Bd -literal/ { on = 1; next } /^\.Ed/ { on = 0 } on' |
		sed 's/\\e/\\/g'
}

lint()
{
	# "unknown", "wrong order" and the like; but RETURN VALUE and EXAMPLES are as on Linux
	! mandoc -Tlint -W warning "$1" | grep -v 'sections out of conventional order: Sh EXAMPLES'
}

compile()
{
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -I "$top/include" -c -o "$tmp/code.o" "$1"
}

sections="NAME SYNOPSIS DESCRIPTION EXAMPLES SEE_ALSO"
functions=$(sed -n 's/^\t\(bus1_[a-z_]*\);$/\1/p' "$top/libbus1/libbus1.map" | line)
pages=$(for f in "$top"/man/*.2; do basename "$f" .2; done | line)
check "one page for each function" same "$functions" "$pages"
installed=$(sed -n "s/^ *'\(.*\.[0-9]\)',$/\1/p" "$top/man/meson.build" | line)
present=$(for f in "$top"/man/*.[0-9]; do basename "$f"; done | line)
check "every page is installed" same "$present" "$installed"

for page in "$top"/man/*.[0-9]; do
	name=$(basename "$page")
	wanted=$sections
	[ "${name%.2}" = "$name" ] || wanted="$sections RETURN_VALUE ERRORS"
	for s in $wanted; do
		check "$name: section $s" grep -qx "\.Sh ${s/_/ }" "$page"
	done
	check "$name: mandoc" lint "$page"
	code "$page" EXAMPLES >"$tmp/code.c"
	check "$name: has an example" grep -q 'include <bus1\.h>' "$tmp/code.c"
	check "$name: its example compiles" compile "$tmp/code.c"
	# what it refers to
	while read -r ref; do
		check "$name: $ref exists" test -f "$top/man/$ref"
	done < <(sed -n 's/^\.Xr \(bus1[a-z_0-9]*\) \([0-9]\).*/\1.\2/p' "$page" | sort -u)
done

# Errors that no test of ours makes happen: for lack of memory, of resources, or of the module.
untested="EACCES EDQUOT ENFILE ENOENT ENOMEM ENXIO"
for function in $functions; do
	page=$top/man/$function.2
	documented=$(section "$page" ERRORS | sed -n 's/^\.It Er \(E[A-Z0-9]*\)$/\1/p' | line)
	# tests say expect_error(EXXX, function(...)), on one line
	asserted=$(grep -h "expect_error(E[A-Z0-9]*, $function(" "$here"/*.c "$here"/*.cc |
		   sed 's/.*expect_error(\(E[A-Z0-9]*\),.*/\1/' | line)
	# all_calls_fail() in lib_host.c is for every command
	[ "$function" = bus1_peer_new ] || asserted=$(echo "$asserted EBADF ENOTTY" | line)
	known=$(for e in $asserted $untested; do echo "$e"; done | line)
	for e in $asserted; do
		check "$function: $e is documented" grep -qw "$e" <<<"$documented"
	done
	for e in $documented; do
		check "$function: $e is tested" grep -qw "$e" <<<"$known"
	done
done

# the C blocks of the README
awk -v dir="$tmp" '/^```c$/ { n++; on = 1; next } /^```/ { on = 0 }
	on { print > (dir "/readme" n ".c") }' "$top/README.md"
check "README.md: has C code" test -s "$tmp/readme1.c"
for source in "$tmp"/readme*.c; do
	[ -e "$source" ] || continue
	check "README.md: $(basename "$source") compiles" compile "$source"
done

passed=$((checks - failures))
echo "$((passed * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" -eq 0 ]
