# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Sourced by the scripts of this directory: what is downloaded once and then kept in the cache.
#
# Debian packages are fetched with an apt state of our own and unpacked, not installed. So nothing
# here needs root, and neither the system's package lists nor its architectures change.
#
# Each fetch_* function is safe against concurrent callers: they take the cache's lock and put
# results in place with a rename.

BUS1_CACHE=${BUS1_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bus1}
export BUS1_CACHE

note() {
	echo "== $*" >&2
}

die() {
	echo "${0##*/}: $*" >&2
	exit 2
}

# locked NAME COMMAND...: runs the command while no one else is in it
locked() {
	local name=$1
	shift
	mkdir -p "$BUS1_CACHE/lock"
	(
		flock 8
		"$@" 8>&-
	) 8>"$BUS1_CACHE/lock/$name"
}

# is_fresh FILE MINUTES: the file is there and younger than this
is_fresh() {
	[ -e "$1" ] && [ -z "$(find "$1" -mmin +"$2")" ]
}

# apt_own ARCHITECTURE TOOL...: one state per architecture, as one list that fails to load makes
# apt drop the whole source, of the other architecture too.
apt_own() {
	local arch=$1 tool=$2 dir=$BUS1_CACHE/apt/$1
	shift 2
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	"$tool" -q -o Dir::State="$dir/state" -o Dir::State::status=/var/lib/dpkg/status \
		-o Dir::Cache="$dir/cache" -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
		-o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# apt_refresh ARCHITECTURE [MINUTES]: new package lists if the old ones are older than that.
# Foreign sources without such packages, or a mirror being synced, let this fail without harm.
apt_refresh() {
	local stamp=$BUS1_CACHE/apt/$1/stamp

	is_fresh "$stamp" "${2:-1440}" && return
	note "fetching package lists ($1)"
	if apt_own "$1" apt-get update >"$BUS1_CACHE/apt.log" 2>&1; then
		: >"$stamp"
	else
		note "some package lists are missing: see $BUS1_CACHE/apt.log"
	fi
}

# apt_unpack ARCHITECTURE DIRECTORY PACKAGE...: unpacks the newest versions into a new directory.
apt_unpack() {
	local arch=$1 dir=$2 tmp=$2.tmp.$$
	shift 2
	rm -rf "$tmp"
	mkdir -p "$tmp/deb" "$tmp/root"
	note "downloading $*"
	# A list that is older than the mirror's packages leads to a 404: then once more with a new one.
	if ! (cd "$tmp/deb" && apt_own "$arch" apt-get download "$@" >/dev/null 2>&1); then
		apt_refresh "$arch" 0
		if ! (cd "$tmp/deb" && apt_own "$arch" apt-get download "$@" >&2); then
			rm -f "$BUS1_CACHE"/series-*	# there may be a newer kernel instead
			die "cannot download $*"
		fi
	fi
	for deb in "$tmp"/deb/*.deb; do
		dpkg-deb -x "$deb" "$tmp/root" || die "cannot unpack $deb"
	done
	rm -rf "$dir"
	mv "$tmp/root" "$dir"
	rm -rf "$tmp"
}

# The packages that a package depends on and whose names match a pattern.
apt_depends() {
	apt_own amd64 apt-cache depends "$1" | sed -n 's/^[ |]*Depends: //p' | grep -E "$2"
}

# kernel_version SERIES prints the newest version (uname -r) of a series such as 6.1, or 6.1-amd64
# for the kernel that is not for clouds and has more modules, or 6.1-rt for the one with PREEMPT_RT,
# in the configured apt sources; a full version is printed as it is. The answer is kept for a day.
kernel_version() {
	if [[ $1 == *-* && ! $1 =~ ^[0-9]+\.[0-9]+-(amd64|rt)$ ]]; then
		echo "$1"
	else
		locked apt kernel_version_locked "$1"
	fi
}

kernel_version_locked() {
	local file=$BUS1_CACHE/series-$1 series=${1%%-*} version flavour

	case $1 in
	*-amd64) flavour=amd64 ;;
	*-rt) flavour=rt-amd64 ;;
	*) flavour=cloud-amd64 ;;
	esac
	if ! is_fresh "$file" 1440; then
		apt_refresh amd64
		version=$(apt_own amd64 apt-cache pkgnames linux-image- |
			grep -E "^linux-image-${series//./\\.}\.[0-9][^-]*(-[0-9]+)?-$flavour$" |
			sed 's/^linux-image-//' | sort -V | tail -n 1)
		[ -n "$version" ] || die "no kernel $1 in the configured apt sources"
		echo "$version" >"$file"
	fi
	cat "$file"
}

# kernel_image VERSION prints the path of its vmlinuz.
kernel_image() {
	local dir=$BUS1_CACHE/kernel/$1

	[ -e "$dir/vmlinuz" ] || locked apt kernel_image_locked "$1" || exit
	echo "$dir/vmlinuz"
}

kernel_image_locked() {
	local dir=$BUS1_CACHE/kernel/$1 image packages=linux-image-$1

	[ -e "$dir/vmlinuz" ] && return
	mkdir -p "$dir"
	apt_refresh amd64
	# From 7.x on this package is empty and has its contents in another one.
	if apt_own amd64 apt-cache show "linux-binary-$1" >/dev/null 2>&1; then
		packages=linux-binary-$1
	fi
	apt_unpack amd64 "$dir/image" "$packages"
	image=$(find "$dir/image" -name 'vmlinuz*' -type f | head -n 1)
	[ -n "$image" ] || die "no kernel in $packages"
	mkdir -p "$dir/modules"
	find "$dir/image" -name binder_linux.ko -exec mv {} "$dir/modules/" \;
	mv "$image" "$dir/vmlinuz"
	rm -rf "$dir/image"
}

# kernel_elf VERSION prints the path of the kernel that is packed in its vmlinuz: QEMU can start that,
# too, without the time to unpack it, and where the kernel says. If it is not packed as expected,
# vmlinuz.
kernel_elf() {
	local dir=$BUS1_CACHE/kernel/$1 image offset

	image=$(kernel_image "$1") || exit
	if [ ! -e "$dir/vmlinux" ]; then
		offset=$(LC_ALL=C grep -abom 1 $'\xfd7zXZ' "$image" | cut -d : -f 1)
		tail -c "+$((${offset:-0} + 1))" "$image" | xz -dc --single-stream \
			>"$dir/vmlinux.$$" 2>/dev/null
		if readelf -h "$dir/vmlinux.$$" >/dev/null 2>&1; then
			mv "$dir/vmlinux.$$" "$dir/vmlinux"
		else
			rm -f "$dir/vmlinux.$$"
			dir=
		fi
	fi
	[ -n "$dir" ] && echo "$dir/vmlinux" || echo "$image"
}

# kernel_headers VERSION prints the directory to build modules against.
kernel_headers() {
	local dir=$BUS1_CACHE/kernel/$1/headers

	if [ -e "/lib/modules/$1/build/Makefile" ]; then
		echo "/lib/modules/$1/build"
		return
	fi
	[ -e "$dir" ] || locked apt kernel_headers_locked "$1" || exit
	echo "$dir/usr/src/linux-headers-$1"
}

kernel_headers_locked() {
	local dir=$BUS1_CACHE/kernel/$1/headers name=linux-headers-$1 packages

	[ -e "$dir" ] && return
	mkdir -p "${dir%/*}"
	apt_refresh amd64
	packages=$(apt_depends "$name" '^linux-(headers|kbuild)-') || die "no headers for $1"
	# shellcheck disable=SC2086
	apt_unpack amd64 "$dir.new" "$name" $packages
	# The makefiles name each other by absolute path.
	grep -rlF /usr/src/linux-headers- "$dir.new"/usr/src/*/Makefile |
		xargs sed -i "s,/usr/src/linux-headers-,$dir/usr/src/linux-headers-,g"
	# If it is there, the build adds BTF to modules, and needs pahole for that.
	rm -f "$dir.new/usr/src/linux-headers-$1/vmlinux"
	mv "$dir.new" "$dir"
}

# dbus_broker prints a directory with the message broker and its libraries in their places below.
dbus_broker() {
	local dir=$BUS1_CACHE/dbus-broker

	[ -e "$dir" ] || locked apt dbus_broker_locked || exit
	echo "$dir"
}

dbus_broker_locked() {
	local dir=$BUS1_CACHE/dbus-broker

	[ -e "$dir" ] && return
	apt_refresh amd64
	apt_unpack amd64 "$dir" dbus-broker libapparmor1 libaudit1 libc6 libcap-ng0 libexpat1 \
		libpcre2-8-0 libselinux1
}

# check_i386 prints the directory with a libcheck for 32 bit below.
check_i386() {
	local dir=$BUS1_CACHE/check-i386

	[ -e "$dir" ] || locked apt check_i386_locked || exit
	echo "$dir"
}

check_i386_locked() {
	local dir=$BUS1_CACHE/check-i386

	[ -e "$dir" ] && return
	apt_refresh i386
	apt_unpack i386 "$dir" check libsubunit-dev libsubunit0
}

# Says whether KVM can run anything: there are hosts where /dev/kvm can be opened, and the first
# guest then hangs or QEMU dies. The probe is a boot sector that leaves QEMU with status 3.
kvm_works() {
	local file=$BUS1_CACHE/kvm boot

	boot=$(cat /proc/sys/kernel/random/boot_id)
	if ! { [ -e "$file" ] && [ "$(head -n 1 "$file")" = "$boot" ]; }; then
		mkdir -p "$BUS1_CACHE"
		if kvm_probe; then
			printf '%s\nyes\n' "$boot" >"$file.$$"
		else
			printf '%s\nno\n' "$boot" >"$file.$$"
		fi
		mv "$file.$$" "$file"
	fi
	[ "$(tail -n 1 "$file")" = yes ]
}

kvm_probe() {
	local image status=0

	[ -w /dev/kvm ] || return 1
	image=$(mktemp)
	# mov $1,%al; mov $0xf4,%dx; out %al,(%dx); hlt
	{
		printf '\260\001\272\364\000\356\364'
		head -c 503 /dev/zero
		printf '\125\252'
	} >"$image"
	# in a subshell that keeps quiet when QEMU aborts
	(
		timeout -k 1 5 qemu-system-x86_64 -machine q35 -accel kvm -cpu max -m 64 \
			-display none -nodefaults -no-reboot \
			-device isa-debug-exit,iobase=0xf4,iosize=4 \
			-drive "file=$image,format=raw,if=ide"
		exit $?
	) >/dev/null 2>&1 || status=$?
	rm -f "$image"
	[ "$status" -eq 3 ]
}
