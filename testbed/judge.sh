# SPDX-License-Identifier: GPL-2.0
# What the results of a test are worth; sourced by check.

# results KIND TAP: how many lines of the file say "ok" or "not ok"
results() { grep -cE "^$1 [0-9]+" "$2" || :; }

# wrong TAP: what fails a guest's part of a test that does not say so itself: it dies,
# stops short of its plan, leaks a buffer or dirties the kernel log. The second of two
# nodes need not have a plan.
wrong() {
	local tap=$1 f n plan rc leaked
	f=$(results 'not ok' "$tap")
	n=$((f + $(results ok "$tap")))
	plan=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$tap" | head -n 1)
	rc=$(sed -nE 's/^# exit ([0-9]+).*/\1/p' "$tap" | tail -n 1)
	leaked=$(sed -nE 's/^# exit .* leaked ([0-9]+)$/\1/p' "$tap" | tail -n 1)
	[[ -n $plan || $tap != */node1/* ]] || plan=$n
	# What the other node ended is not to blame for where it was.
	[ "${rc:-0}" = 0 ] || ! grep -q '^# ended: ' "$tap" || plan=$n rc=0
	if [ -z "$rc" ]; then echo "the guest died"
	elif [ -z "$plan" ]; then echo "no plan (exit status $rc)"
	elif [ "$plan" -ne "$n" ]; then echo "$n results of $plan (exit status $rc)"
	elif [ "$f" = 0 ] && [ "$rc" != 0 ] && [ "$rc" != 4 ]; then echo "exit status $rc"
	elif [ "${leaked:-0}" != 0 ]; then echo "$leaked buffers leaked"
	elif [ -s "${tap%.tap}.leaks" ]; then
		echo "$(grep -c '^unreferenced object' "${tap%.tap}.leaks") objects that nothing refers to"
	elif [ -s "${tap%.tap}.splat" ]; then echo "the kernel log is not clean"
	fi
}

# details KERNEL TAP: the lines that tell why
details() {
	local file
	grep -E '^not ok|^# (not ok|ended|.*(fail|expected|timeout|leak))' "$2" | head -n 12 || :
	sed -n "s/^# \(again: make .*\)/\1 K=$1/p" "$2" | head -n 1
	grep -q '^# exit ' "$2" || tail -n 5 "$2"
	for file in "${2%.tap}".{splat,leaks}; do
		[ ! -s "$file" ] || head -n 12 "$file"
	done
}

# Counts the results of one KTAP file, and one failure more for what is wrong besides.
# Of a second node only failures count.
judge() { # KERNEL NAME
	local dir=$BUILD/results/$1 p f s why why1=
	local tap=$dir/$2.tap tap1=
	p=$(results ok "$tap")
	s=$(grep -ciE '^ok [0-9]+.*# *skip' "$tap" || :)
	f=$(results 'not ok' "$tap")
	why=$(wrong "$tap")
	if [ -e "$dir/node1/$2.tap" ]; then
		tap1=$dir/node1/$2.tap
		why1=$(wrong "$tap1")
		[ "$(results 'not ok' "$tap1")" = 0 ] || why1=${why1:-"$(results 'not ok' "$tap1") failed"}
		[ -z "$why" ] || why="node 0: $why${why1:+; }"
		why+=${why1:+node 1: $why1}
	fi
	[ -z "$why" ] || f=$((f + 1))
	echo "$((p - s)) $f $s" >>"$dir/counts"
	if [ "$f" != 0 ]; then
		printf '%-15s %-20s FAIL  %s\n' "$1" "$2" "$why"
		details "$1" "$tap" | sed 's/^/         /'
		[ -z "$tap1" ] || details "$1" "$tap1" | sed 's/^/         node 1: /'
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
		[ -e "$log" ] || continue	# of a guest that said nothing
		name=${log%.log}
		"$TESTBED/scan-log" "$log" >"$name.splat" || continue
		rm "$name.splat"
	done
}
