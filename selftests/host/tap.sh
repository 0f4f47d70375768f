# SPDX-License-Identifier: GPL-2.0
# KTAP for the tests that are shell scripts; sourced.

tap_n=0 tap_failed=0
echo "KTAP version 1"

# tap NAME CMD...: one result: CMD's status; what it prints becomes a comment
tap() {
	tap_name=$1
	shift
	tap_n=$((tap_n + 1))
	if tap_out=$("$@" 2>&1); then
		echo "ok $tap_n $tap_name"
	else
		printf '%s\n' "$tap_out" | sed 's/^/# /'
		echo "not ok $tap_n $tap_name"
		tap_failed=1
	fi
}

tap_skip() {
	tap_n=$((tap_n + 1))
	echo "ok $tap_n $1 # SKIP $2"
}

tap_end() {
	echo "1..$tap_n"
	exit $tap_failed
}
