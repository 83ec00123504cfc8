/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pure core of gwd works on and gives back.
 *
 * Translation is a function of (packet, mappings, settings): encap() and
 * decap() read a packet, look up the mappings and write a packet into the
 * caller's buffer, or give a reason from proto/drops.def. They see no sockets,
 * no clock, no random numbers; they allocate nothing and keep nothing.
 */
#ifndef GWD_CORE_H
#define GWD_CORE_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/ref.h"

struct maps;
struct map;

enum drop {
	DROP_NONE,
#define DROP(name, label, help) DROP_##name,
#include "proto/drops.def"
#undef DROP
	DROP_N
};

enum way {
	WAY_OUT, /* from the local network into the tunnel */
	WAY_IN,	 /* from the tunnel to the local network */
	WAY_N
};

/* The label of a reason ("too_short") and what it means; static text. */
const char *drop_label(enum drop d);
const char *drop_help(enum drop d);

struct gw_settings {
	uint8_t local_ver, tunnel_ver; /* 4 or 6 */
	struct addr pub;	       /* public address; zeros: not known */
	struct addr own_local;	       /* the gateway on the local network */
	struct ref own_ref;
	struct prefix encode_net;
	bool dec_ttl;
};

/* Room that is always enough in out->p: for a packet of n bytes n + GW_GROWTH,
 * and GW_REPLY_MAX for an ICMP error of ours. With less, DROP_NO_ROOM. */
#define GW_GROWTH    228 /* a header for each of three levels */
#define GW_REPLY_MAX 664 /* header, ICMP, 576 bytes quoted, rounded up */

/* What has to be known before this packet can go on. The reason is then
 * SRC_UNKNOWN, DST_UNKNOWN, EA_REFUSED or ECHO_WAITS: what it is dropped for
 * when the answer is no. */
enum ask {
	ASK_NOTHING,
	ASK_REF,    /* GET_REF: a reference for our host `addr` */
	ASK_EA,	    /* GET_EA: an ea for the remote host `addr` + `ref` */
	ASK_LOOKUP, /* LOOKUP_EA: who stands behind ea `addr` */
	/* Not the mapper: the length of the whole ICMPv6 echo of which this is
	 * the first fragment (packet_in.whole), see held.h. */
	ASK_WHOLE,
};

/* Who is to be told about a drop: an ICMP error of ours, in `out`. */
enum reply {
	REPLY_NONE,
	REPLY_LOCAL, /* out is an IP packet for the local network */
	REPLY_PEER,  /* out is an IPREF packet for `peer` */
};

struct packet_in {
	const uint8_t *p; /* the packet as read; borrowed */
	size_t len;
	struct addr from; /* decap: the datagram's source address */
	uint32_t number;  /* the caller's counter: for identifications that
			   * have to be made up (RFC 6864) */
	uint8_t tos;	  /* decap: DSCP and ECN for the local packet: the outer
			   * header's from peers configured so, else 0 */
	uint32_t whole;	  /* the first fragment of an ICMPv6 echo: length of
			   * the whole message, in bytes; 0: not known */
};

/* What the fragments of an ICMPv6 echo have in common, on the local side. */
struct echo {
	struct addr src, dst;
	uint32_t ident;
};

struct packet_out {
	uint8_t *p;  /* the caller's buffer */
	size_t size; /* its room */
	size_t len;  /* bytes written: the packet, or the reply */

	enum drop drop;	  /* DROP_NONE: out is the translated packet */
	enum reply reply; /* with a drop: out is an ICMP error */
	enum ask ask;	  /* with a drop: ask, then translate again */
	struct addr addr; /* of the question */
	struct ref ref;	  /* of the question */
	struct addr peer; /* out goes to this context address (encap, and
			   * REPLY_PEER) */
	bool peer_ok;	  /* decap: the sender passed the checks that
			   * let it teach us its port */
	uint8_t tos;	  /* encap: DSCP and ECN of the local packet */
	/* encap of "packet too big" from the local network: the way to local
	 * host mtu_of (version 0: no such message) takes packets of this size
	 * (0: it did not say). Also with a drop. */
	struct addr mtu_of;
	uint32_t mtu;
	/* ASK_WHOLE: of which echo; and when its last fragment has passed, the
	 * length of the whole (else 0), see held.h. */
	struct echo echo;
	uint32_t whole;
	bool from_self; /* out is for the local network and its source is
			 * our own local address: decap, and REPLY_LOCAL of
			 * either (IPv4 may need a raw socket) */
	const struct map *used[2]; /* entries that chose the addresses
				    * (source, destination), or NULL */
};

#endif
