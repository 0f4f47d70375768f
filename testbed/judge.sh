# SPDX-License-Identifier: GPL-2.0
# What the results of a test are worth; sourced by check.

# Counts the results of one KTAP file; a program that dies, stops short of its
# plan, leaks a buffer or dirties the kernel log fails one more.
judge() { # KERNEL NAME
	local tap=$BUILD/results/$1/$2.tap why= p f s plan rc leaked file
	p=$(grep -cE '^ok [0-9]+' "$tap" || :)
	s=$(grep -ciE '^ok [0-9]+.*# *skip' "$tap" || :)
	f=$(grep -cE '^not ok [0-9]+' "$tap" || :)
	plan=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$tap" | head -n 1)
	rc=$(sed -nE 's/^# exit ([0-9]+).*/\1/p' "$tap" | tail -n 1)
	leaked=$(sed -nE 's/^# exit .* leaked ([0-9]+)$/\1/p' "$tap" | tail -n 1)
	if [ -z "$rc" ]; then why="the guest died"
	elif [ -z "$plan" ]; then why="no plan (exit status $rc)"
	elif [ "$plan" -ne $((p + f)) ]; then why="$((p + f)) results of $plan (exit status $rc)"
	elif [ "$f" = 0 ] && [ "$rc" != 0 ] && [ "$rc" != 4 ]; then why="exit status $rc"
	elif [ "${leaked:-0}" != 0 ]; then why="$leaked buffers leaked"
	elif [ -s "${tap%.tap}.leaks" ]; then
		why="$(grep -c '^unreferenced object' "${tap%.tap}.leaks") objects that nothing refers to"
	elif [ -s "${tap%.tap}.splat" ]; then why="the kernel log is not clean"
	fi
	[ -z "$why" ] || f=$((f + 1))
	echo "$((p - s)) $f $s" >>"$BUILD/results/$1/counts"
	if [ "$f" != 0 ]; then
		printf '%-15s %-20s FAIL  %s\n' "$1" "$2" "$why"
		grep -E '^not ok|^# (not ok|.*(fail|expected|timeout|leak))' "$tap" |
			head -n 12 | sed 's/^/         /' || :
		sed -n "s/^# \(again: make .*\)/         \1 K=$1/p" "$tap" | head -n 1
		[ -n "$rc" ] || tail -n 5 "$tap" | sed 's/^/         /'
		for file in "${tap%.tap}".{splat,leaks}; do
			[ ! -s "$file" ] || sed -n '1,12s/^/         /p' "$file"
		done
	else
		printf '%-15s %-20s ok    %d passed%s\n' "$1" "$2" $((p - s)) \
			"$([ "$s" = 0 ] || echo ", $s skipped")"
	fi
}

# The lines scan-log refuses, each with the test during which it was printed.
blame() { # LOG RESULTS
	local name
	awk -v dir="$2" '/testbed: begin / { n = $NF } /testbed: end / { n = "" }
		{ print >> (dir "/" (n == "" ? "between-tests" : n) ".log") }' "$1"
	for log in "$2"/*.log; do
		name=${log%.log}
		"$TESTBED/scan-log" "$log" >"$name.splat" || continue
		rm "$name.splat"
	done
}
