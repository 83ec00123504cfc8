/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The screen: good messages pass with what they say, each fault is named. */
#include "libipref/dns/screen.h"

#include "tests/unit/run.h"

/* A message under construction. */
struct made {
	uint8_t bytes[DNS_MESSAGE_MAX + 64];
	struct wbuf w;
};

static struct name
named(const char *text)
{
	struct name n;

	ck_assert(name_parse(&n, text, strlen(text)));
	return n;
}

static void
begin(struct made *m, uint16_t qd, uint16_t an, uint16_t ns, uint16_t ar)
{
	const struct dns_header h = {.id = 0x1234,
		.flags = DNS_QR | DNS_AA,
		.counts = {qd, an, ns, ar}};

	wbuf_init(&m->w, m->bytes, sizeof(m->bytes));
	dns_header_put(&m->w, &h);
}

static void
ask(struct made *m)
{
	const struct dns_question q = {
		named("Host.Example.com"), DNS_TYPE_TXT, DNS_CLASS_IN};

	dns_question_put(&m->w, &q);
}

static void
add(struct made *m, const char *owner, uint16_t type, uint16_t class,
	const char *rdata, size_t len)
{
	struct name n = named(owner);

	dns_rr_put(&m->w, &n, type, class, 300, rdata, len);
}

static enum screen_result
screened(struct made *m, struct screened *s)
{
	ck_assert(wbuf_ok(&m->w));
	return screen_message(s, m->bytes, m->w.len);
}

static void
make_good(struct made *m)
{
	begin(m, 1, 1, 1, 2);
	ask(m);
	add(m, "host.example.com", DNS_TYPE_TXT, 1, "\5AA 1\0\0\3abc", 11);
	add(m, "example.com", DNS_TYPE_NS, 1, "\2ns\xc0\x0c", 5);
	add(m, "ns.example.com", DNS_TYPE_A, 1, "\xc0\0\2\1", 4);
	add(m, ".", DNS_TYPE_OPT, 1232, "\0\12\0\2ab", 6);
}

START_TEST(test_good)
{
	static struct made m;
	struct screened s;
	struct dns_rr rr;
	struct name target, want = named("ns.host.example.com");
	const uint8_t *str;
	struct rbuf r;
	size_t pos = 0, len;

	make_good(&m);
	ck_assert_int_eq(screened(&m, &s), SCREEN_OK);
	ck_assert_uint_eq(s.header.id, 0x1234);
	ck_assert_uint_eq(s.question.type, DNS_TYPE_TXT);
	ck_assert_uint_eq(s.payload, 1232);
	ck_assert_uint_eq(s.tsig, 0);
	ck_assert_uint_eq(s.at[DNS_QUESTION], DNS_HEADER);

	rbuf_init(&r, m.bytes, m.w.len);
	rbuf_skip(&r, s.at[DNS_ANSWER]);
	rr = dns_rr_get(&r);
	ck_assert_uint_eq(rr.type, DNS_TYPE_TXT);
	ck_assert(dns_txt_next(&rr, &pos, &str, &len));
	ck_assert_uint_eq(len, 5);
	ck_assert_mem_eq(str, "AA 1\0", 5);
	ck_assert(dns_txt_next(&rr, &pos, &str, &len));
	ck_assert_uint_eq(len, 0);
	ck_assert(dns_txt_next(&rr, &pos, &str, &len));
	ck_assert_uint_eq(len, 3);
	ck_assert(!dns_txt_next(&rr, &pos, &str, &len));

	ck_assert_uint_eq(r.pos, s.at[DNS_AUTHORITY]);
	rr = dns_rr_get(&r);
	ck_assert(dns_target_get(&target, &rr, m.bytes, m.w.len));
	ck_assert(name_eq(&target, &want));
	ck_assert_uint_eq(r.pos, s.at[DNS_ADDITIONAL]);
	rr = dns_rr_get(&r);
	ck_assert_uint_eq(r.pos, s.opt);
}
END_TEST

/* Cut at every length, one byte too many, and every single byte changed: the
 * screen never says OK to a cut message and never reads outside (ASan). */
START_TEST(test_cuts)
{
	static struct made m;
	struct screened s;
	uint8_t *copy;
	size_t len, value, i;

	make_good(&m);
	len = m.w.len;
	for (i = 0; i < len; i++) {
		copy = malloc(i ? i : 1);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, m.bytes, i);
		ck_assert_int_ne(screen_message(&s, copy, i), SCREEN_OK);
		free(copy);
	}
	ck_assert_int_eq(screen_message(&s, m.bytes, len + 1), SCREEN_TRAILING);
	copy = malloc(len);
	ck_assert_ptr_nonnull(copy);
	for (i = 0; i < len; i++)
		for (value = 0; value < 256; value++) {
			memcpy(copy, m.bytes, len);
			copy[i] = (uint8_t)value;
			ck_assert_int_lt(screen_message(&s, copy, len),
				SCREEN_N_RESULTS);
		}
	free(copy);
}
END_TEST

/* One record in the answer section (or additional) with this rdata. */
static const struct {
	uint16_t type;
	const char *rdata;
	size_t len;
	bool ok;
} rdatas[] = {
	{DNS_TYPE_A, "\1\2\3\4", 4, true},
	{DNS_TYPE_A, "\1\2\3", 3, false},
	{DNS_TYPE_A, "\1\2\3\4\5", 5, false},
	{DNS_TYPE_A, "", 0, false},
	{DNS_TYPE_AAAA, "0123456789abcdef", 16, true},
	{DNS_TYPE_AAAA, "0123456789abcde", 15, false},
	{DNS_TYPE_CNAME, "\1a\0", 3, true},
	{DNS_TYPE_CNAME, "\xc0\x0c", 2, true},
	{DNS_TYPE_CNAME, "\1a\0x", 4, false},
	{DNS_TYPE_CNAME, "\1a", 2, false},
	/* The rdata stands at 57: to itself, forwards. */
	{DNS_TYPE_CNAME, "\xc0\x39", 2, false},
	{DNS_TYPE_CNAME, "\1a\xc0\x39", 4, false},
	{DNS_TYPE_CNAME, "\xc0\xff", 2, false},
	{DNS_TYPE_SOA, "\0\0aaaabbbbccccddddeeee", 22, true},
	{DNS_TYPE_SOA, "\0\0aaaabbbbccccddddeee", 21, false},
	{DNS_TYPE_SOA, "\0\0aaaabbbbccccddddeeeef", 23, false},
	{DNS_TYPE_MX, "\0\1\1a\0", 5, true},
	{DNS_TYPE_MX, "\0\1", 2, false},
	{DNS_TYPE_TXT, "\0", 1, true},
	{DNS_TYPE_TXT, "\2ab\1c", 5, true},
	{DNS_TYPE_TXT, "", 0, false},
	{DNS_TYPE_TXT, "\3ab", 3, false},
	{DNS_TYPE_TXT, "\2ab\1", 4, false},
	{DNS_TYPE_SRV, "\0\1\0\2\0\3\1a\0", 9, true},
	{DNS_TYPE_SRV, "\0\1\0\2\0\3\xc0", 7, false},
	{35, "\0\1\0\2\1a\0\0\0", 9, true},
	{35, "\0\1\0\2\1a\0\0", 8, false},
	{46, "\0\1\1\2aaaabbbbcccc\1\2\0sig", 22, true},
	{46, "\0\1\1\2aaaabbbbcccc\1\2\xc0", 19, false},
	{DNS_TYPE_HTTPS, "\0\1\0\0\4\0\0", 7, true},
	{13, "\1a\1b", 4, true},
	{13, "\1a", 2, false},
	{65280, "", 0, true},
	{65280, "\xff\xff\xff", 3, true},
};

START_TEST(test_rdata)
{
	static struct made m;
	struct screened s;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rdatas); i++) {
		begin(&m, 1, 1, 0, 0);
		ask(&m);
		add(&m, "x", rdatas[i].type, 1, rdatas[i].rdata, rdatas[i].len);
		ck_assert_msg(screened(&m, &s) ==
				      (rdatas[i].ok ? SCREEN_OK : SCREEN_RDATA),
			"row %zu", i);
	}
}
END_TEST

#define TSIG_RDATA "\0\0\0aaaa\1\54\0\2mm\0\1\0\0\0\0"
#define TSIG_LEN   19

static const struct {
	const char *what;
	struct {
		enum dns_section section;
		const char *owner;
		uint16_t type, class;
		const char *rdata;
		size_t len;
	} rr[3];
	enum screen_result want;
} pseudo[] = {
	{"OPT", {{3, ".", 41, 512, "", 0}}, SCREEN_OK},
	{"OPT in the answer", {{1, ".", 41, 512, "", 0}}, SCREEN_OPT},
	{"OPT with an owner", {{3, "x", 41, 512, "", 0}}, SCREEN_OPT},
	{"OPT twice", {{3, ".", 41, 512, "", 0}, {3, ".", 41, 512, "", 0}},
		SCREEN_OPT},
	{"OPT with half an option", {{3, ".", 41, 512, "\0\1\0", 3}},
		SCREEN_RDATA},
	{"OPT with a cut option", {{3, ".", 41, 512, "\0\1\0\2x", 5}},
		SCREEN_RDATA},
	{"TSIG", {{3, "k", 250, 255, TSIG_RDATA, TSIG_LEN}}, SCREEN_OK},
	{"OPT, TSIG",
		{{3, ".", 41, 512, "", 0},
			{3, "k", 250, 255, TSIG_RDATA, TSIG_LEN}},
		SCREEN_OK},
	{"TSIG, OPT",
		{{3, "k", 250, 255, TSIG_RDATA, TSIG_LEN},
			{3, ".", 41, 512, "", 0}},
		SCREEN_TSIG},
	{"TSIG twice",
		{{3, "k", 250, 255, TSIG_RDATA, TSIG_LEN},
			{3, "k", 250, 255, TSIG_RDATA, TSIG_LEN}},
		SCREEN_TSIG},
	{"TSIG of class IN", {{3, "k", 250, 1, TSIG_RDATA, TSIG_LEN}},
		SCREEN_TSIG},
	{"TSIG in authority", {{2, "k", 250, 255, TSIG_RDATA, TSIG_LEN}},
		SCREEN_TSIG},
	{"TSIG, cut", {{3, "k", 250, 255, TSIG_RDATA, TSIG_LEN - 1}},
		SCREEN_RDATA},
	{"TSIG, empty", {{3, "k", 250, 255, "", 0}}, SCREEN_RDATA},
	{"class ANY without rdata", {{2, "x", 1, 255, "", 0}}, SCREEN_RDATA},
};

START_TEST(test_pseudo)
{
	static struct made m;
	uint16_t counts[4];
	struct screened s;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(pseudo); i++) {
		memset(counts, 0, sizeof(counts));
		for (k = 0; k < 3 && pseudo[i].rr[k].owner; k++)
			counts[pseudo[i].rr[k].section]++;
		begin(&m, 1, counts[1], counts[2], counts[3]);
		ask(&m);
		for (k = 0; k < 3 && pseudo[i].rr[k].owner; k++)
			add(&m, pseudo[i].rr[k].owner, pseudo[i].rr[k].type,
				pseudo[i].rr[k].class, pseudo[i].rr[k].rdata,
				pseudo[i].rr[k].len);
		ck_assert_msg(screened(&m, &s) == pseudo[i].want, "%s: %s",
			pseudo[i].what, screen_text(screened(&m, &s)));
	}
}
END_TEST

/* Deletions in updates are the one thing without rdata. */
START_TEST(test_update)
{
	static struct made m;
	struct screened s;
	uint16_t class;

	for (class = 253; class <= 255; class ++) {
		begin(&m, 1, 0, 1, 0);
		ask(&m);
		add(&m, "x", DNS_TYPE_A, class, "", 0);
		ck_assert_int_eq(screened(&m, &s), SCREEN_RDATA);
		wbuf_patch16(&m.w, 2, 5 << 11);
		ck_assert_int_eq(screened(&m, &s),
			class == 253 ? SCREEN_RDATA : SCREEN_OK);
	}
}
END_TEST

START_TEST(test_counts)
{
	static struct made m;
	struct screened s;

	begin(&m, 0, 0, 0, 0);
	ck_assert_int_eq(screened(&m, &s), SCREEN_OK);
	ck_assert_uint_eq(s.question.name.len, 0);
	begin(&m, 0, 65535, 65535, 65535);
	ask(&m);
	ck_assert_int_eq(screened(&m, &s), SCREEN_COUNTS);
	ck_assert_uint_eq(s.header.id, 0x1234);
	begin(&m, 2, 0, 0, 0);
	ask(&m);
	ask(&m);
	ck_assert_int_eq(screened(&m, &s), SCREEN_QUESTIONS);
	begin(&m, 1, 0, 0, 0);
	wbuf_bytes(&m.w, "\1a\1b\xc0\0\1\0\1", 9);
	ck_assert_int_eq(screened(&m, &s), SCREEN_QUESTION);
	begin(&m, 1, 1, 0, 0);
	ask(&m);
	wbuf_bytes(&m.w, "\xc0\x2a\0\1\0\1\0\0\0\1\0\0", 12);
	ck_assert_int_eq(screened(&m, &s), SCREEN_RECORD);
	begin(&m, 0, 0, 0, 0);
	wbuf_zeros(&m.w, DNS_MESSAGE_MAX);
	ck_assert_int_eq(screened(&m, &s), SCREEN_LONG);
	ck_assert_int_eq(screen_message(&s, m.bytes, 11), SCREEN_SHORT);
}
END_TEST

START_TEST(test_query)
{
	const struct dns_question q = {
		named("host.example.com"), DNS_TYPE_AAAA, DNS_CLASS_IN};
	static struct made m;
	struct screened s;

	wbuf_init(&m.w, m.bytes, sizeof(m.bytes));
	dns_query_put(&m.w, 7, DNS_RD, &q, DNS_UDP_PAYLOAD);
	ck_assert_int_eq(screened(&m, &s), SCREEN_OK);
	ck_assert_uint_eq(s.header.id, 7);
	ck_assert_uint_eq(s.header.flags, DNS_RD);
	ck_assert_uint_eq(s.payload, DNS_UDP_PAYLOAD);
	ck_assert(dns_question_eq(&s.question, &q));
	ck_assert_uint_eq(screen_rcode(&s), DNS_NOERROR);

	wbuf_init(&m.w, m.bytes, sizeof(m.bytes));
	dns_query_put(&m.w, 7, 0, &q, 0);
	ck_assert_int_eq(screened(&m, &s), SCREEN_OK);
	ck_assert_uint_eq(s.opt, 0);
}
END_TEST

RUN_TESTS("screen", test_good, test_cuts, test_rdata, test_pseudo, test_update,
	test_counts, test_query)
