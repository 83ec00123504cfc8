/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AA strings, hosts-file lines, sources: the captured tables, then what they
 * don't have. */
#include "libipref/text.h"

#include "tests/unit/run.h"
#include "tests/unit/vec.h"

static struct ref
ref_of(const char *hex)
{
	struct ref r;

	ck_assert_uint_eq(vec_hex(hex, r.b, sizeof(r.b)), REF_LEN);
	return r;
}

static struct prefix
prefix_of(const char *text)
{
	struct prefix p;

	ck_assert(prefix_parse(&p, text, strlen(text)));
	return p;
}

/* A copy without NUL, so that sanitizers see each byte too many. */
static char *
text_copy(const void *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	return copy;
}

static enum aa_result
parse_aa(struct aa *aa, const void *text, size_t len)
{
	char *copy = text_copy(text, len);
	enum aa_result rc;

	memset(aa, 0xee, sizeof(*aa));
	rc = aa_parse(aa, copy, len);
	free(copy);
	return rc;
}

static void
parse_hosts(struct hosts_line *h, const void *line, size_t len)
{
	char *copy = text_copy(line, len);

	memset(h, 0xee, sizeof(*h));
	hosts_parse(h, copy, len);
	free(copy);
}

/* The names that the captured AA strings know (tests/vectors/README.md). */
static const struct name {
	const char *name;
	const char *addr[2]; /* IPv4 */
} names[] = {
	{"gw.aa.test", {"192.0.2.1"}},
	{"gwcname.aa.test", {"192.0.2.1"}},
	{"gwtwo.aa.test", {"192.0.2.50", "192.0.2.51"}},
	{"gw6.aa.test", {NULL}},
	{"gwboth.aa.test", {"192.0.2.1"}},
};

enum who {
	AGENT,
	RESOLVER,
};

/* What an agent or a resolver of an IPv4 tunnel gets out of an AA string, as
 * text-formats.md says; writes "GW REF" lines. All-zeros is the mapper's own
 * context to an agent, not to a resolver. */
static void
collect(char *out, size_t size, const struct aa *aa, enum who who)
{
	const char *const *addrs = NULL;
	char gw[ADDR_TEXT_MAX];
	const char *one[2] = {NULL, NULL};
	size_t i, k, at;

	if (who == AGENT && aa->gw.ver == 4 && addr_is_zero(&aa->gw)) {
		if (ref_is_zero(&aa->ref))
			return;
	} else if (!aa_usable(aa)) {
		return;
	}
	if (aa->gw.ver == 4)
		one[0] = addr_format(&aa->gw, gw);
	for (i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i].name, aa->name))
			addrs = names[i].addr;
	addrs = addrs ? addrs : one;
	for (i = 0; i < (who == AGENT ? 1 : 2) && addrs[i]; i++) {
		at = strlen(out);
		at += (size_t)snprintf(out + at, size - at, "%s ", addrs[i]);
		for (k = 0; k < REF_LEN; k++)
			at += (size_t)snprintf(
				out + at, size - at, "%02x", aa->ref.b[k]);
		snprintf(out + at, size - at, "\n");
	}
}

/* What the block says of this one, with what `differs` and text-formats.md
 * say about ours. */
static void
expected(char *out, size_t size, const struct vec_block *b, enum who who)
{
	const char *key = who == AGENT ? "agent" : "resolver", *value;
	size_t i;

	if (vec_get(b, "differs"))
		return; /* each of them is one that ours skips */
	for (i = 0; (value = vec_nth(b, key, i)) != NULL; i++) {
		/* Not marked in the file, but in text-formats.md. */
		if (who == RESOLVER && !strncmp(value, "0.0.0.0 ", 8))
			continue;
		if (strcmp(value, "none"))
			snprintf(out + strlen(out), size - strlen(out), "%s\n",
				value);
	}
}

START_TEST(test_aa_vectors)
{
	char got[1024], want[1024];
	uint8_t text[256];
	struct vec_file f;
	struct vec_block b;
	const char *name, *hex;
	size_t n = 0, i;
	struct aa aa;
	int who;

	vec_open(&f, "text.txt");
	while (vec_next(&f, &b)) {
		name = vec_get(&b, "aa");
		n += name != NULL;
		for (who = AGENT; name && who <= RESOLVER; who++) {
			got[0] = want[0] = '\0';
			expected(want, sizeof(want), &b, who);
			for (i = 0; (hex = vec_nth(&b, "string-hex", i)); i++)
				if (parse_aa(&aa, text,
					    vec_hex(hex, text, sizeof(text))) ==
					AA_OK)
					collect(got, sizeof(got), &aa, who);
			ck_assert_msg(!strcmp(got, want),
				"aa %s, %s: got %s, want %s", name,
				who == AGENT ? "agent" : "resolver", got, want);
		}
	}
	vec_close(&f);
	ck_assert_uint_eq(n, 54);
}
END_TEST

#define LABEL_63                                                               \
	"a23456789012345678901234567890123456789012345678901234567890123"
#define NAME_253                                                               \
	LABEL_63 "." LABEL_63 "." LABEL_63                                     \
		 ".a23456789012345678901234567890123456789012345678901234567"  \
		 "8901"

static const struct {
	const char *text;
	enum aa_result result;
	const char *name; /* lower case; NULL: by address */
	bool usable;
} aa_rows[] = {
	{"", AA_NONE, NULL, false},
	{"AA", AA_NONE, NULL, false},
	{"aa 192.0.2.1 + 1", AA_NONE, NULL, false},
	{" AA 192.0.2.1 + 1", AA_NONE, NULL, false},
	{"v=spf1 -all", AA_NONE, NULL, false},
	{"AA ", AA_BROKEN, NULL, false},
	{"AA +", AA_BROKEN, NULL, false},
	{"AA + 1", AA_BROKEN, NULL, false},
	{"AA 192.0.2.1 1", AA_BROKEN, NULL, false},
	{"AA 192.0.2.1 +1+", AA_BROKEN, NULL, false},
	{"AA 192.0.2.1 ++1", AA_BROKEN, NULL, false},
	{"AA 192.0.2.1\t+ 1", AA_BROKEN, NULL, false},
	{"AA 192.0.2.1 + 1\n", AA_BROKEN, NULL, false},
	{"AA 192.0.2.1 + 1", AA_OK, NULL, true},
	{"AA 192.0.2.1 + 0", AA_OK, NULL, false},
	{"AA 192.0.2.1 + 0-0", AA_OK, NULL, false},
	{"AA 0.0.0.0 + 1", AA_OK, NULL, false},
	{"AA ::1 + 1", AA_OK, NULL, false},
	{"AA 10.0.0.1 + 1", AA_OK, NULL, true},
	{"AA fd00::1+1", AA_OK, NULL, true},
	{"AA gw.example.com + 1", AA_OK, "gw.example.com", true},
	{"AA GW.Example.COM. + 1", AA_OK, "gw.example.com", true},
	{"AA gw.example.com + 0", AA_OK, "gw.example.com", false},
	{"AA gw + 1", AA_OK, "gw", true},
	{"AA _gw.x-1.example + 1", AA_OK, "_gw.x-1.example", true},
	{"AA 4.example + 1", AA_OK, "4.example", true},
	{"AA . + 1", AA_BROKEN, NULL, false},
	{"AA .example + 1", AA_BROKEN, NULL, false},
	{"AA gw..example + 1", AA_BROKEN, NULL, false},
	{"AA gw.example.. + 1", AA_BROKEN, NULL, false},
	{"AA gw example + 1", AA_BROKEN, NULL, false},
	{"AA gw\\.example + 1", AA_BROKEN, NULL, false},
	{"AA g\xc3\xbc.example + 1", AA_BROKEN, NULL, false},
	{"AA gw.example:1045 + 1", AA_BROKEN, NULL, false},
	/* numbers of old, which a system resolver would read */
	{"AA 127.1 + 1", AA_BROKEN, NULL, false},
	{"AA 127.1. + 1", AA_BROKEN, NULL, false},
	{"AA 0x7f000001 + 1", AA_BROKEN, NULL, false},
	{"AA 127.0X1 + 1", AA_BROKEN, NULL, false},
	{"AA " LABEL_63 ".example + 1", AA_OK, LABEL_63 ".example", true},
	{"AA x" LABEL_63 ".example + 1", AA_BROKEN, NULL, false},
	{"AA " NAME_253 " + 1", AA_OK, NAME_253, true},
	{"AA " NAME_253 ". + 1", AA_OK, NAME_253, true},
	{"AA " NAME_253 "x + 1", AA_BROKEN, NULL, false},
};

START_TEST(test_aa_results)
{
	struct aa aa;
	size_t i;

	for (i = 0; i < ARRAY_LEN(aa_rows); i++) {
		const char *text = aa_rows[i].text;
		const char *name = aa_rows[i].name ? aa_rows[i].name : "";
		enum aa_result rc = parse_aa(&aa, text, strlen(text));

		ck_assert_msg(rc == aa_rows[i].result, "%s: %d", text, (int)rc);
		ck_assert_str_eq(aa.name, name);
		ck_assert_msg(aa_usable(&aa) == aa_rows[i].usable, "%s", text);
		if (rc == AA_OK)
			ck_assert(
				(aa.gw.ver == 0) == (aa_rows[i].name != NULL));
	}
	ck_assert_int_eq(parse_aa(&aa, "AA g\0w.example + 1", 18), AA_BROKEN);
	ck_assert_int_eq(parse_aa(&aa, "AA 192.0.2.1 + 1\0", 17), AA_BROKEN);
}
END_TEST

/* "map-local IP GW REF" or "map-remote EA GW REF" of what was parsed. */
static void
hosts_mapping(char *out, size_t size, const struct hosts_line *h)
{
	char addr[ADDR_TEXT_MAX], gw[ADDR_TEXT_MAX];
	size_t at, k;

	at = (size_t)snprintf(out, size, "%s %s %s ",
		h->kind == HOSTS_PUB ? "map-local" : "map-remote",
		addr_format(&h->addr, addr),
		addr_is_zero(&h->gw) ? "192.0.2.1" : addr_format(&h->gw, gw));
	for (k = 0; k < REF_LEN; k++)
		at += (size_t)snprintf(
			out + at, size - at, "%02x", h->ref.b[k]);
}

/* What a line of the captured file became: "refused", "ignored" or the
 * mapping. */
static void
hosts_outcome(char *out, size_t size, const uint8_t *line, size_t len)
{
	struct prefix encode = prefix_of("10.240.0.0/12");
	struct hosts_line h;

	parse_hosts(&h, line, len);
	if (hosts_check(&h, &encode, 4))
		snprintf(out, size, "refused");
	else if (h.kind == HOSTS_PLAIN || h.kind == HOSTS_LOCAL)
		snprintf(out, size, "ignored");
	else if (!h.has_ref)
		snprintf(out, size, "allot");
	else
		hosts_mapping(out, size, &h);
}

/* Where ours differs, by the words of the file. */
static const struct {
	const char *differs, *outcome;
} hosts_differs[] = {
	{"ours has the mapper allot a reference", "allot"},
	/* text-formats.md: a context address is never a name here */
	{"ours resolves the name", "refused"},
	{"ours refuses the gateway's own local address", "refused"},
	{"ours refuses the all-zeros host part", "refused"},
};

static const char *
hosts_wanted(const struct vec_block *b, char *buf, size_t size)
{
	static const char *const keys[] = {
		"map-local", "map-remote", "ignored", "refused"};
	const char *differs = vec_get(b, "differs"), *value;
	size_t i;

	/* Only the mapper knows its own context address; that it is no remote
	 * host's is checked here for the all-zeros form of it. */
	if (differs && !strncmp(differs, "ours refuses our own context", 28)) {
		if (strstr(vec_get(b, "text"), "0.0.0.0"))
			return "refused";
		differs = NULL;
	}
	for (i = 0; differs && i < ARRAY_LEN(hosts_differs); i++)
		if (!strcmp(differs, hosts_differs[i].differs))
			return hosts_differs[i].outcome;
	ck_assert_msg(!differs, "%s", differs);
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		value = vec_get(b, keys[i]);
		if (!value)
			continue;
		snprintf(
			buf, size, "%s%s%s", keys[i], *value ? " " : "", value);
		return buf;
	}
	ck_abort_msg("a block without outcome");
	return NULL;
}

START_TEST(test_hosts_vectors)
{
	char got[256], buf[256];
	const char *name, *want;
	uint8_t line[256];
	struct vec_file f;
	struct vec_block b;
	size_t n = 0, len;

	vec_open(&f, "text.txt");
	while (vec_next(&f, &b)) {
		name = vec_get(&b, "hosts");
		if (!name)
			continue;
		n++;
		want = hosts_wanted(&b, buf, sizeof(buf));
		/* Two lines for one address: the later one serves, and the
		 * file names it in both blocks. Line by line: */
		if (!strcmp(name, "60"))
			want = "map-local 192.168.80.60 192.0.2.1 "
			       "0000000000000000000000000000003c";
		len = vec_hex(vec_get(&b, "text-hex"), line, sizeof(line));
		hosts_outcome(got, sizeof(got), line, len);
		ck_assert_msg(!strcmp(got, want), "hosts %s: got %s, want %s",
			name, got, want);
	}
	vec_close(&f);
	ck_assert_uint_eq(n, 67);
}
END_TEST

/* A line and a piece of its error; NULL: not refused by syntax. */
static const struct {
	const char *line;
	enum hosts_kind kind;
	const char *error;
} syntax_rows[] = {
	{"", HOSTS_PLAIN, NULL},
	{"#", HOSTS_PLAIN, NULL},
	{"  # x", HOSTS_PLAIN, NULL},
	{"nonsense without mapping", HOSTS_PLAIN, NULL},
	{"127.0.0.1 localhost #= local", HOSTS_LOCAL, NULL},
	{"10.0.0.1 a #= loc # it", HOSTS_LOCAL, NULL},
	{"10.0.0.1 a #= pub\r", HOSTS_PUB, NULL},
	{"10.0.0.1 a #= pub # alone", HOSTS_PUB, NULL},
	{"10.0.0.1 a #= pub#alone", HOSTS_PUB, NULL},
	{"10.0.0.1#=pub+5", HOSTS_PUB, NULL},
	{"fd00::1 a #= pub 2001:db8::1 + 0-5", HOSTS_PUB, NULL},
	{"10.0.0.1\v#=\fpub\t192.0.2.1\t+\r5", HOSTS_PUB, NULL},
	{"10.240.0.2 #= ext 192.0.2.1 + ffff--", HOSTS_EXT, NULL},
	{"#= pub + 5", HOSTS_BROKEN, "no IP address"},
	{" #= pub + 5", HOSTS_BROKEN, "no IP address"},
	{"a #= local", HOSTS_BROKEN, "no IP address"},
	{"10.0.0.01 #= pub + 5", HOSTS_BROKEN, "no IP address"},
	{"10.0.0.1/32 #= pub + 5", HOSTS_BROKEN, "no IP address"},
	{"10.0.0.1 a #=", HOSTS_BROKEN, "no pub, ext or local"},
	{"10.0.0.1 a #= + 5", HOSTS_BROKEN, "no pub, ext or local"},
	{"10.0.0.1 a #= pub12", HOSTS_BROKEN, "no pub, ext or local"},
	{"10.0.0.1 a #= Pub 12", HOSTS_BROKEN, "no pub, ext or local"},
	{"10.0.0.1 a #== pub 12", HOSTS_BROKEN, "no pub, ext or local"},
	{"10.0.0.1 a #=# pub 12", HOSTS_BROKEN, "no pub, ext or local"},
	{"10.0.0.1 a #= pub +", HOSTS_BROKEN, "no reference after"},
	{"10.0.0.1 a #= pub + #5", HOSTS_BROKEN, "no reference after"},
	{"10.0.0.1 a #= pub ++5", HOSTS_BROKEN, "more than"},
	{"10.0.0.1 a #= pub 5 + 5", HOSTS_BROKEN, "the context is not"},
	{"10.0.0.1 a #= pub gw + 5", HOSTS_BROKEN, "the context is not"},
	{"10.0.0.1 a #= pub gw", HOSTS_BROKEN, "neither"},
	{"10.0.0.1 a #= pub 0.5", HOSTS_BROKEN, "neither"},
	{"10.0.0.1 a #= pub + 5x", HOSTS_BROKEN, "the reference"},
	{"10.0.0.1 a #= pub + 5,0", HOSTS_BROKEN, "the reference"},
	{"10.0.0.1 a #= pub + 5 5", HOSTS_BROKEN, "more than"},
	{"10.0.0.1 a #= pub + 5 + 5", HOSTS_BROKEN, "more than"},
	{"10.0.0.1 a #= pub 192.0.2.1 5", HOSTS_BROKEN, "more than"},
	{"10.240.0.2 #= ext", HOSTS_BROKEN, "ext wants"},
	{"10.240.0.2 #= ext + 5", HOSTS_BROKEN, "ext wants"},
	{"10.240.0.2 #= ext 192.0.2.1", HOSTS_BROKEN, "ext wants"},
	{"10.240.0.2 #= ext 5", HOSTS_BROKEN, "ext wants"},
};

START_TEST(test_hosts_syntax)
{
	struct hosts_line h;
	size_t i;

	for (i = 0; i < ARRAY_LEN(syntax_rows); i++) {
		const char *line = syntax_rows[i].line;

		parse_hosts(&h, line, strlen(line));
		ck_assert_msg(
			h.kind == syntax_rows[i].kind, "%s: %d", line, h.kind);
		if (!syntax_rows[i].error) {
			ck_assert_ptr_null(h.error);
			continue;
		}
		ck_assert_ptr_nonnull(h.error);
		ck_assert_msg(strstr(h.error, syntax_rows[i].error) != NULL,
			"%s: %s", line, h.error);
	}
	parse_hosts(&h, "10.0.0.1\0 #= pub + 5", 20);
	ck_assert_int_eq(h.kind, HOSTS_BROKEN);
	parse_hosts(&h, "10.0.0.1 #= pub + 5\0", 20);
	ck_assert_int_eq(h.kind, HOSTS_BROKEN);
}
END_TEST

START_TEST(test_hosts_check)
{
	static const char v4[] = "10.240.0.0/12", v6[] = "fd00:240::/64";
	static const struct {
		const char *line, *encode;
		uint8_t tunnel;
		const char *error; /* a piece of it; NULL: taken */
	} rows[] = {
		{"127.0.0.1 localhost", v4, 4, NULL},
		{"127.0.0.1 localhost #= local", v4, 4, NULL},
		{"::1 localhost #= local", v4, 4, NULL},
		{"192.168.1.1 #= pub", v4, 4, NULL},
		{"192.168.1.1 #= pub + fff", v4, 4, "reference makes no sense"},
		{"192.168.1.1 #= pub + 0-fff", v4, 4, NULL},
		{"192.168.1.1 #= pub + 0-1000", v4, 4, "above 15"},
		{"192.168.1.1 #= pub + 1-2-3-4-5-6-7-fff", v4, 4, NULL},
		{"192.168.1.1 #= pub + 0-0", v4, 4, "reference 0"},
		{"192.168.1.1 #= pub 2001:db8::1 + 5", v4, 4, "tunnel's"},
		{"192.168.1.1 #= pub 2001:db8::1 + 5", v4, 6, NULL},
		{"192.168.1.1 #= pub 192.0.2.1 + 5", v4, 6, "tunnel's"},
		{"192.168.1.1 #= pub :: + 5", v4, 6, NULL},
		{"192.168.1.1 #= pub :: + 5", v4, 4, "tunnel's"},
		{"192.168.1.1 #= pub fe80::1 + 5", v4, 6, "global unicast"},
		{"fd00::1 #= pub + 5", v4, 4, "local network's"},
		{"fd00::1 #= pub + 5", v6, 4, NULL},
		{"fd00:240::1 #= pub + 5", v6, 4, "inside"},
		{"10.255.255.255 #= pub", v4, 4, "inside"},
		{"0.0.0.0 #= pub", v4, 4, "global unicast"},
		{"169.254.0.1 #= pub", v4, 4, "global unicast"},
		{"255.255.255.255 #= pub", v4, 4, "global unicast"},
		{"10.240.0.2 #= ext 192.0.2.9 + 1", v4, 4, NULL},
		{"10.240.0.2 #= ext 192.0.2.9 + ffff--", v4, 4, NULL},
		{"10.255.15.255 #= ext 192.0.2.9 + 1", v4, 4, NULL},
		{"10.255.16.0 #= ext 192.0.2.9 + 1", v4, 4, "above 15"},
		{"10.255.255.255 #= ext 192.0.2.9 + 1", v4, 4, "above 15"},
		{"10.240.0.0 #= ext 192.0.2.9 + 1", v4, 4, "network's own"},
		{"10.240.0.1 #= ext 192.0.2.9 + 1", v4, 4, "own local"},
		{"fd00:240::1 #= ext 192.0.2.9 + 1", v6, 4, "own local"},
		{"fd00:240::fff #= ext 192.0.2.9 + 1", v6, 4, NULL},
		{"fd00:240::1:fff #= ext 2001:db8::9 + 1", v6, 6, NULL},
		{"fd00:240::1000 #= ext 192.0.2.9 + 1", v6, 4, "above 15"},
		{"fd00::5 #= ext 192.0.2.9 + 1", v6, 4, "must be inside"},
		{"10.240.0.2 #= ext 0.0.0.0 + 1", v4, 4, "our own context"},
		{"10.240.0.2 #= ext 127.0.0.1 + 1", v4, 4, "global unicast"},
		{"10.240.0.2 #= ext 192.0.2.9 + 0", v4, 4, "reference 0"},
	};
	struct hosts_line h;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const char *line = rows[i].line, *error;
		struct prefix encode = prefix_of(rows[i].encode);

		parse_hosts(&h, line, strlen(line));
		error = hosts_check(&h, &encode, rows[i].tunnel);
		ck_assert_msg((error != NULL) == (rows[i].error != NULL),
			"%s: %s", line, error ? error : "taken");
		if (error)
			ck_assert_msg(strstr(error, rows[i].error) != NULL,
				"%s: %s", line, error);
	}
}
END_TEST

START_TEST(test_hosts_values)
{
	static const char line[] =
		" 10.254.8.88 tikopia #= ext 192.0.2.98 + 0-8000 # far";
	struct ref want = ref_of("00000000000000000000000000008000");
	struct hosts_line h;
	char buf[ADDR_TEXT_MAX];

	parse_hosts(&h, line, sizeof(line) - 1);
	ck_assert_int_eq(h.kind, HOSTS_EXT);
	ck_assert_str_eq(addr_format(&h.addr, buf), "10.254.8.88");
	ck_assert_str_eq(addr_format(&h.gw, buf), "192.0.2.98");
	ck_assert(h.has_ref);
	ck_assert(ref_eq(&h.ref, &want));
	parse_hosts(&h, "10.0.0.1 #= pub 192.0.2.98", 26);
	ck_assert_int_eq(h.kind, HOSTS_PUB);
	ck_assert_str_eq(addr_format(&h.gw, buf), "192.0.2.98");
	ck_assert(!h.has_ref);
	ck_assert(ref_is_zero(&h.ref));
	parse_hosts(&h, "10.0.0.1 #= pub 7", 17);
	ck_assert_uint_eq(h.gw.ver, 0);
	ck_assert(h.has_ref);
}
END_TEST

START_TEST(test_source)
{
	static char longest[2 * 255 + 2], too_long[2 * 255 + 3];
	const struct {
		const char *text, *want; /* NULL: an error */
	} rows[] = {
		{"site.local:example.com", "site.local:example.com"},
		{"Site.Local.:EXAMPLE.com.", "site.local:example.com"},
		{"a:b", "a:b"},
		{longest, longest},
		{too_long, NULL},
		{"", NULL},
		{":", NULL},
		{"a", NULL},
		{"a:", NULL},
		{":b", NULL},
		{".:b", NULL},
		{"a:.", NULL},
		{"a:b:c", NULL},
		{"a..:b", NULL},
		{"a..b:c", NULL},
		{"a:.b", NULL},
		{"a b:c", NULL},
		{"a:b ", NULL},
		{"a:b\n", NULL},
		{"a:\xc3\xbc", NULL},
	};
	char buf[SOURCE_TEXT_MAX];
	struct source s, again;
	size_t i;

	memset(longest, 'x', sizeof(longest) - 1);
	memset(too_long, 'x', sizeof(too_long) - 1);
	longest[255] = too_long[255] = ':';
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].text);
		char *copy = text_copy(rows[i].text, len);
		bool ok = source_parse(&s, copy, len);

		free(copy);
		ck_assert_msg(ok == (rows[i].want != NULL), "%s", rows[i].text);
		if (!ok) {
			ck_assert(!s.local[0] && !s.domain[0]);
			continue;
		}
		ck_assert_str_eq(source_format(&s, buf), rows[i].want);
		ck_assert(source_parse(&again, buf, strlen(buf)));
		ck_assert(source_eq(&s, &again));
		again.domain[0] = '!';
		ck_assert(!source_eq(&s, &again));
	}
	ck_assert(!source_parse(&s, "a\0:b", 4));
}
END_TEST

/* No bytes at all may come without an address. */
START_TEST(test_nothing)
{
	struct hosts_line h;
	struct source s;
	struct aa aa;

	ck_assert_int_eq(aa_parse(&aa, NULL, 0), AA_NONE);
	hosts_parse(&h, NULL, 0);
	ck_assert_int_eq(h.kind, HOSTS_PLAIN);
	ck_assert(!source_parse(&s, NULL, 0));
}
END_TEST

RUN_TESTS("text", test_aa_vectors, test_aa_results, test_hosts_vectors,
	test_hosts_syntax, test_hosts_check, test_hosts_values, test_source,
	test_nothing)
