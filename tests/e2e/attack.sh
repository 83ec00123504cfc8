# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# Two sites (netlab.sh) with traffic between their hosts, and somebody in the wan,
# or in one of the networks, who sends what he likes. Sourced by 370 and following.
#
#	attack_lab 4 4 4		# as lab
#	packets NAME KIND KEY=VALUE...	# lab_attack.py
#	undisturbed TEXT NAME NS RATE SECONDS
#
# The attack goes on twice for SECONDS; how its effect is told from that of a busy
# machine: lab_flow.py.

. "$(dirname "$0")/netlab.sh"

flood=$BUILD/tests/e2e/flood
# Addresses that nobody has; what is sent to them ends in the wan.
crowd() { by_version "$lab_tunnel" 11.0.0.0 2001:db8:ffff::; }
crowd_net() { by_version "$lab_tunnel" 11.0.0.0/8 2001:db8:ffff::/48; }

attack_lab() {
	lab_need
	[ -x "$flood" ] || skip "needs $flood (make tests)"
	check "the lab is up: local IPv$1 and IPv$2, tunnel IPv$3" lab "$@" || finish
	start_tool flow b-host flow serve "$2" 5001
	check "the server is up" wait_until 10 logged flow ready || finish
	ip -n "$ns_prefix-wan" route add blackhole "$(crowd_net)"
	# Other work of the machine shall not decide.
	for s in a b; do
		renice -n -10 -p "$(cat "$work/$s-gwd.pid")" \
			"$(cat "$work/$s-mapperd.pid")" >"$work/renice.out" 2>&1
	done
}

# packets NAME KIND KEY=VALUE...
packets() {
	packets_name=$1
	shift
	python3 "$top/tests/e2e/lab_attack.py" "$@" >"$work/$packets_name.packets" ||
		fail "packets for $packets_name"
}

# attack NAME NS RATE SECONDS: the command.
attack() {
	echo "ip netns exec $ns_prefix-$2 $flood $3 $4 <$work/$1.packets"
}

# undisturbed TEXT NAME NS RATE SECONDS: a's host has its traffic with b's.
undisturbed() {
	check "$1" attacked "$2" tool a-host flow watch "$(ea a host)" 5001 \
		"$(attack "$2" "$3" "$4" "$5")" || sed 's/^/#   /' "$work/$2.out"
	grep -h '^TCP' "$work/$2.out" | sed 's/^/# /'
	for s in a b; do
		echo "# $s: the tunnel socket had no room for $(no_room $s) packets"
	done
}
no_room() {
	in_ns "$1-gw" awk '/^Udp6?RcvbufErrors/ { n += $2 }
		/^Udp: [0-9]/ { n += $6 } END { print n + 0 }' /proc/net/snmp \
		/proc/net/snmp6
}
attacked() {
	attacked_out=$work/$1.out
	shift
	"$@" >"$attacked_out" 2>&1 || {
		attacked_rc=$?
		cat "$attacked_out"
		return $attacked_rc
	}
}

# sent NAME WHAT: packets or bytes sent in all.
sent() {
	awk -v what="$2" '/^sent / { n += what == "bytes" ? $4 : $2 }
		END { print n + 0 }' "$work/$1.out"
}
# sent_enough NAME N: the machine was able to.
sent_enough() {
	[ "$(sent "$1" packets)" -ge "$2" ] || {
		echo "only $(sent "$1" packets) packets were sent"
		return 1
	}
}

# rss NAME: kilobytes of memory of a process.
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$(cat "$work/$1.pid")/status"; }

# grew_less NAME BEFORE KB
grew_less() {
	grew_now=$(rss "$1")
	echo "$1: from $2 kB to $grew_now kB"
	[ $((grew_now - $2)) -lt "$3" ]
}

# peer_is SITE STATE: what it says of the other site's gateway.
peer_is() {
	peers "$1" | python3 -c '
import json, sys
peer = [p for p in json.load(sys.stdin) if p["address"] == sys.argv[1]]
sys.exit(not peer or peer[0]["state"] != sys.argv[2])' \
		"$(public "$(other "$1")")" "$2"
}

# count_crowd SITE: begins to count, in the wan, what its gateway sends to those
# addresses; crowd_bytes: since then.
count_crowd() {
	in_ns wan nft -f - <<-NFT
		table inet crowd {
			counter got { }
			chain pre {
				type filter hook prerouting priority raw
				iifname "to-$1" $(by_version "$lab_tunnel" ip ip6) \
				daddr $(crowd_net) counter name got
			}
		}
	NFT
}
crowd_bytes() {
	in_ns wan nft -j list counter inet crowd got | python3 -c '
import json, sys
print([o["counter"]["bytes"] for o in json.load(sys.stdin)["nftables"]
       if "counter" in o][0])'
}

# still_well: what an attack must leave as it was.
still_well() {
	for s in a b; do
		check "$s: gwd runs" running "$s-gwd"
		check "$s: the other gateway is known" peer_is $s proved
		check "$s: it follows mapperd" following $s
		check "$s: a new connection" pings $s host -c 3 -i 0.1
	done
}
