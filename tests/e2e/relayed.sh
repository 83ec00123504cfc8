# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# Between the gateways packets are lost, late, repeated and out of order: relayed A B
# TUNNEL builds the lab. TCP arrives whole; a UDP datagram, which each gateway and
# host cuts into fragments, arrives whole and right or not at all.

. "$(dirname "$0")/netlab.sh"

relayed() {
	lab_need
	check "the lab is up: local IPv$1 and IPv$2, tunnel IPv$3" lab "$@" || finish
	check "servers" servers b || finish
	relay_ea=$(ea a host)
	# Path MTUs are learned before.
	check "UDP in fragments" tool a-host udp sizes "$relay_ea" 7 3000-3020

	check "nothing is lost, all is disordered" \
		relay 1 delay=2 late=30:20 twice=5 || finish
	check "ping" pings a host -c 20 -i 0.02
	check_equal "each of 200 datagrams in fragments comes back" 200 \
		"$(tool a-host udp burst "$relay_ea" 7 200 2000 9000 1)"
	check "TCP" tool a-host tcp both "$relay_ea" 80 3000000
	relay_end

	check "some are lost, some are very late" \
		relay 2 delay=1 loss=1 late=5:250 twice=3 || finish
	relay_came=$(tool a-host udp burst "$relay_ea" 7 200 2000 9000 2)
	check "of 200 datagrams in fragments most come back, right ($relay_came)" \
		test "$relay_came" -gt 100 -a "$relay_came" -lt 200
	check "TCP" tool a-host tcp both "$relay_ea" 80 2000000
	relay_end

	check "a tenth is lost" relay 3 loss=10 late=50:10 || finish
	relay_came=$(tool a-host udp burst "$relay_ea" 7 200 2000 9000 3)
	check "of 200 datagrams in fragments some come back, right ($relay_came)" \
		test "$relay_came" -gt 10 -a "$relay_came" -lt 190
	check "TCP" tool a-host tcp both "$relay_ea" 80 200000
	relay_end
}
