#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# spin finds no error in any configuration of selftests/model/move.pml, and it
# finds one wherever a step of a move is broken (Documentation/model.rst).
# With arguments, checks what they say and prints all that spin says about it:
# "model.sh safety -DCPUS=1 -DMOVERS=1".

# NAME | WHAT | MACROS. WHAT is "safety" (assertions and deadlocks), "large" (the
# same, worth a compiler that optimizes), "progress" (no cycle without progress, with
# weak fairness) or, where NAME is a macro that breaks a step, "caught" (by an
# assertion or a deadlock) or "stuck" (in a cycle without progress).
table() {
	cat <<-'END'
	cpu x move, copied by the processor | safety | -DCPUS=2 -DMOVERS=1 -DCOPY=SYNC
	cpu x move, copied by a device | safety | -DCPUS=2 -DMOVERS=1 -DCOPY=ASYNC
	fork x move | safety | -DCPUS=2 -DMOVERS=1 -DFORK
	cpu x two movers, WAIT and BLOCK | safety | -DCPUS=1 -DMOVERS=2 -DPOLICY1=BLOCK
	importer x move, WAIT | safety | -DIMPORTERS=1 -DMOVERS=1 -DPOLICY0=WAIT
	importer x move, BLOCK | safety | -DIMPORTERS=1 -DMOVERS=1 -DPOLICY0=BLOCK
	importer x move, REVOKE | safety | -DIMPORTERS=1 -DMOVERS=1 -DPOLICY0=REVOKE
	dynamic x static importer x move | large | -DIMPORTERS=2 -DKIND0=DYNAMIC -DKIND1=STATIC -DMOVERS=1 -DONCE
	cpu x importer x move | large | -DCPUS=1 -DIMPORTERS=1 -DMOVERS=1 -DONCE
	cpu x move x revoke | safety | -DCPUS=1 -DMOVERS=1 -DREVOKER
	importer x move x revoke | large | -DIMPORTERS=1 -DMOVERS=1 -DREVOKER -DONCE
	cpu x importer x suspend | safety | -DCPUS=1 -DIMPORTERS=1 -DSUSPENDER
	cpu x move x suspend | safety | -DCPUS=2 -DMOVERS=1 -DSUSPENDER
	importer x move x suspend | large | -DIMPORTERS=1 -DMOVERS=1 -DSUSPENDER -DONCE
	importer x suspend x revoke | safety | -DIMPORTERS=1 -DSUSPENDER -DREVOKER
	cpu x move x suspend x revoke | safety | -DCPUS=1 -DMOVERS=1 -DSUSPENDER -DREVOKER
	a storm of faults x move | progress | -DCPUS=2 -DMOVERS=1 -DSTORM
	suspend ends, whatever a revoke does | progress | -DIMPORTERS=1 -DSUSPENDER -DREVOKER -DONCE -DNO_ACCESS
	DROP_ZAP | caught | -DCPUS=2 -DMOVERS=1 -DCOPY=SYNC
	ZAP_NO_TLB_FLUSH | caught | -DCPUS=2 -DMOVERS=1 -DCOPY=SYNC
	ONE_ADDRESS_SPACE | caught | -DCPUS=2 -DMOVERS=1 -DCOPY=SYNC
	COPY_BEFORE_ZAP | caught | -DCPUS=2 -DMOVERS=1 -DCOPY=SYNC
	INSERT_WITHOUT_LOCK | caught | -DCPUS=2 -DMOVERS=1 -DCOPY=SYNC
	FAULT_IGNORES_KERNEL_FENCE | caught | -DCPUS=2 -DMOVERS=1 -DCOPY=ASYNC
	SETTLE_IGNORES_ERROR | caught | -DCPUS=2 -DMOVERS=1 -DCOPY=ASYNC
	FORK_NO_ZAP | caught | -DCPUS=2 -DMOVERS=1 -DFORK
	DROP_FENCE_WAIT | caught | -DIMPORTERS=1 -DMOVERS=1
	DROP_UNMAP_WAIT | caught | -DIMPORTERS=1 -DMOVERS=1
	DROP_IOTLB_FLUSH | caught | -DIMPORTERS=1 -DMOVERS=1
	LET_GO_NO_WAKE | caught | -DIMPORTERS=1 -DMOVERS=1
	LET_GO_SEEN_LATE | caught | -DIMPORTERS=1 -DMOVERS=1
	FREE_BEFORE_UNMAP | caught | -DIMPORTERS=1 -DREVOKER
	REAP_IGNORES_FENCES | caught | -DIMPORTERS=1 -DREVOKER
	REAP_WITHOUT_MUTEX | caught | -DCPUS=1 -DMOVERS=1 -DREVOKER
	REVOKE_NO_ZAP | caught | -DCPUS=1 -DREVOKER
	SUSPEND_IGNORED_BY_FAULT | caught | -DCPUS=1 -DSUSPENDER
	MAP_IGNORES_SUSPEND | caught | -DIMPORTERS=1 -DSUSPENDER
	SUSPEND_MISSES_REVOKE | stuck | -DIMPORTERS=1 -DSUSPENDER -DREVOKER -DONCE -DNO_ACCESS
	FAULT_LOCKS_TO_WAIT | stuck | -DCPUS=2 -DMOVERS=1 -DSTORM
	END
}

field() { # N LINE
	printf '%s\n' "$2" | cut -d'|' -f"$1" | sed 's/^ *//; s/ *$//'
}

# explore WHAT MACRO...: in a directory of its own, where move.pml is
explore() {
	what=$1
	shift
	spin "$@" -a move.pml || return
	case $what in
	large) gcc -O1 -w -DSAFETY -DMEMLIM=900 -o pan pan.c && ./pan -w22 -m10000 ;;
	safety | caught) gcc -w -DSAFETY -DMEMLIM=900 -o pan pan.c && ./pan -w20 -m10000 ;;
	progress | stuck) gcc -w -DNP -DNFAIR=3 -DMEMLIM=900 -o pan pan.c && ./pan -l -f -w20 -m10000 ;;
	esac
}

# One line of the table, in a process of its own.
run() { # DIR N
	line=$(table | sed -n "$2p")
	name=$(field 1 "$line")
	what=$(field 2 "$line")
	case $what in caught | stuck) broken=-D$name ;; *) broken= ;; esac
	mkdir "$1/$2"
	cp selftests/model/move.pml "$1/$2/"
	cd "$1/$2" || return
	macros="$broken $(field 3 "$line")"
	# shellcheck disable=SC2086 # several macros
	explore "$what" $macros >log 2>&1
	# The assertion that failed, as it is written in the model.
	# shellcheck disable=SC2086
	[ "$what" != caught ] || spin $macros -t move.pml 2>&1 |
		sed -n 's/^spin: move.pml:\([0-9]*\), Error: assertion violated.*/\1/p' |
		head -n 1 | xargs -I '{}' sed -n '{}{s/^[[:space:]]*//;s/;$//;p;}' move.pml >error
	rm -f pan*
}

# What spin said: "12 states, 0.1 s" and perhaps an error.
said() { # DIR
	awk '/states, stored/ && !n { n = $1 }
		/elapsed time/ { t = $4 }
		END { printf "%d states, %s s\n", n, t }' "$1/log"
	[ ! -s "$1/error" ] || cat "$1/error"
}

correct() { # LOG
	if grep -q 'errors: 0' "$1" && ! grep -qiE 'not completed|too small' "$1"; then
		return
	fi
	cat "$1"
	return 1
}

# Only these are what breaking a step may lead to.
caught() { # LOG
	grep -qE '^pan:1: (assertion violated|invalid end state)' "$1" || { cat "$1"; return 1; }
}

stuck() { # LOG
	grep -q '^pan:1: non-progress cycle' "$1" || { cat "$1"; return 1; }
}

# No statement of a process is out of reach of all configurations. Those of the
# inlines are left out: not every process that has them needs all of them.
reached() { # LOG...
	out=$(awk 'FILENAME ~ /\.pml$/ { if (/^inline/) on = 1; inl[FNR] = on; if (/^}/) on = 0; next }
		FNR == 1 { n++ }
		match($0, /move\.pml:[0-9]+, state/) {
			line = substr($0, RSTART + 9, RLENGTH - 16)
			k = "line " line ": " substr($0, index($0, "\""))
			if (!inl[line] && !/"-end-"/ && !seen[FILENAME, k]++) unreached[k]++
		}
		END { for (k in unreached) if (unreached[k] == n) print k }' \
		selftests/model/move.pml "$@")
	[ -z "$out" ] || { printf '%s\n' "$out"; return 1; }
}

case ${1-} in
run) shift; run "$@"; exit ;;
?*)
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	cp selftests/model/move.pml "$dir/"
	cd "$dir" && explore "$@" && ! ls ./*.trail >/dev/null 2>&1 && exit
	shift
	spin "$@" -t -p -g move.pml
	exit 1
	;;
esac

. selftests/host/tap.sh

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=$(table | wc -l)
seq "$n" | xargs -P "$(nproc)" -n 1 sh "$0" run "$dir"

good=
for i in $(seq "$n"); do
	line=$(table | sed -n "${i}p")
	name=$(field 1 "$line")
	what=$(field 2 "$line")
	log=$dir/$i/log
	said "$dir/$i" | sed 's/^/# /'
	case $what in
	caught | stuck)
		tap "$name is caught" "$what" "$log" ;;
	*)
		tap "$name" correct "$log"
		good="$good $log" ;;
	esac
done
# shellcheck disable=SC2086 # one for each configuration
tap "every statement of the model is reached" reached $good
tap_end
