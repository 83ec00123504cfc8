/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS names: text and wire both ways, compression, comparing, building. */
#include "libipref/dns/name.h"

#include "tests/unit/run.h"

static struct name
parsed(const char *text)
{
	struct name n;

	ck_assert_msg(name_parse(&n, text, strlen(text)), "%s", text);
	return n;
}

static const struct {
	const char *text;
	const char *out; /* NULL: refused */
	size_t wire;	 /* length */
} texts[] = {
	{".", ".", 1},
	{"a", "a.", 3},
	{"a.", "a.", 3},
	{"Host11.Example.COM", "Host11.Example.COM.", 20},
	{"*.x", "*.x.", 5},
	{"a\\.b.c", "a\\.b.c.", 7},
	{"a\\046b.c", "a\\.b.c.", 7},
	{"\\000\\255 .c", "\\000\\255\\032.c.", 7},
	{"\\\\x", "\\\\x.", 4},
	{"\\120", "x.", 3},
	{"a\\;b", "a\\;b.", 5},
	{"", NULL, 0},
	{"..", NULL, 0},
	{".a", NULL, 0},
	{"a..", NULL, 0},
	{"a..b", NULL, 0},
	{"a\\", NULL, 0},
	{"a\\25", NULL, 0},
	{"a\\256", NULL, 0},
	{"a\\1x2", NULL, 0},
};

START_TEST(test_text)
{
	char buf[NAME_TEXT_MAX];
	struct name n, again;
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		bool ok = name_parse(&n, texts[i].text, strlen(texts[i].text));

		ck_assert_msg(
			ok == (texts[i].out != NULL), "%s", texts[i].text);
		if (!ok) {
			ck_assert_uint_eq(n.len, 0);
			continue;
		}
		ck_assert_str_eq(name_format(&n, buf), texts[i].out);
		ck_assert_uint_eq(n.len, texts[i].wire);
		again = parsed(buf);
		ck_assert_mem_eq(&again, &n, sizeof(n));
	}
	n = (struct name){0};
	ck_assert_str_eq(name_format(&n, buf), "-");
}
END_TEST

/* Labels up to 63 bytes and names up to 255, all bytes written as \DDD. */
START_TEST(test_limits)
{
	char text[1200], buf[NAME_TEXT_MAX], *p;
	struct name n;
	size_t i, k;

	memset(text, 'x', sizeof(text));
	ck_assert(name_parse(&n, text, 63));
	ck_assert(!name_parse(&n, text, 64));
	text[63] = text[127] = text[191] = '.';
	ck_assert(name_parse(&n, text, 192 + 61));
	ck_assert_uint_eq(n.len, 255);
	ck_assert(!name_parse(&n, text, 192 + 62));

	p = text;
	for (i = 0; i < 4; i++) {
		for (k = 0; k < (i < 3 ? 63 : 61); k++)
			p = stpcpy(p, "\\001");
		*p++ = '.';
	}
	ck_assert(name_parse(&n, text, (size_t)(p - text)));
	ck_assert_uint_eq(n.len, 255);
	*p = '\0';
	ck_assert_str_eq(name_format(&n, buf), text);
}
END_TEST

/* Messages: 12 bytes of header (zeros), then these; the name is read at. */
static const struct {
	const char *what;
	const char *bytes;
	size_t len, at;
	const char *name; /* NULL: refused */
	size_t next;	  /* where the cursor stands then */
} wires[] = {
	{"plain", "\1a\2bc\0", 6, 12, "a.bc.", 18},
	{"root", "\0", 1, 12, ".", 13},
	{"pointer", "\2bc\0\1a\xc0\x0c", 8, 16, "a.bc.", 20},
	{"pointer alone", "\2bc\0\xc0\x0c", 6, 16, "bc.", 18},
	{"two pointers", "\2bc\0\1a\xc0\x0c\xc0\x10", 10, 20, "a.bc.", 22},
	{"into a name", "\2bc\1d\0\xc0\x0f", 8, 18, "d.", 20},
	{"to itself", "\xc0\x0c", 2, 12, NULL, 0},
	{"into its own label", "\1a\xc0\x0c", 4, 12, NULL, 0},
	{"forwards", "\xc0\x0e\1a\0", 5, 12, NULL, 0},
	{"two that point at each other", "\xc0\x0e\xc0\x0c", 4, 14, NULL, 0},
	{"into the header", "\xc0\x0b", 2, 12, NULL, 0},
	{"half a pointer", "\xc0", 1, 12, NULL, 0},
	{"past the end", "\xff\xff", 2, 12, NULL, 0},
	{"label type 01", "\x41z\0", 3, 12, NULL, 0},
	{"label type 10", "\x81z\0", 3, 12, NULL, 0},
	{"cut label", "\3ab", 3, 12, NULL, 0},
	{"no end", "\1a", 2, 12, NULL, 0},
	{"nothing", "", 0, 12, NULL, 0},
};

START_TEST(test_wire)
{
	uint8_t msg[64], out[NAME_WIRE_MAX];
	char buf[NAME_TEXT_MAX];
	struct name n;
	struct rbuf r;
	struct wbuf w;
	size_t i;

	for (i = 0; i < ARRAY_LEN(wires); i++) {
		memset(msg, 0, sizeof(msg));
		memcpy(msg + 12, wires[i].bytes, wires[i].len);
		rbuf_init(&r, msg, 12 + wires[i].len);
		rbuf_skip(&r, wires[i].at);
		n = name_get(&r);
		ck_assert_msg(rbuf_ok(&r) == (wires[i].name != NULL), "%s",
			wires[i].what);
		if (!wires[i].name) {
			ck_assert_uint_eq(n.len, 0);
			continue;
		}
		ck_assert_str_eq(name_format(&n, buf), wires[i].name);
		ck_assert_uint_eq(r.pos, wires[i].next);

		wbuf_init(&w, out, sizeof(out));
		name_put(&w, &n);
		ck_assert(wbuf_ok(&w));
		rbuf_init(&r, out, w.len);
		n = name_get_plain(&r);
		ck_assert(rbuf_done(&r));
		ck_assert_str_eq(name_format(&n, buf), wires[i].name);
	}
	rbuf_init(&r, "\0\0\0\0\0\0\0\0\0\0\0\0\2bc\0\xc0\x0c", 18);
	rbuf_skip(&r, 16);
	n = name_get_plain(&r);
	ck_assert(!rbuf_ok(&r));
	ck_assert_uint_eq(n.len, 0);
	wbuf_init(&w, out, sizeof(out));
	name_put(&w, &n);
	ck_assert(!wbuf_ok(&w));
}
END_TEST

/* Pointers to pointers: each goes back, but not more than 127 times; and a
 * chain of labels ends at 255 bytes. */
START_TEST(test_chains)
{
	uint8_t msg[4096] = {0};
	struct rbuf r;
	struct name n;
	size_t pos, count;

	for (count = 0, pos = 13; count < 200; count++, pos += 2) {
		size_t to = count ? pos - 2 : 12;

		msg[pos] = (uint8_t)(0xc0 | to >> 8);
		msg[pos + 1] = (uint8_t)to;
		rbuf_init(&r, msg, sizeof(msg));
		rbuf_skip(&r, pos);
		n = name_get(&r);
		ck_assert_int_eq(rbuf_ok(&r), count < 127);
	}
	for (count = 0, pos = 13; count < 200; count++, pos += 4) {
		size_t to = count ? pos - 4 : 12;

		msg[pos] = 1;
		msg[pos + 1] = 'x';
		msg[pos + 2] = (uint8_t)(0xc0 | to >> 8);
		msg[pos + 3] = (uint8_t)to;
		rbuf_init(&r, msg, sizeof(msg));
		rbuf_skip(&r, pos);
		n = name_get(&r);
		ck_assert_int_eq(rbuf_ok(&r), count < 127);
		ck_assert_uint_eq(n.len, count < 127 ? 2 * (count + 1) + 1 : 0);
	}
}
END_TEST

static const struct {
	const char *a, *b;
	int cmp;
	bool under; /* a is under b */
} pairs[] = {
	{"a.b", "A.B", 0, true},
	{".", ".", 0, true},
	{"a", ".", 1, true},
	{".", "a", -1, false},
	{"x.example.com", "example.com", 1, true},
	{"x.EXAMPLE.com", "example.COM", 1, true},
	{"xexample.com", "example.com", 1, false},
	{"example.com", "x.example.com", -1, false},
	{"a.x", "a.y", -1, false},
	{"z.x", "a.y", -1, false},
	{"ab.x", "a.x", 1, false},
	{"a\\.example.com", "example.com", -1, false},
	{"\\200.x", "Z.x", 1, false},
	{"A.x", "\\[.x", 1, false},
};

START_TEST(test_compare)
{
	struct name a, b;
	size_t i;

	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		a = parsed(pairs[i].a);
		b = parsed(pairs[i].b);
		ck_assert_msg(name_cmp(&a, &b) == pairs[i].cmp, "%s %s",
			pairs[i].a, pairs[i].b);
		ck_assert_int_eq(name_cmp(&b, &a), -pairs[i].cmp);
		ck_assert_int_eq(name_eq(&a, &b), pairs[i].cmp == 0);
		ck_assert_msg(name_under(&a, &b) == pairs[i].under, "%s %s",
			pairs[i].a, pairs[i].b);
	}
	a = parsed("MiXed-1.Example");
	b = parsed("mixed-1.example");
	name_lower(&a);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	a = (struct name){0};
	ck_assert(!name_under(&b, &a));
	ck_assert(!name_under(&a, &b));
}
END_TEST

START_TEST(test_parts)
{
	struct name n = parsed("host.example.com"), up, root = name_root();
	struct name joined, longest;
	char text[256], buf[NAME_TEXT_MAX];
	const uint8_t *first;
	size_t len;

	ck_assert_uint_eq(name_labels(&n), 3);
	ck_assert_uint_eq(name_labels(&root), 0);
	first = name_first(&n, &len);
	ck_assert_uint_eq(len, 4);
	ck_assert_mem_eq(first, "host", 4);
	name_first(&root, &len);
	ck_assert_uint_eq(len, 0);

	ck_assert(name_parent(&n, &up));
	ck_assert_str_eq(name_format(&up, buf), "example.com.");
	ck_assert(name_join(&joined, first, 4, &up));
	ck_assert_mem_eq(&joined, &n, sizeof(n));
	ck_assert(name_parent(&up, &up) && name_parent(&up, &up));
	ck_assert_str_eq(name_format(&up, buf), ".");
	ck_assert(!name_parent(&up, &up));

	n = parsed("*.x");
	ck_assert(name_is_wild(&n));
	n = parsed("**.x");
	ck_assert(!name_is_wild(&n));
	n = parsed("x.*");
	ck_assert(!name_is_wild(&n));

	memset(text, 'x', sizeof(text));
	text[63] = text[127] = text[191] = '.';
	longest = parsed("x");
	ck_assert(name_parse(&longest, text, 192 + 59));
	ck_assert(name_join(&joined, (const uint8_t *)"a", 1, &longest));
	ck_assert_uint_eq(joined.len, 255);
	ck_assert(!name_join(&joined, (const uint8_t *)"ab", 2, &longest));
	ck_assert(!name_join(&joined, (const uint8_t *)"", 0, &root));
	ck_assert(!name_join(&joined, (const uint8_t *)text, 64, &root));
}
END_TEST

RUN_TESTS("name", test_text, test_limits, test_wire, test_chains, test_compare,
	test_parts)
