/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reader has a ring of packets described, filled by tracer_packet() and
 * emptied by its stream. Once a second, while there are readers, each may have
 * TRACER_RATE packets more, and is told what was left out.
 */
#include "gwd/tracer.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "gwd/maps.h"
#include "gwd/show.h"
#include "libipref/ctl.h"
#include "libipref/log.h"

#define STALL_S 600 /* a reader may be a person with a pager */
#define PORTION 128 /* packets, some 500 bytes each */

enum skipped {
	SKIPPED_RATE,
	SKIPPED_READER,
	SKIPPED_N
};

struct shown {
	uint64_t at_ms; /* wall clock */
	struct trace trace;
};

struct reader {
	LIST_ENTRY(reader) link;
	struct tracer *tracer;
	struct ctl_stream *stream;
	struct trace_filter filter;
	bool begun;
	uint64_t left; /* packets that it may have in this second */
	uint64_t skipped[SKIPPED_N];
	bool say_skipped;
	size_t first, n;
	struct shown kept[TRACER_KEPT];
};

struct tracer_state {
	const struct maps *maps;
	struct event
		*second; /* timer, owned; pending while there are readers */
	LIST_HEAD(, reader) readers;
	struct trace trace; /* being looked at */
};

/* --- packets as JSON ------------------------------------------------------ */

static json_t *
proto_value(uint8_t proto)
{
	const char *name = trace_proto_name(proto);

	return name ? json_string(name) : json_sprintf("%u", proto);
}

static void
show_l4(json_t *o, const struct trace_l4 *l4)
{
	char flags[TRACE_FLAGS_MAX];

	if (l4->ports) {
		show_number(o, "src_port", l4->sport);
		show_number(o, "dst_port", l4->dport);
	}
	if (l4->flags)
		show_put(o, "flags",
			json_string(trace_flags(l4->tcp_flags, flags)));
	if (l4->icmp) {
		show_number(o, "icmp_type", l4->type);
		show_number(o, "icmp_code", l4->code);
	}
	if (l4->echo) {
		show_number(o, "echo_id", l4->id);
		show_number(o, "echo_seq", l4->seq);
	}
}

static void
show_fragment(json_t *o, bool frag, uint16_t off, bool mf, uint32_t ident)
{
	if (!frag)
		return;
	show_number(o, "offset", off);
	show_put(o, "more", json_boolean(mf));
	show_number(o, "id", ident);
}

static json_t *
local_object(const struct trace_local *l)
{
	json_t *o;

	if (!l->there)
		return json_null();
	o = json_object();
	show_addr(o, "src", &l->p.src);
	show_addr(o, "dst", &l->p.dst);
	show_number(o, "length", l->len);
	if (!l->parsed)
		return o;
	show_put(o, "protocol", proto_value(l->p.proto));
	show_l4(o, &l->l4);
	show_number(o, "ttl", l->p.ttl);
	show_put(o, "df", json_boolean(l->p.df));
	show_fragment(o, l->p.frag, l->p.off, l->p.mf, l->p.ident);
	return o;
}

static json_t *
tunnel_object(const struct trace_tunnel *t)
{
	const struct header *h = &t->h;
	json_t *o;

	if (!t->there)
		return json_null();
	o = json_object();
	show_addr(o, "src_gw", &h->src_gw);
	show_ref(o, "src_ref", &h->src_ref);
	show_addr(o, "dst_gw", &h->dst_gw);
	show_ref(o, "dst_ref", &h->dst_ref);
	show_number(o, "length", t->len);
	show_put(o, "protocol", proto_value(h->proto));
	show_l4(o, &t->l4);
	show_number(o, "ttl", h->ttl);
	show_put(o, "df", json_boolean(h->df));
	show_fragment(o, h->frag, h->off, h->mf, h->ident);
	return o;
}

static json_t *
packet_object(const struct shown *s)
{
	static const char *const results[] = {
		[TRACE_PASSED] = "passed",
		[TRACE_WAITS] = "waits",
		[TRACE_DROPPED] = "dropped",
	};
	const struct trace *t = &s->trace;
	json_t *o = json_object();

	show_put(o, "result", json_string(results[t->result]));
	if (t->result == TRACE_DROPPED)
		show_put(o, "reason", json_string(drop_label(t->drop)));
	show_put(o, "direction", json_string(show_way(t->way)));
	show_number(o, "time_ms", s->at_ms);
	show_addr(o, "peer", &t->peer.addr);
	show_put(o, "port",
		t->peer.port ? json_integer(t->peer.port) : json_null());
	show_put(o, "local", local_object(&t->local));
	show_put(o, "tunnel", tunnel_object(&t->tunnel));
	return o;
}

/* --- the stream of a reader ----------------------------------------------- */

static void
put_skipped(struct reader *r, struct evbuffer *out)
{
	static const char *const why[] = {
		[SKIPPED_RATE] = "rate", [SKIPPED_READER] = "reader"};
	size_t i;

	for (i = 0; i < SKIPPED_N; i++) {
		if (r->skipped[i])
			evbuffer_add_printf(out,
				"{\"result\":\"skipped\",\"packets\":%" PRIu64
				",\"why\":\"%s\"}\n",
				r->skipped[i], why[i]);
		r->skipped[i] = 0;
	}
	r->say_skipped = false;
}

static enum ctl_next
next_portion(struct evbuffer *out, void *arg)
{
	struct reader *r = arg;
	size_t i;

	if (!r->begun)
		evbuffer_add_printf(out, "{\"result\":\"start\"}\n");
	r->begun = true;
	for (i = 0; i < PORTION && r->n; i++) {
		ctl_put_json(out, packet_object(&r->kept[r->first]));
		r->first = (r->first + 1) % TRACER_KEPT;
		r->n--;
	}
	if (r->say_skipped)
		put_skipped(r, out);
	return r->n ? CTL_MORE : CTL_WAIT;
}

static void
closed(void *arg)
{
	struct reader *r = arg;

	LIST_REMOVE(r, link);
	r->tracer->n_readers--;
	free(r);
}

/* Who asks for an address also means the same host by its IPREF address, and
 * the other way round, as far as it is known now: a packet that was dropped has
 * but one of its forms. */
static void
widen(struct trace_filter *f, const struct maps *maps)
{
	bool host = f->has_net && f->net.len == 8 * addr_len(f->net.addr.ver);
	const struct map *m = NULL;

	if (host && !f->has_ipref) {
		m = maps_by_ea(maps, &f->net.addr);
		if (!m)
			m = maps_by_ip(maps, &f->net.addr);
	} else if (f->has_ipref && !f->has_net) {
		m = maps_remote(maps, &f->gw, &f->ref);
		if (!m)
			m = maps_local(maps, &f->ref);
		if (m && !addr_eq(&m->gw, &f->gw))
			m = NULL;
	}
	if (!m)
		return;
	f->has_net = f->has_ipref = true;
	f->net = (struct prefix){
		m->local, (uint8_t)(8 * addr_len(m->local.ver))};
	f->gw = m->gw;
	f->ref = m->ref;
}

static void
on_trace(const char *query, struct ctl_reply *reply, void *arg)
{
	static const struct ctl_source source = {next_portion, closed, STALL_S};
	struct tracer *t = arg;
	char error[TRACE_ERROR_MAX];
	struct trace_filter filter;
	struct ctl_stream *stream;
	struct reader *r;

	if (!trace_filter_parse(&filter, query, error)) {
		ctl_reply_text(reply, 400, "%s", error);
		return;
	}
	if (t->n_readers >= TRACER_READERS) {
		ctl_reply_text(reply, 503, "too many are tracing already");
		return;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		ctl_reply_text(reply, 500, "out of memory");
		return;
	}
	widen(&filter, t->state->maps);
	r->tracer = t;
	r->filter = filter;
	r->left = TRACER_RATE;
	LIST_INSERT_HEAD(&t->state->readers, r, link);
	t->n_readers++;
	stream = ctl_reply_stream(reply, "application/json", &source, r);
	if (!stream)
		return; /* r was closed */
	r->stream = stream;
	if (!event_pending(t->state->second, EV_TIMEOUT, NULL))
		(void)event_add(
			t->state->second, &(struct timeval){.tv_sec = 1});
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct tracer *t = arg;
	struct reader *r;

	(void)fd;
	(void)what;
	LIST_FOREACH(r, &t->state->readers, link)
	{
		r->left = TRACER_RATE;
		if (!r->skipped[SKIPPED_RATE] && !r->skipped[SKIPPED_READER])
			continue;
		r->say_skipped = true;
		ctl_wake(r->stream);
	}
	if (t->n_readers)
		(void)event_add(
			t->state->second, &(struct timeval){.tv_sec = 1});
}

/* --- packets -------------------------------------------------------------- */

static uint64_t
wall_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
offer(struct reader *r, const struct trace *t)
{
	struct shown *s = &r->kept[(r->first + r->n) % TRACER_KEPT];

	if (!trace_match(&r->filter, t))
		return;
	if (!r->left) {
		r->skipped[SKIPPED_RATE]++;
		return;
	}
	if (r->n == TRACER_KEPT) {
		r->skipped[SKIPPED_READER]++;
		return;
	}
	r->left--;
	*s = (struct shown){wall_ms(), *t};
	if (!r->n++) /* else it is on its way to take them */
		ctl_wake(r->stream);
}

void
tracer_packet(struct tracer *t, const struct trace_input *in)
{
	struct reader *r;

	trace_decode(&t->state->trace, in);
	LIST_FOREACH(r, &t->state->readers, link)
	offer(r, &t->state->trace);
}

/* --- life ----------------------------------------------------------------- */

struct tracer *
tracer_new(struct event_base *base, const struct maps *maps)
{
	struct tracer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->state = calloc(1, sizeof(*t->state));
	if (t->state) {
		t->state->maps = maps;
		LIST_INIT(&t->state->readers);
		t->state->second = evtimer_new(base, on_second, t);
	}
	if (t->state && t->state->second)
		return t;
	tracer_free(t);
	return NULL;
}

void
tracer_free(struct tracer *t)
{
	if (!t)
		return;
	if (t->state && t->state->second)
		event_free(t->state->second);
	free(t->state);
	free(t);
}

void
tracer_start(struct tracer *t, struct ctl *c)
{
	ctl_add_command(c, "/trace", on_trace, t);
}
