# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# The network of 100-path, on top of that of sites.sh: beside gwd's way there are
# others from host to host, each by an address of its own.
#
#	a-host --- a-gw ------- wan ------- b-gw --- b-host
#	           ipref0 ipref6 ... gwd ...
#	172.16.1.2       routed by gateways and wan          172.16.2.2
#	172.18.1.2       vx0 .....  VXLAN ..... vx0          172.18.2.2
#	172.19.1.2       wg0 .... WireGuard ... wg0          172.19.2.2
#
# Behind gwd there are as many hosts as there are mappings to measure with; b-host
# is all of them (172.20.0.0/14, fd84:20::/64). Sourced after sites.sh.

# way_hosts NUMBER: the hosts' addresses 172.NUMBER.x.2, as far as the gateways;
# between those the way is the caller's.
way_hosts() {
	for s in a b; do
		if [ $s = a ]; then near=1 far=2; else near=2 far=1; fi
		ip -n "$ns_prefix-$s-host" addr add "172.$1.$near.2/32" dev lo &&
			ip -n "$ns_prefix-$s-host" route add "172.$1.$far.2" \
				via 192.168.84.1 src "172.$1.$near.2" &&
			route $s-gw "172.$1.$near.2" 192.168.84.10 || return 1
	done
}

way_routed() {
	way_hosts 16 || return 1
	route wan 172.16.1.2 "$public_a" && route wan 172.16.2.2 "$public_b"
}

way_vxlan() {
	way_hosts 18 || return 1
	for s in a b; do
		eval "near=\$public_$s far=\$public_$(other $s)"
		ip -n "$ns_prefix-$s-gw" link add vx0 type vxlan id 84 dev wan \
			local "$near" remote "$far" dstport 4789 &&
			ip -n "$ns_prefix-$s-gw" link set dev vx0 up || return 1
	done
	address a-gw vx0 172.17.18.1/24 && address b-gw vx0 172.17.18.2/24 &&
		route a-gw 172.18.2.2 172.17.18.2 &&
		route b-gw 172.18.1.2 172.17.18.1
}

# wireguard SITE: the device wg0, the kernel's or wireguard-go's. That one leaves
# its socket in a /run of its own.
wireguard() {
	if ip -n "$ns_prefix-$1-gw" link add wg0 type wireguard 2>/dev/null; then
		return
	fi
	start "$1-wg" in_ns "$1-gw" sh -c 'mount -t tmpfs none /run &&
		mkdir /run/wireguard && exec wireguard-go -f wg0'
	wait_until 5 ip -n "$ns_prefix-$1-gw" link show dev wg0
}

wireguard_kind() {
	if running a-wg; then echo "wireguard-go"; else echo "the kernel's"; fi
}

# wg_set SITE ARGUMENT...
wg_set() {
	wg_site=$1
	shift
	if running "$wg_site-wg"; then
		nsenter -t "$(cat "$work/$wg_site-wg.pid")" -m -n wg set wg0 "$@"
	else
		in_ns "$wg_site-gw" wg set wg0 "$@"
	fi
}

# has_wireguard: the kernel's, or wireguard-go.
has_wireguard() {
	command -v wg >/dev/null || return 1
	ip -n "$ns_prefix-wan" link add wgprobe type wireguard 2>/dev/null &&
		ip -n "$ns_prefix-wan" link del wgprobe && return
	command -v wireguard-go >/dev/null
}

way_wireguard() {
	way_hosts 19 || return 1
	for s in a b; do
		(umask 077 && wg genkey >"$work/$s.key") && wireguard $s || return 1
	done
	for s in a b; do
		o=$(other $s)
		eval "far=\$public_$o"
		wg_set $s private-key "$work/$s.key" listen-port 51820 \
			peer "$(wg pubkey <"$work/$o.key")" \
			endpoint "$far:51820" allowed-ips 172.19.0.0/16 &&
			ip -n "$ns_prefix-$s-gw" link set dev wg0 mtu 1440 up ||
			return 1
	done
	ip -n "$ns_prefix-a-gw" route add 172.19.2.2 dev wg0 &&
		ip -n "$ns_prefix-b-gw" route add 172.19.1.2 dev wg0
}

# The hosts' IPv6, and b-host as many hosts.
way_gwd() {
	for s in a b; do
		address $s-host eth0 fd84::10/64 && address $s-gw lan fd84::1/64 &&
			route $s-host default fd84::1 || return 1
	done
	ip -n "$ns_prefix-b-host" route add local 172.20.0.0/14 dev lo &&
		ip -n "$ns_prefix-b-host" route add local fd84:20::/64 dev lo &&
		route b-gw 172.20.0.0/14 192.168.84.10 &&
		route b-gw fd84:20::/64 fd84::10
}

# offloads MODE: of the four ends of the WAN's wires. "wire": each packet there is
# as long as the MTU at most, and the gateways merge what they receive, as they do
# from a network card. "offl": superpackets cross the wires, nobody needs to.
offloads() {
	case $1 in
	wire) gso=off gro=${WIRE_GRO:-on} ;;
	offl) gso=on gro=off ;;
	esac
	for end in a-gw:wan wan:to-a wan:to-b b-gw:wan; do
		case $end in
		wan:*) end_gro=off ;;
		*) end_gro=$gro ;;
		esac
		in_ns "${end%:*}" ethtool -K "${end#*:}" tso $gso gso $gso \
			tx-udp-segmentation $gso gro "$end_gro" >/dev/null ||
			return 1
	done
}

# --- gwd ----------------------------------------------------------------------

# by_version VER IPV4 IPV6
by_version() { if [ "$1" = 4 ]; then echo "$2"; else echo "$3"; fi; }

# mapping_lines SITE VER N: its side of N mappings: what a's hosts send to, and
# which host of b that is. Listed addresses and references have a second-to-last
# byte of 15 at most, so there are 4096 in each 65536.
mapping_lines() {
	awk -v site="$1" -v ver="$2" -v n="$3" -v pub_b="$public_b" '
	function address(i, four, first, six) {
		if (ver == 6)
			return six sprintf("%x:%x", i / 65536, i % 65536)
		return four "." sprintf("%d.%d.%d", first + i / 65536,
			i / 256 % 256, i % 256)
	}
	BEGIN {
		for (i = 0; i < n; i++) {
			listed = int(i / 4096) * 65536 + i % 4096
			ref = sprintf("1-%x-%x", i / 4096, i % 4096)
			if (site == "a")
				print address(listed, 10, 1, "fd10:240::1:"),
					"h" i, "#= ext", pub_b, "+", ref
			else
				print address(i, 172, 20, "fd84:20::"), "h" i,
					"#= pub", ref
		}
	}'
}
# first_mapped VER: the first of them, as a knows it.
first_mapped() { by_version "$1" 10.1.0.0 fd10:240::1:0:0; }

# set_hosts SET SITE VER N: the hosts file of that site in this set of mappings.
set_hosts() {
	eval "far=\$public_$(other "$2")"
	mkdir -p "$work/$1/$2/data"
	{
		echo "$(by_version "$3" 192.168.84.10 fd84::10) host #= pub 700"
		echo "$(by_version "$3" 10.240.1.7 fd10:240::107) remote" \
			"#= ext $far + 700"
		mapping_lines "$2" "$3" "$4"
	} >"$work/$1/$2/hosts"
}

# common_options SET SITE VER: of both daemons.
common_options() {
	eval "near=\$public_$2"
	echo "-gateway $near -control-dir $work/$1/$2" \
		"-mapper-socket $work/$1/$2/mapper.sock" \
		"-encode-net $(by_version "$3" 10.0.0.0/8 fd10:240::/64)"
}

# set_up SET VER N: a mapper at each site, with that set of mappings; it stays.
set_up() {
	[ ! -d "$work/$1" ] || return 0
	for s in a b; do
		set_hosts "$1" $s "$2" "$3"
		# shellcheck disable=SC2046
		start "$1-$s-mapperd" in_ns $s-gw "$bin/mapperd" \
			--config /dev/null $(common_options "$1" $s "$2") \
			-data "$work/$1/$s/data" -hosts "$work/$1/$s/hosts"
	done
}

# follows SET SITE N: gwd has the whole set.
follows() {
	ctl "$work/$1/$2/gwd.ctl" /status | grep -q '"state": *"following"' &&
		[ "$(ctl "$work/$1/$2/gwd.ctl" /metrics |
			awk '/^ipref_gwd_mappings/ { n += $2 } END { print n + 0 }')" \
			-gt "$3" ]
}

# gwd_up SET VER N OPTION...: gwd at both gateways, until it has the mappings.
gwd_up() {
	up_set=$1 up_ver=$2 up_n=$3
	shift 3
	gwd_down
	for s in a b; do
		# shellcheck disable=SC2046
		start "$s-gwd" in_ns $s-gw "$bin/gwd" --config /dev/null \
			$(common_options "$up_set" $s "$up_ver") \
			-ifname "ipref$up_ver" "$@"
	done
	for s in a b; do
		wait_until 60 follows "$up_set" $s "$up_n" || return 1
	done
}

gwd_down() {
	for s in a b; do
		! running $s-gwd || stop $s-gwd
	done
}
