#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# dmabufctl on a buffer that another dmabufctl holds: what it prints, for people
# and as JSON, what it does, and its one line for each error.

dir=$(dirname -- "$0")
ctl=$dir/../tools/dmabufctl
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. "$dir/results.sh"

# run STATUS ARG...: dmabufctl, whose status must be that; output in $tmp
run() {
	want=$1
	shift
	"$ctl" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $got = "$want" ] && return
	echo "# dmabufctl $*: status $got, expected $want"
	sed 's/^/# /' "$tmp/out" "$tmp/err"
	return 1
}

# says NAME TEXT STATUS ARG...: fails with that one line and nothing on stdout
says() {
	name=$1 text=$2
	shift 2
	run "$@" && [ ! -s "$tmp/out" ] && [ "$(cat "$tmp/err")" = "dmabufctl: $text" ]
	ok=$?
	[ $ok = 0 ] || sed 's/^/# said: /' "$tmp/err"
	result $ok "$name"
}

# json EXPRESSION ARG...: prints JSON j of which the expression of Python is true
json() {
	expression=$1
	shift
	run 0 --json "$@" && [ ! -s "$tmp/err" ] &&
		python3 -c 'import json, sys
j = json.load(open(sys.argv[1]))
if not eval("(" + sys.argv[2] + ")"):
    sys.exit("# " + json.dumps(j))' "$tmp/out" "$expression" 2>&1
}

shows() { # TEXT: in the output
	grep -qF -- "$1" "$tmp/out" || { echo "# expected: $1"; sed 's/^/# /' "$tmp/out"; return 1; }
}

field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" <"$tmp/held"; }

# hold ARG...: dmabufctl --json alloc in the background, once it has the buffer
hold() {
	rm -f "$tmp/in" "$tmp/pipe"
	mkfifo "$tmp/in" "$tmp/pipe"
	"${program:-$ctl}" --json alloc "$@" <"$tmp/in" >"$tmp/pipe" &
	holder=$!
	exec 3>"$tmp/in"
	head -n 1 "$tmp/pipe" >"$tmp/held"
	pid=$(field pid) fd=$(field fd) control=$(field control_fd) buffer=$(field buffer)
}

release() {
	exec 3>&-
	wait "$holder"
}

echo "TAP version 13"
echo "1..36"

run 0 list && [ "$(wc -l <"$tmp/out")" = 1 ]
result $? "list without buffers"
json 'j == []' list
result $? "list --json without buffers"

hold pfnmap 4M
json 'j["buffer"] == '"$buffer"' and j["length"] == 4 << 20 and j["exporter"] == "pfnmap" and
	j["placement"] == "system" and j["state"] == []' info "$pid:$control"
result $? "info --json of a control handle"
json 'j["buffer"] == '"$buffer" info "$pid:$fd"
result $? "info --json of a dma-buf"
run 0 info "$pid:$control" && shows "buffer       $buffer of pfnmap" && shows "4194304 bytes"
result $? "info"

json 'len(j) == 1 and j[0]["ino"] == '"$buffer"' and j[0]["size"] == 4 << 20 and
	j[0]["placement"] == "system" and
	sorted((h["kind"], h["pid"], h["comm"], h["fd"]) for h in j[0]["holders"]) ==
	[("control", '"$pid"', "dmabufctl", '"$control"'), ("dma-buf", '"$pid"', "dmabufctl", '"$fd"')]' list
result $? "list --json knows the holders"
run 0 list && shows "$buffer " && shows "control  $pid:$control (dmabufctl)" &&
	shows "dma-buf  $pid:$fd (dmabufctl)"
result $? "list"

run 0 move "$pid:$control" carve && shows "buffer $buffer is at carve, 1 pieces"
result $? "move"
json 'j["placement"] == "vram" and j["moves"] == 2' move "$pid:$control" vram --policy block --timeout 0
result $? "move --json --policy block --timeout 0"
json 'j["placement"] == "system" and j["moves"] == 3' --policy revoke move "$pid:$control" system
result $? "move --json --policy revoke"

says "move to nowhere" "move $pid:$control to nowhere: the exporter has no such placement" \
	1 move "$pid:$control" nowhere
long=a23456789012345678901234567890123
says "a name that is too long" "$long: a name has at most 31 characters" \
	1 move "$pid:$control" $long
says "a dma-buf does not move" \
	"move $pid:$fd to carve: not a control handle, and nothing else gives that right" \
	1 move "$pid:$fd" carve
says "a dma-buf is not revoked" \
	"revoke $pid:$fd: not a control handle, and nothing else gives that right" \
	1 revoke "$pid:$fd"
says "no such descriptor" "$pid:999: the process has no such descriptor" 1 info "$pid:999"
says "no such process" "4194305:1: there is no such process" 1 info 4194305:1
says "not a buffer" "info $pid:0: neither a dma-buf nor a control handle" 1 info "$pid:0"
says "not passed on" "99: no such descriptor was passed on to this program" 1 info 99

release

# A descriptor of its own, as a shell passes it on: ioctl(ALLOC), then exec.
python3 -c 'import fcntl, os, struct, sys
a = bytearray(struct.pack("=IIQIiiI32s32s", 96, 0, 8192, os.O_RDWR, 0, 0, 0, b"pfnmap", b""))
fcntl.ioctl(os.open("/dev/dma_buf_exporter", os.O_RDWR), 0xBD01, a)
os.execv(sys.argv[1], ["dmabufctl", "info", str(struct.unpack_from("i", a, 20)[0])])' \
	"$ctl" >"$tmp/out" 2>&1 && shows "8192 bytes"
result $? "info of a descriptor that was passed on"

hold pfnmap 2M carve
says "a full placement" "alloc 128M from pfnmap-carve: there is no room at that placement" \
	1 alloc pfnmap-carve 128M
says "no such source" "alloc 1M from nowhere: there is no such source" 1 alloc nowhere 1M
says "no such placement" "alloc 1M from pfnmap at nowhere: the source has no such placement" \
	1 alloc pfnmap 1M nowhere
says "nothing to compact" "compact $pid:$control: it cannot be in fewer pieces" \
	1 compact "$pid:$control"
run 0 revoke "$pid:$control" && shows "buffer $buffer is revoked"
result $? "revoke"
json 'j["state"] == ["revoked"] and j["placement"] == "" and j["extents"] == 0' info "$pid:$fd"
result $? "info --json of a revoked buffer"
run 0 info "$pid:$fd" && shows "$buffer of pfnmap, revoked" && shows "placement    none"
result $? "info of a revoked buffer"
says "a revoked buffer does not move" "move $pid:$control to system: the buffer is revoked" \
	1 move "$pid:$control" system
json 'j["state"] == ["revoked"]' revoke "$pid:$control"
result $? "revoke --json, once more"
release

order=/sys/module/pfnmap_heap/parameters/max_order
echo 0 >$order
hold pfnmap 2M
echo 9 >$order
json 'j["extents"] > 100' info "$pid:$control"
result $? "a buffer in pieces"
json 'j["extents"] == 1 and j["placement"] == "system"' compact "$pid:$control"
result $? "compact --json"
release

# Every form of the command line that is none.
ok=0
for args in "" nothing "move 1:1" "move 1:1 a b" compact revoke info "info a" "info 1:" \
	"info 1:2:3" "info -1" "alloc pfnmap" "alloc pfnmap x" "alloc pfnmap 0" \
	"alloc pfnmap 1Q" "alloc pfnmap 18446744073709551615G" "list all" \
	"--policy never list" "--timeout x list" "--timeout 4294967296 list" "--colour list"; do
	# shellcheck disable=SC2086 # a list of words
	run 2 $args && [ ! -s "$tmp/out" ] && [ -s "$tmp/err" ] || ok=1
done
result $ok "usage"
run 0 --help && shows "usage: dmabufctl" && [ ! -s "$tmp/err" ]
result $? "--help"
"$ctl" --help >/dev/full 2>"$tmp/err"
[ $? = 1 ] || [ ! -s "$tmp/err" ]
result $? "an answer nobody reads"

# The name of a process is bytes, and may look like anything.
program=$tmp/$(printf 'a"\\\033\377b')
cp "$ctl" "$program"
hold pfnmap 4K
json 'j[0]["holders"][0]["comm"].startswith("a\"\\")' list
result $? "list --json with a name of odd bytes"
run 0 list && ! grep -q "$(printf '\033')" "$tmp/out"
result $? "list with a name of odd bytes"
release

[ "$("$ctl" list | wc -l)" = 1 ]
result $? "nothing is left"

totals
