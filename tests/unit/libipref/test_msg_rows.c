/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every row of proto/mapper.def, in both dialects and for the four pairs of IP
 * versions: round trips, cuts, sizes, reasons of refusal, text.
 *
 * Sizes are computed here from the letters and the layouts in proto/mapper.md,
 * independently of the codec.
 */
#include "libipref/msg.h"

#include "tests/unit/run.h"

#include <stdio.h>
#include <string.h>

#define N_RECORDS 3 /* in a list */
#define PKT_MAX	  1024

struct row {
	const char *name;
	uint8_t nr;
	const char *how, *items[4]; /* by mode, how not yet applied */
};

static const struct row rows[] = {
#define MSG(name, nr, sender, how, req, ack, nack)                             \
	{#name, nr, how, {req, req, ack, nack}},
#include "proto/mapper.def"
#undef MSG
};

/* A row's packet in one format. */
struct form {
	const struct row *row;
	enum msg_mode mode;
	const char *letters; /* NULL: there is no such packet */
	struct msg_format fmt;
};

static const char *
letters_of(const struct row *row, enum msg_mode mode)
{
	if (mode == MSG_DATA && !strchr(row->how, 'D'))
		return NULL;
	if (mode == MSG_REQ && !strchr(row->how, 'R'))
		return NULL;
	return row->items[mode];
}

static const struct msg_format formats[] = {
	{4, 4, MSG_DIALECT_1},
	{4, 6, MSG_DIALECT_1},
	{6, 4, MSG_DIALECT_1},
	{6, 6, MSG_DIALECT_1},
	{4, 4, MSG_DIALECT_2},
	{4, 6, MSG_DIALECT_2},
	{6, 4, MSG_DIALECT_2},
	{6, 6, MSG_DIALECT_2},
};

#define N_FORMS (ARRAY_LEN(rows) * 4 * ARRAY_LEN(formats))

static struct form
form_at(size_t i)
{
	struct form f = {.row = &rows[i / 4 / ARRAY_LEN(formats)],
		.mode = (enum msg_mode)(i / ARRAY_LEN(formats) % 4),
		.fmt = formats[i % ARRAY_LEN(formats)]};

	f.letters = letters_of(f.row, f.mode);
	return f;
}

/* Bytes of an address record, from the table in mapper.md. */
static size_t
record_len(const struct msg_format *fmt)
{
	static const size_t len[2][2] = {{28, 40}, {52, 64}};

	return len[fmt->local_ver == 6][fmt->tunnel_ver == 6] +
	       (fmt->dialect == MSG_DIALECT_2 ? 4 : 0);
}

#define SAMPLE_NAME   "a.example."  /* with its header 12 bytes */
#define SAMPLE_LOCAL  "int.test"    /* 12, 2 of them padding */
#define SAMPLE_DOMAIN "example.com" /* 16, 3 of them padding */

static size_t
item_len(char letter, const struct msg_format *fmt)
{
	switch (letter) {
	case 'A':
		return record_len(fmt);
	case 'P':
		return record_len(fmt) + 4;
	case 'X':
		return record_len(fmt) + 16;
	case 'B':
	case 'C':
	case 'U':
		return 4;
	case 'M':
	case 'H':
	case 'R':
	case 'I':
		return 8;
	case 'S':
		return 12;
	case 'O':
		return 12 + 16;
	}
	ck_abort_msg("letter %c", letter);
}

/* Bytes of the items up to the first that may be absent; how is its ? or *,
 * or 0. */
static size_t
fixed_len(const struct form *f, char *how)
{
	size_t len = 8;
	const char *p;

	*how = '\0';
	for (p = f->letters; *p && !*how; p++) {
		if (p[1] == '?' || p[1] == '*')
			*how = p[1];
		else
			len += item_len(*p, &f->fmt);
	}
	return len;
}

static size_t
full_len(const struct form *f)
{
	size_t n = strlen(f->letters), len, records;
	char how;

	len = fixed_len(f, &how);
	if (how == '?')
		return len + item_len(f->letters[n - 2], &f->fmt);
	if (how == '*') {
		/* One of "AA*" is among the fixed ones. */
		records = N_RECORDS - (strstr(f->letters, "AA*") != NULL);
		return len + records * item_len(f->letters[n - 2], &f->fmt);
	}
	return len;
}

static struct addr
sample_addr(uint8_t ver, uint8_t n)
{
	static const uint8_t v4[4] = {10, 1, 2}, v6[16] = {0xfd, 0, 2, 0x40};
	struct addr a = addr_from_bytes(ver, ver == 4 ? v4 : v6);

	a.b[addr_len(ver) - 1] = n;
	return a;
}

struct sample {
	struct msg m;
	struct arec arecs[N_RECORDS];
	struct msg_entry entries[N_RECORDS];
};

static void
sample_records(struct sample *s, const struct msg_format *fmt)
{
	uint8_t i;

	for (i = 0; i < N_RECORDS; i++) {
		s->arecs[i] = (struct arec){
			.ea = sample_addr(fmt->local_ver, (uint8_t)(10 + i)),
			.ip = sample_addr(fmt->local_ver, (uint8_t)(20 + i)),
			.gw = sample_addr(fmt->tunnel_ver, (uint8_t)(30 + i)),
			.ref = ref_from_u64(UINT64_C(0x1122334455667700) + i)};
		s->arecs[i].ref.b[0] = 0xfe;
		s->entries[i] = (struct msg_entry){.flags = i,
			.born = UINT64_C(0x0102030405060708) + i,
			.arec = s->arecs[i]};
	}
}

/* A message with every field set that this packet has, and no other. */
static void
sample_fill(struct sample *s, const struct form *f)
{
	struct msg *m = &s->m;
	const char *p;

	memset(s, 0, sizeof(*s));
	sample_records(s, &f->fmt);
	*m = (struct msg){.mode = f->mode, .cmd = f->row->nr, .id = 0xabcd};
	for (p = f->letters; *p; p++) {
		if (strchr("AX", *p)) {
			m->n = p[1] == '*' ? N_RECORDS : 1;
			m->arecs = *p == 'A' ? s->arecs : NULL;
			m->entries = *p == 'X' ? s->entries : NULL;
		} else if (strchr("BCU", *p)) {
			m->count = 0x89abcdef;
		} else if (*p == 'H') {
			m->hash = UINT64_C(0xf1e2d3c4b5a69788);
		} else if (*p == 'I') {
			m->store = UINT64_C(0x8877665544332211);
		} else if (*p == 'R') {
			m->revision = UINT64_C(0x9000000000000001);
		} else if (*p == 'M') {
			m->mark = (struct msg_mark){0xfffffffe, 0x80000001};
		} else if (*p == 'S') {
			m->str = (struct msg_str){SAMPLE_NAME, 10};
		} else if (*p == 'O') {
			m->local = (struct msg_str){SAMPLE_LOCAL, 8};
			m->domain = (struct msg_str){SAMPLE_DOMAIN, 11};
		} else if (*p == 'P') {
			m->profile.encode_net.addr =
				sample_addr(f->fmt.local_ver, 0xa0);
			m->profile.encode_net.len =
				f->fmt.local_ver == 4 ? 27 : 123;
			m->profile.pub = s->arecs[0].gw;
			m->profile.own_ref = s->arecs[0].ref;
		}
	}
}

static bool
str_eq(const struct msg_str *a, const struct msg_str *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->p, b->p, a->len));
}

static bool
arec_eq(const struct arec *a, const struct arec *b)
{
	return addr_eq(&a->ea, &b->ea) && addr_eq(&a->ip, &b->ip) &&
	       addr_eq(&a->gw, &b->gw) && ref_eq(&a->ref, &b->ref);
}

static void
assert_records(const struct msg *got, const struct sample *s)
{
	size_t i;

	ck_assert_uint_eq(got->n, s->m.n);
	for (i = 0; i < got->n; i++) {
		struct msg_entry e;
		struct arec a;

		if (s->m.entries) {
			e = msg_entry(got, i);
			ck_assert_uint_eq(e.flags, s->entries[i].flags);
			ck_assert_uint_eq(e.born, s->entries[i].born);
			a = e.arec;
		} else {
			a = msg_arec(got, i);
		}
		ck_assert(arec_eq(&a, &s->arecs[i]));
	}
}

static void
assert_same(const struct msg *got, const struct sample *s,
	const struct msg_format *fmt)
{
	const struct msg *want = &s->m;

	ck_assert_int_eq(got->mode, want->mode);
	ck_assert_uint_eq(got->cmd, want->cmd);
	ck_assert_uint_eq(got->id, want->id);
	ck_assert_uint_eq(got->count, want->count);
	ck_assert_uint_eq(got->hash, want->hash);
	ck_assert_uint_eq(got->store, want->store);
	ck_assert_uint_eq(got->revision, want->revision);
	ck_assert_uint_eq(got->mark.owner, want->mark.owner);
	ck_assert_uint_eq(got->mark.mark, want->mark.mark);
	ck_assert(str_eq(&got->str, &want->str));
	ck_assert(str_eq(&got->local, &want->local));
	ck_assert(str_eq(&got->domain, &want->domain));
	if (want->profile.encode_net.len) {
		ck_assert(prefix_eq(
			&got->profile.encode_net, &want->profile.encode_net));
		ck_assert(addr_eq(&got->profile.pub, &want->profile.pub));
		ck_assert(
			ref_eq(&got->profile.own_ref, &want->profile.own_ref));
	}
	ck_assert_int_eq(got->fmt.dialect, fmt->dialect);
	assert_records(got, s);
}

static enum msg_error
decode_copy(const struct msg_format *fmt, const uint8_t *pkt, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	enum msg_error e;
	struct msg m;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, pkt, len);
	e = msg_decode(&m, fmt, copy, len);
	free(copy);
	return e;
}

static size_t
encode_sample(struct sample *s, const struct form *f, uint8_t *pkt)
{
	size_t len;

	sample_fill(s, f);
	ck_assert_int_eq(msg_encode(&s->m, &f->fmt, pkt, PKT_MAX, &len), 0);
	return len;
}

static void
set_length(uint8_t *pkt, size_t len)
{
	pkt[6] = (uint8_t)(len / 4 >> 8);
	pkt[7] = (uint8_t)(len / 4);
}

/* The letters themselves: each row is one that the engine understands. */
START_TEST(test_rows)
{
	size_t i, k;
	int mode;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_uint_lt(rows[i].nr, MSG_N_CMDS);
		ck_assert(msg_cmd_known(rows[i].nr));
		ck_assert_str_eq(msg_cmd_name(rows[i].nr), rows[i].name);
		ck_assert(strspn(rows[i].how, "DR") == strlen(rows[i].how));
		for (k = 0; k < i; k++)
			ck_assert_uint_ne(rows[i].nr, rows[k].nr);
		for (mode = 0; mode < 4; mode++) {
			const char *s = rows[i].items[mode];
			size_t n = s ? strcspn(s, "?*") : 0;

			if (!s)
				continue;
			ck_assert(!s[n] || (!s[n + 1] && n > 0));
			/* Only these can be left out or come again. */
			ck_assert(s[n] != '?' || s[n - 1] == 'S');
			ck_assert(s[n] != '*' || strchr("AX", s[n - 1]));
		}
	}
}
END_TEST

START_TEST(test_round_trip)
{
	uint8_t pkt[PKT_MAX], again[PKT_MAX];
	size_t i, len, len2, n = 0;
	struct msg_format unknown;
	struct sample s;
	struct msg m;

	for (i = 0; i < N_FORMS; i++) {
		struct form f = form_at(i);

		if (!f.letters)
			continue;
		n++;
		len = encode_sample(&s, &f, pkt);
		ck_assert_uint_eq(len, full_len(&f));
		ck_assert_uint_eq(pkt[4],
			f.fmt.dialect == MSG_DIALECT_2
				? 0
				: f.fmt.local_ver * 16 + f.fmt.tunnel_ver);
		ck_assert_int_eq(msg_decode(&m, &f.fmt, pkt, len), MSG_OK);
		assert_same(&m, &s, &f.fmt);
		ck_assert_int_eq(
			msg_encode(&m, &f.fmt, again, PKT_MAX, &len2), MSG_OK);
		ck_assert_uint_eq(len2, len);
		ck_assert_mem_eq(again, pkt, len);
		unknown = f.fmt;
		unknown.dialect = MSG_DIALECT_UNKNOWN;
		ck_assert_int_eq(msg_decode(&m, &unknown, pkt, len), MSG_OK);
		assert_same(&m, &s, &f.fmt);
	}
	ck_assert_uint_ge(n, ARRAY_LEN(rows) * ARRAY_LEN(formats));
}
END_TEST

/* Whether a packet of that length can be a shorter one of the same row. */
static bool
may_be(const struct form *f, size_t len)
{
	size_t fixed, item;
	char how;

	fixed = fixed_len(f, &how);
	if (!how || len < fixed)
		return false;
	item = item_len(f->letters[strlen(f->letters) - 2], &f->fmt);
	return (len - fixed) % item == 0;
}

START_TEST(test_cuts)
{
	uint8_t pkt[PKT_MAX + 4];
	struct sample s;
	size_t i, len, cut;
	enum msg_error e;

	for (i = 0; i < N_FORMS; i++) {
		struct form f = form_at(i);

		if (!f.letters)
			continue;
		len = encode_sample(&s, &f, pkt);
		for (cut = 0; cut < len; cut++)
			ck_assert_int_eq(decode_copy(&f.fmt, pkt, cut),
				cut < 8	  ? MSG_SHORT
				: cut % 4 ? MSG_UNALIGNED
					  : MSG_BAD_LENGTH);
		for (cut = 8; cut < len; cut += 4) {
			set_length(pkt, cut);
			ck_assert_int_eq(decode_copy(&f.fmt, pkt, cut),
				may_be(&f, cut) ? MSG_OK : MSG_BAD_ITEMS);
		}
		set_length(pkt, len);
		memset(pkt + len, 0, 4);
		ck_assert_int_eq(
			decode_copy(&f.fmt, pkt, len + 1), MSG_UNALIGNED);
		ck_assert_int_eq(
			decode_copy(&f.fmt, pkt, len + 4), MSG_BAD_LENGTH);
		set_length(pkt, len + 4);
		e = decode_copy(&f.fmt, pkt, len + 4);
		/* In dialect 2 a word of zeros begins a record of no known
		 * version. */
		ck_assert(e == MSG_BAD_ITEMS ||
			  (e == MSG_BAD_VERSION &&
				  f.fmt.dialect == MSG_DIALECT_2));
	}
}
END_TEST

START_TEST(test_small_buffers)
{
	uint8_t pkt[PKT_MAX], *out;
	size_t i, len, size, got;
	struct sample s;

	for (i = 0; i < N_FORMS; i++) {
		struct form f = form_at(i);

		if (!f.letters)
			continue;
		len = encode_sample(&s, &f, pkt);
		for (size = 0; size < len; size++) {
			out = malloc(size ? size : 1);
			ck_assert_ptr_nonnull(out);
			ck_assert_int_eq(
				msg_encode(&s.m, &f.fmt, out, size, &got),
				MSG_TOO_BIG);
			free(out);
		}
	}
}
END_TEST

START_TEST(test_modes)
{
	uint8_t pkt[8] = {MSG_SIGNATURE}, out[PKT_MAX];
	struct sample s;
	size_t i, len;

	for (i = 0; i < N_FORMS; i++) {
		struct form f = form_at(i);

		if (f.letters)
			continue;
		f.letters = "";
		sample_fill(&s, &f);
		ck_assert_int_eq(
			msg_encode(&s.m, &f.fmt, out, sizeof(out), &len),
			MSG_BAD_MODE);
		pkt[1] = (uint8_t)((unsigned)f.mode << 6 | f.row->nr);
		pkt[4] = f.fmt.dialect == MSG_DIALECT_2
				 ? 0
				 : (uint8_t)(f.fmt.local_ver << 4 |
					     f.fmt.tunnel_ver);
		set_length(pkt, 8);
		ck_assert_int_eq(decode_copy(&f.fmt, pkt, 8), MSG_BAD_MODE);
	}
}
END_TEST

START_TEST(test_unknown_commands)
{
	uint8_t pkt[8] = {MSG_SIGNATURE, 0, 0x12, 0x34, 0x44, 0, 0, 2};
	uint8_t out[PKT_MAX];
	char number[8];
	struct msg m;
	size_t len;
	unsigned cmd, mode;

	for (cmd = 0; cmd < MSG_N_CMDS; cmd++)
		for (mode = 0; mode < 4; mode++) {
			if (msg_cmd_known((uint8_t)cmd))
				continue;
			snprintf(number, sizeof(number), "%u", cmd);
			ck_assert_str_eq(msg_cmd_name((uint8_t)cmd), number);
			ck_assert_int_eq(
				msg_cmd_sender((uint8_t)cmd), MSG_SENDER_ANY);
			pkt[1] = (uint8_t)(mode << 6 | cmd);
			ck_assert_int_eq(msg_decode(&m, &formats[0], pkt, 8),
				MSG_UNKNOWN);
			ck_assert_uint_eq(m.cmd, cmd);
			ck_assert_int_eq(m.mode, (enum msg_mode)mode);
			ck_assert_uint_eq(m.id, 0x1234);
			ck_assert_int_eq(msg_encode(&m, &formats[0], out,
						 sizeof(out), &len),
				MSG_UNKNOWN);
		}
	for (cmd = MSG_N_CMDS; cmd <= UINT8_MAX; cmd++) {
		ck_assert(!msg_cmd_known((uint8_t)cmd));
		ck_assert_str_eq(msg_cmd_name((uint8_t)cmd), "invalid");
	}
}
END_TEST

/* Whatever the size of the buffer: terminated, and dots where it was cut. */
START_TEST(test_text_sizes)
{
	char full[4096], part[4096];
	uint8_t pkt[PKT_MAX];
	struct sample s;
	size_t i, len, size;

	for (i = 0; i < N_FORMS; i++) {
		struct form f = form_at(i);

		if (!f.letters)
			continue;
		(void)encode_sample(&s, &f, pkt);
		msg_format_text(&s.m, full, sizeof(full));
		len = strlen(full);
		ck_assert(strstr(full, f.row->name) != NULL);
		for (size = 1; size <= len; size++) {
			memset(part, '#', sizeof(part));
			msg_format_text(&s.m, part, size);
			ck_assert_uint_eq(strlen(part), size - 1);
			ck_assert(part[size] == '#');
			if (size > 3) {
				ck_assert_str_eq(part + size - 4, "...");
				ck_assert(!strncmp(part, full, size - 4));
			}
		}
		msg_format_text(&s.m, part, len + 1);
		ck_assert_str_eq(part, full);
		part[0] = '#';
		msg_format_text(&s.m, part, 0);
		ck_assert(part[0] == '#');
	}
}
END_TEST

RUN_TESTS("msg_rows", test_rows, test_round_trip, test_cuts, test_small_buffers,
	test_modes, test_unknown_commands, test_text_sizes)
