/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where packets come from. In one turn of the loop RECORDS are taken from all
 * rings together, or what makes up PACKETS; then others have their turn. Each
 * ring has an equal part in that.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "gwd/handover.h"
#include "gwd/header.h"
#include "gwd/maps.h"
#include "gwd/packet.h"
#include "gwd/ring.h"
#include "gwd/super.h"
#include "gwd/worker_impl.h"

#define RECORDS 64
#define PACKETS 512

/* --- one thing that came -------------------------------------------------- */

static void
take_super(struct worker *w, const struct super *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		job_out(w, w->in, super_segment(s, i, w->in, sizeof(w->in)));
}

void
worker_tun(struct worker *w, uint8_t *read, size_t len)
{
	enum drop drop;
	struct super s;

	worker_begin(w);
	drop = super_read(&s, read, len);
	if (drop) {
		const struct job j = {.in = {.p = read, .len = len}};

		job_drop(w, &j, drop);
	} else if (s.n > 1) {
		take_super(w, &s);
	} else {
		job_out(w, s.p, s.len);
	}
}

void
worker_datagrams(struct worker *w, const struct udp_from *from,
	const uint8_t *bytes, size_t len, uint16_t segment)
{
	size_t n, off = 0;

	worker_begin(w);
	do {
		n = len - off;
		if (segment && n > segment)
			n = segment;
		job_datagram(w, bytes + off, n, from);
		off += n;
	} while (off < len);
}

/* The packet as its host sent it, but for sums of layer 4. False: its mappings
 * have gone. */
static bool
put_local(struct worker *w, const struct header *h, size_t size,
	const struct packet_out *out, struct packet_in *in)
{
	const struct packet p = {
		.ver = w->cfg.set->local_ver,
		.src = out->used[0] ? out->used[0]->local : (struct addr){0},
		.dst = out->used[1] ? out->used[1]->local : (struct addr){0},
		.ttl = h->ttl,
		.tos = out->tos,
		.proto = h->proto,
		.df = h->df,
		.frag = h->frag,
		.mf = h->mf,
		.off = h->off,
		.ident = h->ident,
	};
	struct wbuf to;
	size_t start;

	wbuf_init(&to, w->in, sizeof(w->in));
	start = packet_begin(&to, &p);
	wbuf_bytes(&to, out->p + size, out->len - size);
	packet_end(&to, &p, start);
	*in = (struct packet_in){.p = w->in, .len = to.len};
	return wbuf_ok(&to);
}

void
worker_too_big(struct worker *w, const struct addr *peer, uint8_t tos,
	uint8_t *pkt, size_t len)
{
	struct packet_out out = {
		.p = pkt, .size = len, .len = len, .peer = *peer, .tos = tos};
	struct job j = {.way = WAY_OUT};
	struct header h;
	enum drop drop;
	size_t size;

	worker_begin(w);
	drop = header_decode(&h, &size, pkt, len);
	if (!drop) {
		out.used[0] = maps_local(w->cfg.maps, &h.src_ref);
		out.used[1] = maps_remote(w->cfg.maps, peer, &h.dst_ref);
	}
	if (drop || !put_local(w, &h, size, &out, &j.in))
		j.in = (struct packet_in){.p = pkt, .len = len};
	if (drop)
		job_drop(w, &j, drop);
	else
		send_refused(w, &j, &out);
}

/* --- rings ---------------------------------------------------------------- */

static void
take_tun(struct worker *w, const struct handed *h, uint8_t *bytes)
{
	worker_tun(w, bytes, h->len);
}

static void
take_datagrams(struct worker *w, const struct handed *h, uint8_t *bytes)
{
	worker_datagrams(w, &h->from, bytes, h->len, h->segment);
}

static void
take_too_big(struct worker *w, const struct handed *h, uint8_t *bytes)
{
	worker_too_big(w, &h->from.from.addr, h->from.tos, bytes, h->len);
}

static void
take_failed(struct worker *w, const struct handed *h, uint8_t *bytes)
{
	(void)bytes;
	log_err_errno(h->error, "tun: can't be read");
	w->cfg.failed(w->cfg.arg);
}

static void
take_record(struct worker *w, uint8_t *record)
{
	static void (*const take[])(
		struct worker *, const struct handed *, uint8_t *) = {
		[HANDED_TUN] = take_tun,
		[HANDED_DATAGRAMS] = take_datagrams,
		[HANDED_TOO_BIG] = take_too_big,
		[HANDED_FAILED] = take_failed,
	};
	struct handed h;

	memcpy(&h, record, sizeof(h));
	take[h.kind](w, &h, record + sizeof(h));
}

/* As long as it is not put to sleep, the ring has us called again. */
static void
on_ring(evutil_socket_t fd, short what, void *arg)
{
	struct intake *in = arg;
	struct worker *w = in->w;
	size_t n = w->cfg.n_rings, left = (RECORDS + n - 1) / n, len;
	uint32_t first = w->number;
	void *record;

	(void)fd;
	(void)what;
	while (left && w->number - first < PACKETS / n + 1) {
		record = ring_peek(in->ring, &len);
		if (record) {
			take_record(w, record);
			ring_next(in->ring);
			left--;
		} else if (ring_sleep(in->ring)) {
			return;
		}
	}
}

/* --- life ----------------------------------------------------------------- */

int
handed_init(struct worker *w)
{
	struct intake *in;
	size_t i;

	if (!w->cfg.n_rings)
		return 0;
	w->intakes = calloc(w->cfg.n_rings, sizeof(*w->intakes));
	if (!w->intakes)
		return -ENOMEM;
	for (i = 0; i < w->cfg.n_rings; i++) {
		in = &w->intakes[i];
		*in = (struct intake){.w = w, .ring = w->cfg.rings[i]};
		in->ev = event_new(w->cfg.base, ring_fd(in->ring),
			EV_READ | EV_PERSIST, on_ring, in);
		if (!in->ev || event_add(in->ev, NULL))
			return -ENOMEM;
	}
	return 0;
}

void
handed_fini(struct worker *w)
{
	size_t i;

	for (i = 0; w->intakes && i < w->cfg.n_rings; i++)
		if (w->intakes[i].ev)
			event_free(w->intakes[i].ev);
	free(w->intakes);
}
