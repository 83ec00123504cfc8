# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# The Debian packages that building, demonstrating and testing need; sourced by
# tests/demo and tests/all.

build_packages="gcc make libc6-dev libevent-dev libconfig-dev libjansson-dev
	libsqlite3-dev libldns-dev libmnl-dev libsystemd-dev liburcu-dev"
demo_packages="iproute2 iputils-ping nsd curl busybox bind9-dnsutils procps"
test_packages="clang libclang-rt-14-dev libfuzzer-14-dev clang-format git
	check libsubunit-dev python3 tshark knot-dnsutils ldnsutils sqlite3 mandoc
	faketime nftables conntrack python3-scapy ethtool"

# For the measurements in tests/bench/ only.
bench_packages="python3 iperf3 ethtool iproute2 iputils-ping curl procps
	wireguard-tools wireguard-go"

# install_packages NAME...: those that are missing, by apt. A package that
# starts a server must not do so on the machine that runs the tests.
install_packages() {
	missing=
	for package in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "missing packages (root can install them):$missing" >&2
		return 1
	fi
	echo "installing:$missing"
	policy=/usr/sbin/policy-rc.d
	own_policy=
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
		own_policy=1
	fi
	apt_log=$(mktemp)
	# shellcheck disable=SC2086
	{ apt-get -q update &&
		DEBIAN_FRONTEND=noninteractive apt-get -q -y \
			--no-install-recommends install $missing; } \
		>"$apt_log" 2>&1 </dev/null
	apt_rc=$?
	[ $apt_rc -eq 0 ] || tail -n 30 "$apt_log" >&2
	rm -f "$apt_log"
	[ -z "$own_policy" ] || rm -f $policy
	return $apt_rc
}
