#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The binary interface of the library against the one that was recorded. See usage() below. What no
# function of the library takes, such as the commands' own structures, is in layout.c.
#
# What abidiff is told to overlook, it overlooks silently: a library without debugging information,
# or a record without structures, would have only names to compare. So both are looked at first.

set -u
here=$(cd "$(dirname "$0")" && pwd)

usage() {
	cat <<-'EOF'
	usage: tests/lib/abi.sh [--renew] LIBBUS1.SO

	Compares functions, types and structures with tests/lib/abi/MACHINE.abi. Any difference is a
	failure; one that programs do not notice, such as a new function, still has to be recorded:

	    tests/lib/abi.sh --renew build/libbus1/libbus1.so

	Do this for both machines on record, x86_64 and i386 (build/run/host and build/run/m32 after
	tests/run), and say in the commit why programs that exist go on working. The library has to
	be built with debugging information.
	EOF
}

# machine LIBRARY: what the record is called
machine() {
	readelf -h "$1" | sed -n 's/^ *Machine: *//p' |
		sed -e 's/.*X86-64$/x86_64/' -e 's/.*80386$/i386/' -e 's,[ /],-,g'
}

# Without places in files and other things that change and do not matter.
renew() {
	abidw --no-show-locs --no-corpus-path --no-comp-dir-path --exported-interfaces-only \
		--type-id-style hash "$library" |
		sed '1a\  <!-- SPDX-License-Identifier: LGPL-2.1-or-later -->' >"$record.new"
	if ! complete "$record.new"; then
		rm -f "$record.new"
		return 1
	fi
	mv "$record.new" "$record"
	echo "renewed: tests/lib/abi/${record##*/}"
}

complete() {
	local struct functions

	functions=$(grep -c '<elf-symbol .*func-type' "$1")
	for struct in bus1_transfer bus1_metadata bus1_message; do
		grep -qE "<class-decl name='$struct' size-in-bits='[1-9]" "$1" && continue
		echo "$1: nothing is known of struct $struct"
		return 1
	done
	[ "$functions" -gt 0 ] || { echo "$1: no functions"; return 1; }
}

compare() {
	if [ ! -e "$record" ]; then
		echo "there is no tests/lib/abi/${record##*/}"
		return 1
	fi
	complete "$record" && abidiff --harmless "$record" "$library"
}

renewing=0
case ${1-} in
--help | -h) usage; exit 0 ;;
--renew) renewing=1; shift ;;
esac
if [ $# -ne 1 ] || [ ! -e "$1" ]; then
	usage >&2
	exit 2
fi
library=$1
record=$here/abi/$(machine "$library").abi
if ! readelf -SW "$library" | grep -q ' \.debug_info '; then
	echo "FAILED: $library has no debugging information"
	[ "$renewing" = 1 ] || echo "0%: Checks: 1, Failures: 1, Errors: 0"
	exit 1
fi
if [ "$renewing" = 1 ]; then
	renew
	exit
fi
if ! compare; then
	echo "FAILED: this is not the recorded binary interface, see tests/lib/abi.sh --help"
	echo "0%: Checks: 1, Failures: 1, Errors: 0"
	exit 1
fi
echo "100%: Checks: 1, Failures: 0, Errors: 0"
