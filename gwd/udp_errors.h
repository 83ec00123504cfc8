/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the network says about datagrams that a socket sent: its error queue
 * (ip(7), IP_RECVERR).
 *
 * With it the socket's next send or receive, to or from whomever, fails once
 * for each message that came: that means "read the queue", and nothing else.
 */
#ifndef GWD_UDP_ERRORS_H
#define GWD_UDP_ERRORS_H

#include "libipref/addr.h"
#include "libipref/base.h"

#define UDP_ERROR_QUOTE_MAX 1024

struct udp_error {
	struct addr to;	  /* where that datagram was to go */
	struct addr from; /* who says so; version 0: our own kernel */
	int error;	  /* errno: EMSGSIZE, ECONNREFUSED, EHOSTUNREACH ... */
	uint32_t mtu;	  /* EMSGSIZE: what would have passed; 0: not said */
	size_t quote_len;
	uint8_t quote[UDP_ERROR_QUOTE_MAX]; /* its payload's beginning */
};

/* Switches the queue of a UDP socket of this IP version on, or off and empties
 * it. 0 or -errno. */
int udp_errors_set(int fd, uint8_t ver, bool on) MUSTCHECK;
/* Whether there is one, or was until a moment ago. */
bool udp_errors_any(int fd);
/* Takes the error with which the next send or receive would fail, if any. */
void udp_errors_clear(int fd);
/* The next message; what is none of the above's kind is skipped over, within a
 * bound. 0, -EAGAIN (there is none), or -errno. */
int udp_errors_next(int fd, struct udp_error *e) MUSTCHECK;

#endif
