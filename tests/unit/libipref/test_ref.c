/* SPDX-License-Identifier: GPL-2.0-or-later */
/* References: the captured table of texts, round trips, wire forms. */
#include "libipref/ref.h"

#include "tests/unit/run.h"
#include "tests/unit/vec.h"

static struct ref
ref_of(const char *hex)
{
	struct ref r;

	ck_assert_uint_eq(vec_hex(hex, r.b, sizeof(r.b)), REF_LEN);
	return r;
}

/* Parses a copy without NUL, so that sanitizers see each byte too many. */
static bool
parse(struct ref *r, const void *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	bool ok;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	memset(r, 0xee, sizeof(*r));
	ok = ref_parse(r, copy, len);
	free(copy);
	return ok;
}

static bool
parse_str(struct ref *r, const char *text)
{
	return parse(r, text, strlen(text));
}

/* What a block says that we make of its text: a value, or NULL for an error. */
static const char *
wanted(const struct vec_block *b)
{
	const char *differs = vec_get(b, "differs");
	const char *value = vec_get(b, "extension");

	if (differs) {
		ck_assert_str_eq(differs, "ours refuses a sign");
		return NULL;
	}
	if (!value)
		value = vec_get(b, "value");
	ck_assert_ptr_nonnull(value);
	return strcmp(value, "error") ? value : NULL;
}

START_TEST(test_vectors)
{
	struct vec_file f;
	struct vec_block b;
	char printed[REF_TEXT_MAX];
	uint8_t text[256];
	size_t len, n = 0, errors = 0;
	struct ref r;

	vec_open(&f, "text.txt");
	while (vec_next(&f, &b)) {
		const char *name = vec_get(&b, "ref"), *want, *newer;

		if (!name)
			continue;
		n++;
		want = wanted(&b);
		len = vec_hex(vec_get(&b, "text-hex"), text, sizeof(text));
		ck_assert_msg(
			parse(&r, text, len) == (want != NULL), "ref %s", name);
		if (!want) {
			errors++;
			ck_assert(ref_is_zero(&r));
			continue;
		}
		ck_assert_mem_eq(r.b, ref_of(want).b, REF_LEN);
		newer = vec_get(&b, "printed-newer");
		if (newer)
			ck_assert_str_eq(ref_format(&r, printed), newer);
	}
	vec_close(&f);
	ck_assert_uint_eq(n, 112);
	ck_assert_uint_gt(errors, 40);
}
END_TEST

START_TEST(test_parse_ours)
{
	static const struct {
		const char *text, *want; /* NULL: an error */
	} rows[] = {
		/* decimal with commas */
		{"1,2,3", "0000000000000000000000000000007b"},
		{"340,282,366,920,938,463,463,374,607,431,768,211,455",
			"ffffffffffffffffffffffffffffffff"},
		{"340,282,366,920,938,463,463,374,607,431,768,211,456", NULL},
		{"1,,2", NULL},
		{",", NULL},
		{"1,2-3", NULL},
		{"1,2.3", NULL},
		{"1, 2", NULL},
		/* leading zeros are free in decimal, however many */
		{"00000000000000000000000000000000000000000000000000000085",
			"00000000000000000000000000000055"},
		/* bytes */
		{"0.0.0.1", "00000000000000000000000000000001"},
		{"255.255", "0000000000000000000000000000ffff"},
		{"0.085", "00000000000000000000000000000055"},
		{"0.0085", NULL},
		{"1.256", NULL},
		{"1..2", NULL},
		{".", NULL},
		{"1.-2", NULL},
		{"1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16",
			"0102030405060708090a0b0c0d0e0f10"},
		{"0.1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16", NULL},
		/* hex */
		{"0-A", "0000000000000000000000000000000a"},
		{"1-2-3-4-5-6-7-", NULL},
		{"1-2-3-4-5-6-7--8-9", NULL},
		{"1--2-", NULL},
		{"1-2--3--", NULL},
		{"1--\n", NULL},
		{"ffff-ffff--", "ffffffff000000000000000000000000"},
		{"0--ffff", "0000000000000000000000000000ffff"},
	};
	struct ref r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		bool ok = parse_str(&r, rows[i].text);

		ck_assert_msg(ok == (rows[i].want != NULL), "%s", rows[i].text);
		if (ok)
			ck_assert_mem_eq(r.b, ref_of(rows[i].want).b, REF_LEN);
	}
	/* A NUL is no end. */
	ck_assert(!parse(&r, "1\0", 2));
	ck_assert(!parse(&r, "0-1\0", 4));
	ck_assert(!parse(&r, "0.1\0", 4));
}
END_TEST

/* A cheap generator with a fixed start: the same values in each run. */
static uint64_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 32;
}

START_TEST(test_format_reads_back)
{
	uint64_t state = 3;
	char text[REF_TEXT_MAX];
	struct ref r, back;
	size_t i, k;

	for (i = 0; i < 20000; i++) {
		/* Few bytes, many zeros: that is where forms change. */
		r = (struct ref){0};
		for (k = next_random(&state) % 6; k > 0; k--)
			r.b[next_random(&state) % REF_LEN] =
				(uint8_t)next_random(&state);
		ref_format(&r, text);
		ck_assert_msg(parse_str(&back, text), "%s", text);
		ck_assert_msg(ref_eq(&r, &back), "%s", text);
	}
	memset(r.b, 0xff, sizeof(r.b));
	ck_assert_uint_eq(strlen(ref_format(&r, text)), REF_TEXT_MAX - 1);
}
END_TEST

START_TEST(test_values)
{
	static const struct {
		uint64_t v;
		const char *hex;
		uint8_t second;
	} rows[] = {
		{0, "00000000000000000000000000000000", 0},
		{1, "00000000000000000000000000000001", 0},
		{0x1234, "00000000000000000000000000001234", 0x12},
		{UINT64_MAX, "0000000000000000ffffffffffffffff", 0xff},
	};
	struct ref r, next;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		r = ref_from_u64(rows[i].v);
		ck_assert_mem_eq(r.b, ref_of(rows[i].hex).b, REF_LEN);
		ck_assert_uint_eq(ref_second_byte(&r), rows[i].second);
		ck_assert(ref_is_zero(&r) == (rows[i].v == 0));
		ck_assert_int_eq(ref_cmp(&r, &r), 0);
		if (i + 1 == ARRAY_LEN(rows))
			break;
		next = ref_from_u64(rows[i + 1].v);
		ck_assert_int_lt(ref_cmp(&r, &next), 0);
		ck_assert_int_gt(ref_cmp(&next, &r), 0);
		ck_assert(!ref_eq(&r, &next));
	}
	r = ref_of("01000000000000000000000000000000");
	next = ref_from_u64(UINT64_MAX);
	ck_assert_int_gt(ref_cmp(&r, &next), 0);
}
END_TEST

static const struct wire {
	const char *value;
	size_t shortest;
	const char *wire; /* in the shortest form */
} wires[] = {
	{"00000000000000000000000000000000", 4, "00000000"},
	{"00000000000000000000000000000055", 4, "00000055"},
	{"00000000000000000000000000ffffff", 4, "00ffffff"},
	{"ab000000000000000000000000ffffff", 4, "abffffff"},
	{"ff000000000000000000000000000000", 4, "ff000000"},
	{"00000000000000000000000001000000", 8, "0000000001000000"},
	{"000000000000000000ffffffffffffff", 8, "00ffffffffffffff"},
	{"12000000000000000034567890abcdef", 8, "1234567890abcdef"},
	{"00000000000000000100000000000000", 16,
		"00000000000000000100000000000000"},
	{"00010000000000000000000000000000", 16,
		"00010000000000000000000000000000"},
	{"ffffffffffffffffffffffffffffffff", 16,
		"ffffffffffffffffffffffffffffffff"},
};

START_TEST(test_wire_forms)
{
	static const size_t lens[] = {4, 8, 16};
	uint8_t bytes[REF_LEN], want[REF_LEN];
	struct ref r, back;
	struct wbuf w;
	struct rbuf in;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(wires); i++) {
		r = ref_of(wires[i].value);
		ck_assert_uint_eq(ref_wire_len(&r), wires[i].shortest);
		for (k = 0; k < ARRAY_LEN(lens); k++) {
			wbuf_init(&w, bytes, sizeof(bytes));
			ref_put(&w, &r, lens[k]);
			ck_assert(
				wbuf_ok(&w) == (lens[k] >= wires[i].shortest));
			if (lens[k] < wires[i].shortest)
				continue;
			ck_assert_uint_eq(w.len, lens[k]);
			rbuf_init(&in, bytes, lens[k]);
			back = ref_get(&in, lens[k]);
			ck_assert(rbuf_done(&in));
			ck_assert(ref_eq(&r, &back));
			if (lens[k] == wires[i].shortest) {
				vec_hex(wires[i].wire, want, sizeof(want));
				ck_assert_mem_eq(bytes, want, lens[k]);
			}
		}
	}
}
END_TEST

START_TEST(test_wire_failures)
{
	static const uint8_t bytes[REF_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t out[REF_LEN + 1];
	struct ref r;
	struct wbuf w;
	struct rbuf in;
	size_t len, have;

	for (len = 0; len <= REF_LEN + 1; len++) {
		bool form = len == 4 || len == 8 || len == REF_LEN;

		r = ref_from_u64(1);
		wbuf_init(&w, out, sizeof(out));
		ref_put(&w, &r, len);
		ck_assert(wbuf_ok(&w) == form);
		for (have = 0; have <= REF_LEN; have++) {
			rbuf_init(&in, bytes, have);
			r = ref_get(&in, len);
			ck_assert(rbuf_ok(&in) == (form && have >= len));
			ck_assert(rbuf_ok(&in) || ref_is_zero(&r));
		}
		for (have = 0; form && have < len; have++) {
			wbuf_init(&w, out, have);
			ref_put(&w, &r, len);
			ck_assert(!wbuf_ok(&w));
		}
	}
}
END_TEST

RUN_TESTS("ref", test_vectors, test_parse_ours, test_format_reads_back,
	test_values, test_wire_forms, test_wire_failures)
