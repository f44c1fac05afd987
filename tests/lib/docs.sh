#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The documentation against the rest of the tree: every function of the library has a page with
# all its sections, and every page of section 2 a function; neither mandoc nor groff complains, and
# a terminal of 80 columns is wide enough; the programs in pages and README compile, and reach the
# reader as they are; errors are listed in the order in which the tests know them to be checked.
# What the programs print, and which errors there are, is found out in the virtual machine: see
# tests/docs.
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

# what pages may refer to that is not ours
others='(close|dup|execve|fork|ioctl|open|poll|select) 2|(epoll|udev|unix|user_namespaces) 7'

# All complaints of mandoc, but for these: the order of sections, the name of RETURN VALUE and an
# operating system are as in other manual pages of Linux, not of BSD; references are looked for in
# what is installed, and in its index, where our own pages are not (they are looked for below), and
# others need not be.
lint()
{
	! mandoc -Tlint -W all "$1" 2>&1 | grep -vE \
		-e 'outdated mandoc.db lacks' \
		-e 'sections out of conventional order: Sh EXAMPLES$' \
		-e 'possible typo in section name: Sh RETURN VALUE instead of RETURN VALUES$' \
		-e 'operating system explicitly specified: Os Linux' \
		-e 'referenced manual not found: Xr bus1[a-z_]* [27]( |$)' \
		-e "referenced manual not found: Xr ($others)( |\$)"
}

groff_warnings()
{
	man --warnings=all -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null | tee "$tmp/groff"
	! [ -s "$tmp/groff" ]
}

# as a reader sees it
render()
{
	MANWIDTH=80 MAN_KEEP_FORMATTING='' man -E UTF-8 -l "$1" | col -bx
}

narrow()
{
	local width

	width=$(render "$1" | LC_ALL=C.UTF-8 wc -L)
	echo "widest line: $width"
	[ "$width" -gt 60 ] && [ "$width" -le 80 ]
}

# every line of file $2, which is code from page $1, is there for the reader to copy
copyable()
{
	render "$1" | sed 's/^ *//' >"$tmp/rendered"
	expand "$2" | sed -n 's/^ *//; /./p' | while IFS= read -r code; do
		grep -qxF -e "$code" "$tmp/rendered" || echo "$code"
	done >"$tmp/missing"
	cat "$tmp/missing"
	! [ -s "$tmp/missing" ]
}

# compile FILE: C99 and later, with two compilers and in both word sizes
compile()
{
	local std

	for std in c99 gnu11; do
		gcc "-std=$std" "${flags[@]}" "$1" || return
		gcc -m32 "-std=$std" "${flags[@]}" "$1" || return
		clang "-std=$std" "${flags[@]}" "$1" || return
	done
}
flags=(-O2 -Wall -Wextra -Werror -I "$top/include" -c -o "$tmp/code.o")

# the errors of page $1 in their order, repeated ones once
page_order()
{
	section "$1" ERRORS | sed -n 's/^\.It Er \(E[A-Z0-9]*\)$/\1/p' | uniq
}

# The same for table $1 of tests/uapi. Rows go to the next quotation mark; some say that their place
# is not promised.
table_order()
{
	tr -s '\n\t ' ' ' <"$1" | grep -o '"[^"]*", S_[A-Z_]*, E[A-Z0-9]*, {[^"]*' |
		grep -v ARGS_F_NO_ORDER | sed 's/^"[^"]*", S_[A-Z_]*, \(E[A-Z0-9]*\).*/\1/' | uniq
}

# the errors of table $2 are in page $1 in this order, others may be in between
in_order()
{
	local error rest

	mapfile -t rest < <(table_order "$2")
	[ "${#rest[@]}" -gt 3 ] || { echo "no errors in $2"; return 1; }
	echo "page:  $(page_order "$1" | paste -sd ' ')"
	echo "table: ${rest[*]}"
	while read -r error; do
		[ "$error" != "${rest[0]}" ] || rest=("${rest[@]:1}")
		[ "${#rest[@]}" -gt 0 ] || return 0
	done < <(page_order "$1")
	echo "not found in this order: ${rest[*]}"
	return 1
}

extract=$top/tests/docs/extract
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
	check "$name: groff" groff_warnings "$page"
	check "$name: 80 columns" narrow "$page"
	rm -rf "$tmp/code"
	mkdir "$tmp/code"
	check "$name: its examples" "$extract" files "$tmp/code" "$page"
	check "$name: has an example" grep -q 'include <bus1\.h>' "$tmp/code/${name%.[27]}.c"
	for code in "$tmp"/code/*.c; do
		check "$name: $(basename "$code") compiles" compile "$code"
		check "$name: $(basename "$code") can be copied" copyable "$page" "$code"
	done
	# what it refers to
	while read -r ref; do
		check "$name: $ref exists" test -f "$top/man/$ref"
	done < <(sed -n 's/^\.Xr \(bus1[a-z_0-9]*\) \([0-9]\).*/\1.\2/p' "$page" | sort -u)
done

# Tests of the library assert errors, too: expect_error(EXXX, function(...)), on one line.
for function in $functions; do
	page=$top/man/$function.2
	for e in $(grep -h "expect_error(E[A-Z0-9]*, $function(" "$here"/*.c "$here"/*.cc |
		   sed 's/.*expect_error(\(E[A-Z0-9]*\),.*/\1/' | line); do
		check "$function: $e is documented" grep -qx "\.It Er $e" "$page"
	done
	command=${function#bus1_cmd_}
	[ "$command" = "$function" ] ||
		check "$function: order of errors" in_order "$page" "$top/tests/uapi/args_$command.c"
done

# the C blocks of the README
awk -v dir="$tmp" '/^```c$/ { n++; on = 1; next } /^```/ { on = 0 }
	on { print > (dir "/readme" n ".c") }' "$top/README.md"
check "README.md: has C code" test -s "$tmp/readme1.c"
for source in "$tmp"/readme*.c; do
	[ -e "$source" ] || continue
	check "README.md: $(basename "$source") compiles" compile "$source"
done

# The promises in the README, "PROMISE|ASSUMPTION|TEST, TEST ..." on one line for each, and those in
# bus1(7).
readme_promises()
{
	# shellcheck disable=SC2016 # the quotes of markdown
	awk '/^## / { on = /^## Promises/ } on && /^\|.*`/' "$top/README.md" |
		sed 's/^| *//; s/ *| */|/g; s/|$//; s/` *`/, /g; s/`//g'
}

page_promises()
{
	section "$top/man/bus1.7" PROMISES | awk '
		/^T\{$/ { text = ""; column = 1; next }
		/^T\}/ {
			cells[column] = substr(text, 2)
			text = ""
			column += gsub(/\t/, "")
			if (/\{$/) next
			print cells[1] "|" cells[2] "|" cells[3]
			split("", cells)
			column = 0
		}
		column { text = text " " $0 }' | sed 's/\\-/-/g; s/\\~/ /g'
}

# a file with an option, a file, a scenario, all functions that begin like that, a function or program
test_exists()
{
	case $1 in
	*/*' --'*) grep -q -e "--debug.*${1##* }" "$top/${1%% *}" ;;
	*/*) [ -e "$top/$1" ] ;;
	'stress '*) grep -rqxF "	.name = \"${1#stress }\"," "$top/tests/stress" ;;
	*'*') grep -rqF "START_TEST(${1%\*}" "$top/tests" ;;
	*)
		grep -rqxF "START_TEST($1)" "$top/tests" ||
			grep -q "^$1[[:space:]]" "$top/tests/vm/programs"
		;;
	esac
}

check "promises: README.md as bus1(7)" same "$(page_promises)" "$(readme_promises)"
check "promises: there are some" test "$(page_promises | wc -l)" -gt 10
while IFS= read -r name; do
	check "promises: test $name exists" test_exists "$name"
done < <(page_promises | sed 's/.*|//; s/, /\n/g' | sort -u)

passed=$((checks - failures))
echo "$((passed * 100 / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" -eq 0 ]
