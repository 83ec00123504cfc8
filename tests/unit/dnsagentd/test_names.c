/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rounds of lookups against a scripted DNS server in the same loop: what is
 * answered, what stays, what is unknown; one row per round, each with what the
 * server says by then.
 */
#include "dnsagentd/names.h"

#include <event2/event.h>

#include "tests/unit/dnsagentd/zones.h"
#include "tests/unit/run.h"

#define HOSTS 4

/* What the server says of a name: addresses, or one of these words. */
#define NX   "nx"
#define NONE "none"
#define FAIL "fail"

struct server {
	struct event *ev;
	struct endpoint at;
	const char *const *says; /* of h0, h1, ... and of gw */
	size_t asked;
};

static const char *const zone_lines[] = {"h0 TXT AA 192.0.2.1 + 1",
	"h1 TXT AA 192.0.2.1 + 2", "h2 TXT AA gw.example.net + 3",
	"h3 TXT AA 192.0.2.1 + 4", "h3 TXT AA 192.0.2.1 + 5", NULL};

static const struct {
	const char *says[HOSTS + 1];
	const char *is[HOSTS + 1]; /* "-": no address */
	size_t found, none, kept, unknown;
} rounds[] = {
	{{FAIL, "10.0.0.1", FAIL, NX, FAIL}, {"-", "10.0.0.1", "-", "-", "-"},
		1, 1, 0, 3},
	{{"10.0.0.10", FAIL, FAIL, FAIL, "192.0.2.9"},
		{"10.0.0.10", "10.0.0.1", "-", "-", "192.0.2.9"}, 2, 0, 2, 1},
	{{NX, "10.0.0.2 10.0.0.1", NONE, "10.0.0.3", FAIL},
		{"-", "10.0.0.1", "-", "10.0.0.3", "192.0.2.9"}, 2, 2, 1, 0},
	/* An address of before stays when it is among them; one that no host
	 * can have is none. */
	{{FAIL, "10.0.0.2 10.0.0.5", "127.0.0.1", "127.0.0.1 10.0.0.4",
		 "192.0.2.8 192.0.2.9"},
		{"-", "10.0.0.2", "-", "10.0.0.4", "192.0.2.9"}, 3, 1, 1, 0},
	{{FAIL, FAIL, FAIL, FAIL, FAIL},
		{"-", "10.0.0.2", "-", "10.0.0.4", "192.0.2.9"}, 0, 0, 5, 0},
};

static void
put_answer(struct wbuf *w, const struct screened *query, const char *says)
{
	struct dns_header h = {.id = query->header.id,
		.flags = DNS_QR | DNS_AA,
		.counts = {1, 0, 0, 0}};
	char owner[NAME_TEXT_MAX], addr[32];
	const char *p;
	int used;

	if (!strcmp(says, NX))
		h.flags |= DNS_NXDOMAIN;
	else if (!strcmp(says, FAIL))
		h.flags |= DNS_SERVFAIL;
	else if (strcmp(says, NONE) != 0)
		for (p = says; sscanf(p, "%31s%n", addr, &used) == 1; p += used)
			h.counts[DNS_ANSWER]++;
	dns_header_put(w, &h);
	dns_question_put(w, &query->question);
	name_format(&query->question.name, owner);
	if (h.counts[DNS_ANSWER])
		for (p = says; sscanf(p, "%31s%n", addr, &used) == 1; p += used)
			put_addr(w, owner, addr);
}

static void
on_query(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	uint8_t raw[512], bytes[512];
	struct name local = named("internal"), gw = named("gw.example.net");
	struct screened query;
	const char *says;
	struct wbuf w;
	ssize_t n;

	(void)what;
	n = recvfrom(fd, raw, sizeof(raw), 0, (struct sockaddr *)&ss, &len);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(screen_message(&query, raw, (size_t)n), SCREEN_OK);
	ck_assert_uint_eq(query.question.type, DNS_TYPE_A);
	s->asked++;
	if (name_eq(&query.question.name, &gw)) {
		says = s->says[HOSTS];
	} else {
		ck_assert(name_under(&query.question.name, &local));
		says = s->says[(query.question.name.b[2] - '0') % HOSTS];
	}
	wbuf_init(&w, bytes, sizeof(bytes));
	put_answer(&w, &query, says);
	ck_assert(wbuf_ok(&w));
	ck_assert_int_eq(sendto(fd, w.p, w.len, 0, (struct sockaddr *)&ss, len),
		(ssize_t)w.len);
}

static void
server_start(struct server *s, struct event_base *base)
{
	int fd = bound_socket(SOCK_DGRAM, &s->at);

	s->asked = 0;
	s->ev = event_new(base, fd, EV_READ | EV_PERSIST, on_query, s);
	ck_assert_int_eq(event_add(s->ev, NULL), 0);
}

static void
server_stop(struct server *s)
{
	close(event_get_fd(s->ev));
	event_free(s->ev);
}

static void
on_done(void *arg)
{
	event_base_loopbreak(arg);
}

static struct hosts_ref *
hosts_of(const char *const *lines)
{
	struct hosts_ref *ref;
	struct hosts h;

	zone_make_hosts(&h, lines, 4, false);
	ref = hosts_ref_new(&h);
	ck_assert_ptr_nonnull(ref);
	return ref;
}

static struct names *
make_names(struct event_base *base, const struct server *s)
{
	const struct names_config cfg = {
		.local = named("internal"),
		.local_ver = 4,
		.tunnel_ver = 4,
		.try_ms = 2000,
		.in_flight = 2,
		.label = "internal:example.com",
		.done = on_done,
		.arg = base,
	};
	struct names *n = names_new(base, &cfg);

	ck_assert_ptr_nonnull(n);
	names_set_servers(n, &s->at, 1, &s->at, 1);
	return n;
}

static void
run_round(struct event_base *base, struct names *n, struct hosts_ref *hosts)
{
	ck_assert_int_eq(names_start(n, hosts), 0);
	ck_assert(names_busy(n));
	event_base_dispatch(base);
	ck_assert(!names_busy(n));
}

static void
check_addr(const struct addr *a, const char *want)
{
	char buf[ADDR_TEXT_MAX];

	ck_assert_str_eq(addr_format(a, buf), want);
}

START_TEST(test_rounds)
{
	struct event_base *base = event_base_new();
	struct hosts_ref *hosts = hosts_of(zone_lines);
	const struct names_result *r;
	struct server s;
	struct names *n;
	size_t i, k;

	server_start(&s, base);
	n = make_names(base, &s);
	r = names_result(n);
	for (i = 0; i < ARRAY_LEN(rounds); i++) {
		s.says = rounds[i].says;
		run_round(base, n, hosts);
		ck_assert_uint_eq(r->asked, HOSTS + 1);
		for (k = 0; k < HOSTS; k++)
			check_addr(&r->ips[k], rounds[i].is[k]);
		check_addr(&r->contexts[0], rounds[i].is[HOSTS]);
		ck_assert_uint_eq(r->found, rounds[i].found);
		ck_assert_uint_eq(r->none, rounds[i].none);
		ck_assert_uint_eq(r->kept, rounds[i].kept);
		ck_assert_uint_eq(r->unknown, rounds[i].unknown);
	}
	names_free(n);
	names_free(NULL);
	hosts_ref_put(hosts);
	server_stop(&s);
	event_base_free(base);
}
END_TEST

/* Other hosts in the next round: what is known of a name goes along. */
START_TEST(test_other_hosts)
{
	static const char *const answers[] = {"10.0.0.10", "10.0.0.11",
		"10.0.0.12", "10.0.0.13", "192.0.2.9"};
	static const char *const silence[] = {FAIL, FAIL, FAIL, FAIL, FAIL};
	static const char *const first[] = {"h1 TXT AA 192.0.2.1 + 1",
		"h3 TXT AA gw.example.net + 3", NULL};
	static const char *const second[] = {"h0 TXT AA 192.0.2.1 + 1",
		"h1 TXT AA 192.0.2.1 + 2", "h2 TXT AA 192.0.2.1 + 3",
		"h3 TXT AA gw.example.net + 4", NULL};
	static const char *const empty[] = {NULL};
	struct event_base *base = event_base_new();
	struct hosts_ref *a = hosts_of(first), *b = hosts_of(second);
	struct hosts_ref *none = hosts_of(empty);
	const struct names_result *r;
	struct server s;
	struct names *n;

	server_start(&s, base);
	n = make_names(base, &s);
	r = names_result(n);
	s.says = answers;
	run_round(base, n, a);
	s.says = silence;
	run_round(base, n, b);
	check_addr(&r->ips[0], "-");
	check_addr(&r->ips[1], "10.0.0.11");
	check_addr(&r->ips[2], "-");
	check_addr(&r->ips[3], "10.0.0.13");
	check_addr(&r->contexts[0], "192.0.2.9");
	ck_assert_uint_eq(r->unknown, 2);
	/* A round that is cut short by another forgets nothing. */
	ck_assert_int_eq(names_start(n, b), 0);
	run_round(base, n, b);
	check_addr(&r->ips[3], "10.0.0.13");
	run_round(base, n, none);
	ck_assert_uint_eq(r->asked, 0);
	ck_assert_uint_eq(r->unknown, 0);
	/* Freed in the middle. */
	ck_assert_int_eq(names_start(n, b), 0);
	names_free(n);
	hosts_ref_put(a);
	hosts_ref_put(b);
	hosts_ref_put(none);
	server_stop(&s);
	event_base_free(base);
}
END_TEST

/* When nobody answers at all, not everybody is asked for. */
START_TEST(test_nobody)
{
	static const char *const silence[] = {FAIL, FAIL, FAIL, FAIL, FAIL};
	struct event_base *base = event_base_new();
	struct name apex = named(ZONE_APEX);
	struct hosts_ref *many;
	struct hosts h;
	struct zone z;
	struct server s;
	struct names *n;
	char line[64];
	size_t i;

	zone_init(&z, &apex, 4, NULL, NULL);
	for (i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "h%zu TXT AA 192.0.2.1 + %zu", i,
			i + 1);
		zone_line(&z, line);
	}
	zone_close(&z);
	ck_assert_int_eq(hosts_make(&h, &z), 0);
	zone_fini(&z);
	many = hosts_ref_new(&h);
	server_start(&s, base);
	n = make_names(base, &s);
	s.says = silence;
	run_round(base, n, many);
	ck_assert_uint_eq(names_result(n)->unknown, 1000);
	ck_assert_uint_lt(s.asked, 200);
	names_free(n);
	hosts_ref_put(many);
	server_stop(&s);
	event_base_free(base);
}
END_TEST

RUN_TESTS("names", test_rounds, test_other_hosts, test_nobody)
