/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pure core costs: CPU time for each packet, or each segment of a
 * superpacket, without system calls, the best of many short rounds. Mappings
 * are used in turn, the packets lie in the cache as if just read.
 *
 *     core_cost [MAPPINGS [ROW]]	rows whose names have this in them
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gwd/burst.h"
#include "gwd/decap.h"
#include "gwd/encap.h"
#include "gwd/maps.h"
#include "gwd/merge.h"

#define HOSTS	 16
#define ROUNDS	 40
#define PER_TURN 200000 /* packets in a round, about */
#define VNET	 SUPER_VNET

struct site {
	struct gw_settings set;
	struct maps *maps;
	size_t remotes;
};

struct work {
	uint8_t proto;
	size_t size, n; /* payload of a segment; segments, 1: no superpacket */
};

static struct site leaving, arriving;
static uint8_t raw[VNET + SUPER_MAX], tunnel[MERGE_MAX][2048];
static struct packet_in ins[MERGE_MAX];
static struct merge merge;
static struct batch batch;
static uint64_t sink; /* so that nothing is left out */

static void
die(const char *what)
{
	fprintf(stderr, "core_cost: %s\n", what);
	exit(1);
}

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
put32(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static struct addr
address(uint8_t first, size_t n)
{
	struct addr a = {.ver = 4};

	put32(a.b, (size_t)first << 24 | n);
	return a;
}

/* --- mappings ----------------------------------------------------------- */

/* Host i here is 20.x behind 5.0.0.1, remote i is 10.x behind 6.0.0.1; the
 * other gateway has it the other way round. */
static void
site_init(struct site *s, size_t n, uint8_t own, uint8_t peer, uint8_t net)
{
	struct msg_entry e;
	size_t i;

	*s = (struct site){
		.set = {.local_ver = 4,
			.tunnel_ver = 4,
			.pub = address(own, 1),
			.own_local = address(net, 1),
			.own_ref = ref_from_u64(1),
			.encode_net = {address(10, 0), 8}},
	};
	s->maps = maps_new(&s->set.pub, 2 * n + HOSTS);
	if (!s->maps)
		die("no memory");
	for (i = 0; i < n; i++) {
		e = (struct msg_entry){.born = 1};
		if (own == 5) {
			e.arec.ea = address(10, 256 + i);
			e.arec.gw = address(peer, 1);
		} else {
			e.arec.ip = address(net, 256 + i);
			e.arec.gw = address(own, 1);
		}
		e.arec.ref = ref_from_u64(0x1000 + i);
		if (maps_set(s->maps, &e))
			die("a mapping");
	}
	for (i = 0; i < HOSTS; i++) {
		e = (struct msg_entry){.born = 1};
		if (own == 5) {
			e.arec.ip = address(net, 256 + i);
			e.arec.gw = address(own, 1);
		} else {
			e.arec.ea = address(10, 256 + i);
			e.arec.gw = address(peer, 1);
		}
		e.arec.ref = ref_from_u64(0x10000000 + i);
		if (maps_set(s->maps, &e))
			die("a mapping");
	}
	s->remotes = n;
}

/* --- packets ------------------------------------------------------------ */

/* A superpacket, or a packet with its checksum left open. */
static size_t
make_read(const struct work *w)
{
	size_t l4 = w->proto == 6 ? 20 : 8, len = 20 + l4 + w->size * w->n;
	uint8_t *p = raw + VNET;
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 20,
		.csum_offset = w->proto == 6 ? 16 : 6};

	if (w->n > 1) {
		h.gso_type = w->proto == 6 ? VIRTIO_NET_HDR_GSO_TCPV4
					   : VIRTIO_NET_HDR_GSO_UDP_L4;
		h.gso_size = (uint16_t)w->size;
	}
	memset(raw, 0x5a, sizeof(raw));
	memcpy(raw, &h, sizeof(h));
	memset(p, 0, 20 + l4);
	put32(p, 0x45000000u | len);
	put32(p + 4, 0x00004000);
	put32(p + 8, 0x40000000u | (size_t)w->proto << 16);
	put32(p + 20, 0xc0010050);
	if (w->proto == 6)
		put32(p + 32, 0x5010faf0);
	else
		put32(p + 24, (len - 20) << 16);
	return VNET + len;
}

/* From a host of ours to the next remote one. */
static void
aim(size_t i)
{
	put32(raw + VNET + 12, 20u << 24 | (256 + i % HOSTS));
	put32(raw + VNET + 16, 10u << 24 | (256 + i % leaving.remotes));
}

/* --- ways --------------------------------------------------------------- */

static void
out_super(const struct work *w, size_t len, size_t i)
{
	struct super s;
	struct burst b;
	bool done;

	(void)w;
	aim(i);
	if (super_read(&s, raw, len) ||
		!burst_begin(&b, &leaving.set, leaving.maps, &s))
		die("no burst");
	do {
		batch_init(&batch, BATCH_MAX);
		done = burst_fill(&b, &batch);
		sink += batch.headers[0][0];
	} while (!done);
}

static void
out_single(const struct work *w, size_t len, size_t i)
{
	static uint8_t room[4096];
	struct packet_out out = {.p = room, .size = sizeof(room)};
	struct packet_in in = {.number = (uint32_t)i};
	struct super s;

	(void)w;
	aim(i);
	raw[0] = 0; /* nothing is left to do */
	if (super_read(&s, raw, len))
		die("no packet");
	in.p = s.p;
	in.len = s.len;
	encap(&leaving.set, leaving.maps, &in, &out);
	if (out.drop)
		die(drop_label(out.drop));
	sink += out.p[0];
}

/* Lays the IPREF packets of a read into tunnel[]. */
static void
arrive_all(const struct work *w, size_t len)
{
	struct super s;
	struct packet_out out;
	struct packet_in in;
	uint8_t packet[2048];
	size_t i;

	aim(0);
	if (super_read(&s, raw, len))
		die("no packet");
	for (i = 0; i < w->n; i++) {
		in = (struct packet_in){.p = s.p, .len = s.len};
		if (w->n > 1) {
			in.len = super_segment(&s, i, packet, sizeof(packet));
			in.p = packet;
		}
		out = (struct packet_out){
			.p = tunnel[i], .size = sizeof(tunnel[i])};
		encap(&leaving.set, leaving.maps, &in, &out);
		if (out.drop)
			die(drop_label(out.drop));
		ins[i] = (struct packet_in){.p = tunnel[i],
			.len = out.len,
			.from = leaving.set.pub};
	}
}

/* To the next of our hosts. */
static void
aim_back(const struct work *w, size_t i)
{
	size_t k, header = header_peek(tunnel[0], HEADER_MAX);

	for (k = 0; k < w->n; k++)
		put32(tunnel[k] + header - 4, 0x1000 + i % arriving.remotes);
}

static void
in_super(const struct work *w, size_t len, size_t i)
{
	struct merge_out out;
	size_t k;

	(void)len;
	aim_back(w, i);
	merge_begin(&merge, &arriving.set, arriving.maps, true, true);
	for (k = 0; k < w->n; k++)
		if (!merge_add(&merge, &ins[k]))
			die("not merged");
	for (k = 0; merge_next(&merge, &out); k++)
		sink += out.len;
	if (k != 1)
		die("more than one");
}

static void
in_single(const struct work *w, size_t len, size_t i)
{
	static uint8_t room[4096];
	struct packet_out out = {.p = room, .size = sizeof(room)};

	(void)len;
	aim_back(w, i);
	decap(&arriving.set, arriving.maps, &ins[0], &out);
	if (out.drop)
		die(drop_label(out.drop));
	sink += out.p[0];
}

static const struct row {
	const char *name;
	void (*run)(const struct work *w, size_t len, size_t i);
	struct work work;
} rows[] = {
	{"burst  TCP 1400 x 40", out_super, {6, 1400, 40}},
	{"burst  UDP   64 x 64", out_super, {17, 64, 64}},
	{"encap  UDP   64", out_single, {17, 64, 1}},
	{"encap  UDP 1400", out_single, {17, 1400, 1}},
	{"merge  TCP 1400 x 40", in_super, {6, 1400, 40}},
	{"merge  UDP   64 x 64", in_super, {17, 64, 64}},
	{"merge  UDP   64", in_super, {17, 64, 1}},
	{"merge  UDP 1400", in_super, {17, 1400, 1}},
	{"decap  UDP   64", in_single, {17, 64, 1}},
	{"decap  UDP 1400", in_single, {17, 1400, 1}},
};

static double
measure(const struct row *row)
{
	size_t turns = PER_TURN / row->work.n, len = make_read(&row->work), i;
	uint64_t best = UINT64_MAX, start, took;
	unsigned round;

	arrive_all(&row->work, len);
	len = make_read(&row->work);
	for (round = 0; round < ROUNDS; round++) {
		start = cpu_ns();
		for (i = 0; i < turns; i++)
			row->run(&row->work, len, i);
		took = cpu_ns() - start;
		if (took < best)
			best = took;
	}
	return (double)best / (double)(turns * row->work.n);
}

int
main(int argc, char **argv)
{
	size_t mappings = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000, i;

	if (!mappings || mappings > 10000000)
		die("usage: core_cost [MAPPINGS [ROW]]");
	site_init(&leaving, mappings, 5, 6, 20);
	site_init(&arriving, mappings, 6, 5, 30);
	printf("ns a packet, %zu mappings\n", mappings);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (argc < 3 || strstr(rows[i].name, argv[2]))
			printf("%-22s %7.1f\n", rows[i].name,
				measure(&rows[i]));
	maps_free(leaving.maps);
	maps_free(arriving.maps);
	return sink == 42;
}
