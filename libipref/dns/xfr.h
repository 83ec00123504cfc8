/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges the messages of a zone transfer (AXFR, RFC 5936), one after the other.
 *
 * The transport gives each whole message; records that pass go to a callback,
 * in order, the opening SOA first, the closing one not. A transfer is a zone
 * only when XFR_DONE was reached: whatever was reported before a failure has to
 * be thrown away. Demanded are: well formed (screen.h), our id, a response to
 * our question without error, an SOA of the zone first, the very same SOA last
 * and nowhere between, owners inside the zone, class IN, and the bounds on
 * bytes and records. No sockets, no clock, no allocation.
 */
#ifndef LIBIPREF_DNS_XFR_H
#define LIBIPREF_DNS_XFR_H

#include "libipref/dns/screen.h"

enum xfr_result {
	XFR_MORE, /* fine so far */
	XFR_DONE, /* the zone is complete */
	/* Failures; nothing more may be fed. */
	XFR_MALFORMED, /* see x->screen */
	XFR_ID,
	XFR_NOT_RESPONSE, /* QR, opcode */
	XFR_RCODE,	  /* see x->rcode */
	XFR_TRUNCATED,
	XFR_QUESTION,
	XFR_EMPTY, /* a message without records */
	XFR_CLASS,
	XFR_TYPE, /* no type that a zone can have */
	XFR_NO_SOA,
	XFR_OTHER_SOA, /* a second SOA that is not the first */
	XFR_AFTER_SOA, /* records behind the closing SOA */
	XFR_OUTSIDE,   /* an owner that is not of the zone */
	XFR_MANY_BYTES,
	XFR_MANY_RECORDS,
	XFR_CALLER, /* the callback refused a record */
	XFR_N_RESULTS,
};

/* A record of the zone; it and msg die with the call. False ends the transfer
 * with XFR_CALLER. */
typedef bool (*xfr_record)(
	const struct dns_rr *rr, const uint8_t *msg, size_t len, void *arg);

struct xfr_config {
	struct name zone;
	uint16_t id;	    /* of our query */
	uint64_t max_bytes; /* of all messages */
	uint64_t max_records;
	xfr_record record;
	void *arg;
};

struct xfr {
	struct xfr_config cfg;
	uint64_t bytes, records, messages; /* so far */
	struct dns_soa soa;		   /* once records > 0 */
	enum screen_result screen;	   /* of the message that failed */
	uint16_t rcode;			   /* likewise */
};

void xfr_init(struct xfr *x, const struct xfr_config *cfg);
/* The query that the messages answer; no OPT: servers need none for TCP. */
void xfr_query_put(const struct xfr *x, struct wbuf *w);
/* The next message. */
enum xfr_result xfr_message(
	struct xfr *x, const uint8_t *msg, size_t len) MUSTCHECK;
/* "refused by the server (rcode 5)", with NUL; returns buf. */
#define XFR_TEXT_MAX 128
const char *xfr_text(
	const struct xfr *x, enum xfr_result r, char buf[XFR_TEXT_MAX]);

#endif
