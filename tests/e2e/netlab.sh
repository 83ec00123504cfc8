# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# Two sites with real gwd and mapperd, each of any local IP version, over a tunnel
# of any, with what lies between them; hosts files instead of DNS. Sourced:
#
#	. "$(dirname "$0")/netlab.sh"		# lib.sh comes with it
#	lab_need; lab 4 6 4 || finish		# local a, local b, tunnel
#
#	a-host --- a-gw ---[ a-nat ]--- wan ---[ b-nat ]--- b-gw --- b-host
#	     lan        wan          to-a  to-b           wan
#
# lab_nat="a b" puts a NAT in front of these sites. Hosts, gateways and networks
# have the same addresses at both sites, those of their version. What stands for
# the other site's ends, here as `ea SITE WHAT`:
#
#	host	its host, reference 700
#	nobody	reference 701, which nobody has
#	gateway	its gateway, by its own reference 1

. "$(dirname "$0")/lib.sh"

# Quoted as in a command: options of gwd, after GWD_OPTIONS, so they win; and
# what runs it, such as env or setpriv.
lab_nat='' lab_gwd_a='' lab_gwd_b='' lab_before_a='' lab_before_b=''
case $BUILD in
*address* | *thread* | *memory*) sanitized=1 ;;
*) sanitized='' ;;
esac

lab_need() {
	need_root
	need_tun
	need_command python3 curl nft conntrack
}

# plain_or_sanitized PLAIN SANITIZED: a bound or an amount for this build.
plain_or_sanitized() {
	if [ -n "$sanitized" ]; then echo "$2"; else echo "$1"; fi
}

# tool NS NAME ARGUMENT...: one of the Python programs here, lab_NAME.py.
tool() {
	tool_ns=$1 tool_name=$2
	shift 2
	in_ns "$tool_ns" python3 "$top/tests/e2e/lab_$tool_name.py" "$@"
}

# start_tool LOG NS NAME ARGUMENT...: in the background, as start().
start_tool() {
	tool_log=$1 tool_ns=$2 tool_name=$3
	shift 3
	start "$tool_log" in_ns "$tool_ns" python3 -u \
		"$top/tests/e2e/lab_$tool_name.py" "$@"
}

# --- addresses --------------------------------------------------------------

other() { if [ "$1" = a ]; then echo b; else echo a; fi; }
local_ver() { eval "echo \$lab_local_$1"; }

# by_version VER IPV4 IPV6
by_version() { if [ "$1" = 4 ]; then echo "$2"; else echo "$3"; fi; }

site_host() { by_version "$(local_ver "$1")" 192.168.84.10 fd84::10; }
site_lan() { by_version "$(local_ver "$1")" 192.168.84.1 fd84::1; }
site_own() { by_version "$(local_ver "$1")" 10.240.0.1 fd10:240::1; }
site_encode() { by_version "$(local_ver "$1")" 10.240.0.0/12 fd10:240::/64; }
lan_bits() { by_version "$(local_ver "$1")" 24 64; }
wan_bits() { by_version "$lab_tunnel" 24 64; }

# public SITE: its public address; wan_router SITE: who routes it.
public() {
	case $1$lab_tunnel in
	a4) echo 192.0.2.1 ;;
	b4) echo 198.51.100.1 ;;
	a6) echo 2001:db8:a::1 ;;
	b6) echo 2001:db8:b::1 ;;
	esac
}
wan_router() {
	case $1$lab_tunnel in
	a4) echo 192.0.2.254 ;;
	b4) echo 198.51.100.254 ;;
	a6) echo 2001:db8:a::fe ;;
	b6) echo 2001:db8:b::fe ;;
	esac
}
behind_nat() { case " $lab_nat " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
# bound SITE: the address of its gateway's WAN interface.
bound() {
	if behind_nat "$1"; then
		by_version "$lab_tunnel" 10.99.1.2 fd99::2
	else
		public "$1"
	fi
}

# ea SITE host|nobody|gateway: by which address SITE's hosts know that end of
# the other site.
ea() {
	case $2 in
	host) ea_last=7 ;;
	nobody) ea_last=8 ;;
	gateway) ea_last=9 ;;
	*) ea_last=$2 ;;
	esac
	by_version "$(local_ver "$1")" "10.240.1.$ea_last" "fd10:240::10$ea_last"
}

# local_mtu SITE: of its TUN device. The longest IPREF header leaves room for it,
# with an uplink of 1500.
local_mtu() {
	case $(local_ver "$1")$lab_tunnel in
	44) echo 1448 ;;
	46) echo 1404 ;;
	64) echo 1468 ;;
	66) echo 1424 ;;
	esac
}

# --- the network --------------------------------------------------------------

# lab_ns NAME: no rate limits of the kernel's own ICMP errors, no waiting for
# duplicate addresses; fragments are not too late because others overtook them.
lab_ns() {
	ns_add "$1" && in_ns "$1" sh -c '
		cd /proc/sys/net &&
		echo 0 >ipv4/icmp_ratelimit && echo 0 >ipv6/icmp/ratelimit &&
		echo 0 >ipv4/ipfrag_max_dist &&
		echo 0 >ipv6/conf/default/accept_dad'
}

lab_site() { # SITE
	lab_ns "$1-host" && lab_ns "$1-gw" || return 1
	veth "$1-host" eth0 "$(site_host "$1")/$(lan_bits "$1")" \
		"$1-gw" lan "$(site_lan "$1")/$(lan_bits "$1")" &&
		route "$1-host" default "$(site_lan "$1")" &&
		forwarding "$1-gw"
}

lab_uplink() { # SITE
	if ! behind_nat "$1"; then
		veth "$1-gw" wan "$(public "$1")/$(wan_bits)" \
			wan "to-$1" "$(wan_router "$1")/$(wan_bits)" &&
			route "$1-gw" default "$(wan_router "$1")"
		return
	fi
	lab_inside=$(by_version "$lab_tunnel" 10.99.1.1 fd99::1)
	lab_ns "$1-nat" &&
		veth "$1-gw" wan "$(bound "$1")/$(wan_bits)" \
			"$1-nat" in "$lab_inside/$(wan_bits)" &&
		route "$1-gw" default "$lab_inside" &&
		veth "$1-nat" out "$(public "$1")/$(wan_bits)" \
			wan "to-$1" "$(wan_router "$1")/$(wan_bits)" &&
		route "$1-nat" default "$(wan_router "$1")" &&
		forwarding "$1-nat" && nat_rules "$1"
}

# nat_rules SITE: ports of what leaves are rewritten at random; what comes to
# port 1045 is let in.
nat_rules() {
	in_ns "$1-nat" nft -f - <<-NFT
		table inet nat {
			chain leaving {
				type nat hook postrouting priority srcnat
				oifname "out" meta l4proto udp masquerade random
				oifname "out" masquerade
			}
			chain coming {
				type nat hook prerouting priority dstnat
				iifname "out" udp dport 1045 dnat \
				$(by_version "$lab_tunnel" ip ip6) to $(bound "$1")
			}
		}
	NFT
}

# nat_closed SITE: nothing comes in that was not asked for.
nat_closed() { in_ns "$1-nat" nft flush chain inet nat coming; }

# nat_forget SITE: its NAT gives out new ports.
nat_forget() { in_ns "$1-nat" conntrack -D -p udp; }

# wan_path MTU: of the path between the gateways, in its middle, both ways.
wan_path() {
	for wan_site in a b; do
		ip -n "$ns_prefix-wan" route replace "$(public $wan_site)" \
			dev "to-$wan_site" mtu lock "$1" || return 1
	done
}

# --- the daemons ----------------------------------------------------------------

# hosts SITE [LINE]: its hosts file.
hosts() {
	hosts_pub=$(public "$(other "$1")")
	cat >"$work/$1/hosts.new" <<-HOSTS
		$(site_host "$1") host #= pub 700
		$(ea "$1" host) remote #= ext ${hosts_pub} + 700
		$(ea "$1" nobody) nobody #= ext ${hosts_pub} + 701
		$(ea "$1" gateway) gateway #= ext ${hosts_pub} + 1
		${2-}
	HOSTS
	mv "$work/$1/hosts.new" "$work/$1/hosts"
}

# site_addresses SITE: the options that say which addresses the gateway has; a
# test may replace this.
site_addresses() {
	echo "-gateway-bind $(bound "$1") -gateway-pub $(public "$1")"
}

mapperd() {
	# shellcheck disable=SC2046
	start "$1-mapperd" in_ns "$1-gw" "$bin/mapperd" $(site_addresses "$1") \
		-encode-net "$(site_encode "$1")" -control-dir "$work/$1" \
		-mapper-socket "$work/$1/mapper.sock" \
		-data "$work/$1/data" -hosts "$work/$1/hosts"
}

gwd() {
	gwd_site=$1
	eval "gwd_before=\$lab_before_$1 gwd_options=\$lab_gwd_$1"
	eval "set -- $gwd_before '$bin/gwd' $(site_addresses "$1") \
		$GWD_OPTIONS $gwd_options"
	start "$gwd_site-gwd" in_ns "$gwd_site-gw" "$@" \
		-encode-net "$(site_encode "$gwd_site")" \
		-control-dir "$work/$gwd_site" \
		-mapper-socket "$work/$gwd_site/mapper.sock"
}

following() { ctl "$work/$1/gwd.ctl" /status | grep -q '"state": *"following"'; }

# metric SITE NAME[{LABELS}]: its value.
metric() {
	ctl "$work/$1/gwd.ctl" /metrics | awk -v name="ipref_gwd_$2" \
		'$1 == name { print $2 }'
}
dropped() { metric "$1" "dropped_packets_total{reason=\"$2\"}"; }

peers() { ctl "$work/$1/gwd.ctl" /peers; }

# lab LOCAL_A LOCAL_B TUNNEL: all of it, until packets can pass.
lab() {
	lab_local_a=$1 lab_local_b=$2 lab_tunnel=$3
	lab_network && lab_daemons
}

lab_network() {
	lab_ns wan && forwarding wan || return 1
	for lab_s in a b; do
		lab_site $lab_s && lab_uplink $lab_s || return 1
		mkdir -p "$work/$lab_s/data" && hosts $lab_s || return 1
	done
}

lab_daemons() {
	for lab_s in a b; do
		mapperd $lab_s
		gwd $lab_s
	done
	for lab_s in a b; do
		wait_until 20 following $lab_s || return 1
	done
}

# --- traffic ----------------------------------------------------------------------

# pings SITE WHAT [OPTION...]: one ping, unless the options say more.
pings() {
	pings_to=$(ea "$1" "$2")
	pings_ns=$1-host
	shift 2
	in_ns "$pings_ns" ping -q -c 1 -W 2 "$@" "$pings_to"
}

# servers SITE: its host answers UDP at port 7, TCP at 80, raw protocols.
servers() {
	start_tool "$1-echo" "$1-host" udp echo "$(local_ver "$1")" 7
	start_tool "$1-tcp" "$1-host" tcp serve "$(local_ver "$1")" 80
	start_tool "$1-raw" "$1-host" raw echo "$(local_ver "$1")"
	for server in echo tcp raw; do
		wait_until 10 logged "$1-$server" ready || return 1
	done
}

# transfer NAME NS ADDRESS BYTES RATE: a TCP transfer in the background.
transfer() {
	start_tool "$1" "$2" tcp both "$3" 80 "$4" "$5"
	wait_until 10 logged "$1" connected
}
# transferred NAME: it ended well. The transfer's own patience bounds the wait.
transferred() {
	transfer_pid=$(cat "$work/$1.pid")
	rm -f "$work/$1.pid"
	wait "$transfer_pid" && logged "$1" complete
}

# relay SEED FATE...: what lies between the gateways loses, delays, repeats and
# disorders their packets (lab_relay.py).
relay() {
	echo "# relay: $*"
	start_tool relay wan relay "$@"
	wait_until 10 logged relay ready &&
		ip -n "$ns_prefix-wan" link set dev relay0 up || return 1
	for relay_ver in 4 6; do
		ip -n "$ns_prefix-wan" -$relay_ver route add default dev relay0 \
			table 100 || return 1
		for relay_side in a b; do
			ip -n "$ns_prefix-wan" -$relay_ver rule add \
				iif to-$relay_side lookup 100 || return 1
		done
	done
}
# relay_end: they pass as before; says what was done, also in $work/relay.said.
relay_end() {
	for relay_ver in 4 6; do
		for relay_side in a b; do
			ip -n "$ns_prefix-wan" -$relay_ver rule del \
				iif to-$relay_side lookup 100 || return 1
		done
	done
	stop relay
	tail -n 1 "$work/relay.log" >"$work/relay.said"
	rm "$work/relay.log"
	sed 's/^/# relay: /' "$work/relay.said"
}

# forged SITE: from outside, to its host under its gateway's own address, as that
# gateway, as its host and as one that nobody has: all dropped and counted.
forged() {
	forged_in=$(metric "$1" 'packets_total{direction="in"}')
	check "$1: datagrams from its own address are sent" tool wan forged \
		"$(public "$1")" 700 1 700 77777
	check "$1: they are dropped as such" \
		wait_until 10 dropped_is "$1" own_source 3
	check_equal "$1: its host got none" "$forged_in" \
		"$(metric "$1" 'packets_total{direction="in"}')"
}
dropped_is() { [ "$(dropped "$1" "$2")" = "$3" ]; }

# --- what a gateway knows of another ----------------------------------------------

# peer_port SITE: to which port it sends to the other.
peer_port() {
	peers "$1" | PEER=$(public "$(other "$1")") python3 -c '
import json, os, sys
for p in json.load(sys.stdin):
    if p["address"] == os.environ["PEER"]:
        print(p["port"])'
}
# path_told SITE PATH: the MTU that its hosts must be told when the path between
# the gateways has that MTU and references are short: less the outer headers and
# that of IPREF, plus the local one. IPv6 hosts never get below 1280.
path_told() {
	case $(local_ver "$1")$lab_tunnel in
	44) path_mtu=$(($2 - 28 - 20 + 20)) ;;
	46) path_mtu=$(($2 - 48 - 44 + 20)) ;;
	64) path_mtu=$(($2 - 28 - 20 + 40)) ;;
	66) path_mtu=$(($2 - 48 - 44 + 40)) ;;
	esac
	if [ "$(local_ver "$1")" = 6 ] && [ $path_mtu -lt 1280 ]; then
		path_mtu=1280
	fi
	echo $path_mtu
}

# --- time -------------------------------------------------------------------------

# longest_gap FILE: the longest time in ms between two answers of `ping -D`.
longest_gap() {
	sed -n 's/^\[\([0-9.]*\)\].*icmp_seq.*ttl=.*/\1/p' "$1" | awk '
		NR > 1 && $1 - last > gap { gap = $1 - last }
		{ last = $1 }
		END { printf "%d\n", (NR > 1 ? gap : 999) * 1000 }'
}
answers() { grep -c 'ttl=' "$work/$1.log"; }
# answers_after NAME N: that ping has more answers than N.
answers_after() { [ "$(answers "$1")" -gt "$2" ]; }
