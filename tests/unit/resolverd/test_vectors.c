/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The captured TXT records (tests/vectors/text.txt): published as a name's
 * records, does the resolver ask the mapper for what deployed resolvers got out
 * of them? `differs` says that ours skips such a string.
 */
#include "tests/unit/run.h"

#include "tests/unit/resolverd/fixture.h"
#include "tests/unit/vec.h"

static struct fake_rule rules[] = {
	{"gw.aa.test.", 1, FAKE_ANSWER, 0, {"gw.aa.test. 60 IN A 192.0.2.1"},
		{0}, {0}},
	{"gwcname.aa.test.", 1, FAKE_ANSWER, 0,
		{"gwcname.aa.test. 60 IN CNAME gw.aa.test.",
			"gw.aa.test. 60 IN A 192.0.2.1"},
		{0}, {0}},
	{"gwtwo.aa.test.", 1, FAKE_ANSWER, 0,
		{"gwtwo.aa.test. 60 IN A 192.0.2.50",
			"gwtwo.aa.test. 60 IN A 192.0.2.51"},
		{0}, {0}},
	{"gwboth.aa.test.", 1, FAKE_ANSWER, 0,
		{"gwboth.aa.test. 60 IN A 192.0.2.1"}, {0}, {0}},
	{"nx.aa.test.", 1, FAKE_ANSWER, 3, {0}, {0}, {0}},
	{"v.test.", 16, FAKE_ANSWER, 0, {0}, {0}, {0}},
};
#define V_RULE (ARRAY_LEN(rules) - 1)

/* The block's strings as one record; every byte escaped. */
static void
publish(const struct vec_block *b, char *text, size_t size)
{
	uint8_t bytes[300];
	size_t i, k, n, len;
	const char *hex;

	len = (size_t)snprintf(text, size, "v.test. 60 IN TXT");
	for (i = 0; (hex = vec_nth(b, "string-hex", i)); i++) {
		n = vec_hex(hex, bytes, sizeof(bytes));
		len += (size_t)snprintf(text + len, size - len, " \"");
		for (k = 0; k < n; k++)
			len += (size_t)snprintf(
				text + len, size - len, "\\%03u", bytes[k]);
		len += (size_t)snprintf(text + len, size - len, "\"");
	}
	rules[V_RULE].answer[0] = text;
}

static bool
was_asked(const struct fake_mapper *m, const struct addr *gw,
	const struct ref *ref)
{
	size_t i;

	for (i = 0; i < m->asked; i++)
		if (addr_eq(&m->seen[i].gw, gw) && ref_eq(&m->seen[i].ref, ref))
			return true;
	return false;
}

/* "192.0.2.1 0123...": one that the mapper must have been asked for. */
static void
check_asked(const struct fake_mapper *m, const char *value)
{
	size_t len = strcspn(value, " ");
	uint8_t bytes[16];
	struct addr gw;
	struct ref ref;

	ck_assert(addr_parse(&gw, value, len));
	ck_assert_uint_eq(vec_hex(value + len + 1, bytes, sizeof(bytes)), 16);
	memcpy(ref.b, bytes, 16);
	ck_assert_msg(was_asked(m, &gw, &ref), "%s", value);
}

static void
check_block(struct fixture *f, const struct vec_block *b)
{
	unsigned expected = 0;
	const char *value;
	static char text[8192];
	size_t i;

	publish(b, text, sizeof(text));
	f->mapper.asked = 0;
	fixture_ask(f, "v.test", 1);
	for (i = 0; (value = vec_nth(b, "resolver", i)); i++) {
		/* All zeros is the mapper's own address to an agent; ours
		 * skips it (spec/text-formats.md). */
		if (!strcmp(value, "none") || vec_get(b, "differs") ||
			!strncmp(value, "0.0.0.0 ", 8))
			continue;
		check_asked(&f->mapper, value);
		expected++;
	}
	ck_assert_msg(f->mapper.asked == expected, "aa %s: %u, not %u",
		vec_get(b, "aa"), f->mapper.asked, expected);
	ck_assert((f->s.header.counts[DNS_ANSWER] > 0) == (expected > 0));
}

START_TEST(test_aa)
{
	static struct fixture f;
	static struct vec_block b;
	struct vec_file file;
	unsigned n = 0;

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	vec_open(&file, "text.txt");
	while (vec_next(&file, &b)) {
		if (strcmp(b.lines[0].key, "aa") != 0)
			continue;
		check_block(&f, &b);
		n++;
	}
	ck_assert_uint_eq(n, 54);
	vec_close(&file);
	fixture_stop(&f);
}
END_TEST

RUN_TESTS("vectors", test_aa)
