/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP: its types and codes on either side of a gateway, messages that quote a
 * packet, and the errors that the gateway makes itself (spec/tunnel.md,
 * "ICMP"). Pure; how many errors may be sent is the caller's to decide.
 */
#ifndef GWD_ICMP_H
#define GWD_ICMP_H

#include "gwd/header.h"
#include "gwd/packet.h"

#define ICMP_HEADER    8
#define ICMP_QUOTE_MAX 576 /* bytes of a packet that a message carries */
#define ICMP_LEVELS    3   /* packets inside each other, the outermost too */

/* A form of ICMP: that of IPv4 and IPv6 are their version numbers. */
#define ICMP_IN_TUNNEL 0

/* Types and codes inside the tunnel, for errors of our own. */
enum {
	ICMP_UNREACHABLE = 3,
	ICMP_UNREACHABLE_NET = 0,
	ICMP_UNREACHABLE_TOO_BIG = 4,
	ICMP_UNREACHABLE_ADMIN = 13,
	ICMP_EXCEEDED = 11,
	ICMP_EXCEEDED_TTL = 0,
};

/* A message as read: a first piece of at least ICMP_HEADER bytes. */
struct icmp {
	uint8_t type, code;
	bool carries;	      /* a packet: quote, quote_len */
	bool has_mtu;	      /* it says "fragmentation needed" */
	uint32_t mtu;	      /* then: as it stands in the message */
	const uint8_t *quote; /* borrowed */
	size_t quote_len;
};

/* Reads l4[0..len), of form `from`, and translates type and code into form
 * `to`; mtu and quote stay what they are. False: no equivalent, or too short.
 */
bool icmp_read(struct icmp *m, uint8_t from, uint8_t to, const uint8_t *l4,
	size_t len) MUSTCHECK;

/* Writes the header of a message that carries a packet, of form `to`, and
 * returns where it began; icmp_end() with that, when the packet has been
 * written behind it, fills in the checksum. p: the local packet that it is in;
 * NULL in the tunnel. */
size_t icmp_begin(struct wbuf *w, uint8_t to, const struct icmp *m) MUSTCHECK;
void icmp_end(struct wbuf *w, size_t start, const struct packet *p);

/* Writes a message that carries no packet, or its first piece: l4[0..len) with
 * type and code replaced and the checksum adjusted by that and by what else
 * went out of it (minus) and came in (plus): sums of pseudo-headers. */
void icmp_put_plain(struct wbuf *w, const struct icmp *m, const uint8_t *l4,
	size_t len, uint32_t minus, uint32_t plus);

/* Whether a piece of ICMP is, or may be, an error message: no error may be
 * sent about it. */
bool icmp_is_error(uint8_t form, const uint8_t *l4, size_t len);

/* Fills out with an error of ours about a packet from the local network, of
 * the given IPREF type and code: REPLY_LOCAL, or REPLY_NONE when none may be
 * sent about that packet. mtu: of "fragmentation needed", as the local network
 * counts it. icmp_reply_route() is the one error without an IPREF equal: the
 * gateway can't follow a source route (ICMP 3/5, or ICMPv6 4/0 that points at
 * the number of hops left). Nothing else of *out changes. */
void icmp_reply_local(const struct gw_settings *set, const struct packet_in *in,
	const struct packet *p, uint8_t type, uint8_t code, uint32_t mtu,
	struct packet_out *out);
void icmp_reply_route(const struct gw_settings *set, const struct packet_in *in,
	const struct packet *p, struct packet_out *out);

/* The same about an IPREF packet with header h, whose zero contexts have been
 * filled in, and payload l4: REPLY_PEER. */
void icmp_reply_peer(const struct gw_settings *set, const struct packet_in *in,
	const struct header *h, const uint8_t *l4, size_t l4_len, uint8_t type,
	uint8_t code, struct packet_out *out);

#endif
