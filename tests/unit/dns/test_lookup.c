/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub client against scripted servers in the same loop: each row says what
 * the servers do and what comes of it.
 */
#include "libipref/dns/lookup.h"

#include <errno.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "tests/unit/dns/scripted.h"
#include "tests/unit/run.h"

#define NAME "host.example.com"

enum behaviour {
	ANSWER, /* an A record */
	CHAIN,	/* CNAMEs in no order, then two A */
	NODATA,
	NXDOMAIN,
	SERVFAIL,
	REFUSED,
	REFERRAL,
	SILENT,
	WRONG_ID,	/* and then the right one */
	WRONG_QUESTION, /* likewise */
	GARBAGE,	/* likewise */
	QUERY_BACK,	/* the query itself, then the right one */
	TRUNCATED,	/* TC; the answer by TCP */
	TRUNCATED_CUT,	/* TC in the middle of a record; likewise */
	TCP_WRONG_ID,
	TCP_CLOSED,
	CNAME_LOOP,
	CLOSED, /* nobody there */
};

struct server {
	struct event_base *base;
	struct endpoint at;
	enum behaviour does;
	struct event *udp;
	struct evconnlistener *tcp;
	struct bufferevent *bev;
	size_t asked, asked_tcp;
	uint16_t ports[64], ids[64]; /* of UDP queries */
};

struct got {
	struct event_base *base;
	size_t calls;
	enum lookup_result result;
	struct addr addrs[4];
	size_t n;
	char why[128];
};

static void
header(struct wbuf *w, uint16_t id, uint16_t flags, uint16_t an)
{
	const struct dns_header h = {
		.id = id, .flags = flags, .counts = {1, an, 0, 0}};
	const struct dns_question q = {
		named("HOST.example.com"), DNS_TYPE_A, DNS_CLASS_IN};

	dns_header_put(w, &h);
	dns_question_put(w, &q);
}

static void
good_answer(struct wbuf *w, uint16_t id)
{
	header(w, id, DNS_QR | DNS_RA, 1);
	put_addr(w, NAME, "192.168.1.7");
}

static void
cname_loop(struct wbuf *w, uint16_t id)
{
	header(w, id, DNS_QR | DNS_RA, 2);
	put_target(w, NAME, DNS_TYPE_CNAME, "b.example.com");
	put_target(w, "b.example.com", DNS_TYPE_CNAME, NAME);
}

static void
chain(struct wbuf *w, uint16_t id)
{
	header(w, id, DNS_QR | DNS_RA, 6);
	put_target(w, "b.example.com", DNS_TYPE_CNAME, "c.example.net");
	put_addr(w, NAME, "192.168.1.66");
	put_addr(w, "C.example.net", "192.168.1.9");
	put_addr(w, "d.example.net", "192.168.1.77");
	put_addr(w, "c.example.net", "192.168.1.8");
	put_target(w, "Host.example.com", DNS_TYPE_CNAME, "B.example.com");
}

/* The right answer of a server by UDP, after what it did before. */
static void
write_answer(enum behaviour does, struct wbuf *w, uint16_t id)
{
	static const uint16_t rcodes[] = {
		[NODATA] = DNS_RA,
		[NXDOMAIN] = DNS_RA | DNS_NXDOMAIN,
		[SERVFAIL] = DNS_SERVFAIL,
		[REFUSED] = DNS_REFUSED,
		[REFERRAL] = DNS_NOERROR,
	};

	switch (does) {
	case CHAIN:
		chain(w, id);
		break;
	case CNAME_LOOP:
		cname_loop(w, id);
		break;
	case NODATA:
	case NXDOMAIN:
	case SERVFAIL:
	case REFUSED:
	case REFERRAL:
		header(w, id, DNS_QR | rcodes[does], 0);
		break;
	case TRUNCATED:
	case TCP_WRONG_ID:
	case TCP_CLOSED:
		header(w, id, DNS_QR | DNS_TC, 0);
		break;
	case TRUNCATED_CUT:
		header(w, id, DNS_QR | DNS_TC, 1);
		wbuf_bytes(w, "\4host", 5);
		break;
	default:
		good_answer(w, id);
	}
}

static void
send_to(int fd, const struct sockaddr *sa, socklen_t len, const struct wbuf *w)
{
	ck_assert(wbuf_ok(w));
	ck_assert_int_eq(sendto(fd, w->p, w->len, 0, sa, len), (ssize_t)w->len);
}

/* What must not be taken for an answer. */
static void
send_strays(struct server *s, int fd, const struct sockaddr *sa, socklen_t len,
	const struct screened *query, const uint8_t *raw, size_t raw_len)
{
	const struct dns_question other = {
		named("host.example.net"), DNS_TYPE_A, DNS_CLASS_IN};
	const struct dns_header h = {.id = query->header.id,
		.flags = DNS_QR | DNS_RA,
		.counts = {1, 0, 0, 0}};
	uint8_t bytes[512];
	struct wbuf w;

	wbuf_init(&w, bytes, sizeof(bytes));
	switch (s->does) {
	case WRONG_ID:
		header(&w, query->header.id ^ 1, DNS_QR | DNS_NXDOMAIN, 0);
		break;
	case WRONG_QUESTION:
		dns_header_put(&w, &h);
		dns_question_put(&w, &other);
		break;
	case GARBAGE:
		dns_header_put(&w, &h);
		wbuf_bytes(&w, "\xc0\x0c\xc0\x0c", 4);
		break;
	case QUERY_BACK:
		wbuf_bytes(&w, raw, raw_len);
		break;
	default:
		return;
	}
	send_to(fd, sa, len, &w);
}

static void
on_query(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *)&ss;
	socklen_t len = sizeof(ss);
	uint8_t raw[512], bytes[512];
	struct screened query;
	struct endpoint from;
	struct wbuf w;
	ssize_t n;

	(void)what;
	n = recvfrom(fd, raw, sizeof(raw), 0, sa, &len);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(screen_message(&query, raw, (size_t)n), SCREEN_OK);
	ck_assert_uint_eq(query.header.flags, DNS_RD);
	ck_assert(endpoint_from_sockaddr(&from, sa, len));
	s->ports[s->asked % 64] = from.port;
	s->ids[s->asked++ % 64] = query.header.id;
	if (s->does == SILENT)
		return;
	send_strays(s, fd, sa, len, &query, raw, (size_t)n);
	wbuf_init(&w, bytes, sizeof(bytes));
	write_answer(s->does, &w, query.header.id);
	send_to(fd, sa, len, &w);
}

static void
on_tcp_query(struct bufferevent *bev, void *arg)
{
	struct server *s = arg;
	uint8_t bytes[512],
		*frame = evbuffer_pullup(bufferevent_get_input(bev), -1);
	size_t len = evbuffer_get_length(bufferevent_get_input(bev));
	struct screened query;
	struct wbuf w;

	ck_assert_int_eq(screen_message(&query, frame + 2, len - 2), 0);
	evbuffer_drain(bufferevent_get_input(bev), len);
	s->asked_tcp++;
	if (s->does == TCP_CLOSED) {
		bufferevent_free(bev);
		s->bev = NULL;
		return;
	}
	wbuf_init(&w, bytes, sizeof(bytes));
	wbuf_zeros(&w, 2);
	good_answer(&w, query.header.id ^ (s->does == TCP_WRONG_ID));
	wbuf_patch16(&w, 0, w.len - 2);
	bufferevent_write(bev, bytes, w.len);
}

static void
on_tcp_end(struct bufferevent *bev, short what, void *arg)
{
	struct server *s = arg;

	(void)what;
	bufferevent_free(bev);
	s->bev = NULL;
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
	int len, void *arg)
{
	struct server *s = arg;
	struct bufferevent *bev =
		bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l;
	(void)sa;
	(void)len;
	bufferevent_setcb(bev, on_tcp_query, NULL, on_tcp_end, s);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	s->bev = bev;
}

static void
server_start(struct server *s, struct event_base *base, enum behaviour does)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = bound_socket(SOCK_DGRAM, &s->at);

	*s = (struct server){.base = base, .at = s->at, .does = does};
	if (does == CLOSED) {
		close(fd);
		return;
	}
	s->udp = event_new(base, fd, EV_READ | EV_PERSIST, on_query, s);
	ck_assert_int_eq(event_add(s->udp, NULL), 0);
	addr_to_sockaddr(&s->at.addr, s->at.port, &ss, &len);
	s->tcp = evconnlistener_new_bind(base, on_accept, s,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 8,
		(struct sockaddr *)&ss, (int)len);
	ck_assert_ptr_nonnull(s->tcp);
}

static void
server_stop(struct server *s)
{
	if (!s->udp)
		return;
	close(event_get_fd(s->udp));
	event_free(s->udp);
	evconnlistener_free(s->tcp);
	if (s->bev)
		bufferevent_free(s->bev);
}

static void
take(const struct lookup_answer *a, void *arg)
{
	struct got *g = arg;

	g->calls++;
	g->result = a->result;
	g->n = lookup_addrs(a, 4, g->addrs, 4);
	ck_assert_int_eq(a->msg != NULL, a->result != LOOKUP_FAILED);
	ck_assert_int_eq(a->why != NULL, a->result == LOOKUP_FAILED);
	snprintf(g->why, sizeof(g->why), "%s", a->why ? a->why : "");
	event_base_loopbreak(g->base);
}

static struct dns_question
the_question(void)
{
	return (struct dns_question){named(NAME), DNS_TYPE_A, DNS_CLASS_IN};
}

static const struct {
	const char *what;
	enum behaviour a, b; /* of the two servers, asked in this order */
	enum lookup_result result;
	const char *addr; /* the first */
	size_t n;
	size_t asked_a, asked_b, tcp; /* queries */
	size_t strays;
	const char *why;
} rows[] = {
	{"answer", ANSWER, ANSWER, LOOKUP_YES, "192.168.1.7", 1, 1, 0, 0, 0,
		NULL},
	{"chain", CHAIN, ANSWER, LOOKUP_YES, "192.168.1.9", 2, 1, 0, 0, 0,
		NULL},
	{"CNAME loop", CNAME_LOOP, ANSWER, LOOKUP_NODATA, NULL, 0, 1, 0, 0, 0,
		NULL},
	{"NODATA", NODATA, ANSWER, LOOKUP_NODATA, NULL, 0, 1, 0, 0, 0, NULL},
	{"NXDOMAIN", NXDOMAIN, ANSWER, LOOKUP_NXDOMAIN, NULL, 0, 1, 0, 0, 0,
		NULL},
	{"SERVFAIL, answer", SERVFAIL, ANSWER, LOOKUP_YES, "192.168.1.7", 1, 1,
		1, 0, 0, NULL},
	{"REFUSED, NXDOMAIN", REFUSED, NXDOMAIN, LOOKUP_NXDOMAIN, NULL, 0, 1, 1,
		0, 0, NULL},
	{"referral, answer", REFERRAL, ANSWER, LOOKUP_YES, "192.168.1.7", 1, 1,
		1, 0, 0, NULL},
	{"silent, answer", SILENT, ANSWER, LOOKUP_YES, "192.168.1.7", 1, 1, 1,
		0, 0, NULL},
	{"closed, answer", CLOSED, ANSWER, LOOKUP_YES, "192.168.1.7", 1, 0, 1,
		0, 0, NULL},
	{"all fail", SERVFAIL, REFUSED, LOOKUP_FAILED, NULL, 0, 2, 2, 0, 0,
		"REFUSED"},
	{"all silent", SILENT, SILENT, LOOKUP_FAILED, NULL, 0, 2, 2, 0, 0,
		"no answer"},
	{"all closed", CLOSED, CLOSED, LOOKUP_FAILED, NULL, 0, 0, 0, 0, 0,
		"Connection refused"},
	{"id", WRONG_ID, SERVFAIL, LOOKUP_YES, "192.168.1.7", 1, 1, 0, 0, 1,
		NULL},
	{"question", WRONG_QUESTION, SERVFAIL, LOOKUP_YES, "192.168.1.7", 1, 1,
		0, 0, 1, NULL},
	{"garbage", GARBAGE, SERVFAIL, LOOKUP_YES, "192.168.1.7", 1, 1, 0, 0, 1,
		NULL},
	{"query back", QUERY_BACK, SERVFAIL, LOOKUP_YES, "192.168.1.7", 1, 1, 0,
		0, 1, NULL},
	{"truncated", TRUNCATED, SERVFAIL, LOOKUP_YES, "192.168.1.7", 1, 1, 0,
		1, 0, NULL},
	{"truncated, cut", TRUNCATED_CUT, SERVFAIL, LOOKUP_YES, "192.168.1.7",
		1, 1, 0, 1, 0, NULL},
	{"TCP with another id", TCP_WRONG_ID, ANSWER, LOOKUP_YES, "192.168.1.7",
		1, 1, 1, 1, 1, NULL},
	{"TCP closed", TCP_CLOSED, ANSWER, LOOKUP_YES, "192.168.1.7", 1, 1, 1,
		1, 0, NULL},
};

START_TEST(test_rows)
{
	const struct dns_question q = the_question();
	struct lookup_config cfg = {
		.n_servers = 2, .try_ms = 150, .rounds = 2, .max_in_flight = 4};
	struct addr want;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct event_base *base = event_base_new();
		struct got g = {.base = base};
		struct server a = {0}, b = {0};
		struct lookups *c;

		server_start(&a, base, rows[i].a);
		server_start(&b, base, rows[i].b);
		cfg.servers[0] = a.at;
		cfg.servers[1] = b.at;
		c = lookups_new(base, &cfg);
		ck_assert_ptr_nonnull(lookup_start(c, &q, take, &g));
		ck_assert_uint_eq(g.calls, 0);
		event_base_dispatch(base);
		ck_assert_uint_eq(g.calls, 1);
		ck_assert_msg(g.result == rows[i].result && g.n == rows[i].n,
			"%s: %d %zu %s", rows[i].what, (int)g.result, g.n,
			g.why);
		if (rows[i].addr) {
			ck_assert(addr_parse(
				&want, rows[i].addr, strlen(rows[i].addr)));
			ck_assert(addr_eq(&g.addrs[0], &want));
		}
		if (rows[i].why)
			ck_assert_str_eq(g.why, rows[i].why);
		ck_assert_msg(a.asked == rows[i].asked_a &&
				      b.asked == rows[i].asked_b &&
				      a.asked_tcp + b.asked_tcp == rows[i].tcp,
			"%s: %zu %zu %zu", rows[i].what, a.asked, b.asked,
			a.asked_tcp);
		ck_assert_uint_eq(lookups_stats(c)->strays, rows[i].strays);
		ck_assert_uint_eq(lookups_stats(c)->in_flight, 0);
		lookups_free(c);
		server_stop(&a);
		server_stop(&b);
		event_base_free(base);
	}
}
END_TEST

/* The server that answered last is asked first; ids and ports vary. */
START_TEST(test_order_and_chance)
{
	const struct dns_question q = the_question();
	struct event_base *base = event_base_new();
	struct got g = {.base = base};
	struct server a = {0}, b = {0};
	struct lookup_config cfg = {.n_servers = 2,
		.try_ms = 2000,
		.rounds = 1,
		.max_in_flight = 4};
	struct lookups *c;
	size_t i, same_id = 0, same_port = 0;

	server_start(&a, base, SERVFAIL);
	server_start(&b, base, ANSWER);
	cfg.servers[0] = a.at;
	cfg.servers[1] = b.at;
	c = lookups_new(base, &cfg);
	for (i = 0; i < 64; i++) {
		ck_assert_ptr_nonnull(lookup_start(c, &q, take, &g));
		event_base_dispatch(base);
	}
	ck_assert_uint_eq(g.calls, 64);
	ck_assert_uint_eq(a.asked, 1);
	ck_assert_uint_eq(b.asked, 64);
	for (i = 1; i < 64; i++) {
		same_id += b.ids[i] == b.ids[i - 1];
		same_port += b.ports[i] == b.ports[i - 1];
	}
	ck_assert_uint_le(same_id, 2);
	ck_assert_uint_le(same_port, 2);
	lookups_set_servers(c, NULL, 0);
	ck_assert_ptr_nonnull(lookup_start(c, &q, take, &g));
	event_base_dispatch(base);
	ck_assert_int_eq(g.result, LOOKUP_FAILED);
	ck_assert_str_eq(g.why, "no servers are known");
	lookups_free(c);
	server_stop(&a);
	server_stop(&b);
	event_base_free(base);
}
END_TEST

START_TEST(test_bound_and_cancel)
{
	const struct dns_question q = the_question();
	struct event_base *base = event_base_new();
	struct got g = {.base = base};
	struct server a = {0};
	struct lookup_config cfg = {.n_servers = 1,
		.try_ms = 60000,
		.rounds = 1,
		.max_in_flight = 3};
	struct lookup *l[3];
	struct lookups *c;
	size_t i;

	server_start(&a, base, SILENT);
	cfg.servers[0] = a.at;
	c = lookups_new(base, &cfg);
	for (i = 0; i < 3; i++) {
		l[i] = lookup_start(c, &q, take, &g);
		ck_assert_ptr_nonnull(l[i]);
	}
	errno = 0;
	ck_assert_ptr_null(lookup_start(c, &q, take, &g));
	ck_assert_int_eq(errno, EAGAIN);
	lookup_cancel(l[1]);
	while (a.asked < 2)
		event_base_loop(base, EVLOOP_ONCE);
	l[1] = lookup_start(c, &q, take, &g);
	ck_assert_ptr_nonnull(l[1]);
	lookup_cancel(l[0]);
	lookups_free(c);
	lookups_free(NULL);
	ck_assert_uint_eq(g.calls, 0);
	server_stop(&a);
	event_base_free(base);
}
END_TEST

START_TEST(test_resolv_conf)
{
	static const char text[] = "# nameserver 192.0.2.9\n"
				   "nameserver 192.0.2.1\n"
				   "\tnameserver\t 2001:db8::1 \n"
				   "nameserverx 192.0.2.2\n"
				   "nameserver\n"
				   "nameserver fe80::1%eth0\n"
				   "search example.com\r\n"
				   "nameserver 192.0.2.3\r\n"
				   "nameserver 192.0.2.4";
	static const char *const want[] = {
		"192.0.2.1", "2001:db8::1", "192.0.2.3", "192.0.2.4"};
	struct endpoint servers[8];
	char buf[ADDR_TEXT_MAX];
	size_t i, n;

	n = resolv_conf_parse(text, sizeof(text) - 1, servers, 8);
	ck_assert_uint_eq(n, ARRAY_LEN(want));
	for (i = 0; i < n; i++) {
		ck_assert_str_eq(addr_format(&servers[i].addr, buf), want[i]);
		ck_assert_uint_eq(servers[i].port, 53);
	}
	ck_assert_uint_eq(
		resolv_conf_parse(text, sizeof(text) - 1, servers, 2), 2);
	ck_assert_uint_eq(resolv_conf_parse("", 0, servers, 2), 0);
	ck_assert_int_eq(
		resolv_conf_read("/nonexistent", servers, 8, &n), -ENOENT);
	ck_assert_uint_eq(n, 0);
}
END_TEST

RUN_TESTS("lookup", test_rows, test_order_and_chance, test_bound_and_cancel,
	test_resolv_conf)
