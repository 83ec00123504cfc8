# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# What must hold for each combination of IP versions: combination A B TUNNEL
# builds the lab and checks it, in both directions. Sourced by 300 and following.

. "$(dirname "$0")/netlab.sh"

combination() {
	lab_need
	check "the lab is up: local IPv$1 and IPv$2, tunnel IPv$3" lab "$@" || finish
	for s in a b; do
		check "$s: servers" servers $s || finish
		check_equal "$s: the device's MTU" "$(local_mtu $s)" \
			"$(in_ns $s-gw cat /sys/class/net/ipref0/mtu)"
	done
	for s in a b; do
		combo_icmp $s
		combo_udp $s
		combo_tcp $s
		combo_others $s
		combo_version $s
	done
	# Each of those gave its packets to somebody.
	for s in a b; do
		check_equal "$s: nothing was lost by writing it" 0 \
			"$(($(dropped $s tun_write) + $(dropped $s udp_send)))"
	done
}

combo_icmp() { # SITE
	check "$1: pings" pings "$1" host -c 3 -i 0.1
	check "$1: pings, in fragments" pings "$1" host -c 3 -i 0.2 -s 5000
	check "$1: pings the other gateway" pings "$1" gateway
	check "$1: pings its own gateway" in_ns "$1-host" ping -q -c 1 -W 2 \
		"$(site_own "$1")"
	check "$1: a reference that nobody has: unreachable, from afar" has \
		"nreachable" in_ns "$1-host" ping -c 1 -W 2 "$(ea "$1" nobody)"
	check "$1: an address that stands for nobody: unreachable" has \
		"From $(site_own "$1")" in_ns "$1-host" ping -c 1 -W 2 "$(ea "$1" 5)"
	check_equal "$1: traceroute" \
		"$(site_lan "$1") $(ea "$1" gateway) $(ea "$1" host)" \
		"$(tool "$1-host" udp trace "$(ea "$1" host)")"
}

combo_udp() { # SITE
	combo_ea=$(ea "$1" host)
	combo_mtu=$(local_mtu "$1")
	check "$1: UDP of every size up to 1600" \
		tool "$1-host" udp sizes "$combo_ea" 7 1-1600
	check "$1: UDP of large sizes, in fragments" tool "$1-host" udp sizes \
		"$combo_ea" 7 2800-2960 4096 8191 16384 30011 65000
	check "$1: UDP with DF up to the MTU of $combo_mtu, which is told" \
		tool "$1-host" udp df "$combo_ea" 7 "$combo_mtu" \
		1-40 1200-1500 4000
	check "$1: UDP to a closed port is refused" \
		tool "$1-host" udp refused "$combo_ea" 9
	check "$1: UDP without a checksum" \
		tool "$1-host" udp nosum "$combo_ea" 7 1-64 1299 1300
}

combo_tcp() { # SITE
	combo_bytes=$(plain_or_sanitized 100000000 20000000)
	check "$1: TCP, $((combo_bytes / 1000000)) MB there and back" \
		tool "$1-host" tcp both "$(ea "$1" host)" 80 "$combo_bytes"
}

combo_others() { # SITE
	check "$1: SCTP, ESP, GRE, an unknown protocol" \
		tool "$1-host" raw protocols "$(ea "$1" host)"
}

combo_version() { # SITE
	combo_ea=$(ea "$1" host)
	if [ "$(local_ver "$1")" = 4 ]; then
		check "$1: IPv4 options" tool "$1-host" raw options "$combo_ea" 7
		return
	fi
	check "$1: IPv6 extension headers" \
		tool "$1-host" raw chains "$(site_host "$1")" "$combo_ea" 7
	check_equal "$1: a route that is not done is a parameter problem" \
		"code 0 pointer 43" \
		"$(tool "$1-host" raw routing "$(site_host "$1")" "$combo_ea" 7)"
}
