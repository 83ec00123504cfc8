/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the worker share: worker_handed.c is where packets come
 * from, worker.c translates, worker_send.c writes. */
#ifndef GWD_WORKER_IMPL_H
#define GWD_WORKER_IMPL_H

#include <stdatomic.h>

#include "gwd/udp_errors.h"
#include "gwd/recent.h"
#include "gwd/super.h"
#include "gwd/worker.h"
#include "libipref/log.h"

#define PACKET_MAX 65536
#define N_IDENTS   64

struct event;
struct held;

/* A ring that it takes from. */
struct intake {
	struct worker *w;
	struct ring *ring; /* borrowed */
	struct event *ev;  /* owned */
};

struct worker {
	struct worker_config cfg;
	struct intake *intakes; /* owned, of cfg.n_rings */
	struct event *second;	/* owned */
	atomic_bool verbose;	/* every packet is logged */
	struct held *held;	/* owned */
	struct event *held_end; /* owned; those that waited in vain */
	struct counters counters;
	struct recent recent;
	uint64_t now_ms;	  /* of this call from the loop */
	uint32_t number;	  /* for packet_in.number */
	uint32_t ident[N_IDENTS]; /* random, for packets that we split */
	size_t n_idents;	  /* of them not yet used */
	uint64_t hops_second;	  /* for which hops_left counts */
	uint32_t hops_left;
	struct log_limit limit;
	uint8_t in[PACKET_MAX]; /* a packet made of what was read */
	uint8_t out[PACKET_MAX + GW_GROWTH];
	uint8_t piece[PACKET_MAX]; /* of out, or a reply about it */
	const int *error_fds;	   /* borrowed: sockets whose errors it takes */
	size_t n_error_fds;
	int errors_fd;		/* owned: readable when one of them has any */
	struct event *errors;	/* owned */
	bool errors_on;		/* their error queues */
	uint64_t errors_second; /* for which errors_left counts */
	uint32_t errors_left;
	struct udp_error error;	    /* being looked at */
	uint8_t told[GW_REPLY_MAX]; /* the reply about it */
};

struct job {
	enum way way;
	struct packet_in in;
	uint16_t port;	/* of the datagram's sender; 0: not known (any more) */
	unsigned asked; /* 1 << ASK_*: what it has waited for: never twice */
};

/* The way to a peer may be another now. */
void way_changed(struct worker *w, const struct addr *peer);
/* Before anything is done with packets: what time it is. */
void worker_begin(struct worker *w);
/* The jobs of a local packet, and of a datagram. */
void job_out(struct worker *w, const uint8_t *pkt, size_t len);
void job_datagram(struct worker *w, const uint8_t *pkt, size_t len,
	const struct udp_from *from);

/* The packet is about to leave by these mappings: not later, for another thread
 * may carry the answer before this one goes on. */
void job_used(
	struct worker *w, const struct job *j, const struct packet_out *out);

/* How a job ends. */
void job_drop(struct worker *w, const struct job *j, enum drop drop);
void job_pass(
	struct worker *w, const struct job *j, const struct packet_out *out);

/* The IPREF packet in out goes to its peer, in pieces if need be, or its sender
 * is told; this ends the job. */
void send_tunnel(
	struct worker *w, const struct job *j, const struct packet_out *out);
/* The same for what the kernel did not take for its size. */
void send_refused(
	struct worker *w, const struct job *j, const struct packet_out *out);
/* The peer of a local packet is denied: its sender is told; this ends the
 * job. */
void send_denied(struct worker *w, const struct job *j);
/* The local packet in out goes to its host, in pieces if need be; this ends the
 * job. */
void send_host(
	struct worker *w, const struct job *j, const struct packet_out *out);
/* 0 or -errno: the packet is lost. */
int send_local(struct worker *w, const struct packet_out *out) MUSTCHECK;
/* An ICMP error of ours about a packet that was dropped; bounded in number, and
 * to peers in bytes. What can't be sent is the same loss as any. */
void send_reply(
	struct worker *w, const struct job *j, const struct packet_out *out);
/* The path MTU to a peer. */
uint32_t send_path_mtu(struct worker *w, const struct addr *peer);
/* A random number, for packets that are split. */
uint32_t send_ident(struct worker *w);

/* Its packet was given to somebody to wait. */
void job_waits(struct worker *w, const struct job *j);
/* A packet that waited (borrowed), and its translation. */
struct job job_of(const struct waiting *p);
void job_again(struct worker *w, struct job *j);

/* worker_held.c: a first fragment that out asks about waits, if it can. A last
 * one has passed: the one that waits for it follows. 0 or -ENOMEM. */
void hold_first(struct worker *w, struct job *j, const struct packet_out *out);
void hold_last(
	struct worker *w, const struct job *j, const struct packet_out *out);
int hold_init(struct worker *w) MUSTCHECK;
void hold_fini(struct worker *w);

/* worker_handed.c */
int handed_init(struct worker *w) MUSTCHECK;
void handed_fini(struct worker *w);

/* worker_errors.c */
int errors_init(struct worker *w) MUSTCHECK;
void errors_fini(struct worker *w);
/* Reads the messages about our datagrams that wait, within a bound: paths
 * become narrower, peers have an error. Returns how many it were. */
size_t errors_take(struct worker *w);
/* Before anything is read or sent at w->now_ms. */
void errors_tick(struct worker *w);

#endif
