# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# The gateway itself as an end of connections, by its own reference: own_end TEXT,
# in a lab that is up.

. "$(dirname "$0")/netlab.sh"

own_lab() { # A B TUNNEL
	lab_need
	check "the lab is up: local IPv$1 and IPv$2, tunnel IPv$3" lab "$@" || finish
	for s in a b; do
		check "$s: servers" servers $s || finish
		start_tool $s-gw-echo $s-gw udp echo "$(local_ver $s)" 7
		start_tool $s-gw-tcp $s-gw tcp serve "$(local_ver $s)" 80
		for server in echo tcp; do
			check "$s: the gateway's own $server server" \
				wait_until 10 logged $s-gw-$server ready || finish
		done
	done
}

own_end() { # TEXT
	for s in a b; do
		o=$(other $s)
		own_talks "$1, host of $s to gateway of $o" $s-host "$(ea $s gateway)"
		own_talks "$1, gateway of $s to host of $o" $s-gw "$(ea $s host)"
		own_talks "$1, gateway of $s to gateway of $o" $s-gw "$(ea $s gateway)"
		check "$1, gateway of $s: a closed port is refused" \
			tool $s-host udp refused "$(ea $s gateway)" 9
	done
}

own_talks() { # TEXT NS ADDRESS
	check "$1: ping" in_ns "$2" ping -q -c 2 -i 0.1 -W 2 "$3"
	check "$1: ping in fragments" in_ns "$2" ping -q -c 2 -i 0.2 -W 2 -s 4000 "$3"
	check "$1: UDP" tool "$2" udp sizes "$3" 7 1-20 1380-1480 9000
	check "$1: TCP" tool "$2" tcp both "$3" 80 2000000
}
