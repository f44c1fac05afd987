# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Sourced by tests/vm/run, after fetch.sh: builds the debug kernels, kasan and kcsan, from Debian's
# source package and the debug-*.config files beside this one. Once: the result stays in the cache,
# and is used until the package, the configuration or the compiler changes.

debug_package=linux-source-6.12
debug_configs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# debug_locked NAME COMMAND...: as locked(), but says when it has to wait, as builds take minutes
debug_locked() {
	local name=$1
	shift
	mkdir -p "$BUS1_CACHE/lock"
	(
		flock -n 8 || {
			note "waiting for another run that builds $name"
			flock 8
		}
		"$@" 8>&-
	) 8>"$BUS1_CACHE/lock/debug-$name"
}

debug_fragments() {
	printf '%s\n' "$debug_configs/debug-common.config" "$debug_configs/debug-$1.config"
}

# debug_source prints the directory with the unpacked source. The version is looked up once a day.
debug_source() {
	debug_locked source debug_source_locked
}

debug_source_locked() {
	local file=$BUS1_CACHE/series-source version dir

	if ! is_fresh "$file" 1440; then
		locked apt apt_refresh amd64
		version=$(apt_own amd64 apt-cache show --no-all-versions "$debug_package" |
			sed -n 's/^Version: //p')
		[ -n "$version" ] || die "no $debug_package in the configured apt sources"
		echo "$version" >"$file"
	fi
	dir=$BUS1_CACHE/debug/source-$(cat "$file")
	[ -e "$dir" ] || debug_unpack "$dir" || exit
	echo "$dir"
}

debug_unpack() {
	local dir=$1 tmp=$1.tmp tar

	rm -rf "$tmp"
	mkdir -p "$tmp"
	locked apt apt_unpack amd64 "$tmp/package" "$debug_package" || exit
	tar=$(find "$tmp/package" -name "$debug_package.tar.*")
	[ -n "$tar" ] || die "no source in $debug_package"
	note "unpacking ${tar##*/}"
	tar -xf "$tar" -C "$tmp" --strip-components=1 || die "cannot unpack ${tar##*/}"
	rm -rf "$tmp/package"
	mv "$tmp" "$dir"
}

# debug_tree NAME prints the build directory of a debug kernel, built if necessary.
debug_tree() {
	local name=$1 source dir key fragments

	case $name in
	kasan | kcsan) ;;
	*) die "no debug kernel $name: kasan or kcsan" ;;
	esac
	source=$(debug_source) || exit
	mapfile -t fragments < <(debug_fragments "$name")
	# without comments: they need no new kernel
	key=$({
		echo "$source"
		gcc --version
		grep -hE '^(# )?CONFIG_' "${fragments[@]}"
	} | sha256sum | cut -c 1-12)
	dir=$BUS1_CACHE/debug/$name-$key
	[ -e "$dir/.ready" ] || debug_locked "$name" debug_build "$name" "$source" "$dir" || exit
	echo "$dir"
}

# What the build needs beyond a compiler, as packages: the files that show that they are there.
debug_needs() {
	local file package missing=()

	while read -r file package; do
		[[ $file == /* && -e $file ]] || command -v "$file" >/dev/null || missing+=("$package")
	done <<-'EOT'
	bc bc
	bison bison
	flex flex
	/usr/include/gelf.h libelf-dev
	EOT
	[ "${#missing[@]}" -eq 0 ] || die "a debug kernel needs these packages: ${missing[*]}"
}

debug_build() {
	local name=$1 source=$2 dir=$3 start=$SECONDS

	[ ! -e "$dir/.ready" ] || return 0
	debug_needs
	note "building the $name kernel in $dir"
	mkdir -p "$dir"
	debug_configure "$name" "$source" "$dir" >"$dir.log" 2>&1 ||
		debug_failed "$name" "$dir" "configuration"
	debug_make "$name" "$dir" || debug_failed "$name" "$dir" "build"
	: >"$dir/.ready"
	note "built the $name kernel in $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s"
}

debug_failed() {
	grep -E -A 5 'error:|Error [0-9]|\*\*\*|not set as wanted' "$2.log" | head -n 40 >&2
	echo "the end of the log:" >&2
	tail -n 10 "$2.log" >&2
	die "the $3 of the $1 kernel failed, log: $2.log"
}

# The fragments on top of the kernel's tinyconfig. An option that did not take effect, because of
# another one or of a new name, would silently make the kernel see less.
debug_configure() {
	local name=$1 source=$2 dir=$3 fragments line bad=0

	mapfile -t fragments < <(debug_fragments "$name")
	make -C "$source" O="$dir" tinyconfig || return
	"$source/scripts/kconfig/merge_config.sh" -m -O "$dir" "$dir/.config" "${fragments[@]}" ||
		return
	make -C "$source" O="$dir" olddefconfig || return
	while read -r line; do
		case $line in
		CONFIG_*) grep -qxF "$line" "$dir/.config" && continue ;;
		'# CONFIG_'*' is not set')
			line=${line#\# }
			grep -q "^${line%% *}=" "$dir/.config" || continue
			;;
		*) continue ;;
		esac
		echo "not set as wanted: $line"
		bad=1
	done < <(cat "${fragments[@]}")
	return "$bad"
}

# In the background, to be stopped with us, and to tell every 15 seconds how far it is.
debug_make() {
	local name=$1 dir=$2 make start=$SECONDS second=0

	make -C "$dir" -j"$(nproc)" bzImage modules >>"$dir.log" 2>&1 &
	make=$!
	trap 'kill "$make"; exit 143' TERM INT HUP
	while kill -0 "$make" 2>/dev/null; do
		sleep 1
		second=$((second + 1))
		[ $((second % 15)) -ne 0 ] ||
			note "$name: $(grep -cE '^  (CC|AS) ' "$dir.log") objects," \
				"$((SECONDS - start)) s"
	done
	trap - TERM INT HUP
	wait "$make"
}
