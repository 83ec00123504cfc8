# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# Gateways behind NAT, in a lab that is up.

. "$(dirname "$0")/netlab.sh"

nat_traffic() {
	for s in a b; do
		check "$s: pings" pings $s host -c 5 -i 0.05
	done
	for s in a b; do
		check "$s: UDP" tool $s-host udp sizes "$(ea $s host)" 7 1-20 1300-1480 9000
		check "$s: UDP to a closed port is refused" \
			tool $s-host udp refused "$(ea $s host)" 9
		check "$s: TCP" tool $s-host tcp both "$(ea $s host)" 80 5000000
	done
}

# nat_rebound SITE...: their NATs forget all ports in the middle of a transfer; the
# hosts notice nothing but a pause. The SITEs send keep-alives: while all data goes
# to them, nothing else would tell the other end of the new port.
nat_rebound() {
	transfer big a-host "$(ea a host)" 8000000 2000000 ||
		fail "a transfer begins"
	start pinging in_ns b-host ping -D -i 0.1 "$(ea b host)"
	for nat_round in 1 2 3; do
		nat_ports=$(for s in a b; do peer_port $s; done)
		for s in "$@"; do
			nat_forget $s >/dev/null 2>&1
		done
		check "round $nat_round: the gateways learn another port" \
			wait_until 5 nat_changed
		nat_count=$(answers pinging)
		check "round $nat_round: the ping goes on" \
			wait_until 5 answers_after pinging $((nat_count + 3))
	done
	check "the transfer ends well" transferred big
	stop pinging INT
	check "the longest pause ($(longest_gap "$work/pinging.log") ms) is under 4 s" \
		test "$(longest_gap "$work/pinging.log")" -lt 4000
}
nat_changed() { [ "$(for s in a b; do peer_port $s; done)" != "$nat_ports" ]; }

# nat_time SITE SECONDS: how long its NAT remembers a port.
nat_time() {
	in_ns "$1-nat" sh -c 'cd /proc/sys/net/netfilter &&
		echo "$1" >nf_conntrack_udp_timeout &&
		echo "$1" >nf_conntrack_udp_timeout_stream' sh "$2"
}

# nat_kept_open SITE OTHER: SITE's NAT lets in only answers and forgets after 2 s;
# keep-alives, on from here, keep it open.
nat_kept_open() {
	check "the NAT lets in only answers, for 2 s" nat_time "$1" 2
	nat_closed "$1"
	nat_forget "$1" >/dev/null 2>&1
	check "$1: pings through it" wait_until 5 pings "$1" host
	check "$2: pings back at once" pings "$2" host
	check "the NAT forgets" wait_until 10 nat_empty "$1"
	pings "$2" host -W 1 >/dev/null 2>&1 &&
		fail "$2: its ping is lost then" || pass "$2: its ping is lost then"

	stop "$1-gwd"
	eval "lab_gwd_$1=\"-keep-alive 1\""
	gwd "$1"
	check "$1: gwd follows again" wait_until 10 following "$1"
	check "$1: pings" wait_until 5 pings "$1" host
	nat_sent=$(nat_out "$1")
	check "keep-alives leave" wait_until 15 nat_sent_more "$1"
	check "$2: pings after that silence of hosts" pings "$2" host
	nat_time "$1" 60
}
nat_empty() { ! in_ns "$1-nat" conntrack -L -p udp 2>/dev/null | grep -q 1045; }
nat_out() { in_ns "$1-nat" cat /sys/class/net/out/statistics/tx_packets; }
# More than the NAT's time, in keep-alives of one second.
nat_sent_more() { [ "$(nat_out "$1")" -ge $((nat_sent + 6)) ]; }
