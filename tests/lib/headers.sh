#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Compiles the public headers in every language, with every compiler and in both word sizes that
# they promise to support: each alone, each twice, both in either order, in use, and with all
# numbers of the ABI (layout.c). Needs gcc, g++, clang and 32-bit development files; what is missing is a failure, as
# a check that is silently left out checks nothing. C_COMPILERS="gcc" and BITS="64" in the
# environment ask for less.
set -u

here=$(cd "$(dirname "$0")" && pwd)
include=$here/../../include
compilers=${C_COMPILERS:-gcc clang}
word_sizes=${BITS:-64 32}
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

mkdir "$tmp/src"
# unit NAME HEADER...: a file that includes these and nothing before them
unit()
{
	local name=$1
	shift
	printf '#include <%s>\n' "$@" >"$tmp/src/$name"
}

unit abi linux/bus1.h
unit abi-twice linux/bus1.h linux/bus1.h
unit abi-first linux/bus1.h bus1.h
unit library bus1.h
unit library-twice bus1.h bus1.h
unit library-first bus1.h linux/bus1.h bus1.h
# what macros need shows only where they are used
cat >"$tmp/src/abi-use" <<'END'
#include <linux/bus1.h>
extern __u64 use(unsigned int command, struct bus1_transfer *t, struct bus1_message *m);
__u64 use(unsigned int command, struct bus1_transfer *t, struct bus1_message *m)
{
	t->flags = BUS1_TRANSFER_FLAG_CREATE;
	t->id = BUS1_INVALID;
	m->type = BUS1_MESSAGE_TYPE_USER;
	m->ptr_transfers = BUS1_FROM_PTR(t);
	switch (command) {
	case BUS1_CMD_TRANSFER: return sizeof(struct bus1_cmd_transfer);
	case BUS1_CMD_RELEASE: return sizeof(struct bus1_cmd_release);
	case BUS1_CMD_SEND: return sizeof(struct bus1_cmd_send);
	case BUS1_CMD_RECV: return sizeof(struct bus1_cmd_recv) + sizeof(struct bus1_metadata);
	default: return BUS1_MANAGED & *(__u64 *)BUS1_TO_PTR(m->ptr_transfers);
	}
}
END
cat >"$tmp/src/library-use" <<'END'
#include <bus1.h>
extern int use(int fd, const uint64_t *ids, struct bus1_message *m, struct bus1_metadata *d);
int use(int fd, const uint64_t *ids, struct bus1_message *m, struct bus1_metadata *d)
{
	struct bus1_transfer t = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID };

	m->ptr_transfers = BUS1_FROM_PTR(&t);
	m->ptr_data_vecs = BUS1_FROM_PTR(ids);
	return bus1_cmd_recv(fd, d, m) + bus1_cmd_send(fd, 1, ids, NULL, m) +
	       bus1_cmd_release(fd, 1, ids) + bus1_cmd_transfer(0, fd, -1, 1, &t, &t) +
	       bus1_peer_new() + *(int *)BUS1_TO_PTR(m->ptr_transfers);
}
END
cp "$here/layout.c" "$tmp/src/layout"

for cc in $compilers; do
	for bits in $word_sizes; do
		for std in c99 gnu11 c++11; do
			driver=$cc
			ext=c
			extra=(-Wstrict-prototypes -Wmissing-prototypes)
			if [ "$std" = c++11 ]; then
				ext=cc
				extra=(-Wmissing-declarations)
				case $cc in
				gcc*) driver=g++${cc#gcc} ;;
				clang*) driver=clang++${cc#clang} ;;
				esac
			fi
			flags=("-std=$std" "-m$bits" -O2 -Wall -Wextra -pedantic-errors -Wconversion
			       -Wsign-conversion -Wundef -Wshadow -Werror "${extra[@]}" -I "$include")
			for source in "$tmp"/src/*; do
				name=$(basename "$source")
				# an object without a name of its own: no warnings about main()
				cp "$source" "$tmp/unit.$ext"
				check "$driver -std=$std -m$bits: $name" \
					"$driver" "${flags[@]}" -c -o "$tmp/unit.o" "$tmp/unit.$ext"
			done
			cp "$here/layout.c" "$tmp/layout.$ext"
			rm -f "$tmp/layout"
			check "$driver -std=$std -m$bits: layout links" \
				"$driver" "${flags[@]}" -o "$tmp/layout" "$tmp/layout.$ext"
			check "$driver -std=$std -m$bits: layout runs" "$tmp/layout"
		done
	done
done

passed=$((checks - failures))
echo "$((checks ? passed * 100 / checks : 0))%: Checks: $checks, Failures: $failures, Errors: 0"
[ "$checks" -gt 0 ] && [ "$failures" -eq 0 ]
