/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zones: reading files (what is understood, what is refused and where), what a
 * zone says about a name, answers from it, reloading.
 */
#include "tests/unit/run.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "resolverd/zonefile.h"
#include "resolverd/zones.h"
#include "tests/unit/resolverd/records.h"

#define SOA "@ 60 IN SOA ns mail 7 2 3 4 30\n"

static char dir[] = "/tmp/test-zone-XXXXXX";

static const char *
write_file(const char *name, const char *text)
{
	static char path[256];
	FILE *f;

	if (!strcmp(dir + strlen(dir) - 6, "XXXXXX"))
		ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	return path;
}

static void
remove_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	rmdir(dir); /* the last one */
	if (access(dir, F_OK))
		memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
}

static int
load(struct zone **z, const char *text, char *err, size_t size)
{
	struct name apex = named("z.test");
	int rc = zonefile_load(z, &apex, write_file("z", text), err, size);

	remove_file("z");
	return rc;
}

/* Text of a record, and what a query must find. */
static const struct {
	const char *text; /* behind the SOA */
	const char *name;
	uint16_t type;
	const char *found; /* all data of the set, in hex */
	uint32_t ttl;
} good[] = {
	{"a 5 IN A 1.2.3.4", "a.z.test", 1, "01020304", 5},
	{"a IN 5 A 1.2.3.4", "a.z.test", 1, "01020304", 5},
	{"a 5 A 1.2.3.4", "a.z.test", 1, "01020304", 5},
	{"a in a 1.2.3.4", "a.z.test", 1, "01020304", 60},
	{"a A 1.2.3.4", "a.z.test", 1, "01020304", 60},
	{"$TTL 9\na A 1.2.3.4", "a.z.test", 1, "01020304", 9},
	{"$TTL 1h30m\na A 1.2.3.4", "a.z.test", 1, "01020304", 5400},
	{"a 1w2D A 1.2.3.4", "a.z.test", 1, "01020304", 777600},
	{"a CLASS1 A 1.2.3.4", "a.z.test", 1, "01020304", 60},
	{"a 5 A 1.2.3.4\na 4 A 1.2.3.5", "a.z.test", 1, "0102030401020305", 4},
	{"a A 1.2.3.4\na A 1.2.3.4", "a.z.test", 1, "01020304", 60},
	{"a A 1.2.3.4\n  A 1.2.3.5", "a.z.test", 1, "0102030401020305", 60},
	{"a.z.test. A 1.2.3.4", "a.z.test", 1, "01020304", 60},
	{"@ A 1.2.3.4", "z.test", 1, "01020304", 60},
	{"A.Z.TEST. A 1.2.3.4", "a.z.test", 1, "01020304", 60},
	{"$ORIGIN b\na A 1.2.3.4", "a.b.z.test", 1, "01020304", 60},
	{"$ORIGIN b.z.test.\n@ A 1.2.3.4", "b.z.test", 1, "01020304", 60},
	{"in A 1.2.3.4", "in.z.test", 1, "01020304", 60},
	{"5 A 1.2.3.4", "5.z.test", 1, "01020304", 60},
	{"a\\.b A 1.2.3.4", "a\\.b.z.test", 1, "01020304", 60},
	{"a\\. A 1.2.3.4", "a\\..z.test", 1, "01020304", 60},
	{"a MX 5 b", "a.z.test", 15, "00050162017a047465737400", 60},
	{"a MX 5 @", "a.z.test", 15, "0005017a047465737400", 60},
	{"a MX 5 .", "a.z.test", 15, "000500", 60},
	{"a TXT \"x;y\" \"\" z ; c", "a.z.test", 16, "03783b7900017a", 60},
	{"a TXT ( \"x\"\n \"y\" )", "a.z.test", 16, "01780179", 60},
	{"a TYPE65280 \\# 3 01 02 03", "a.z.test", 65280, "010203", 60},
	{"a TYPE1 \\# 4 01020304", "a.z.test", 1, "01020304", 60},
	{"$GENERATE 1-3 h$ A 1.2.3.$", "h2.z.test", 1, "01020302", 60},
	{"$GENERATE 8-8/2 h${2,3} 7 IN A 1.2.3.${-8}", "h010.z.test", 1,
		"01020300", 7},
	{"a CNAME b\na RRSIG CNAME 5 1 60 20300101000000 20200101000000 1 . "
	 "AAAA",
		"a.z.test", 5, "0162017a047465737400", 60},
};

static size_t
set_hex(const struct zone_set *s, char *out)
{
	size_t i, k, n = 0;

	for (i = 0; i < s->n; i++)
		for (k = 0; k < s->rdata[i].len; k++)
			n += (size_t)sprintf(out + n, "%02x", s->rdata[i].p[k]);
	return n;
}

START_TEST(test_good)
{
	char text[512], err[512], got[256];
	const struct zone_set *s;
	struct name n;
	struct zone *z;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), "%s%s\n", SOA, good[i].text);
		ck_assert_msg(!load(&z, text, err, sizeof(err)), "case %zu: %s",
			i, err);
		ck_assert_uint_eq(z->serial, 7);
		ck_assert_uint_eq(z->negative_ttl, 30);
		n = named(good[i].name);
		s = zone_set_at(z, &n, good[i].type);
		ck_assert_msg(s != NULL, "case %zu: not there", i);
		set_hex(s, got);
		ck_assert_str_eq(got, good[i].found);
		ck_assert_msg(
			s->ttl == good[i].ttl, "case %zu: TTL %u", i, s->ttl);
		zone_unref(z);
	}
}
END_TEST

static const struct {
	const char *text;
	const char *error; /* its end, behind the folder's name */
} bad[] = {
	{"", "z: no SOA record"},
	{"a 5 A 1.2.3.4\n", "z: no SOA record"},
	{SOA "@ SOA ns mail 8 2 3 4 5\n", "z.test. is a second SOA"},
	{SOA "a SOA ns mail 8 2 3 4 5\n",
		"z:2: a.z.test. has an SOA below the zone's top"},
	{SOA "a.test. A 1.2.3.4\n", "z:2: a.test. is not in the zone"},
	{SOA "\n\n  \nxz.test. A 1.2.3.4\n",
		"z:5: xz.test. is not in the zone"},
	{SOA "a CNAME b\na A 1.2.3.4\n",
		"z:2: a.z.test. has a CNAME beside other records"},
	{SOA "a CNAME b\na TXT x\n", "z:3: a.z.test. stands beside a CNAME"},
	{SOA "a CNAME b\na CNAME c\n",
		"a.z.test. is a second CNAME or DNAME of the name"},
	{SOA "a DNAME b\na DNAME c\n",
		"a.z.test. is a second CNAME or DNAME of the name"},
	{SOA "a A 1.2.3\n",
		"z:2: A: Syntax error, could not parse the RR's rdata"},
	{SOA "a A 1.2.3.4 x\n",
		"z:2: A: Syntax error, superfluous text present"},
	{SOA "a A\n", "z:2: A: Syntax error, value expected"},
	{SOA "a FOO x\n",
		"z:2: FOO: Syntax error, could not parse the RR's rdata"},
	{SOA "a\n", "z:2: no type"},
	{SOA "a 5 IN\n", "z:2: no type"},
	{SOA "a 5 6 A 1.2.3.4\n", "z:2: '6' is neither TTL, class nor type"},
	{SOA "a 2147483648 A 1.2.3.4\n",
		"z:2: '2147483648' is neither TTL, class nor type"},
	{SOA "a 5x A 1.2.3.4\n", "z:2: '5x' is neither TTL, class nor type"},
	{SOA "a CH A 1.2.3.4\n", "z:2: class CH, not IN"},
	{SOA "a OPT \\# 0\n", "z:2: OPT records are in no zone"},
	{SOA "a TYPE255 \\# 0\n", "z:2: TYPE255 records are in no zone"},
	{SOA "a..b A 1.2.3.4\n", "z:2: 'a..b' is not a domain name"},
	{" A 1.2.3.4\n", "z:1: no owner name, and none before"},
	{"a A 1.2.3.4\n" SOA,
		"z:1: no TTL, and no $TTL or record with one before"},
	{SOA "$ORIGIN\n", "z:2: $ORIGIN without a domain name"},
	{SOA "$ORIGIN a b\n", "z:2: text behind $ORIGIN"},
	{SOA "$TTL x\n", "z:2: $TTL without a TTL"},
	{SOA "$TTL 5 6\n", "z:2: text behind $TTL"},
	{SOA "$INCLUDE\n", "z:2: $INCLUDE without a file"},
	{SOA "$INCLUDE nowhere\n", "nowhere: No such file or directory"},
	{SOA "$INCLUDE z\n", "z:2: $INCLUDE more than 8 deep"},
	{SOA "$GENERATE 3-1 h$ A 1.2.3.$\n",
		"z:2: $GENERATE wants START-STOP[/STEP] OWNER TYPE DATA"},
	{SOA "$GENERATE 255-256 h$ A 1.2.3.$\n",
		"z:2: A: Syntax error, could not parse the RR's rdata"},
	{SOA "$GENERATE 1-2 h${ A 1.2.3.$\n",
		"z:2: $GENERATE: broken template"},
	{SOA "$FOO\n", "z:2: unknown directive $FOO"},
	{SOA "a TXT \"x\n", "z:2: string not closed on its line"},
	{SOA "a TXT ( x\n\n", "z:2: parenthesis not closed at the end of the "
			      "file"},
};

START_TEST(test_bad)
{
	char err[2048];
	struct zone *z;
	size_t i, len, want;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(load(&z, bad[i].text, err, sizeof(err)) != 0,
			"case %zu: taken", i);
		ck_assert_ptr_null(z);
		len = strlen(err);
		want = strlen(bad[i].error);
		ck_assert_msg(
			len >= want && !strcmp(err + len - want, bad[i].error),
			"case %zu: %s", i, err);
	}
}
END_TEST

START_TEST(test_missing)
{
	struct name apex = named("z.test");
	char err[256];
	struct zone *z;

	ck_assert_int_eq(
		zonefile_load(&z, &apex, "/nowhere/z", err, sizeof(err)),
		-ENOENT);
	ck_assert_str_eq(err, "/nowhere/z: No such file or directory");
}
END_TEST

/* An included file has an origin of its own and gives it back. */
START_TEST(test_include)
{
	struct name apex = named("z.test"), n = named("c.sub.z.test");
	char err[512];
	struct zone *z;
	int rc;

	write_file("part", "b A 1.2.3.4\n$ORIGIN sub\nc A 1.2.3.5\n");
	rc = zonefile_load(&z, &apex,
		write_file("z", SOA "a A 1.2.3.3\n$INCLUDE part\n"
				    "  TXT \"of a\"\n$INCLUDE \"part\" x\n"
				    "d A 1.2.3.6\n"),
		err, sizeof(err));
	remove_file("part");
	remove_file("z");
	ck_assert_msg(!rc, "%s", err);
	ck_assert_ptr_nonnull(zone_set_at(z, &n, DNS_TYPE_A));
	n = named("c.sub.x.z.test");
	ck_assert_ptr_nonnull(zone_set_at(z, &n, DNS_TYPE_A));
	n = named("a.z.test");
	ck_assert_ptr_nonnull(zone_set_at(z, &n, DNS_TYPE_TXT));
	n = named("d.z.test");
	ck_assert_ptr_nonnull(zone_set_at(z, &n, DNS_TYPE_A));
	zone_unref(z);
}
END_TEST

static const char lookup_zone[] =
	SOA "@ NS ns\n"
	    "ns A 1.1.1.1\n"
	    "a A 1.2.3.4\n"
	    "a TXT x\n"
	    "alias CNAME a\n"
	    "out CNAME www.example.\n"
	    "x.ent A 1.2.3.5\n"
	    "*.wild A 1.2.3.6\n"
	    "*.wild MX 5 a\n"
	    "b.wild TXT b\n"
	    "*.c.wild CNAME a\n"
	    "sub NS ns.sub\n"
	    "sub NS ns.elsewhere.test.\n"
	    "sub DS 1 8 2 "
	    "0000000000000000000000000000000000000000000000000000000000000000\n"
	    "ns.sub A 1.2.3.7\n"
	    "deep.sub A 1.2.3.8\n"
	    "d DNAME target\n"
	    "x.target A 1.2.3.9\n";

static const struct {
	const char *name;
	uint16_t type;
	enum zone_kind kind;
	const char *target;
} lookups[] = {
	{"z.test", DNS_TYPE_SOA, ZONE_ANSWER, NULL},
	{"z.test", DNS_TYPE_NS, ZONE_ANSWER, NULL},
	{"z.test", DNS_TYPE_A, ZONE_NODATA, NULL},
	{"a.z.test", DNS_TYPE_A, ZONE_ANSWER, NULL},
	{"A.z.TEST", DNS_TYPE_A, ZONE_ANSWER, NULL},
	{"a.z.test", DNS_TYPE_AAAA, ZONE_NODATA, NULL},
	{"a.z.test", DNS_TYPE_ANY, ZONE_ANSWER, NULL},
	{"b.z.test", DNS_TYPE_A, ZONE_NXDOMAIN, NULL},
	{"b.a.z.test", DNS_TYPE_A, ZONE_NXDOMAIN, NULL},
	{"alias.z.test", DNS_TYPE_A, ZONE_CNAME, "a.z.test"},
	{"alias.z.test", DNS_TYPE_CNAME, ZONE_ANSWER, NULL},
	{"out.z.test", DNS_TYPE_AAAA, ZONE_CNAME, "www.example"},
	{"ent.z.test", DNS_TYPE_A, ZONE_NODATA, NULL},
	{"y.ent.z.test", DNS_TYPE_A, ZONE_NXDOMAIN, NULL},
	{"wild.z.test", DNS_TYPE_A, ZONE_NODATA, NULL},
	{"p.wild.z.test", DNS_TYPE_A, ZONE_ANSWER, NULL},
	{"p.q.wild.z.test", DNS_TYPE_MX, ZONE_ANSWER, NULL},
	{"p.wild.z.test", DNS_TYPE_TXT, ZONE_NODATA, NULL},
	{"b.wild.z.test", DNS_TYPE_A, ZONE_NODATA, NULL},
	{"p.b.wild.z.test", DNS_TYPE_A, ZONE_NXDOMAIN, NULL},
	{"p.c.wild.z.test", DNS_TYPE_A, ZONE_CNAME, "a.z.test"},
	{"*.wild.z.test", DNS_TYPE_A, ZONE_ANSWER, NULL},
	{"sub.z.test", DNS_TYPE_A, ZONE_DELEGATION, NULL},
	{"sub.z.test", DNS_TYPE_NS, ZONE_DELEGATION, NULL},
	{"sub.z.test", DNS_TYPE_DS, ZONE_ANSWER, NULL},
	{"ns.sub.z.test", DNS_TYPE_A, ZONE_DELEGATION, NULL},
	{"x.y.sub.z.test", DNS_TYPE_DS, ZONE_DELEGATION, NULL},
	{"deep.sub.z.test", DNS_TYPE_A, ZONE_DELEGATION, NULL},
	{"d.z.test", DNS_TYPE_DNAME, ZONE_ANSWER, NULL},
	{"d.z.test", DNS_TYPE_A, ZONE_NODATA, NULL},
	{"x.d.z.test", DNS_TYPE_A, ZONE_DNAME, "x.target.z.test"},
	{"x.y.d.z.test", DNS_TYPE_A, ZONE_DNAME, "x.y.target.z.test"},
};

START_TEST(test_lookup)
{
	struct zone_found f;
	struct name n, target;
	struct zone *z;
	char err[512];
	size_t i;

	ck_assert_msg(!load(&z, lookup_zone, err, sizeof(err)), "%s", err);
	for (i = 0; i < ARRAY_LEN(lookups); i++) {
		n = named(lookups[i].name);
		zone_lookup(z, &n, lookups[i].type, &f);
		ck_assert_msg(f.kind == lookups[i].kind, "%s %u: %d",
			lookups[i].name, lookups[i].type, f.kind);
		if (!lookups[i].target)
			continue;
		target = named(lookups[i].target);
		ck_assert_msg(
			name_eq(&target, &f.target), "%s", lookups[i].name);
	}
	zone_unref(z);
}
END_TEST

/* 63 x 3 bytes of labels in front of a DNAME with a long target. */
START_TEST(test_dname_too_long)
{
	char text[512], name[300], label[64];
	struct zone_found f;
	struct zone *z;
	struct name n;

	memset(label, 'a', 63);
	label[63] = '\0';
	snprintf(text, sizeof(text), SOA "d DNAME %s.example.\n", label);
	ck_assert(!load(&z, text, name, sizeof(name)));
	snprintf(name, sizeof(name), "%s.%s.%s.d.z.test", label, label, label);
	n = named(name);
	zone_lookup(z, &n, DNS_TYPE_A, &f);
	ck_assert_int_eq(f.kind, ZONE_TOO_LONG);
	zone_unref(z);
}
END_TEST

static const struct {
	const char *name;
	uint16_t type, rcode;
	bool aa;
	const char *answer, *authority, *additional; /* sorted lines */
} answers[] = {
	{"a.z.test", DNS_TYPE_A, 0, true, "a.z.test. 60 IN A 1.2.3.4\n", "",
		""},
	{"p.q.wild.z.test", DNS_TYPE_A, 0, true,
		"p.q.wild.z.test. 60 IN A 1.2.3.6\n", "", ""},
	{"b.z.test", DNS_TYPE_A, DNS_NXDOMAIN, true, "",
		"z.test. 30 IN SOA ns.z.test. mail.z.test. 7 2 3 4 30\n", ""},
	{"ent.z.test", DNS_TYPE_A, 0, true, "",
		"z.test. 30 IN SOA ns.z.test. mail.z.test. 7 2 3 4 30\n", ""},
	{"alias.z.test", DNS_TYPE_A, 0, true,
		"a.z.test. 60 IN A 1.2.3.4\n"
		"alias.z.test. 60 IN CNAME a.z.test.\n",
		"", ""},
	{"alias.z.test", DNS_TYPE_AAAA, 0, true,
		"alias.z.test. 60 IN CNAME a.z.test.\n",
		"z.test. 30 IN SOA ns.z.test. mail.z.test. 7 2 3 4 30\n", ""},
	{"x.d.z.test", DNS_TYPE_A, 0, true,
		"d.z.test. 60 IN DNAME target.z.test.\n"
		"x.d.z.test. 60 IN CNAME x.target.z.test.\n"
		"x.target.z.test. 60 IN A 1.2.3.9\n",
		"", ""},
	{"y.d.z.test", DNS_TYPE_A, DNS_NXDOMAIN, true,
		"d.z.test. 60 IN DNAME target.z.test.\n"
		"y.d.z.test. 60 IN CNAME y.target.z.test.\n",
		"z.test. 30 IN SOA ns.z.test. mail.z.test. 7 2 3 4 30\n", ""},
	{"x.sub.z.test", DNS_TYPE_A, 0, false, "",
		"sub.z.test. 60 IN NS ns.elsewhere.test.\n"
		"sub.z.test. 60 IN NS ns.sub.z.test.\n",
		"ns.sub.z.test. 60 IN A 1.2.3.7\n"},
};

START_TEST(test_answers)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	char err[4096];
	struct answer_head h;
	struct chain chain;
	enum zones_result res;
	struct zone *z;
	struct answer a;
	struct name n;
	uint16_t rcode;
	size_t i, len;

	ck_assert_msg(!load(&z, lookup_zone, err, sizeof(err)), "%s", err);
	for (i = 0; i < ARRAY_LEN(answers); i++) {
		chain = (struct chain){0};
		h = head_for(answers[i].name, answers[i].type);
		n = h.question.name;
		answer_begin(&a, &h, buf);
		do
			res = zones_answer(
				z, &chain, &n, answers[i].type, &a, &rcode);
		while (res == ZONES_ALIAS);
		ck_assert_int_eq(res, ZONES_DONE);
		len = answer_end(&a, rcode, EDE_NONE);
		ck_assert_uint_eq(rcode, answers[i].rcode);
		ck_assert_msg(a.aa == answers[i].aa, "case %zu", i);
		ck_assert_str_eq(
			section_text(buf, len, LDNS_SECTION_ANSWER, err),
			answers[i].answer);
		ck_assert_str_eq(
			section_text(buf, len, LDNS_SECTION_AUTHORITY, err),
			answers[i].authority);
		ck_assert_str_eq(
			section_text(buf, len, LDNS_SECTION_ADDITIONAL, err),
			answers[i].additional);
		chain_fini(&chain);
	}
	zone_unref(z);
}
END_TEST

/* Aliases in a circle end. */
START_TEST(test_loop)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	struct answer_head h = head_for("a.z.test", DNS_TYPE_A);
	struct name n = h.question.name;
	struct chain chain = {0};
	enum zones_result res;
	struct answer a;
	struct zone *z;
	uint16_t rcode;
	char err[256];
	int rounds = 0;

	ck_assert(!load(&z, SOA "a CNAME b\nb CNAME a\n", err, sizeof(err)));
	answer_begin(&a, &h, buf);
	do
		res = zones_answer(z, &chain, &n, DNS_TYPE_A, &a, &rcode);
	while (res == ZONES_ALIAS && ++rounds < 100);
	ck_assert_int_eq(res, ZONES_FAIL);
	ck_assert_int_eq(rounds, CHAIN_MAX);
	chain_fini(&chain);
	zone_unref(z);
}
END_TEST

START_TEST(test_set)
{
	char one[300], two[300], three[300];
	char *list[] = {one, two, three};
	struct conf_list texts = {list, 2};
	struct zones zones;
	struct name n = named("a.b.test");
	struct zone *before;

	snprintf(one, sizeof(one), "test=%s",
		write_file("one", SOA "a A 1.1.1.1\n"));
	snprintf(two, sizeof(two), "b.test=%s",
		write_file("two", SOA "a A 2.2.2.2\n"));
	ck_assert_int_eq(zones_load(&zones, &texts), 0);
	ck_assert_ptr_eq(zones_find(&zones, &n, DNS_TYPE_A), zones.v[1].zone);
	n = named("b.test");
	ck_assert_ptr_eq(zones_find(&zones, &n, DNS_TYPE_A), zones.v[1].zone);
	ck_assert_ptr_eq(zones_find(&zones, &n, DNS_TYPE_DS), zones.v[0].zone);
	n = named("test");
	ck_assert_ptr_eq(zones_find(&zones, &n, DNS_TYPE_A), zones.v[0].zone);
	ck_assert_ptr_null(zones_find(&zones, &n, DNS_TYPE_DS));
	n = named("example");
	ck_assert_ptr_null(zones_find(&zones, &n, DNS_TYPE_A));

	/* One broken: it stays as it was, the other is new. */
	write_file("one", SOA "a A 1.1.1.2\n");
	write_file("two", SOA "a A broken\n");
	before = zone_ref(zones.v[1].zone);
	ck_assert_uint_eq(zones_reload(&zones, &texts), 1);
	ck_assert_ptr_eq(zones.v[1].zone, before);
	ck_assert_ptr_nonnull(zones.v[1].error);
	ck_assert_ptr_null(zones.v[0].error);
	zone_unref(before);

	/* A new one that is broken is not served; one that is listed no more
	 * goes. */
	snprintf(one, sizeof(one), "c.test=%s/two", dir);
	texts.n = 1;
	ck_assert_uint_eq(zones_reload(&zones, &texts), 1);
	ck_assert_uint_eq(zones.n, 1);
	n = named("a.c.test");
	ck_assert_ptr_null(zones_find(&zones, &n, DNS_TYPE_A));
	zones_fini(&zones);
	ck_assert_int_eq(zones_load(&zones, &texts), -EINVAL);
	ck_assert_uint_eq(zones.n, 0);
	remove_file("one");
	remove_file("two");
}
END_TEST

RUN_TESTS("zone", test_good, test_bad, test_missing, test_include, test_lookup,
	test_dname_too_long, test_answers, test_loop, test_set)
