# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154 # top, build, tmp, packages and kernels are set there
#
# Sourced by tests/run, after vm/fetch.sh and vm/limits.sh: its steps. Each is a function that says what is wrong and
# returns non-zero. They run in a subshell: nothing but files goes from one to the next.

install_packages() {
	local missing=() package

	for package in "${packages[@]}"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
			missing+=("$package")
	done
	[ "${#missing[@]}" -gt 0 ] || return 0
	[ "$(id -u)" -eq 0 ] || die "missing packages: ${missing[*]}"
	note "installing ${missing[*]}"
	apt-get -o DPkg::Lock::Timeout=300 update || echo "some package lists are missing"
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y \
		--no-install-recommends "${missing[@]}"
}

# Building

# meson_build NAME OPTIONS...: builds in build/run/NAME; warnings are errors, those of meson too, as
# it may have left tests out
meson_build() {
	local dir=$build/$1
	shift
	rm -rf "$dir"
	meson setup --fatal-meson-warnings -Dwerror=true -Dtests=enabled "$@" "$dir" "$top" &&
		ninja -C "$dir"
}

meson_build_clang() {
	CC=clang CXX=clang++ meson_build clang
}

# What is installed is C: without tests, no machine needs a C++ compiler for it.
meson_build_without_cxx() {
	local dir=$build/without-cxx

	rm -rf "$dir"
	CXX=/bin/false meson setup --fatal-meson-warnings -Dwerror=true -Dtests=disabled "$dir" "$top" &&
		ninja -C "$dir"
}

# The programs of the virtual machine, too; the unit tests are for 64 bit, as the module is.
meson_build_32() {
	local check

	check=$(check_i386) || return
	sed "s,@CHECK@,$check,g" "$top/tests/vm/m32.ini.in" >"$build/m32.ini" || return
	meson_build m32 -Dguest=true --cross-file "$build/m32.ini"
}

library_32() {
	local dir=$build/m32/libbus1

	readelf -h "$dir/libbus1.so" | grep -q 'Class: *ELF32' || { echo "not 32 bit"; return 1; }
	"$build/m32/tests/lib/lib_host" || return
	"$top/tests/lib/symbols.sh" "$dir/libbus1.so" "$dir/libbus1.a" || return
	"$top/tests/lib/abi.sh" "$dir/libbus1.so"
}

# Tests that need no module

# meson counts a test that skips itself as no failure, nor is it one for it if there are none, and
# for libcheck a program without checks is fine; here nothing may be skipped.
# The limits of tests follow the machine.
host_tests() {
	local log=$build/host/meson-logs/testlog.json times

	times=$((2 * $(slowness)))
	CK_TIMEOUT_MULTIPLIER=$times meson test -C "$build/host" --no-suite vm --no-suite long \
		--print-errorlogs --timeout-multiplier "$times" || return
	[ "$(host_checks)" -gt 0 ] || { echo "no tests"; return 1; }
	! grep -E '"result": "(SKIP|EXPECTEDFAIL)"|Checks: 0,' "$log"
}

# The number of checks: what the last summary of a program says, 1 for one without.
host_checks() {
	awk '{
		n = 1
		while (match($0, /Checks: [0-9]+/)) {
			n = substr($0, RSTART + 8, RLENGTH - 8)
			$0 = substr($0, RSTART + RLENGTH)
		}
		sum += n
	} END { print sum + 0 }' "$build/host/meson-logs/testlog.json"
}

# Installing

install_check() {
	local dest=$tmp/dest file

	DESTDIR=$dest meson install -C "$build/host" --no-rebuild || return
	for file in include/bus1.h include/linux/bus1.h 'lib/*libbus1.so' 'lib/*libbus1.so.1' \
		'lib/*libbus1.a' 'lib/*pkgconfig/libbus1.pc' 'man7/bus1.7*' 'man2/bus1_cmd_send.2*'; do
		find "$dest" -path "*/$file" | grep . || { echo "not installed: $file"; return 1; }
	done
	find "$dest" -type f | grep -E '/(bin|sbin|tests)/' && { echo "too much"; return 1; }
	return 0
}

# A program against what was installed, found by pkg-config. There may or may not be a device.
install_use() {
	local dest=$tmp/dest pc flags compiler

	pc=$(find "$dest" -name libbus1.pc)
	[ -n "$pc" ] || return
	flags=$(PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$dest \
		pkg-config --cflags --libs libbus1) || return
	printf '%s\n' '#include <bus1.h>' 'int main(void) { return bus1_peer_new() == 0; }' \
		>"$tmp/use.c"
	for compiler in gcc g++; do
		# shellcheck disable=SC2086
		"$compiler" -Wall -Werror -o "$tmp/use" "$tmp/use.c" $flags || return
		LD_LIBRARY_PATH=${pc%/pkgconfig/*} "$tmp/use" || return
	done
}

# The module

# check_module VERSION: the module with all warnings that the kernel's makefiles know, and sparse
check_module() {
	local version headers out log

	version=$(kernel_version "$1") || return
	headers=$(kernel_headers "$version") || return
	out=$build/check-$version
	log=$out.log
	rm -rf "$out"
	make -C "$top/kmod" KDIR="$headers" O="$out" W=1 C=2 -j2 2>&1 | tee "$log"
	[ "${PIPESTATUS[0]}" -eq 0 ] || return
	grep -q 'CHECK ' "$log" || { echo "sparse did not run"; return 1; }
	[ -e "$out/bus1.ko" ] || { echo "no module"; return 1; }
	! grep -E '(warning|error):' "$log"
}

# The same with clang, for Linux 6.1: later headers know too well that they are for gcc. objtool is
# left out, which would miss what clang has no options for.
check_module_clang() {
	local version headers out log

	version=$(kernel_version "$1") || return
	headers=$(kernel_headers "$version") || return
	out=$build/clang-$version
	log=$out.log
	rm -rf "$out"
	make -C "$top/kmod" KDIR="$headers" O="$out" CC="$top/tests/kernel-clang" \
		OBJECT_FILES_NON_STANDARD=y -j2 2>&1 | tee "$log"
	[ "${PIPESTATUS[0]}" -eq 0 ] || return
	[ -e "$out/bus1.ko" ] || { echo "no module"; return 1; }
	! grep -E '(warning|error):' "$log"
}

# Series of kernels in the apt sources, from 6.1 on, that are not among those to be booted
other_series() {
	locked apt apt_refresh amd64
	apt_own amd64 apt-cache pkgnames linux-headers- |
		sed -nE 's/^linux-headers-([0-9]+\.[0-9]+)\..*-cloud-amd64$/\1/p' |
		{ cat; echo 6.1; } | sort -uV | sed -n '/^6\.1$/,$p' |
		grep -vxF "$(printf '%s\n' "${kernels[@]}")"
}

# headers_compiler VERSION: what their package asks for, such as gcc-12
headers_compiler() {
	local version

	version=$(kernel_version "$1") || return
	apt_depends "linux-headers-$version" '^(linux-compiler-)?gcc-[0-9]' |
		grep -oE 'gcc-[0-9]+' | head -n 1
}

# With trees of its own, so that nothing of the system changes. What a later version of DKMS warns about
# is looked for in tests/style.
dkms_check() {
	local log=$tmp/dkms.log

	dkms_cycle "$1" 2>&1 | tee "$log"
	[ "${PIPESTATUS[0]}" -eq 0 ] || return
	! grep -i 'deprecat' "$log"
}

dkms_cycle() {
	local version kernel headers dir=$tmp/dkms options

	kernel=$(kernel_version "$1") || return
	headers=$(kernel_headers "$kernel") || return
	version=$(cat "$top/VERSION")
	mkdir -p "$dir/src/bus1-$version" "$dir/tree" "$dir/modules/$kernel"
	cp -r "$top"/{dkms.conf,VERSION,kmod,include} "$dir/src/bus1-$version" || return
	options=(-m bus1 -v "$version" --sourcetree "$dir/src" --dkmstree "$dir/tree"
		--installtree "$dir/modules")
	dkms add "${options[@]}" || return
	dkms build "${options[@]}" -k "$kernel" --kernelsourcedir "$headers" || return
	dkms install "${options[@]}" -k "$kernel" --kernelsourcedir "$headers" --no-depmod || return
	find "$dir/modules" -name 'bus1.ko*' | grep .
}

# The source tree

# They would be found by the next build, whatever it is to test.
kmod_clean() {
	find "$top/kmod" -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '.*.cmd' |
		grep . || return 0
	echo "make -C kmod clean removes them"
	return 1
}

# All of it is only read. Compared are contents and modes, of ignored files too.
tree_state() {
	(
		cd "$top" || exit
		find . \( -path ./build -o -name .git \) -prune -o -printf '%M %p %l\n' | sort &&
			find . \( -path ./build -o -name .git \) -prune -o -type f -print0 | sort -z |
			xargs -0 sha256sum
	)
}

tree_unchanged() {
	tree_state >"$tmp/tree.now" || return
	[ -s "$tmp/tree" ] || return
	diff "$tmp/tree" "$tmp/tree.now" && return
	echo "the source tree has changed since the start, by a test or by somebody"
	return 1
}
