# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Sourced by tests/run and tests/vm/run: how slow this machine is just now, whether a command still
# makes progress, and how a command is ended with all that it has started.

# slowness prints how many times longer a fixed amount of work takes than on an idle machine like
# that of the CI, as a whole number from 1 to 30.
slowness() {
	local start now i

	start=${EPOCHREALTIME//[.,]/}
	for ((i = 0; i < 200000; i++)); do :; done
	now=${EPOCHREALTIME//[.,]/}
	now=$(((now - start + 100000) / 200000))
	echo $((now < 1 ? 1 : now > 30 ? 30 : now))
}

# family PID: the process, its descendants, and how long they have been running on a processor, in
# ticks of 1/100 s. Prints the ticks first, then the process IDs. Children that have ended count, if
# their parent has waited for them.
family() {
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v top="$1" '
		{
			pid = $1
			sub(/.*\) /, "")
			parent[pid] = $2
			ticks[pid] = $12 + $13 + $14 + $15
		}
		END {
			for (pid in parent) {
				for (at = pid; at > 1 && at != top; at = parent[at]) ;
				if (at != top) continue
				sum += ticks[pid]
				list = list " " pid
			}
			print sum + 0 list
		}'
}

# end_family PID: ends it with its descendants. A killed shell does not take its children along. What
# does not end within ten seconds is killed.
end_family() {
	local pids pid try alive

	read -r _ pids < <(family "$1")
	for ((try = 0; try < 100; try++)); do
		alive=()
		for pid in $pids; do
			kill -0 "$pid" 2>/dev/null && alive+=("$pid")
		done
		[ "${#alive[@]}" -gt 0 ] || return
		[ "$try" -gt 0 ] || kill "${alive[@]}" 2>/dev/null
		sleep 0.1
	done
	kill -KILL "${alive[@]}" 2>/dev/null
}
