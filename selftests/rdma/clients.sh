#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Programs as the distribution has them, on their own memory, on dma-bufs that heapbuf.so
# gives them as if it were that, and on those they take by their own interfaces.

dir=$(dirname -- "$0")
address=10.7.7.1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. "$dir/../results.sh"

# said STATUS NAME: a result, after what the programs said of a bad one
said() {
	[ "$1" = 0 ] || sed 's/^/# /' "$tmp"/* | tail -n 40
	result "$@"
}

# listens PORT: a TCP port, or "cm" for whoever waits for connections of RDMA
listens() {
	case $1 in
	cm) rdma resource show cm_id | grep -q 'state LISTEN' ;;
	*) ss -Hltn "sport = :$1" | grep -q . ;;
	esac
}

# both PORT PROGRAM...: as a server, and as a client of it
as_server='' as_client=$address wrap=()
both() {
	local port=$1 server status
	shift
	# shellcheck disable=SC2086 # several arguments, or none
	"${wrap[@]}" "$@" $as_server >"$tmp/server" 2>&1 </dev/null &
	server=$!
	until listens "$port"; do
		kill -0 $server 2>/dev/null || return
	done
	# shellcheck disable=SC2086
	"${wrap[@]}" "$@" $as_client >"$tmp/client" 2>&1 </dev/null
	status=$?
	[ $status = 0 ] || kill $server 2>/dev/null
	wait $server && return $status
}

# with_buffers MIN COMMAND...: the same with dma-bufs in place of memory of MIN bytes
with_buffers() {
	local wrap=(env "HEAPBUF_MIN=$1" "LD_PRELOAD=$dir/heapbuf.so:$LD_PRELOAD")
	shift
	"$@" && grep -q 'heapbuf: ' "$tmp/client" && grep -q 'heapbuf: ' "$tmp/server"
}

# client NAME PORT MIN PROGRAM...: both ways
client() {
	local name=$1 port=$2 min=$3
	shift 3
	both "$port" "$@"
	said $? "$name"
	with_buffers "$min" both "$port" "$@"
	said $? "$name in a dma-buf"
}

# mapped NAME PROGRAM...: perftest maps a file
mapped() {
	local name=$1
	shift
	both 18515 "$@"
	said $? "$name"
	with_buffers 0x40000000 both 18515 "$@" --mmap=/heapbuf
	said $? "$name in a mapped dma-buf"
}

echo "TAP version 13"
echo "1..18"
export UCX_NET_DEVICES=rxe0:1

client "ibv_rc_pingpong" 18515 65536 ibv_rc_pingpong -d rxe0 -g 1 -s 65536 -n 20 -c
as_server="-s -a $address" as_client="-c -a $address"
client "rping" cm 65536 rping -C 5 -V -S 65536
as_server='' as_client=$address
client "fi_pingpong" 47592 65536 fi_pingpong -p verbs -e msg -c -S 65536 -I 20
mapped "ib_write_bw" ib_write_bw -d rxe0 -x 1 -s 65536 -n 50
mapped "ib_read_bw" ib_read_bw -d rxe0 -x 1 -s 65536 -n 50
mapped "ib_send_lat" ib_send_lat -d rxe0 -x 1 -s 4096 -n 50
for method in put get; do
	both 13337 ucx_perftest -t ${method}_bw -d rxe0:1 -x rc_verbs -D zcopy -s 65536 \
		-n 50 -w 5 -P 0
	said $? "ucx_perftest ${method}_bw"
	UCX_RC_VERBS_ALLOC=heap with_buffers 65536 both 13337 ucx_perftest -t ${method}_bw \
		-d rxe0:1 -x rc_verbs -D zcopy -s 65536 -n 50 -w 5 -P 0
	said $? "ucx_perftest ${method}_bw in a dma-buf"
done
for program in fabric ucx; do
	"$dir/$program" >"$tmp/client" 2>&1 </dev/null
	status=$?
	grep '^# .*\(expected\|Expected\)' "$tmp/client"
	said $status "$program, as in $program.c"
done

totals
