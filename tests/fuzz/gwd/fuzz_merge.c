/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches of datagrams, put together and cut again as the kernel does it: just
 * what decap() makes of them one by one, in order within each flow; those that
 * are put together had right checksums.
 *
 * The first byte of an input chooses the gateway. Then come steps, a datagram
 * each: how (below), bytes given, its length; the bytes. Checksums and sequence
 * numbers can be put right, which no fuzzer would find out.
 */
#include "gwd/decap.h"
#include "gwd/merge.h"
#include "tests/fuzz/gwd/checks.h"
#include "tests/unit/gwd/cut.h"

#define DATAGRAMS_MAX 160
#define BYTES_MAX     (1 << 20)
#define FLOW	      37 /* protocol, addresses, ports */

/* More in the first byte, besides the gateway: what the device does not take.
 */
#define NO_TCP 0x10
#define NO_UDP 0x20

/* How; tests/fuzz/gwd/seeds.py knows them, too. */
enum {
	STEP_SUM = 1,	/* with a right checksum */
	STEP_NEXT = 2,	/* what follows the last one in its flow; the bytes are
			 * changes */
	STEP_UDP = 4,	/* with a right UDP length */
	STEP_FLUSH = 8, /* in a new batch */
	STEP_TOS = 16,
	STEP_LEN = 32, /* STEP_NEXT: of another length */
};

struct run {
	const struct gateway *g;
	struct merge merge;
	struct packet_in in[DATAGRAMS_MAX];
	size_t n, bytes;
	bool tcp, udp;
	uint8_t flow[DATAGRAMS_MAX][FLOW]; /* of those taken */
	bool waits[DATAGRAMS_MAX];	   /* taken, not yet written */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- datagrams ---------------------------------------------------------- */

static void
put_right(uint8_t *p, size_t len, uint8_t how)
{
	size_t header = header_peek(p, len), l4_len = len - header;
	uint8_t *l4 = p + header, proto = header ? p[3] : 0;
	size_t field = proto == 6 ? 16 : 6;

	if (!header || (proto != 6 && proto != 17) || l4_len < field + 2)
		return;
	if (how & STEP_UDP && proto == 17)
		flight_put(l4 + 4, (uint32_t)l4_len, 2);
	if (!(how & STEP_SUM))
		return;
	flight_put(l4 + field, 0, 2);
	flight_put(l4 + field,
		~flight_sum(l4, l4_len, proto + (uint32_t)l4_len), 2);
}

/* TCP goes on where the last one ended. */
static void
advance(uint8_t *p, const struct packet_in *last)
{
	size_t header = header_peek(last->p, last->len), data;
	uint8_t *l4 = p + header;

	if (!header || last->p[3] != 6 || last->len < header + 20)
		return;
	data = (l4[12] >> 4) * 4u;
	if (header + data > last->len)
		return;
	flight_put(l4 + 4,
		(cut_get16(l4 + 4) << 16 | cut_get16(l4 + 6)) +
			(uint32_t)(last->len - header - data),
		4);
}

static uint8_t *
make(const struct run *run, struct rbuf *r, uint8_t how, size_t *len)
{
	const struct packet_in *last = run->n ? &run->in[run->n - 1] : NULL;
	size_t given = rbuf_u8(r), i, at;
	const uint8_t *bytes;
	uint8_t *p;

	at = *len = rbuf_be16(r);
	if (how & STEP_NEXT && last && !(how & STEP_LEN))
		*len = last->len;
	given = given < rbuf_left(r) ? given : rbuf_left(r);
	bytes = rbuf_take(r, given);
	p = calloc(1, *len ? *len : 1);
	REQUIRE(p);
	if (how & STEP_NEXT && last) {
		memcpy(p, last->p, *len < last->len ? *len : last->len);
		if (*len >= last->len)
			advance(p, last);
	} else {
		at = 0;
	}
	for (i = 0; bytes && *len && i < given; i++)
		p[(at + i) % *len] ^= bytes[i];
	return p;
}

/* --- results ------------------------------------------------------------ */

/* What decap() makes of it; the caller's to free, NULL: nothing. */
static uint8_t *
one_by_one(const struct run *run, const struct packet_in *in,
	struct packet_out *out)
{
	*out = gateway_out(in->len);
	decap(&run->g->set, run->g->maps, in, out);
	if (!out->drop)
		return out->p;
	free(out->p);
	return NULL;
}

/* The local end of the way: protocol, addresses, ports. */
static void
note_flow(struct run *run, size_t nr)
{
	struct packet_out out;
	uint8_t *p = one_by_one(run, &run->in[nr], &out);
	struct view v;

	REQUIRE(p && !out.from_self && out.peer_ok);
	v = check_local(run->g, p, out.len, false);
	REQUIRE(!v.mf && !v.off && v.l4_len >= 8);
	run->flow[nr][0] = v.proto;
	memcpy(run->flow[nr] + 1, v.addrs, v.addrs_len);
	memcpy(run->flow[nr] + 33, v.l4, 4);
	free(p);
}

/* It is waited for, and nothing that came before it in its flow is. */
static void
check_order(struct run *run, size_t nr)
{
	size_t i;

	REQUIRE(run->waits[nr]);
	for (i = 0; i < nr; i++)
		REQUIRE(!run->waits[i] ||
			memcmp(run->flow[i], run->flow[nr], FLOW));
	run->waits[nr] = false;
}

/* Packet i of a write. */
static void
check_packet(struct run *run, const struct merge_out *m, const struct cut *c,
	size_t i)
{
	uint8_t *p = malloc(m->len), *want;
	struct packet_out out;
	size_t len;

	REQUIRE(p);
	check_order(run, (size_t)(m->in[i] - run->in));
	want = one_by_one(run, m->in[i], &out);
	REQUIRE(want);
	len = cut_packet(c, i, p);
	cut_forget_ident(p);
	REQUIRE(len == out.len && !memcmp(p, want, len));
	REQUIRE(c->n == 1 || cut_sum_is_right(want, len));
	REQUIRE(out.used[0] == m->used[0] && out.used[1] == m->used[1]);
	free(p);
	free(want);
}

static void
check_write(struct run *run, const struct merge_out *m)
{
	uint8_t *w = malloc(m->len);
	size_t len = 0, i;
	struct cut c;

	REQUIRE(w);
	for (i = 0; i < (size_t)m->n_iov; i++) {
		REQUIRE(m->iov[i].iov_len <= m->len - len);
		memcpy(w + len, m->iov[i].iov_base, m->iov[i].iov_len);
		len += m->iov[i].iov_len;
	}
	REQUIRE(len == m->len && cut_begin(&c, w, len) && c.n == m->n);
	REQUIRE(c.n == 1 || (c.tcp ? run->tcp : run->udp));
	for (i = 0; i < c.n; i++)
		check_packet(run, m, &c, i);
	free(w);
}

static void
flush(struct run *run)
{
	struct merge_out m;
	size_t i;

	while (merge_next(&run->merge, &m))
		check_write(run, &m);
	for (i = 0; i < run->n; i++)
		REQUIRE(!run->waits[i]);
	merge_begin(
		&run->merge, &run->g->set, run->g->maps, run->tcp, run->udp);
}

static void
step(struct run *run, struct rbuf *r)
{
	struct packet_in *in = &run->in[run->n];
	uint8_t how = rbuf_u8(r), *p;
	size_t len;

	p = make(run, r, how, &len);
	put_right(p, len, how);
	*in = (struct packet_in){
		.p = p,
		.len = len,
		.from = run->g->peer,
		.number = 65530 + (uint32_t)run->n,
		.tos = how & STEP_TOS ? 0x2e : 0,
	};
	if (how & STEP_FLUSH)
		flush(run);
	if (merge_add(&run->merge, in)) {
		run->waits[run->n] = true;
		note_flow(run, run->n);
	} else {
		flush(run);
	}
	run->n++;
	run->bytes += len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run;
	struct rbuf r;
	uint8_t first;

	memset(&run, 0, sizeof(run));
	rbuf_init(&r, data, size);
	first = rbuf_u8(&r);
	run.g = gateway_get(first);
	run.tcp = !(first & NO_TCP);
	run.udp = !(first & NO_UDP);
	flush(&run);
	while (rbuf_left(&r) && run.n < DATAGRAMS_MAX && run.bytes < BYTES_MAX)
		step(&run, &r);
	flush(&run);
	while (run.n)
		/* ours to free */
		free((void *)(uintptr_t)run.in[--run.n].p);
	return 0;
}
