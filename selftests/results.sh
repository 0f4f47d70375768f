# SPDX-License-Identifier: GPL-2.0
# KTAP of the shell scripts that run in a guest; sourced.

n=0 failed=0

# result STATUS NAME: one line of KTAP
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
	else
		failed=$((failed + 1))
		echo "not ok $n $2"
	fi
}

# The last line; its status is the script's.
totals() {
	echo "# Totals: pass:$((n - failed)) fail:$failed"
	[ $failed = 0 ]
}
