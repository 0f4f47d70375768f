#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two guests, as the test bed connects them: data goes both ways, whole, a barrier
# waits, and no node waits for one that failed. Each runs this, and prints what it saw.
# NODES_BREAK=WHAT breaks one of them on purpose, to see how that is reported.

port=7000
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
peer=$((1 - NODE))
n=0

# result NAME CMD...: one line of KTAP; nothing works behind a CMD that failed
result() {
	name=$1
	shift
	n=$((n + 1))
	"$@" && { echo "ok $n $name"; return; }
	echo "not ok $n $name"
	exit 1
}

# Whoever comes through a barrier behind this need not try twice.
listen() {
	busybox nc -l -p $port </dev/null >"$tmp/in" &
	until ss -Hltn "sport = :$port" | grep -q .; do sleep 0.05; done
}

# What is sent begins with the checksum of its rest.
send() {
	barrier listening && cat "$tmp/sum" "$tmp/data" >"/dev/tcp/$PEER/$port"
}

receive() {
	listen
	barrier listening && wait $! || return
	[ "$(stat -c %s "$tmp/in")" = $((65 + size)) ] || { stat -c '# %s bytes' "$tmp/in"; return 1; }
	[ "$(tail -c +66 "$tmp/in" | sum)" = "$(head -n 1 "$tmp/in")" ]
}

sum() { sha256sum | cut -d' ' -f1; }

# In each round one comes late, and says so at the barrier only.
rounds() {
	for i in 1 2 3 4; do
		[ $((i % 2)) != "$NODE" ] || { sleep 0.3; echo $i >"/run/testbed/nodes/$NODE/late"; }
		barrier round || return
		[ $((i % 2)) = "$NODE" ] || [ "$(cat /run/testbed/nodes/$peer/late)" = $i ] ||
			{ echo "# round $i began without node $peer"; return 1; }
		barrier end || return
	done
}

# Of two commands side by side that of node $1 fails, and the other would not end.
fails() {
	local rc=0 out
	if [ "$NODE" = "$1" ]; then
		beside "fails-$1" 60 sh -c 'exit 3' || rc=$?
		[ $rc = 3 ]
	else
		out=$(beside "fails-$1" 60 sleep 1000) || rc=$?
		[ $rc = 143 ] && [ "$out" = "# ended: node $peer failed with status 3" ]
	fi
}

# Node $1 leaves without the other's having come to its barrier.
leaves() {
	local out
	if [ "$NODE" = "$1" ]; then
		beside "leaves-$1" 60 true
	else
		out=$(beside "leaves-$1" 60 barrier nobody 2>&1) && return 1
		[ "$out" = "# barrier nobody: failed, node $peer has ended" ]
	fi
}

broken() { [ "${NODES_BREAK-}" = "$1" ] && [ "$NODE" = 1 ]; }

echo "KTAP version 1"
echo "1..8"
size=$((1024 * 1024))
head -c $size /dev/urandom >"$tmp/data"
sum <"$tmp/data" >"$tmp/sum"

! broken exit || exit 1
! broken hang || sleep 1000
! broken log || echo "WARNING: broken on purpose" >/dev/kmsg
! broken panic || echo c >/proc/sysrq-trigger

result "the link is up" [ "$(cat "/sys/class/net/$NETDEV/operstate")" = up ]
! broken link || ip link set "$NETDEV" down
way() { if [ "$NODE" = "$1" ]; then send; else receive; fi; }
result "1 MiB from node 0 to node 1" way 0
result "1 MiB from node 1 to node 0" way 1
result "a barrier waits" rounds
result "node 0 is ended when node 1 fails" fails 1
result "node 1 is ended when node 0 fails" fails 0
result "node 0 does not wait for node 1 when it left" leaves 1
result "node 1 does not wait for node 0 when it left" leaves 0
