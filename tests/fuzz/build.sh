# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Sourced by the scripts of this directory: how the module is compiled and run in user space. They
# set $here, this directory, and $top, that of the project.

cc=clang
command -v clang-14 >/dev/null && cc=clang-14

die() {
	echo "${0##*/}: $*" >&2
	exit 2
}

# A killed shell does not take its children along.
kill_tree() {
	local child

	for child in $(ps -o pid= --ppid "$1"); do kill_tree "$child"; done
	kill "$1" 2>/dev/null
}

flags=(-std=gnu11 -g -O2 -Wall -Wextra -Werror -Wno-sign-compare -Wno-unused-parameter
	-DCONFIG_64BIT "-DB1_VERSION=\"fuzz\""
	-I"$here/shim" -I"$here/../unit/shim" -I"$top/include")
# shellcheck disable=SC2034 # used by those who source this
own_sources=("$here"/*.c "$here"/shim/*.c "$here"/../unit/shim/shim.c)

# use_variant NAME: asan, or coverage
use_variant() {
	kmod_flags=(-fsanitize=fuzzer-no-link)
	case $1 in
	# user pointers are no pointers here, so what is computed with them is not checked
	asan)
		common_flags=(-fsanitize="address,undefined" -fno-sanitize-recover=all
			-fno-sanitize="pointer-overflow,null,alignment")
		;;
	coverage) common_flags=(-fprofile-instr-generate -fcoverage-mapping) ;;
	esac
}

# compile DIRECTORY FILE...: an object for each file, two at a time
compile() {
	local dir=$1 file n=0 status=0 options name
	shift
	for file; do
		name=$(basename "$file" .c)
		options=()
		case $file in
		"$here"/shim/*) name=shim-$name ;;
		"$here"/../*) name=unit-$name ;;
		"$here"/*) ;;
		*) name=kmod-$name options=("${kmod_flags[@]}") ;;
		esac
		"$cc" "${flags[@]}" "${common_flags[@]}" ${options[0]+"${options[@]}"} \
			-c "$file" -o "$dir/$name.o" &
		n=$((n + 1))
		[ "$n" -lt 2 ] || { wait -n || status=1; n=1; }
	done
	while [ "$n" -gt 0 ]; do
		wait -n || status=1
		n=$((n - 1))
	done
	return $status
}

# link_target DIRECTORY TARGET
link_target() {
	"$cc" -fsanitize=fuzzer "${common_flags[@]}" -o "$1/$2" "$1/$2.o" \
		"$1"/{bus,ref,ref-cmd,acct}.o "$1"/shim-*.o "$1"/unit-*.o "$1"/kmod-*.o
}

max_len() {
	case $1 in
	decode) echo 8192 ;;
	model) echo 6416 ;;	# a header and 400 records
	esac
}

# run_target DIRECTORY TARGET PREFIX ARGUMENT...: PREFIX is that of the files for inputs that fail
run_target() {
	local dir=$1 target=$2 prefix=$3
	shift 3
	ASAN_OPTIONS=detect_leaks=0:malloc_context_size=6:quarantine_size_mb=32 \
		"$dir/$target" -max_len="$(max_len "$target")" -len_control=0 -timeout=300 \
		-artifact_prefix="$prefix" -print_final_stats=1 "$@"
}
