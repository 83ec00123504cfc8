/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams that arrived together, translated, and put together again into
 * superpackets for one write each to a TUN device with virtio-net headers.
 * Pure.
 *
 * A batch: merge_begin(), merge_add() for each datagram, merge_next() until
 * there is no more. What comes out is, cut into segments again, just what
 * decap() makes of the datagrams one by one, in their order within each flow;
 * but that the identifications of packets which must not be fragmented mean
 * nothing (RFC 6864), and kernels count them up. The mappings must not change
 * during a batch.
 *
 * Only plain packets are taken: whole TCP and UDP between two hosts that are
 * mapped. All else is the caller's to translate one by one, and so is what it
 * does besides with each datagram that is taken (their peer_ok is true).
 *
 * The kernel computes the checksums of a superpacket's segments. So only those
 * whose checksum was right are put together; others go alone and stay wrong.
 */
#ifndef GWD_MERGE_H
#define GWD_MERGE_H

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "gwd/core.h"
#include "gwd/header.h"

/* Missing from older headers; kernels that don't know it refuse it. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define MERGE_MAX   128	  /* datagrams in a batch, segments in a packet */
#define MERGE_UDP   64	  /* of UDP; kernels before 6.9 refuse more */
#define MERGE_BYTES 65535 /* of a superpacket with its headers */
#define MERGE_SLOTS 256	  /* a power of two */
#define MERGE_IP    40	  /* the longest header decap() writes here */
#define MERGE_L4    60	  /* TCP with all its options */

/* What datagrams with the same IPREF header from the same peer become. */
struct merge_form {
	struct packet_in
		key; /* p: of the first, borrowed; len: of its header */
	uint8_t ip[MERGE_IP + MERGE_L4]; /* IP header, then scratch */
	uint8_t proto;
	bool df;
	uint32_t addrs; /* sum of the local addresses */
	const struct map *used[2];
};

/* Segments that go out together. */
struct merge_group {
	const struct merge_form *form;
	uint8_t first, last; /* datagrams */
	uint8_t n;
	bool closed; /* nothing may be added */
	bool push;   /* TCP: the last one's flag */
	size_t l4;   /* length of the layer-4 header */
	size_t size; /* payload of all segments but the last */
	size_t payload;
};

struct merge {
	const struct gw_settings *set;
	const struct maps *maps;
	bool tcp, udp; /* what the device takes superpackets of */
	struct merge_form forms[MERGE_MAX];
	struct merge_group groups[MERGE_MAX];
	const struct packet_in *in[MERGE_MAX]; /* borrowed */
	struct iovec slice[MERGE_MAX];	       /* their payloads */
	uint8_t next[MERGE_MAX];	       /* in the same group */
	size_t n_forms, n_groups, n, done;
	/* The group that was begun last of all whose flows have this slot; 0
	 * also when there is none: the first group is then of another flow. */
	uint8_t slots[MERGE_SLOTS];
	/* What merge_next() shows. */
	struct virtio_net_hdr vnet;
	uint8_t head[MERGE_IP + MERGE_L4];
	struct iovec iov[MERGE_MAX + 2];
	const struct packet_in *members[MERGE_MAX];
};

/* One packet for the TUN device; good until the next call. */
struct merge_out {
	const struct iovec *iov; /* virtio-net header, headers, payloads */
	int n_iov;
	size_t len; /* of all of them */
	/* The datagrams in it, in order: to be counted; or to be translated
	 * one by one when the device does not take a superpacket. */
	const struct packet_in *const *in;
	size_t n;
	const struct map *const *used; /* two, as in packet_out */
};

/* tcp, udp: whether superpackets may be made of it. All is borrowed. */
void merge_begin(struct merge *m, const struct gw_settings *set,
	const struct maps *maps, bool tcp, bool udp);
/* False: not taken, because it is not plain or MERGE_MAX were. Packets of its
 * flow may be waiting here: they have to be written before it. in and its bytes
 * are borrowed until the batch ends, taken or not. */
bool merge_add(struct merge *m, const struct packet_in *in) MUSTCHECK;
/* The next packet. False: that was all. */
bool merge_next(struct merge *m, struct merge_out *out) MUSTCHECK;

#endif
