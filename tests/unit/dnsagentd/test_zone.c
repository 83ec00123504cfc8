/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From records to hosts to sets: each row is a zone and what it publishes. */
#include "dnsagentd/key.h"
#include "dnsagentd/set.h"
#include "tests/unit/dnsagentd/zones.h"
#include "tests/unit/run.h"
#include "tests/unit/vec.h"

static const struct {
	const char *what;
	const char *lines[ZONE_LINES];
	const char *hosts[ZONE_LINES]; /* sorted */
	uint64_t skipped[ZONE_N_SKIPS];
} zones[] = {
	{.what = "empty zone"},
	{.what = "nothing of ours", .lines = {"@ TXT v=spf1", "h A 192.0.2.9"}},
	{.what = "addresses and references",
		.lines = {"h2 TXT AA 192.0.2.1 + 0-22", "H1 TXT AA 192.0.2.1+5",
			"h1 TXT something else", "h1 TXT AA 192.0.2.2 + 6",
			"h3.sub TXT AA 192.0.2.1+7", "@ TXT AA 192.0.2.1 + 8",
			"h4 TXT AA 0.0.0.0 + 9"},
		.hosts = {"example 192.0.2.1 8", "h1 192.0.2.1 5",
			"h1 192.0.2.2 6", "h2 192.0.2.1 34", "h3 192.0.2.1 7",
			"h4 0.0.0.0 9"}},
	{.what = "the same twice, the same label twice",
		.lines = {"h1 TXT AA 192.0.2.1 + 5", "H1 TXT AA 192.0.2.1+5",
			"h1.a TXT AA 192.0.2.1+5", "h1.b TXT AA 192.0.2.1+6"},
		.hosts = {"h1 192.0.2.1 5", "h1 192.0.2.1 6"}},
	{.what = "what can't be used",
		.lines = {"h1 TXT AA 192.0.2.1", "h2 TXT AA 192.0.2.1 + 0",
			"h3 TXT AA 127.0.0.1 + 3", "h4 TXT AA 2001:db8::1 + 4",
			"h5 TXT AA  + 4", "h6 TXT aa 192.0.2.1 + 4",
			"*.w TXT AA 192.0.2.1 + 4", "h7 TXT AA 192.0.2.1 + 7"},
		.hosts = {"h7 192.0.2.1 7"},
		.skipped = {[ZONE_BROKEN] = 2,
			[ZONE_REF_ZERO] = 1,
			[ZONE_BAD_CONTEXT] = 1,
			[ZONE_OTHER_VERSION] = 1,
			[ZONE_WILDCARD] = 1}},
	{.what = "contexts in the zone",
		.lines = {"h1 TXT AA gw.example.com + 1",
			"h2 TXT AA GW.example.com. + 2", "gw A 192.0.2.50",
			"gw A 192.0.2.7", "gw AAAA 2001:db8::1",
			"c1 CNAME C2.Example.com", "c2 CNAME gw.example.com",
			"h3 TXT AA c1.example.com + 3",
			"h4 TXT AA nowhere.example.com + 4",
			"h5 TXT AA loop.example.com + 5",
			"loop CNAME loop.example.com",
			"h6 TXT AA h1.example.com + 6",
			"h7 TXT AA bad.example.com + 7", "bad A 127.0.0.1",
			"h8 TXT AA example.com + 8", "@ A 192.0.2.8"},
		.hosts = {"h1 192.0.2.7 1", "h2 192.0.2.7 2", "h3 192.0.2.7 3",
			"h8 192.0.2.8 8"},
		.skipped = {[ZONE_NO_CONTEXT] = 3, [ZONE_BAD_CONTEXT] = 1}},
	{.what = "contexts elsewhere",
		.lines = {"h1 TXT AA gw.Example.net + 1",
			"h2 TXT AA gw.example.net. + 2",
			"h3 TXT AA out.example.com + 3",
			"out CNAME GW.example.net", "h4 TXT AA a.example.org+4",
			"h5 TXT AA xexample.com + 5"},
		.hosts = {"h1 gw.example.net. 1", "h2 gw.example.net. 2",
			"h3 gw.example.net. 3", "h4 a.example.org. 4",
			"h5 xexample.com. 5"}},
	{.what = "contexts by wildcards",
		.lines = {"h1 TXT AA x.w.example.com + 1", "*.w A 192.0.2.3",
			"h2 TXT AA a.b.w.example.com + 2",
			"h3 TXT AA x.y.w.example.com + 3", "y.w A 192.0.2.4",
			"h4 TXT AA w.example.com + 4"},
		.hosts = {"h1 192.0.2.3 1", "h2 192.0.2.3 2"},
		.skipped = {[ZONE_NO_CONTEXT] = 2}},
	{.what = "delegations",
		.lines = {"@ NS ns.example.com", "sub NS ns.sub.example.com",
			"ns.sub A 192.0.2.9", "sub TXT AA 192.0.2.1 + 1",
			"h1.sub TXT AA 192.0.2.1 + 2",
			"subs TXT AA 192.0.2.1 + 3",
			"h4 TXT AA ns.sub.example.com + 4",
			"h5 TXT AA sub.example.com + 5", "d DNAME example.net",
			"d TXT AA 192.0.2.1 + 6", "h.d TXT AA 192.0.2.1 + 7",
			"h8 TXT AA h.d.example.com + 8", "d A 192.0.2.10",
			"h9 TXT AA d.example.com + 9"},
		.hosts = {"d 192.0.2.1 6", "h4 ns.sub.example.com. 4",
			"h5 sub.example.com. 5", "h8 h.d.example.com. 8",
			"h9 192.0.2.10 9", "subs 192.0.2.1 3"},
		.skipped = {[ZONE_DELEGATED] = 3}},
};

START_TEST(test_zones)
{
	struct hosts h, again;
	char buf[1200];
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(zones); i++) {
		zone_make_hosts(&h, zones[i].lines, 4, false);
		for (k = 0; k < h.n; k++)
			ck_assert_msg(zones[i].hosts[k] &&
					      !strcmp(host_text(&h, k, buf),
						      zones[i].hosts[k]),
				"%s: %s", zones[i].what, host_text(&h, k, buf));
		ck_assert_msg(!zones[i].hosts[k], "%s: missing %s",
			zones[i].what, zones[i].hosts[k]);
		for (k = 0; k < ZONE_N_SKIPS; k++)
			ck_assert_msg(h.skipped[k] == zones[i].skipped[k],
				"%s: %s: %llu", zones[i].what,
				zone_skip_text((enum zone_skip)k),
				(unsigned long long)h.skipped[k]);
		/* The order in which it came does not matter. */
		zone_make_hosts(&again, zones[i].lines, 4, true);
		ck_assert_msg(hosts_eq(&h, &again), "%s", zones[i].what);
		hosts_fini(&again);
		hosts_fini(&h);
	}
}
END_TEST

START_TEST(test_tunnel_6)
{
	static const char *const lines[] = {"h1 TXT AA 192.0.2.1 + 1",
		"h2 TXT AA 2001:db8::2 + 2", "h3 TXT AA gw.example.com + 3",
		"gw A 192.0.2.1", "gw AAAA 2001:db8::1", "h4 TXT AA :: + 4",
		NULL};
	struct hosts h;
	char buf[1200];

	zone_make_hosts(&h, lines, 6, false);
	ck_assert_uint_eq(h.n, 3);
	ck_assert_str_eq(host_text(&h, 0, buf), "h2 2001:db8::2 2");
	ck_assert_str_eq(host_text(&h, 1, buf), "h3 2001:db8::1 3");
	ck_assert_str_eq(host_text(&h, 2, buf), "h4 :: 4");
	ck_assert_uint_eq(h.skipped[ZONE_OTHER_VERSION], 1);
	hosts_fini(&h);
}
END_TEST

/* Many hosts, few labels; and more different context names than are allowed. */
START_TEST(test_many)
{
	struct name apex = named(ZONE_APEX), name;
	struct hosts h;
	struct zone z;
	char line[128];
	size_t i;

	zone_init(&z, &apex, 4, NULL, NULL);
	for (i = 0; i < HOSTS_CONTEXTS_MAX + 10; i++) {
		snprintf(line, sizeof(line),
			"h%zu TXT AA gw%zu.example.net+%zu", i % 100, i, i + 1);
		zone_line(&z, line);
	}
	zone_close(&z);
	ck_assert_int_eq(hosts_make(&h, &z), 0);
	ck_assert_uint_eq(h.n, HOSTS_CONTEXTS_MAX);
	ck_assert_uint_eq(h.n_contexts, HOSTS_CONTEXTS_MAX);
	ck_assert_uint_eq(h.skipped[ZONE_MANY_CONTEXTS], 10);
	ck_assert_uint_eq(h.n_names, 100);
	for (i = 1; i < h.n; i++) {
		bool same = !memcmp(
			h.v[i].label, h.v[i - 1].label, sizeof(h.v[i].label));

		ck_assert_uint_eq(h.v[i].name, h.v[i - 1].name + !same);
	}
	name = named("internal");
	ck_assert(host_local_name(&name, &h.v[0], &name));
	ck_assert(name_eq(&name, &(struct name){13, "\2h0\10internal"}));
	hosts_fini(&h);
	zone_fini(&z);
}
END_TEST

/* The names that the captured AA records use, as a zone aa.test would have
 * them; the AA strings are the records of h.aa.test. */
static const char *const vector_zone[][2] = {
	{"gw.aa.test", "192.0.2.1"},
	{"gwtwo.aa.test", "192.0.2.50"},
	{"gwtwo.aa.test", "192.0.2.51"},
	{"gw6.aa.test", "2001:db8::6"},
	{"gwboth.aa.test", "192.0.2.1"},
	{"gwboth.aa.test", "2001:db8::6"},
};

static void
add_raw(struct zone *z, const struct wbuf *w)
{
	struct dns_rr rr;
	struct rbuf r;

	rbuf_init(&r, w->p, w->len);
	rbuf_skip(&r, DNS_HEADER);
	rr = dns_rr_get(&r);
	ck_assert(rbuf_done(&r));
	ck_assert(zone_add(z, &rr, w->p, w->len));
}

static void
begin_raw(struct wbuf *w, uint8_t *bytes, size_t size)
{
	wbuf_init(w, bytes, size);
	wbuf_zeros(w, DNS_HEADER);
}

/* One block's character-strings in one TXT record. */
static void
vector_hosts(struct hosts *h, const struct vec_block *b)
{
	uint8_t bytes[1024], rdata[768], text[256];
	struct name apex = named("aa.test");
	struct wbuf w, txt;
	const char *hex;
	struct zone z;
	size_t i, len;

	zone_init(&z, &apex, 4, NULL, NULL);
	for (i = 0; i < ARRAY_LEN(vector_zone); i++) {
		begin_raw(&w, bytes, sizeof(bytes));
		put_addr(&w, vector_zone[i][0], vector_zone[i][1]);
		add_raw(&z, &w);
	}
	begin_raw(&w, bytes, sizeof(bytes));
	put_target(&w, "gwcname.aa.test", DNS_TYPE_CNAME, "gw.aa.test");
	add_raw(&z, &w);
	wbuf_init(&txt, rdata, sizeof(rdata));
	for (i = 0; (hex = vec_nth(b, "string-hex", i)) != NULL; i++) {
		len = vec_hex(hex, text, sizeof(text));
		wbuf_u8(&txt, len);
		wbuf_bytes(&txt, text, len);
	}
	ck_assert(wbuf_ok(&txt));
	begin_raw(&w, bytes, sizeof(bytes));
	put_rr(&w, "h.aa.test", DNS_TYPE_TXT, rdata, txt.len);
	add_raw(&z, &w);
	zone_close(&z);
	ck_assert_int_eq(hosts_make(h, &z), 0);
	zone_fini(&z);
}

/* Whether the block says that the agent got this host. */
static bool
vector_has(const struct vec_block *b, const struct host *host)
{
	char want[128], gw[ADDR_TEXT_MAX];
	const char *value;
	size_t i, k;

	addr_format(&host->gw, gw);
	k = (size_t)snprintf(want, sizeof(want), "%s ", gw);
	for (i = 0; i < REF_LEN; i++)
		k += (size_t)snprintf(
			want + k, sizeof(want) - k, "%02x", host->ref.b[i]);
	for (i = 0; (value = vec_nth(b, "agent", i)) != NULL; i++)
		if (!strcmp(value, want))
			return true;
	return false;
}

/* Blocks with `differs` are those that ours skips. Names elsewhere have no
 * address: all that are known are in the zone. */
START_TEST(test_vectors)
{
	struct vec_block b;
	struct vec_file f;
	struct hosts h;
	size_t i, want, got, blocks = 0;
	const char *value;

	vec_open(&f, "text.txt");
	while (vec_next(&f, &b)) {
		if (!vec_get(&b, "aa"))
			continue;
		blocks++;
		for (i = want = 0; (value = vec_nth(&b, "agent", i)); i++)
			want += strcmp(value, "none") != 0;
		if (vec_get(&b, "differs"))
			want = 0;
		vector_hosts(&h, &b);
		for (i = got = 0; i < h.n; i++) {
			if (!h.v[i].gw.ver)
				continue;
			got++;
			ck_assert_msg(vector_has(&b, &h.v[i]), "aa %s",
				vec_get(&b, "aa"));
		}
		ck_assert_msg(got == want, "aa %s: %zu hosts, not %zu",
			vec_get(&b, "aa"), got, want);
		hosts_fini(&h);
	}
	vec_close(&f);
	ck_assert_uint_eq(blocks, 54);
}
END_TEST

struct clashes {
	size_t n;
	char text[256];
};

static void
note_clash(const struct host *serves, const struct host *other,
	const struct arec *taken, void *arg)
{
	struct clashes *c = arg;
	char ref[REF_TEXT_MAX];

	c->n++;
	snprintf(c->text, sizeof(c->text), "%.*s %.*s %s", serves->label_len,
		(const char *)serves->label, other->label_len,
		(const char *)other->label, ref_format(&taken->ref, ref));
}

static struct addr
ip(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(&a, text, strlen(text)));
	return a;
}

START_TEST(test_set)
{
	static const char *const lines[] = {"a TXT AA 192.0.2.1 + 5",
		"b TXT AA 192.0.2.1 + 5", "c TXT AA gw.example.net + 5",
		"d TXT AA gw.example.net + 6", "e TXT AA no.example.net + 7",
		"f TXT AA 192.0.2.1 + 1", "g TXT AA 192.0.2.1 + 5", NULL};
	/* b has no address; d the one of g, which has the one of a. */
	const struct addr ips[] = {ip("10.0.0.1"), {0}, ip("10.0.0.3"),
		ip("10.0.0.1"), ip("10.0.0.5"), ip("10.0.0.6"), ip("10.0.0.1")};
	const struct addr contexts[] = {ip("192.0.2.1"), {0}};
	static const char *const want[] = {
		"10.0.0.6 1", "10.0.0.1 5", "10.0.0.1 6"};
	struct clashes c = {0};
	char text[128], ipbuf[ADDR_TEXT_MAX], ref[REF_TEXT_MAX];
	struct arec copy[3];
	struct hosts h;
	struct set set;
	size_t i;

	zone_make_hosts(&h, lines, 4, false);
	ck_assert_uint_eq(h.n_contexts, 2);
	ck_assert_int_eq(set_make(&set, &h, ips, contexts, note_clash, &c), 0);
	ck_assert_uint_eq(set.n, ARRAY_LEN(want));
	for (i = 0; i < set.n; i++) {
		snprintf(text, sizeof(text), "%s %s",
			addr_format(&set.v[i].ip, ipbuf),
			ref_format(&set.v[i].ref, ref));
		ck_assert_str_eq(text, want[i]);
		copy[i] = set.v[set.n - 1 - i];
	}
	ck_assert_uint_eq(set.left_out, 2);
	ck_assert_uint_eq(set.duplicates, 1);
	ck_assert_uint_eq(c.n, 1);
	ck_assert_str_eq(c.text, "a c 5");
	ck_assert_uint_eq(set.hash, msg_set_hash(copy, 3));
	set_fini(&set);
	hosts_fini(&h);

	h = (struct hosts){0};
	ck_assert_int_eq(set_make(&set, &h, NULL, NULL, NULL, NULL), 0);
	ck_assert_uint_eq(set.n, 0);
	ck_assert_uint_eq(set.hash, MSG_EMPTY_SET_HASH);
	set_fini(&set);
}
END_TEST

static const struct {
	const char *a, *b;
} keys[] = {
	{".", "com"},
	{"com", "a.com"},
	{"a.com", "a.a.com"},
	{"a.a.com", "aa.com"},
	{"a\\000.com", "a\\001.com"},
	{"a\\001.com", "a\\002.com"},
	{"a.com", "a\\000.com"},
	{"b.a\\000.com", "a\\000\\000.com"},
	{"z.com", "a.net"},
	{"\\[.com", "Z.com"},
};

START_TEST(test_keys)
{
	uint8_t a[KEY_MAX], b[KEY_MAX];
	struct name x, y, back;
	struct key ka, kb;
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		x = named(keys[i].a);
		y = named(keys[i].b);
		ka = (struct key){a, key_make(&x, a)};
		kb = (struct key){b, key_make(&y, b)};
		ck_assert_msg(key_cmp(ka, kb) < 0 && key_cmp(kb, ka) > 0 &&
				      !key_cmp(ka, ka),
			"%s %s", keys[i].a, keys[i].b);
		ck_assert_int_eq(name_cmp(&x, &y), -1);
		ck_assert_int_eq(key_under(kb, ka), name_under(&y, &x));
		ck_assert(!key_under(ka, kb));
		key_name(ka, &back);
		name_lower(&x);
		ck_assert_mem_eq(&back, &x, sizeof(x));
	}
}
END_TEST

RUN_TESTS("zone", test_zones, test_tunnel_6, test_many, test_vectors, test_set,
	test_keys)
