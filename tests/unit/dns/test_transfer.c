/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zone transfers from a scripted master in the same loop: what it sends is one
 * row of a table each; then every cut, endless streams and silence.
 */
#include "libipref/dns/transfer.h"

#include <errno.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "libipref/dns/stream.h"
#include "tests/unit/dns/transfers.h"
#include "tests/unit/run.h"

struct master {
	struct event_base *base;
	struct evconnlistener *listener;
	struct endpoint at;
	void (*write)(struct script *s); /* NULL: silent */
	size_t cut;			 /* bytes sent before closing */
	bool endless;			 /* the script over and over */
	struct bufferevent *bev;
	struct script script;
	size_t accepted;
};

struct got {
	struct event_base *base;
	size_t records, txt;
	bool refuse; /* the callback's answer */
	size_t done;
	bool complete;
	uint32_t serial;
	char why[256];
};

/* --- the master --------------------------------------------------------- */

static void
on_sent(struct bufferevent *bev, void *arg)
{
	struct master *m = arg;

	if (!m->endless) {
		/* All is in the kernel: the end can be shown. */
		bufferevent_free(bev);
		m->bev = NULL;
		return;
	}
	m->script.w.len = m->script.ends[0];
	m->write(&m->script);
	bufferevent_write(bev, m->script.bytes + m->script.ends[0],
		m->script.w.len - m->script.ends[0]);
}

static void
on_query(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct master *m = arg;
	struct script *s = &m->script;
	struct screened query;
	size_t len = evbuffer_get_length(in);
	const uint8_t *frame = evbuffer_pullup(in, -1);
	struct rbuf r;

	rbuf_init(&r, frame, len);
	if (len < 2 || rbuf_be16(&r) != len - 2)
		return;
	ck_assert_int_eq(screen_message(&query, frame + 2, len - 2), SCREEN_OK);
	ck_assert_uint_eq(query.header.flags, 0);
	ck_assert_uint_eq(query.question.type, DNS_TYPE_AXFR);
	evbuffer_drain(in, len);
	if (!m->write)
		return;
	memset(s, 0, offsetof(struct script, w));
	wbuf_init(&s->w, s->bytes, sizeof(s->bytes));
	s->id = query.header.id;
	s->n = 0;
	m->write(s);
	len = s->w.len < m->cut ? s->w.len : m->cut;
	bufferevent_setcb(bev, NULL, on_sent, NULL, m);
	if (len)
		bufferevent_write(bev, s->bytes, len);
	else
		on_sent(bev, m);
}

static void
on_gone(struct bufferevent *bev, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	bufferevent_free(bev);
	m->bev = NULL;
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
	int len, void *arg)
{
	struct master *m = arg;

	(void)l;
	(void)sa;
	(void)len;
	m->accepted++;
	m->bev = bufferevent_socket_new(m->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(m->bev, on_query, NULL, on_gone, m);
	bufferevent_enable(m->bev, EV_READ | EV_WRITE);
}

static void
master_start(struct master *m)
{
	int fd = bound_socket(SOCK_STREAM, &m->at);

	m->base = event_base_new();
	m->cut = SIZE_MAX;
	m->listener = evconnlistener_new(
		m->base, on_accept, m, LEV_OPT_CLOSE_ON_FREE, 8, fd);
	ck_assert_ptr_nonnull(m->listener);
}

static void
master_stop(struct master *m)
{
	if (m->bev)
		bufferevent_free(m->bev);
	evconnlistener_free(m->listener);
	event_base_free(m->base);
}

/* --- one transfer ------------------------------------------------------- */

static bool
take_record(const struct dns_rr *rr, const uint8_t *msg, size_t len, void *arg)
{
	struct got *g = arg;

	ck_assert(rr->rdata >= msg && rr->rdata + rr->rdlen <= msg + len);
	g->records++;
	g->txt += rr->type == DNS_TYPE_TXT;
	return !g->refuse;
}

static void
take_done(const struct transfer_outcome *o, void *arg)
{
	struct got *g = arg;

	g->done++;
	g->complete = o->complete;
	ck_assert_int_eq(o->soa != NULL, o->complete);
	ck_assert_int_eq(o->why != NULL && *o->why, 1);
	g->serial = o->soa ? o->soa->serial : 0;
	snprintf(g->why, sizeof(g->why), "%s", o->why);
	event_base_loopbreak(g->base);
}

static struct got
fetch(struct master *m, const struct transfer_limits *limits, bool refuse)
{
	struct got g = {.base = m->base, .refuse = refuse};
	const struct transfer_config cfg = {
		.server = m->at,
		.zone = named(ZONE),
		.limits = *limits,
		.record = take_record,
		.done = take_done,
		.arg = &g,
	};
	struct transfer *t = transfer_new(m->base, &cfg);

	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(g.done, 0);
	event_base_dispatch(m->base);
	transfer_free(t);
	if (m->bev) {
		bufferevent_free(m->bev);
		m->bev = NULL;
	}
	ck_assert_uint_eq(g.done, 1);
	return g;
}

static const struct transfer_limits limits = TRANSFER_LIMITS;

static const struct {
	const char *what;
	void (*write)(struct script *s);
	const char *why; /* part of it; NULL: complete */
	size_t records, txt;
} rows[] = {
	{"good", good, NULL, 4, 2},
	{"nothing but its SOA", good_small, NULL, 1, 0},
	{"id", wrong_id, "another id", 0, 0},
	{"id of a later message", wrong_id_later, "another id", 1, 0},
	{"QR", no_response, "no response", 0, 0},
	{"opcode", opcode_notify, "no response", 0, 0},
	{"rcode", refused, "refused by the server (rcode 5)", 0, 0},
	{"TC", truncated, "truncated", 0, 0},
	{"question", other_question, "another question", 0, 0},
	{"type asked", other_type, "another question", 0, 0},
	{"no question", no_question, "another question", 0, 0},
	{"no records", no_records, "without records", 0, 0},
	{"no SOA first", no_soa_first, "first record is no SOA", 0, 0},
	{"SOA of another zone", foreign_soa, "second SOA", 0, 0},
	{"another closing SOA", other_closing_soa, "second SOA", 2, 1},
	{"SOA in the middle", soa_in_the_middle, "behind the closing", 1, 0},
	{"SOA below", soa_below, "second SOA", 1, 0},
	{"owner outside", owner_outside, "not of the zone", 1, 0},
	{"class", class_chaos, "another class", 1, 0},
	{"meta type", meta_type, "type that no zone has", 1, 0},
	{"compression loop", compression_loop, "broken record", 0, 0},
	{"no closing SOA", no_closing_soa, "closed the connection", 4, 2},
	{"length 0", zero_length, "shorter than a header", 0, 0},
	{"nothing", nothing, "closed the connection", 0, 0},
};

START_TEST(test_rows)
{
	static struct master m;
	struct got g;
	size_t i;

	master_start(&m);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		m.write = rows[i].write;
		g = fetch(&m, &limits, false);
		ck_assert_msg(g.complete == !rows[i].why, "%s: %s",
			rows[i].what, g.why);
		ck_assert_uint_eq(g.serial, rows[i].why ? 0 : 7);
		if (rows[i].why)
			ck_assert_msg(strstr(g.why, rows[i].why) != NULL,
				"%s: %s", rows[i].what, g.why);
		ck_assert_msg(
			g.records == rows[i].records && g.txt == rows[i].txt,
			"%s: %zu records", rows[i].what, g.records);
	}
	ck_assert_uint_eq(m.accepted, ARRAY_LEN(rows));
	master_stop(&m);
}
END_TEST

/* A connection that ends anywhere before the last byte is never a zone. */
START_TEST(test_cuts)
{
	static struct master m;
	struct got g;
	size_t whole;

	master_start(&m);
	m.write = good;
	g = fetch(&m, &limits, false);
	ck_assert(g.complete);
	whole = m.script.w.len;
	for (m.cut = 0; m.cut < whole; m.cut++) {
		g = fetch(&m, &limits, false);
		ck_assert(!g.complete);
	}
	g = fetch(&m, &limits, false);
	ck_assert(g.complete);
	master_stop(&m);
}
END_TEST

START_TEST(test_bounds)
{
	struct transfer_limits small = limits;
	static struct master m;
	struct got g;

	master_start(&m);
	m.write = filler;
	m.endless = true;
	small.bytes = 1 << 20;
	g = fetch(&m, &small, false);
	ck_assert_str_eq(g.why, "more bytes than allowed");
	small.bytes = limits.bytes;
	small.records = 2500;
	g = fetch(&m, &small, false);
	ck_assert_str_eq(g.why, "more records than allowed");
	ck_assert_uint_eq(g.records, 2500);
	g = fetch(&m, &limits, true);
	ck_assert_str_eq(g.why, "no memory for its records");
	ck_assert_uint_eq(g.records, 1);
	/* Always something new, never silent, and yet it ends. */
	small = limits;
	small.records = small.bytes = UINT64_MAX;
	small.total_ms = 200;
	g = fetch(&m, &small, false);
	ck_assert(strstr(g.why, "timed out") != NULL);
	master_stop(&m);
}
END_TEST

START_TEST(test_silence)
{
	struct transfer_limits small = limits;
	static struct master m;
	struct got g;

	master_start(&m);
	small.idle_ms = 100;
	g = fetch(&m, &small, false);
	ck_assert_msg(strstr(g.why, "timed out") != NULL, "%s", g.why);
	evconnlistener_disable(m.listener);
	master_stop(&m);

	/* Nobody listens: the port was free a moment ago. */
	m = (struct master){.base = event_base_new()};
	close(bound_socket(SOCK_STREAM, &m.at));
	g = fetch(&m, &limits, false);
	ck_assert_str_eq(g.why, strerror(ECONNREFUSED));
	event_base_free(m.base);
}
END_TEST

/* Freed in mid-transfer: no call, no leak. */
START_TEST(test_cancel)
{
	static struct master m;
	struct got g = {0};
	struct transfer_config cfg = {
		.zone = named(ZONE),
		.limits = limits,
		.record = take_record,
		.done = take_done,
		.arg = &g,
	};
	struct transfer *t;

	master_start(&m);
	g.base = m.base;
	cfg.server = m.at;
	t = transfer_new(m.base, &cfg);
	ck_assert_ptr_nonnull(t);
	while (!m.accepted)
		event_base_loop(m.base, EVLOOP_ONCE);
	transfer_free(t);
	transfer_free(NULL);
	while (m.bev)
		event_base_loop(m.base, EVLOOP_ONCE);
	ck_assert_uint_eq(g.done, 0);
	cfg.server = (struct endpoint){0};
	errno = 0;
	ck_assert_ptr_null(transfer_new(m.base, &cfg));
	ck_assert_int_eq(errno, EINVAL);
	/* No route, or not allowed: known at once, and said at once. */
	ck_assert(endpoint_parse(&cfg.server, "255.255.255.255:53", 18));
	errno = 0;
	ck_assert_ptr_null(transfer_new(m.base, &cfg));
	ck_assert_int_ne(errno, 0);
	ck_assert_uint_eq(g.done, 0);
	master_stop(&m);
}
END_TEST

RUN_TESTS("transfer", test_rows, test_cuts, test_bounds, test_silence,
	test_cancel)
