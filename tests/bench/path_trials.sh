# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# Settings of the kernel that 100-path can try beside what is usual: a variant
# NAME+TRIAL is NAME with that of the table below. Sourced after path_lab.sh.

# Both gateways' device to the hosts, to the WAN, to gwd.
lan_ends="a-gw:lan b-gw:lan"
wan_ends="a-gw:wan b-gw:wan"
tun_ends="a-gw:ipref4 b-gw:ipref4 a-gw:ipref6 b-gw:ipref6"

# TRIAL, then how to begin and how to end it.
trials() {
	cat <<-TRIALS
		lan-gro        lan_gro on off               ; lan_gro off off
		gro-forwarding lan_gro on on                ; lan_gro off off
		lan-threaded   lan_threaded 1               ; lan_threaded 0
		wan-threaded   threaded 1 $wan_ends         ; threaded 0 $wan_ends
		tun-threaded   threaded 1 $tun_ends         ; threaded 0 $tun_ends
		busy-poll      busy_poll 50                 ; busy_poll 0
		queue-500      queue 500                    ; queue $usual_queue
		queue-2000     queue 2000                   ; queue $usual_queue
		queue-10000    queue 10000                  ; queue $usual_queue
		no-wan-gro     wan_gro off                  ; wan_gro on
	TRIALS
}
usual_queue=1024 # that gwd sets

# of_present COMMAND END...: of the ends that are there; not of none.
of_present() {
	of_command=$1 of_any=1
	shift
	for end in "$@"; do
		ns=${end%:*} device=${end#*:}
		ip -n "$ns_prefix-$ns" link show dev "$device" >/dev/null 2>&1 ||
			continue
		"$of_command" || return 1
		of_any=0
	done
	return $of_any
}

# Merging in front of routing: of TCP, and of UDP too.
lan_gro() { # GRO UDP
	gro=$1 udp=$2
	one_gro() {
		in_ns "$ns" ethtool -K "$device" gro "$gro" \
			rx-udp-gro-forwarding "$udp" >/dev/null
	}
	# shellcheck disable=SC2086
	of_present one_gro $lan_ends
}

wan_gro() { # GRO
	gro=$1
	one_wan_gro() { in_ns "$ns" ethtool -K "$device" gro "$gro" >/dev/null; }
	# shellcheck disable=SC2086
	of_present one_wan_gro $wan_ends
}

# A thread of the kernel instead of softirqs. Refused by devices that have no
# NAPI: veth without GRO, TUN that was not opened with IFF_NAPI.
threaded() { # ON END...
	on=$1
	shift
	one_threaded() {
		in_ns "$ns" sh -c "echo $on >/sys/class/net/$device/threaded" \
			2>/dev/null
	}
	of_present one_threaded "$@"
}

# shellcheck disable=SC2086
lan_threaded() { # ON
	case $1 in
	1) lan_gro on off && threaded 1 $lan_ends ;;
	0) threaded 0 $lan_ends && lan_gro off off ;;
	esac
}

# Of the whole machine; sockets only follow it that receive from a NAPI.
busy_poll() { # MICROSECONDS
	sysctl -q -w net.core.busy_poll="$1" net.core.busy_read="$1"
}

queue() { # PACKETS
	length=$1
	one_queue() {
		ip -n "$ns_prefix-$ns" link set dev "$device" txqueuelen "$length"
	}
	# shellcheck disable=SC2086
	of_present one_queue $tun_ends
}

# trial TRIAL begin|end
trial() {
	trial_line=$(trials | awk -v t="$1" '$1 == t { $1 = ""; print }')
	[ -n "$trial_line" ] || return 1
	case $2 in
	begin) eval "${trial_line%%;*}" ;;
	end) eval "${trial_line#*;}" ;;
	esac
}

# The trial that is on, if any; it ends when another one, or none, begins.
trial_now=
trial_is() { # TRIAL or nothing
	[ "$trial_now" = "$1" ] || trial_over
	[ -z "$1" ] || trial "$1" begin || return 1
	trial_now=$1
}
trial_over() {
	[ -z "$trial_now" ] || trial "$trial_now" end
	trial_now=
}
