/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP clients: pipelining, answers out of order, closing, limits; zone
 * transfers to quick, slow and vanishing clients.
 */
#include "tests/unit/run.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "resolverd/zonefile.h"
#include "tests/unit/resolverd/fixture.h"

static const struct fake_rule rules[] = {
	{"slow.test.", 15, FAKE_SILENT_ONCE, 0,
		{"slow.test. 1 IN MX 1 a.test."}, {0}, {0}},
	{"dead.test.", 15, FAKE_SILENT, 0, {0}, {0}, {0}},
};

/* A zone of n TXT records besides SOA. */
static void
add_zone(struct fixture *f, size_t n, size_t text_len)
{
	char path[] = "/tmp/test-tcp-XXXXXX", conf[64], text[256];
	const char *list = conf;
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");
	size_t i;

	memset(text, 'x', sizeof(text));
	text[text_len] = '\0';
	fputs("$TTL 60\n@ SOA ns mail 7 2 3 4 5\n", out);
	for (i = 0; i < n; i++)
		fprintf(out, "h%zu TXT \"%s\"\n", i, text);
	fclose(out);
	snprintf(conf, sizeof(conf), "zone.test=%s", path);
	f->conf.zone = conf_list_of(&list, 1);
	ck_assert_int_eq(zones_load(&f->r.zones, &f->conf.zone), 0);
	unlink(path);
}

static void
start(struct fixture *f, size_t tcp_max, uint64_t idle_ms)
{
	struct listen_config cfg = {.tcp_max = tcp_max,
		.idle_ms = idle_ms,
		.handler = resolver_handle,
		.arg = &f->r};
	struct endpoint_list at = {&f->at, 1};

	fixture_start(f, 4, 4, rules, ARRAY_LEN(rules));
	listen_free(f->r.listen);
	cfg.at = &at;
	ck_assert_int_eq(listen_new(&f->r.listen, f->base, &cfg), 0);
}

static int
connected_from(struct fixture *f, const struct addr *from)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr_to_sockaddr(from, 0, &ss, &len);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	addr_to_sockaddr(&f->at.addr, f->at.port, &ss, &len);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static int
connected(struct fixture *f)
{
	struct addr from = own_loopback(5);

	return connected_from(f, &from);
}

static size_t
framed(uint8_t *buf, uint16_t id, const char *name, uint16_t type,
	uint16_t flags)
{
	size_t len = query_bytes(buf + 2, id, name, type, flags, -1);

	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)len;
	return len + 2;
}

static void
ask(int fd, uint16_t id, const char *name, uint16_t type)
{
	uint8_t buf[600];
	size_t len = framed(buf, id, name, type, DNS_RD);

	ck_assert_int_eq(send(fd, buf, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* What has come from a connection. */
struct stream {
	int fd;
	uint8_t *buf;
	size_t len, room;
	bool end; /* closed or reset */
};

static bool
stream_read(struct stream *s)
{
	ssize_t n;

	if (s->room - s->len < 65536) {
		s->room += 1 << 20;
		s->buf = realloc(s->buf, s->room);
	}
	n = recv(s->fd, s->buf + s->len, s->room - s->len, 0);
	if (n > 0)
		s->len += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		s->end = true;
	return n > 0;
}

/* The n-th message; false when it has not come yet. */
static bool
stream_message(struct stream *s, size_t n, const uint8_t **msg, size_t *len)
{
	size_t pos = 0;

	for (;;) {
		if (s->len < pos + 2)
			return false;
		*len = (size_t)s->buf[pos] << 8 | s->buf[pos + 1];
		*msg = s->buf + pos + 2;
		if (s->len < pos + 2 + *len)
			return false;
		pos += *len + 2;
		if (!n--)
			return true;
	}
}

static bool
has_messages(struct stream *s, size_t n)
{
	const uint8_t *msg;
	size_t len;

	stream_read(s);
	return stream_message(s, n - 1, &msg, &len);
}

static uint16_t
id_of(struct stream *s, size_t n)
{
	const uint8_t *msg = NULL;
	size_t len;

	ck_assert(stream_message(s, n, &msg, &len));
	return (uint16_t)(msg[0] << 8 | msg[1]);
}

static void
stream_close(struct stream *s)
{
	close(s->fd);
	free(s->buf);
}

/* The one that waits for upstream does not hold up the others. */
START_TEST(test_out_of_order)
{
	static struct fixture f;
	struct stream s = {0};

	start(&f, 10, 10000);
	add_zone(&f, 1, 10);
	s.fd = connected(&f);
	ask(s.fd, 1, "slow.test", DNS_TYPE_MX);
	ask(s.fd, 2, "h0.zone.test", DNS_TYPE_TXT);
	ask(s.fd, 3, "h0.zone.test", DNS_TYPE_A);
	LOOP_UNTIL(f.base, has_messages(&s, 3));
	ck_assert_uint_eq(id_of(&s, 0), 2);
	ck_assert_uint_eq(id_of(&s, 1), 3);
	ck_assert_uint_eq(id_of(&s, 2), 1);
	stream_close(&s);
	LOOP_UNTIL(f.base, !listen_stats(f.r.listen)->tcp_clients);
	fixture_stop(&f);
}
END_TEST

/* A query in single bytes; then the client sends no more, and still gets what
 * is under way. */
START_TEST(test_half_closed)
{
	static struct fixture f;
	struct stream s = {0};
	uint8_t buf[600];
	size_t i, len;

	start(&f, 10, 10000);
	s.fd = connected(&f);
	len = framed(buf, 9, "slow.test", DNS_TYPE_MX, DNS_RD);
	for (i = 0; i < len; i++) {
		ck_assert_int_eq(send(s.fd, buf + i, 1, 0), 1);
		loop_rounds(f.base, 2);
	}
	shutdown(s.fd, SHUT_WR);
	LOOP_UNTIL(f.base, has_messages(&s, 1));
	ck_assert_uint_eq(id_of(&s, 0), 9);
	LOOP_UNTIL(f.base, stream_read(&s) || s.end);
	ck_assert(s.end);
	LOOP_UNTIL(f.base, !listen_stats(f.r.listen)->tcp_clients);
	stream_close(&s);
	fixture_stop(&f);
}
END_TEST

/* A client that is gone before its answer: the query ends by itself. */
START_TEST(test_gone)
{
	static struct fixture f;
	struct linger hard = {1, 0};
	int fd;

	start(&f, 10, 10000);
	fd = connected(&f);
	ask(fd, 1, "slow.test", DNS_TYPE_MX);
	ask(fd, 2, "dead.test", DNS_TYPE_MX);
	LOOP_UNTIL(f.base, f.r.n_queries == 2);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	LOOP_UNTIL(f.base, !listen_stats(f.r.listen)->tcp_clients);
	LOOP_UNTIL(f.base, !f.r.n_queries);
	fixture_stop(&f);
}
END_TEST

/* Idle ones are closed; one that waits for an answer is not idle. */
START_TEST(test_idle)
{
	static struct fixture f;
	struct stream idle = {0}, waits = {0};

	start(&f, 10, 200);
	idle.fd = connected(&f);
	waits.fd = connected(&f);
	ck_assert_int_eq(send(idle.fd, "\0", 1, 0), 1);
	ask(waits.fd, 5, "slow.test", DNS_TYPE_MX);
	LOOP_UNTIL(f.base, stream_read(&idle) || idle.end);
	ck_assert(idle.end);
	LOOP_UNTIL(f.base, has_messages(&waits, 1));
	ck_assert_uint_eq(id_of(&waits, 0), 5);
	LOOP_UNTIL(f.base, stream_read(&waits) || waits.end);
	ck_assert(waits.end);
	stream_close(&idle);
	stream_close(&waits);
	fixture_stop(&f);
}
END_TEST

/* With all places taken the one that asked longest ago goes; but none that
 * waits for an answer. */
START_TEST(test_full)
{
	static struct fixture f;
	struct stream s[4] = {{0}};
	int i;

	start(&f, 3, 10000);
	for (i = 0; i < 3; i++) {
		s[i].fd = connected(&f);
		LOOP_UNTIL(f.base,
			listen_stats(f.r.listen)->tcp_clients == (size_t)i + 1);
	}
	ask(s[0].fd, 1, "dead.test", DNS_TYPE_MX);
	ask(s[1].fd, 1, "x.in-addr.arpa", DNS_TYPE_OPT);
	LOOP_UNTIL(f.base, has_messages(&s[1], 1));
	s[3].fd = connected(&f);
	LOOP_UNTIL(f.base, stream_read(&s[2]) || s[2].end);
	ck_assert(s[2].end);
	ask(s[3].fd, 1, "dead.test", DNS_TYPE_MX);
	ask(s[1].fd, 2, "dead.test", DNS_TYPE_MX);
	LOOP_UNTIL(f.base, f.r.n_queries == 3);
	stream_close(&s[2]);
	s[2] = (struct stream){.fd = connected(&f)};
	LOOP_UNTIL(f.base, stream_read(&s[2]) || s[2].end);
	ck_assert(s[2].end);
	ck_assert_uint_eq(listen_stats(f.r.listen)->tcp_evicted, 1);
	ck_assert_uint_eq(listen_stats(f.r.listen)->tcp_refused, 1);
	LOOP_UNTIL(f.base, !f.r.n_queries);
	for (i = 0; i < 4; i++)
		stream_close(&s[i]);
	fixture_stop(&f);
}
END_TEST

/* Who keeps all places taken with queries that nobody answers makes room for
 * another host, not for itself. */
START_TEST(test_greedy)
{
	static struct fixture f;
	struct addr other = own_loopback(6);
	struct stream s[4] = {{0}}, more;
	int i;

	start(&f, 3, 10000);
	for (i = 0; i < 3; i++) {
		s[i].fd = connected(&f);
		ask(s[i].fd, 1, "dead.test", DNS_TYPE_MX);
		LOOP_UNTIL(f.base, f.r.n_queries == (size_t)i + 1);
	}
	more = (struct stream){.fd = connected(&f)};
	LOOP_UNTIL(f.base, stream_read(&more) || more.end);
	ck_assert(more.end);
	ck_assert_uint_eq(listen_stats(f.r.listen)->tcp_refused, 1);
	s[3].fd = connected_from(&f, &other);
	ask(s[3].fd, 1, "x.in-addr.arpa", DNS_TYPE_OPT);
	LOOP_UNTIL(f.base, has_messages(&s[3], 1));
	ck_assert_uint_eq(listen_stats(f.r.listen)->tcp_evicted, 1);
	LOOP_UNTIL(f.base, stream_read(&s[0]) || s[0].end);
	ck_assert(s[0].end);
	LOOP_UNTIL(f.base, !f.r.n_queries);
	for (i = 0; i < 4; i++)
		stream_close(&s[i]);
	stream_close(&more);
	fixture_stop(&f);
}
END_TEST

/* 1,000 queries in one go: no more than some are under way at once, all are
 * answered. */
START_TEST(test_many)
{
	static struct fixture f;
	struct stream s = {0};
	unsigned most = 0;
	int i;

	start(&f, 10, 10000);
	add_zone(&f, 1, 10);
	s.fd = connected(&f);
	fcntl(s.fd, F_SETFL, 0);
	for (i = 0; i < 1000; i++)
		ask(s.fd, (uint16_t)i, i & 1 ? "h0.zone.test" : "up.test",
			DNS_TYPE_TXT);
	fcntl(s.fd, F_SETFL, O_NONBLOCK);
	while (!has_messages(&s, 1000)) {
		ck_assert_int_ge(event_base_loop(f.base, EVLOOP_ONCE), 0);
		if (f.r.n_queries > most)
			most = (unsigned)f.r.n_queries;
	}
	ck_assert_uint_le(most, 64);
	stream_close(&s);
	fixture_stop(&f);
}
END_TEST

/* All records of an AXFR as one count; checks the first and last. */
static size_t
axfr_records(struct stream *s, size_t *messages)
{
	size_t n, total = 0, len, i;
	const uint8_t *msg;
	struct screened sc;
	struct dns_rr rr;
	struct rbuf r;
	unsigned soas = 0;

	for (n = 0; stream_message(s, n, &msg, &len); n++) {
		ck_assert_int_eq(screen_message(&sc, msg, len), SCREEN_OK);
		ck_assert_uint_eq(sc.header.flags, DNS_QR | DNS_AA);
		rbuf_init(&r, msg, len);
		rbuf_skip(&r, sc.at[DNS_ANSWER]);
		for (i = 0; i < sc.header.counts[DNS_ANSWER]; i++) {
			rr = dns_rr_get(&r);
			if (rr.type == DNS_TYPE_SOA)
				soas++;
			else
				ck_assert_uint_eq(soas, 1);
			ck_assert(total || rr.type == DNS_TYPE_SOA);
			total++;
		}
	}
	*messages = n;
	return soas == 2 ? total : 0;
}

static const struct {
	size_t records, text;
	size_t messages; /* at least */
} zones[] = {
	{0, 0, 1},
	{1, 10, 1},
	{300, 250, 4},
	{50000, 100, 300},
};

START_TEST(test_axfr)
{
	static struct fixture f;
	struct stream s;
	uint8_t buf[600];
	size_t i, len, messages;

	for (i = 0; i < ARRAY_LEN(zones); i++) {
		start(&f, 10, 10000);
		add_zone(&f, zones[i].records, zones[i].text);
		s = (struct stream){.fd = connected(&f)};
		len = framed(buf, 4, "zone.test", DNS_TYPE_AXFR, 0);
		ck_assert_int_eq(send(s.fd, buf, len, 0), (ssize_t)len);
		LOOP_UNTIL(f.base, f.r.stats.transfers == 1);
		/* A slow reader is not written to without bound. */
		loop_rounds(f.base, 50);
		/* A reload does not change what is under way. */
		zones_fini(&f.r.zones);
		LOOP_UNTIL(f.base, !stream_read(&s) && !f.r.n_transfers);
		LOOP_UNTIL(f.base, !stream_read(&s));
		ck_assert_uint_eq(
			axfr_records(&s, &messages), zones[i].records + 2);
		ck_assert_uint_ge(messages, zones[i].messages);
		ck_assert_uint_eq(f.r.n_transfers, 0);
		stream_close(&s);
		fixture_stop(&f);
	}
}
END_TEST

/* Gone in the middle, or the daemon stops in the middle: nothing stays. */
START_TEST(test_axfr_ends)
{
	static struct fixture f;
	struct linger hard = {1, 0};
	uint8_t buf[600];
	size_t len;
	int fd, round;

	len = framed(buf, 4, "zone.test", DNS_TYPE_AXFR, 0);
	for (round = 0; round < 2; round++) {
		start(&f, 10, 10000);
		add_zone(&f, 50000, 200);
		fd = connected(&f);
		ck_assert_int_eq(send(fd, buf, len, 0), (ssize_t)len);
		LOOP_UNTIL(f.base, f.r.n_transfers == 1);
		loop_rounds(f.base, 50);
		ck_assert_uint_eq(f.r.n_transfers, 1);
		if (round) {
			resolver_drop_all(&f.r);
			ck_assert_uint_eq(f.r.n_transfers, 0);
		}
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
		LOOP_UNTIL(
			f.base, !f.r.n_transfers &&
					!listen_stats(f.r.listen)->tcp_clients);
		fixture_stop(&f);
	}
}
END_TEST

/* A second one on the same connection is refused while the first waits; other
 * questions are answered in between. */
START_TEST(test_axfr_twice)
{
	static struct fixture f;
	struct stream s = {0};
	uint8_t buf[600];
	size_t len, i, n = 0;
	const uint8_t *msg;
	bool refused = false, answered = false;

	start(&f, 10, 10000);
	add_zone(&f, 50000, 200);
	s.fd = connected(&f);
	len = framed(buf, 4, "zone.test", DNS_TYPE_AXFR, 0);
	ck_assert_int_eq(send(s.fd, buf, len, 0), (ssize_t)len);
	LOOP_UNTIL(f.base, f.r.n_transfers == 1);
	buf[3] = 5; /* id */
	ck_assert_int_eq(send(s.fd, buf, len, 0), (ssize_t)len);
	ask(s.fd, 6, "h0.zone.test", DNS_TYPE_A);
	LOOP_UNTIL(f.base, stream_read(&s) && f.r.n_transfers == 0 &&
				   f.r.stats.local == 1);
	LOOP_UNTIL(f.base, !stream_read(&s));
	for (i = 0; stream_message(&s, i, &msg, &len); i++) {
		refused |= msg[1] == 5 && (msg[3] & 0xf) == DNS_SERVFAIL;
		answered |= msg[1] == 6;
		n += msg[1] == 4;
	}
	ck_assert(refused && answered);
	ck_assert_uint_gt(n, 600);
	stream_close(&s);
	fixture_stop(&f);
}
END_TEST

static const struct {
	uint16_t type;
	const char *name;
	uint32_t serial; /* of IXFR */
	bool allowed;
	uint16_t rcode;
	size_t records; /* by TCP */
} transfers[] = {
	{DNS_TYPE_AXFR, "zone.test", 0, true, 0, 4},
	{DNS_TYPE_AXFR, "ZONE.test", 0, true, 0, 4},
	{DNS_TYPE_AXFR, "zone.test", 0, false, DNS_REFUSED, 0},
	{DNS_TYPE_AXFR, "h0.zone.test", 0, true, DNS_NOTAUTH, 0},
	{DNS_TYPE_AXFR, "other.test", 0, true, DNS_NOTAUTH, 0},
	{DNS_TYPE_IXFR, "zone.test", 7, true, 0, 1},
	{DNS_TYPE_IXFR, "zone.test", 8, true, 0, 1},
	{DNS_TYPE_IXFR, "zone.test", 6, true, 0, 4},
	{DNS_TYPE_IXFR, "zone.test", 7u + 0x7fffffffu, true, 0, 1},
	{DNS_TYPE_IXFR, "zone.test", 7u + 0x80000001u, true, 0, 4},
	{DNS_TYPE_IXFR, "zone.test", 6, false, DNS_REFUSED, 0},
};

static size_t
transfer_query(uint8_t *buf, size_t i, int edns)
{
	size_t len = query_bytes(
		buf + 2, 1, transfers[i].name, transfers[i].type, 0, edns);
	struct wbuf w;

	if (transfers[i].type == DNS_TYPE_IXFR) {
		wbuf_init(&w, buf + 2 + len, 100);
		wbuf_bytes(&w, "\xc0\x0c\0\6\0\1\0\0\0\0\0\x16\0", 13);
		wbuf_u8(&w, 0);
		wbuf_be32(&w, transfers[i].serial);
		wbuf_zeros(&w, 16);
		len += w.len;
		buf[2 + 9] = 1;
	}
	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)len;
	return len + 2;
}

START_TEST(test_transfers)
{
	static struct fixture f;
	struct stream s;
	uint8_t buf[600];
	const uint8_t *msg;
	size_t i, len;

	start(&f, 10, 10000);
	add_zone(&f, 2, 10);
	for (i = 0; i < ARRAY_LEN(transfers); i++) {
		f.r.policy.transfer_to.v[0].addr.b[0] =
			transfers[i].allowed ? 127 : 126;
		s = (struct stream){.fd = connected(&f)};
		len = transfer_query(buf, i, -1);
		ck_assert_int_eq(send(s.fd, buf, len, 0), (ssize_t)len);
		LOOP_UNTIL(f.base, has_messages(&s, 1));
		ck_assert(stream_message(&s, 0, &msg, &len));
		ck_assert_msg((msg[3] & 0xf) == transfers[i].rcode,
			"case %zu: rcode %d", i, msg[3] & 0xf);
		ck_assert_msg(msg[7] == transfers[i].records,
			"case %zu: %d records", i, msg[7]);
		stream_close(&s);

		/* By UDP: the SOA at most. */
		len = transfer_query(buf, i, -1);
		fixture_send(&f, buf + 2, len - 2);
		LOOP_UNTIL(f.base, fixture_received(&f));
		if (transfers[i].rcode)
			ck_assert_int_eq(f.answer[3] & 0xf, transfers[i].rcode);
		else if (transfers[i].type == DNS_TYPE_AXFR)
			ck_assert_int_eq(f.answer[3] & 0xf, DNS_FORMERR);
		else
			ck_assert_int_eq(f.answer[7], 1);
	}
	LOOP_UNTIL(f.base, !listen_stats(f.r.listen)->tcp_clients);
	fixture_stop(&f);
}
END_TEST

/* A secondary that may have the zone may ask for its SOA, and nothing else. */
START_TEST(test_secondary_asks)
{
	static struct fixture f;

	start(&f, 10, 10000);
	add_zone(&f, 1, 10);
	f.r.policy.allow.v[0].addr.b[0] = 126;
	fixture_ask(&f, "zone.test", DNS_TYPE_SOA);
	ck_assert_uint_eq(screen_rcode(&f.s), 0);
	fixture_ask(&f, "zone.test", DNS_TYPE_NS);
	ck_assert_uint_eq(screen_rcode(&f.s), DNS_REFUSED);
	fixture_ask(&f, "h0.zone.test", DNS_TYPE_SOA);
	ck_assert_uint_eq(screen_rcode(&f.s), DNS_REFUSED);
	fixture_stop(&f);
}
END_TEST

RUN_TESTS("tcp", test_out_of_order, test_half_closed, test_gone, test_idle,
	test_full, test_greedy, test_many, test_axfr, test_axfr_ends,
	test_axfr_twice, test_transfers, test_secondary_asks)
