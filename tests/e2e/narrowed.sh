# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# A link in the middle with a smaller MTU, which nobody at the ends knows before:
# narrowed CLAMP A B TUNNEL builds the lab, with or without MSS clamping.

. "$(dirname "$0")/netlab.sh"

narrowed() {
	lab_need
	clamp=$1
	shift
	lab_gwd_a=-clamp-mss=$clamp lab_gwd_b=$lab_gwd_a
	check "the lab is up: local IPv$1 and IPv$2, tunnel IPv$3, clamping $clamp" \
		lab "$@" || finish
	for s in a b; do
		check "$s: servers" servers $s || finish
		check "$s: pings" pings $s host
	done
	narrowed_connection
	for path in 1280 $(by_version "$lab_tunnel" 700 ''); do
		check "the path gets an MTU of $path" wan_path $path
		for s in a b; do
			narrowed_site $s
		done
	done
	narrowed_mss
}

# A connection that begins with the whole MTU goes on with less.
narrowed_connection() {
	check "a transfer begins" transfer big a-host "$(ea a host)" 6000000 2500000
	check "the path gets an MTU of 1400" wan_path 1400
	check "full-sized packets learn that" tool b-host udp df "$(ea b host)" 7 \
		"$(path_told b 1400)" 1200-1400
	check "the path gets an MTU of 1280" wan_path 1280
	check "the transfer ends well" transferred big
}

narrowed_site() { # SITE
	narrowed_told=$(path_told "$1" "$path")
	check "$1: UDP with DF up to $narrowed_told, which is told" \
		tool "$1-host" udp df "$(ea "$1" host)" 7 "$narrowed_told" \
		$((narrowed_told - 60))-$((narrowed_told + 20)) 1400
	check "$1: ping with DF is told the same" has \
		"$(by_version "$(local_ver "$1")" mtu= "mtu: ")$narrowed_told" \
		in_ns "$1-host" ping -c 1 -W 2 -M do -s 1430 "$(ea "$1" host)"
	check "$1: UDP without DF, of every size about it" \
		tool "$1-host" udp sizes "$(ea "$1" host)" 7 \
		$((narrowed_told - 100))-$((narrowed_told + 20)) 1180-1480 9000
	check "$1: TCP" tool "$1-host" tcp both "$(ea "$1" host)" 80 3000000
}

# host_forgets SITE: what its host was told of MTUs.
host_forgets() {
	in_ns "$1-host" sh -c 'ip route flush cache; ip -6 route flush cache'
}

# narrowed_mss: the segment size that reaches the other end's host.
narrowed_mss() {
	for s in a b; do
		o=$(other $s)
		host_forgets $s
		start_tool $o-syn $o-host tcp syns "$(local_ver $o)" 80
		check "$o: sees SYNs" wait_until 10 logged $o-syn ready
		check "$s: connects" tool $s-host tcp both "$(ea $s host)" 80 1
		wait_until 5 logged $o-syn mss
		mss=$(sed -n 's/^mss //p' "$work/$o-syn.log" | head -n 1)
		# Without clamping: of the host's own link of 1500.
		own=$(by_version "$(local_ver $s)" 1460 1440)
		fits=$(($(path_told $s $path) - $(by_version "$(local_ver $s)" 40 60)))
		if [ "$clamp" = false ]; then
			check_equal "$s: its MSS is left alone" "$own" "$mss"
		else
			check "$s: its MSS ($mss) is clamped to what fits ($fits)" \
				test "$mss" -le "$fits" -a "$mss" -gt $((fits - 100))
		fi
	done
}
