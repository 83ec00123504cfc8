# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# What every end-to-end test needs. A test is a plain sh script:
#
#	#!/bin/sh
#	. "$(dirname "$0")/lib.sh"
#	need_root; need_tun		# else: skipped, visibly
#	ns_add a; ns_add b; veth a eth0 192.0.2.1/24 b eth0 192.0.2.2/24
#	start NAME in_ns a "$bin/gwd" ...	# in the background
#	check "a pings b" in_ns a ping -c 1 192.0.2.2
#	check "gwd connects" wait_until 5 some_condition
#	finish
#
# Run by run-e2e, or alone: BUILD=build/gcc tests/e2e/100-gwd-packets. Lines
# "ok - X" and "not ok - X" are the results; a failing check does not end the
# test. All is undone on exit, also when interrupted: what the test started is
# ended (nothing else), its namespaces and its folder $work go. KEEP=1 leaves
# the folder. Names of namespaces carry the test's process id, so that tests
# can run beside each other.

set -u
top=$(cd "$(dirname "$0")" && while [ ! -e Makefile ] && [ "$PWD" != / ]; do cd ..; done && pwd)
BUILD=${BUILD:-$top/build/gcc}
case $BUILD in /*) ;; *) BUILD=$top/$BUILD ;; esac
bin=$BUILD/bin
GWD_OPTIONS=${GWD_OPTIONS-} # of every gwd, before the test's own: run-e2e --gwd
work=$(mktemp -d "${TMPDIR:-/tmp}/ipref-e2e.XXXXXX") || exit 1
chmod 755 "$work"
ns_prefix=ipref$$
ns_list=
e2e_failures=0 e2e_checks=0

# A leak or a race ends a sanitized daemon with a code of its own, which stop()
# reports.
ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:exitcode=99:log_path=$work/sanitizer}
UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:exitcode=99:log_path=$work/sanitizer}
TSAN_OPTIONS=${TSAN_OPTIONS:-exitcode=99:log_path=$work/sanitizer}
export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS

# --- undoing ----------------------------------------------------------------

cleanup() {
	trap '' INT TERM HUP # a second signal would end it halfway
	trap - EXIT
	for pidfile in "$work"/*.pid; do
		[ -e "$pidfile" ] && kill -9 "$(cat "$pidfile")" 2>/dev/null
	done
	for ns in $ns_list; do
		ip netns del "$ns" 2>/dev/null
		rm -rf "/etc/netns/$ns"
	done
	if [ -n "${KEEP-}" ]; then
		echo "# kept: $work"
	else
		rm -rf "$work"
	fi
}
trap cleanup EXIT
trap 'cleanup; exit 130' INT TERM HUP

# --- skipping and results ---------------------------------------------------

# skip REASON: the whole test does not run, and says so (exit code 77).
skip() {
	echo "skipped - ${0##*/}: $1"
	exit 77
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	ip netns add "$ns_prefix-probe" 2>/dev/null || skip "needs network namespaces"
	ip netns del "$ns_prefix-probe"
}

need_tun() {
	[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
}

# need_command NAME...: from the packages that tests/all installs.
need_command() {
	for cmd in "$@"; do
		command -v "$cmd" >/dev/null 2>&1 || skip "needs the command $cmd"
	done
}

pass() {
	e2e_checks=$((e2e_checks + 1))
	echo "ok - $1"
}

fail() {
	e2e_checks=$((e2e_checks + 1)) e2e_failures=$((e2e_failures + 1))
	echo "not ok - $1"
}

# check TEXT COMMAND...: runs it; its output is shown when it fails.
check() {
	check_text=$1
	shift
	if "$@" >"$work/check.out" 2>&1; then
		pass "$check_text"
	else
		fail "$check_text"
		sed 's/^/#   /' "$work/check.out" | head -n 40
		return 1
	fi
}

# check_equal TEXT EXPECTED GOT
check_equal() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1"
		printf '#   expected: %s\n#   got:      %s\n' "$2" "$3"
	fi
}

# finish: stops what still runs (each must end well), reports, exits.
finish() {
	for pidfile in "$work"/*.pid; do
		[ -e "$pidfile" ] || continue
		pidfile=${pidfile##*/}
		stop "${pidfile%.pid}"
	done
	for report in "$work"/sanitizer.*; do
		[ -e "$report" ] || continue
		fail "sanitizer report ${report##*/}"
		head -n 60 "$report"
	done
	[ "$e2e_checks" -gt 0 ] || fail "no check ran"
	if [ "$e2e_failures" -gt 0 ]; then
		for log in "$work"/*.log; do
			[ -e "$log" ] || continue
			echo "# last lines of ${log##*/}:"
			tail -n 25 "$log" | sed 's/^/#   /'
		done
		exit 1
	fi
	exit 0
}

# --- waiting ----------------------------------------------------------------

# wait_until SECONDS COMMAND...: until it succeeds, asking ten times a second;
# fails when the time is over.
wait_until() {
	wait_end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -le "$wait_end" ] || {
			echo "waited in vain for: $*"
			return 1
		}
		sleep 0.1 # poll
	done
}

# has TEXT COMMAND...: its output contains TEXT (a fixed string); else it is shown.
has() {
	has_text=$1
	shift
	has_output=$("$@" 2>&1)
	printf '%s\n' "$has_output" | grep -qF -- "$has_text" || {
		printf '%s\n' "$has_output"
		return 1
	}
}

# logged NAME TEXT: the log of a started process has a line with TEXT.
logged() {
	grep -qF -- "$2" "$work/$1.log"
}

# --- processes --------------------------------------------------------------

# start NAME COMMAND...: in the background; output to $work/NAME.log (appended),
# its process id in $work/NAME.pid. With in_ns the id is the command's own.
start() {
	start_name=$1
	shift
	if [ "$1" = in_ns ]; then
		start_ns=$ns_prefix-$2
		shift 2
		ip netns exec "$start_ns" "$@" >>"$work/$start_name.log" 2>&1 </dev/null &
	else
		"$@" >>"$work/$start_name.log" 2>&1 </dev/null &
	fi
	echo $! >"$work/$start_name.pid"
}

running() {
	[ -e "$work/$1.pid" ] && kill -0 "$(cat "$work/$1.pid")" 2>/dev/null
}

# stop NAME [SIGNAL]: TERM by default; waits (15 s at most). A daemon that is
# asked to end and does not end with 0 is a failure; one killed is not asked.
stop() {
	stop_pid=$(cat "$work/$1.pid") || return 1
	rm -f "$work/$1.pid"
	kill "-${2:-TERM}" "$stop_pid" 2>/dev/null || stop_gone=1
	( # Bounds the wait below.
		left=150
		while [ $left -gt 0 ] && kill -0 "$stop_pid" 2>/dev/null; do
			sleep 0.1 # poll
			left=$((left - 1))
		done
		kill -9 "$stop_pid" 2>/dev/null
	) &
	stop_guard=$!
	wait "$stop_pid" 2>/dev/null
	stop_rc=$?
	kill "$stop_guard" 2>/dev/null
	wait "$stop_guard" 2>/dev/null
	case ${2:-TERM}:$stop_rc in
	KILL:* | 9:* | TERM:0 | INT:0 | TERM:143) return 0 ;;
	esac
	fail "$1 ended with exit code $stop_rc${stop_gone+ (before it was asked to)}"
	unset stop_gone
	return 1
}

# --- networks ---------------------------------------------------------------

# ns_add NAME: a namespace with loopback up, removed at the end.
ns_add() {
	ip netns add "$ns_prefix-$1" || return 1
	ns_list="$ns_list $ns_prefix-$1"
	ip -n "$ns_prefix-$1" link set dev lo up
}

# in_ns NAME COMMAND...
in_ns() {
	in_name=$1
	shift
	ip netns exec "$ns_prefix-$in_name" "$@"
}

# address NS INTERFACE ADDR/LEN: usable at once, also an IPv6 one.
address() {
	case $3 in
	*:*) ip -n "$ns_prefix-$1" addr add "$3" dev "$2" nodad ;;
	*) ip -n "$ns_prefix-$1" addr add "$3" dev "$2" ;;
	esac
}

# veth NS1 IF1 ADDR1/LEN NS2 IF2 ADDR2/LEN: a wire between two namespaces.
veth() {
	ip -n "$ns_prefix-$1" link add "$2" type veth \
		peer name "$5" netns "$ns_prefix-$4" &&
		address "$1" "$2" "$3" && address "$4" "$5" "$6" &&
		ip -n "$ns_prefix-$1" link set dev "$2" up &&
		ip -n "$ns_prefix-$4" link set dev "$5" up
}

# route NS DESTINATION GATEWAY
route() {
	ip -n "$ns_prefix-$1" route add "$2" via "$3"
}

# forwarding NS: the namespace routes between its interfaces.
forwarding() {
	in_ns "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward &&
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

# resolv NS ADDRESS: the DNS server that programs in the namespace use.
resolv() {
	mkdir -p "/etc/netns/$ns_prefix-$1" &&
		echo "nameserver $2" >"/etc/netns/$ns_prefix-$1/resolv.conf"
}

# ctl SOCKET PAGE: a page of a control socket.
ctl() {
	curl -s --max-time 5 --unix-socket "$1" "http://localhost$2"
}
