/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet that gwd worked on, as people want to see it: in its form on the
 * local network and in its form in the tunnel, with what became of it. Pure.
 *
 * It is a description, without the payload. A form that was never made (the
 * packet was dropped before) or that can't be read is not there.
 */
#ifndef GWD_TRACE_H
#define GWD_TRACE_H

#include "gwd/header.h"
#include "gwd/packet.h"

enum trace_result {
	TRACE_PASSED,
	TRACE_WAITS, /* for the mapper, or for a fragment */
	TRACE_DROPPED,
};

/* All borrowed, for the call. */
struct trace_input {
	enum way way;
	enum trace_result result;
	enum drop drop;	    /* of TRACE_DROPPED */
	const uint8_t *in;  /* as read */
	const uint8_t *out; /* as written; NULL: nothing was */
	size_t in_len, out_len;
	struct endpoint peer;	/* version 0, port 0: not known */
	const struct addr *pub; /* our public address, or zeros */
};

/* The beginning of layer 4, of a packet that is whole or a first fragment. */
struct trace_l4 {
	bool ports; /* sport, dport */
	bool flags; /* tcp_flags */
	bool icmp;  /* type, code, in the form of the side it is on */
	bool echo;  /* id, seq */
	uint16_t sport, dport;
	uint8_t tcp_flags;
	uint8_t type, code;
	uint16_t id, seq;
};

struct trace_local {
	bool there;
	bool parsed;	 /* else only the addresses */
	struct packet p; /* l4 is NULL */
	struct trace_l4 l4;
	size_t len; /* of the packet */
};

struct trace_tunnel {
	bool there;	 /* else only the peer, if that */
	struct header h; /* zero contexts are filled in, as far as known */
	struct trace_l4 l4;
	size_t len;	   /* of the datagram's payload */
	size_t header_len; /* of it */
};

struct trace {
	enum way way;
	enum trace_result result;
	enum drop drop;
	struct endpoint peer;
	struct trace_local local;
	struct trace_tunnel tunnel;
};

void trace_decode(struct trace *t, const struct trace_input *in);

/* The protocol's number inside the tunnel, whichever form there is. False: none
 * could be read. */
bool trace_proto(const struct trace *t, uint8_t *proto) MUSTCHECK;
/* "tcp"; NULL: one without a name here. */
const char *trace_proto_name(uint8_t proto);
/* By name or number. */
bool trace_proto_parse(uint8_t *proto, const char *text) MUSTCHECK;

#define TRACE_FLAGS_MAX 9 /* with NUL */
/* "SA" for SYN and ACK. */
const char *trace_flags(uint8_t tcp_flags, char buf[TRACE_FLAGS_MAX]);

/* What is to be shown; all that is given has to hold. */
struct trace_filter {
	bool has_who; /* one of these has to be about the packet: */
	bool has_net, has_ipref;
	struct prefix net; /* a host's address, the peer or a context */
	struct addr gw;	   /* with ref: a host by its IPREF address */
	struct ref ref;
	bool has_proto;
	uint8_t proto;
	bool has_way;
	enum way way;
	bool drops; /* only what was dropped */
};

#define TRACE_ERROR_MAX 256

/* query: as ctl_query() has it, NULL for none; keys address (also a prefix), gw
 * and ref (together), protocol, direction (in, out), drops (1). False: error
 * says which value makes no sense. */
bool trace_filter_parse(struct trace_filter *f, const char *query,
	char error[TRACE_ERROR_MAX]) MUSTCHECK;
bool trace_match(const struct trace_filter *f, const struct trace *t);

#endif
