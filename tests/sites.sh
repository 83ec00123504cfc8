# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# Two sites that talk by name, for the demonstration and the end-to-end tests;
# sourced after e2e/lib.sh.
#
#	a-host --- a-gw ------- wan ------- b-gw --- b-host
#	192.168.84.10  .1   192.0.2.1 | 198.51.100.1   .1  192.168.84.10
#	                     203.0.113.53 public DNS (NSD)
#
# Both sites use the private network 192.168.84.0/24 and both hosts have the
# same address. Each gateway runs the four daemons, with one ipref.conf. The
# public DNS holds a.example and b.example; each site's own names are in the
# zone `internal`, which only its resolverd knows.

public_a=192.0.2.1 public_b=198.51.100.1 dns=203.0.113.53

# site_of S: the other one.
other() {
	if [ "$1" = a ]; then echo b; else echo a; fi
}

sites_network() {
	for s in a b; do
		ns_add $s-host && ns_add $s-gw || return 1
	done
	ns_add wan || return 1
	veth a-gw wan 192.0.2.1/24 wan to-a 192.0.2.254/24 &&
		veth b-gw wan 198.51.100.1/24 wan to-b 198.51.100.254/24 || return 1
	ip -n "$ns_prefix-wan" addr add $dns/32 dev lo || return 1
	for s in a b; do
		veth $s-host eth0 192.168.84.10/24 $s-gw lan 192.168.84.1/24 &&
			route $s-host default 192.168.84.1 &&
			forwarding $s-gw && resolv $s-host 192.168.84.1 || return 1
	done
	route a-gw default 192.0.2.254 && route b-gw default 198.51.100.254 &&
		forwarding wan
}

# public_zone SITE SERIAL [RECORDS]: writes the zone that the site publishes.
public_zone() {
	eval "public=\$public_$1"
	cat >"$work/$1.example.zone" <<-ZONE
		\$ORIGIN $1.example.
		\$TTL 60
		@	IN SOA ns.$1.example. hostmaster.$1.example. $2 300 60 86400 30
		@	IN NS ns.$1.example.
		ns	IN A $dns
		gw	IN A $public
		www	IN TXT "AA gw.$1.example + 0-700"
		plain	IN A 203.0.113.80
		${3-}
	ZONE
}

public_dns() {
	public_zone a 1
	public_zone b 1
	cat >"$work/nsd.conf" <<-CONF
		server:
		    ip-address: $dns
		    zonesdir: "$work"
		    database: ""
		    pidfile: "$work/nsd.pidfile"
		    zonelistfile: "$work/nsd.zones"
		    xfrdfile: "$work/nsd.xfrd"
		    xfrdir: "$work"
		    username: "$(id -un)"
		    server-count: 1
		remote-control:
		    control-enable: no
		zone:
		    name: a.example
		    zonefile: a.example.zone
		    provide-xfr: 0.0.0.0/0 NOKEY
		zone:
		    name: b.example
		    zonefile: b.example.zone
		    provide-xfr: 0.0.0.0/0 NOKEY
	CONF
	start nsd in_ns wan nsd -d -c "$work/nsd.conf"
	wait_until 10 has gw.a.example in_ns wan \
		dig +norecurse +time=1 +tries=1 @$dns gw.a.example A
}

# site_config SITE: its ipref.conf, its internal zone.
site_config() {
	mkdir -p "$work/$1/data"
	eval "public=\$public_$1"
	cat >"$work/$1/ipref.conf" <<-CONF
		common: {
		    gateway = "$public";
		    mapper-socket = "$work/$1/mapper.sock";
		    control-dir = "$work/$1";
		};
		mapperd: {
		    data = "$work/$1/data";
		    hosts = "$work/$1/hosts";
		};
		dnsagentd: {
		    sources = [ "internal:$1.example:$dns" ];
		    resolver = [ "192.168.84.1" ];
		    context-resolver = [ "$dns" ];
		    interval-seconds = 2;
		};
		resolverd: {
		    listen = [ "192.168.84.1" ];
		    upstream = [ "$dns" ];
		    zone = [ "internal=$work/$1/internal.zone" ];
		    transfer-to = [ "192.168.84.0/24" ];
		};
	CONF
	: >"$work/$1/hosts"
	cat >"$work/$1/internal.zone" <<-ZONE
		\$TTL 60
		@	IN SOA ns hostmaster 1 300 60 86400 30
		@	IN NS ns
		ns	IN A 192.168.84.1
		www	IN A 192.168.84.10
	ZONE
}

# site_start SITE DAEMON...
site_start() {
	site=$1
	shift
	for daemon in "$@"; do
		site_options=
		[ "$daemon" != gwd ] || site_options=$GWD_OPTIONS
		# shellcheck disable=SC2086
		start "$site-$daemon" in_ns "$site-gw" "$bin/$daemon" \
			$site_options --config "$work/$site/ipref.conf"
	done
}

site_ctl() { # SITE ARGUMENT...
	ctl_site=$1
	shift
	"$bin/iprefctl" --control-dir "$work/$ctl_site" "$@" 2>&1
}

# published SITE: its host is. Before that the host sends from another reference,
# and a connection that is open at that moment breaks.
published() {
	has "internal:$1.example" site_ctl "$1" mappings
}

# lookup SITE NAME: what a host of the site gets to know; waits for an answer.
lookup() {
	in_ns "$1-host" dig +short +time=1 +tries=1 @192.168.84.1 "$2" A |
		grep -m 1 '^[0-9]'
}

# web SITE TEXT: its host serves a page and a file of 100 MB.
web() {
	mkdir -p "$work/$1/www"
	echo "$2" >"$work/$1/www/index.html"
	start "$1-web" in_ns "$1-host" busybox httpd -f -p 80 -h "$work/$1/www"
}

sites_up() {
	sites_network && public_dns || return 1
	for s in a b; do
		site_config $s
		site_start $s mapperd gwd resolverd dnsagentd
		web $s "This is the page of site $s."
	done
}
