/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mapper protocol's codec against all that deployed programs said. */
#include "libipref/msg.h"

#include "tests/unit/run.h"
#include "tests/unit/vec.h"

#define ARECS_MAX 128

/* What a block says of one of its packets. */
struct wanted {
	struct msg m;
	struct arec arecs[ARECS_MAX];
};

/* The value of "KEY" or "answer-KEY", or NULL. */
static const char *
field(const struct vec_block *b, const char *prefix, const char *key, size_t i)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s", prefix, key);
	return vec_nth(b, name, i);
}

static struct addr
addr_of(const char *text)
{
	struct addr a;

	ck_assert_msg(addr_parse(&a, text, strlen(text)), "address %s", text);
	return a;
}

static struct ref
ref_of(const char *hex)
{
	struct ref r;

	ck_assert_uint_eq(vec_hex(hex, r.b, sizeof(r.b)), REF_LEN);
	return r;
}

static struct msg_format
format_of(const struct vec_block *b)
{
	return (struct msg_format){
		.local_ver = (uint8_t)atoi(vec_get(b, "local")),
		.tunnel_ver = (uint8_t)atoi(vec_get(b, "tunnel")),
		.dialect =
			vec_get(b, "derived") ? MSG_DIALECT_2 : MSG_DIALECT_1,
	};
}

static enum msg_mode
mode_of(const char *name)
{
	enum msg_mode mode;

	for (mode = MSG_DATA; mode <= MSG_NACK; mode++)
		if (!strcmp(name, msg_mode_name(mode)))
			return mode;
	ck_abort_msg("mode %s", name);
}

static uint8_t
cmd_of(const char *name)
{
	uint8_t cmd;

	for (cmd = 0; cmd < MSG_N_CMDS; cmd++)
		if (!strcmp(name, msg_cmd_name(cmd)))
			return cmd;
	ck_abort_msg("command %s", name);
}

static void
read_is(struct msg *m, const char *is)
{
	char mode[8], cmd[32];
	unsigned id;

	ck_assert_int_eq(sscanf(is, "%7s %31s %u", mode, cmd, &id), 3);
	m->mode = mode_of(mode);
	m->cmd = cmd_of(cmd);
	m->id = (uint16_t)id;
}

static void
read_source(struct msg *m, const char *source)
{
	const char *colon = strchr(source, ':');

	ck_assert_ptr_nonnull(colon);
	m->local = (struct msg_str){source, (size_t)(colon - source)};
	m->domain = (struct msg_str){colon + 1, strlen(colon + 1)};
}

static void
read_arec(struct arec *a, const char *text)
{
	char ea[64], ip[64], gw[64], ref[64];

	ck_assert_int_eq(
		sscanf(text, "%63s %63s %63s %63s", ea, ip, gw, ref), 4);
	*a = (struct arec){addr_of(ea), addr_of(ip), addr_of(gw), ref_of(ref)};
}

/* Fields of the request (prefix "") or answer ("answer-"). */
static void
read_wanted(struct wanted *w, const struct vec_block *b, const char *prefix)
{
	const char *v;

	memset(w, 0, sizeof(*w));
	read_is(&w->m, field(b, prefix, "is", 0));
	if ((v = field(b, prefix, "batch", 0)) ||
		(v = field(b, prefix, "count", 0)))
		w->m.count = (uint32_t)strtoul(v, NULL, 16);
	if ((v = field(b, prefix, "hash", 0)))
		w->m.hash = strtoull(v, NULL, 16);
	if ((v = field(b, prefix, "source", 0)))
		read_source(&w->m, v);
	if ((v = field(b, prefix, "name", 0)))
		w->m.str = (struct msg_str){v, strlen(v)};
	if ((v = field(b, prefix, "mark", 0)))
		ck_assert_int_eq(
			sscanf(v, "%u %u", &w->m.mark.owner, &w->m.mark.mark),
			2);
	while ((v = field(b, prefix, "arec", w->m.n))) {
		ck_assert_uint_lt(w->m.n, ARECS_MAX);
		read_arec(&w->arecs[w->m.n++], v);
	}
	w->m.arecs = w->arecs;
}

static void
assert_str(const struct msg_str *got, const struct msg_str *want)
{
	ck_assert_uint_eq(got->len, want->len);
	ck_assert(got->len == 0 || !memcmp(got->p, want->p, got->len));
}

static void
assert_msg(const struct msg *got, const struct wanted *w, const char *name)
{
	const struct msg *want = &w->m;
	size_t i;

	ck_assert_int_eq(got->mode, want->mode);
	ck_assert_uint_eq(got->cmd, want->cmd);
	ck_assert_uint_eq(got->id, want->id);
	ck_assert_uint_eq(got->count, want->count);
	ck_assert_uint_eq(got->hash, want->hash);
	ck_assert_uint_eq(got->mark.owner, want->mark.owner);
	ck_assert_uint_eq(got->mark.mark, want->mark.mark);
	assert_str(&got->str, &want->str);
	assert_str(&got->local, &want->local);
	assert_str(&got->domain, &want->domain);
	ck_assert_msg(got->n == want->n, "%s: %zu records", name, got->n);
	for (i = 0; i < got->n; i++) {
		struct arec a = msg_arec(got, i);

		ck_assert_msg(addr_eq(&a.ea, &w->arecs[i].ea) &&
				      addr_eq(&a.ip, &w->arecs[i].ip) &&
				      addr_eq(&a.gw, &w->arecs[i].gw) &&
				      ref_eq(&a.ref, &w->arecs[i].ref),
			"%s: record %zu", name, i);
	}
}

/* Decodes a copy of just that size, so that sanitizers see each byte too
 * many. */
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

static void
set_length(uint8_t *pkt, size_t len)
{
	pkt[6] = (uint8_t)(len / 4 >> 8);
	pkt[7] = (uint8_t)(len / 4);
}

static void
assert_encodes(const struct msg *m, const struct msg_format *fmt,
	const uint8_t *pkt, size_t len)
{
	uint8_t out[4096];
	size_t out_len;

	ck_assert_int_eq(msg_encode(m, fmt, out, sizeof(out), &out_len), 0);
	ck_assert_uint_eq(out_len, len);
	ck_assert_mem_eq(out, pkt, len);
}

/* Cut anywhere a packet disagrees with its length field. With the field put
 * right it may be a shorter message, but only one that encodes just so. */
static void
assert_cuts(const struct msg_format *fmt, const uint8_t *pkt, size_t len)
{
	uint8_t copy[4100];
	struct msg m;
	size_t cut;

	for (cut = 0; cut < len; cut++)
		ck_assert_int_ne(decode_copy(fmt, pkt, cut), MSG_OK);
	memcpy(copy, pkt, len);
	for (cut = 8; cut < len; cut += 4) {
		set_length(copy, cut);
		if (decode_copy(fmt, copy, cut) != MSG_OK)
			continue;
		ck_assert_int_eq(msg_decode(&m, fmt, copy, cut), MSG_OK);
		assert_encodes(&m, fmt, copy, cut);
	}
}

static void
assert_too_long(const struct msg_format *fmt, const uint8_t *pkt, size_t len)
{
	uint8_t copy[4100];

	memcpy(copy, pkt, len);
	memset(copy + len, 0, 4);
	ck_assert_int_eq(decode_copy(fmt, copy, len + 1), MSG_UNALIGNED);
	ck_assert_int_eq(decode_copy(fmt, copy, len + 4), MSG_BAD_LENGTH);
	set_length(copy, len + 4);
	ck_assert_int_ne(decode_copy(fmt, copy, len + 4), MSG_OK);
}

/* Into the other dialect, and read there. */
static void
assert_other_dialect(
	const struct msg *m, const struct wanted *w, const char *name)
{
	struct msg_format fmt = m->fmt;
	uint8_t out[8192];
	size_t len;
	struct msg other;

	fmt.dialect =
		fmt.dialect == MSG_DIALECT_1 ? MSG_DIALECT_2 : MSG_DIALECT_1;
	ck_assert_int_eq(msg_encode(m, &fmt, out, sizeof(out), &len), 0);
	ck_assert_int_eq(msg_decode(&other, &fmt, out, len), MSG_OK);
	assert_msg(&other, w, name);
	ck_assert_int_eq(decode_copy(&m->fmt, out, len), MSG_BAD_VERSION);
}

static void
check_packet(const struct vec_block *b, const char *prefix, const uint8_t *pkt,
	size_t len, enum msg_error want)
{
	const char *name = vec_get(b, "exchange");
	struct msg_format fmt = format_of(b), unknown = fmt;
	struct wanted w;
	struct msg m;
	enum msg_error e;

	read_wanted(&w, b, prefix);
	e = msg_decode(&m, &fmt, pkt, len);
	ck_assert_msg(e == want, "%s: %s", name, msg_error_text(e));
	if (want != MSG_OK) {
		ck_assert_int_eq(m.mode, w.m.mode);
		ck_assert_uint_eq(m.cmd, w.m.cmd);
		ck_assert_uint_eq(m.id, w.m.id);
		return;
	}
	assert_msg(&m, &w, name);
	assert_encodes(&m, &fmt, pkt, len);
	assert_encodes(&w.m, &fmt, pkt, len);
	assert_cuts(&fmt, pkt, len);
	assert_too_long(&fmt, pkt, len);
	assert_other_dialect(&m, &w, name);
	unknown.dialect = MSG_DIALECT_UNKNOWN;
	ck_assert_int_eq(msg_decode(&m, &unknown, pkt, len), MSG_OK);
	ck_assert_int_eq(m.fmt.dialect, fmt.dialect);
	assert_msg(&m, &w, name);
}

/* The codec's reason for a request that a deployed gateway did not take. */
static enum msg_error
reason_of(const char *refused)
{
	static const struct {
		const char *text;
		enum msg_error e;
	} reasons[] = {
		{"signature", MSG_BAD_SIGNATURE},
		{"byte 5", MSG_BAD_RESERVED},
		{"versions", MSG_BAD_VERSION},
		{"arec versions", MSG_BAD_VERSION},
		{"length field", MSG_BAD_LENGTH},
		{"not words", MSG_UNALIGNED},
		{"short", MSG_SHORT},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(reasons); i++)
		if (!strcmp(refused, reasons[i].text))
			return reasons[i].e;
	ck_abort_msg("refused %s", refused);
}

static void
check_refused(const struct vec_block *b, const uint8_t *pkt, size_t len)
{
	const char *refused = vec_get(b, "refused");
	struct msg_format fmt = format_of(b);

	ck_assert_int_eq(decode_copy(&fmt, pkt, len), reason_of(refused));
	/* So also as the first packet of a connection, and in the second
	 * dialect, which the one with a byte 4 of zero may have meant. */
	fmt.dialect = MSG_DIALECT_UNKNOWN;
	ck_assert_int_eq(decode_copy(&fmt, pkt, len), reason_of(refused));
}

/* What the request of a block that has no `refused` decodes to: those that
 * deployed gateways left unanswered for a reason that is the codec's say so in
 * their names. */
static enum msg_error
request_error(const struct vec_block *b)
{
	const char *name = strchr(vec_get(b, "exchange"), '/');

	if (!strncmp(name, "/test-refused-command-", 22))
		return MSG_UNKNOWN;
	if (!strcmp(name, "/test-refused-no-arec"))
		return MSG_BAD_ITEMS;
	return MSG_OK;
}

START_TEST(test_exchanges)
{
	static struct vec_block b;
	struct vec_file f;
	uint8_t pkt[4096];
	size_t len, n = 0, answers = 0, refused = 0, derived = 0;

	vec_open(&f, "mapper.txt");
	while (vec_next(&f, &b)) {
		if (!vec_get(&b, "exchange"))
			continue;
		n++;
		derived += vec_get(&b, "derived") != NULL;
		len = vec_hex(vec_get(&b, "request"), pkt, sizeof(pkt));
		if (vec_get(&b, "refused")) {
			refused++;
			check_refused(&b, pkt, len);
			continue;
		}
		check_packet(&b, "", pkt, len, request_error(&b));
		if (!vec_get(&b, "answer"))
			continue;
		answers++;
		len = vec_hex(vec_get(&b, "answer"), pkt, sizeof(pkt));
		check_packet(&b, "answer-", pkt, len, MSG_OK);
	}
	vec_close(&f);
	ck_assert_uint_eq(n, 290);
	ck_assert_uint_eq(answers, 234);
	ck_assert_uint_eq(refused, 32);
	ck_assert_uint_eq(derived, 16);
}
END_TEST

static size_t
read_set(const struct vec_block *b, struct arec *arecs)
{
	char ip[64], gw[64], ref[64];
	const char *v;
	size_t n;

	for (n = 0; (v = vec_nth(b, "record", n)); n++) {
		ck_assert_uint_lt(n, ARECS_MAX);
		ck_assert_int_eq(sscanf(v, "%63s %63s %63s", ip, gw, ref), 3);
		arecs[n] = (struct arec){.ip = addr_of(ip),
			.gw = addr_of(gw),
			.ref = ref_of(ref)};
	}
	return n;
}

static void
reverse(struct arec *arecs, size_t n)
{
	size_t i;

	for (i = 0; i < n / 2; i++) {
		struct arec a = arecs[i];

		arecs[i] = arecs[n - 1 - i];
		arecs[n - 1 - i] = a;
	}
}

START_TEST(test_sets)
{
	static struct vec_block b;
	struct arec arecs[ARECS_MAX];
	struct vec_file f;
	size_t n, sets = 0;
	uint64_t hash;

	vec_open(&f, "mapper.txt");
	while (vec_next(&f, &b)) {
		if (!vec_get(&b, "set"))
			continue;
		sets++;
		hash = strtoull(vec_get(&b, "hash"), NULL, 16);
		n = read_set(&b, arecs);
		ck_assert_uint_eq(n, strtoul(vec_get(&b, "count"), NULL, 10));
		ck_assert_uint_eq(msg_set_hash(arecs, n), hash);
		reverse(arecs, n);
		ck_assert_uint_eq(msg_set_hash(arecs, n), hash);
		if (n == 0)
			continue;
		arecs[n / 2].ref.b[3] ^= 1;
		ck_assert_uint_ne(msg_set_hash(arecs, n), hash);
	}
	vec_close(&f);
	ck_assert_uint_eq(sets, 33);
	ck_assert_uint_eq(msg_set_hash(NULL, 0), MSG_EMPTY_SET_HASH);
}
END_TEST

START_TEST(test_order)
{
	/* Ascending: IPv4 contexts first, then reference, then host. */
	static const char *const rows[][3] = {
		{"10.0.0.9", "9.9.9.9", "000000000000000000000000000000ff"},
		{"10.0.0.9", "10.0.0.0", "00000000000000000000000000000001"},
		{"10.0.0.1", "192.0.2.1", "00000000000000000000000000000001"},
		{"10.0.0.2", "192.0.2.1", "00000000000000000000000000000001"},
		{"10.0.0.1", "192.0.2.1", "00000000000000000000000000000100"},
		{"10.0.0.1", "192.0.2.1", "01000000000000000000000000000000"},
		{"10.0.0.1", "::1", "00000000000000000000000000000001"},
	};
	struct arec a[ARRAY_LEN(rows)];
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		a[i] = (struct arec){.ip = addr_of(rows[i][0]),
			.gw = addr_of(rows[i][1]),
			.ref = ref_of(rows[i][2])};
	for (i = 0; i < ARRAY_LEN(rows); i++)
		for (k = 0; k < ARRAY_LEN(rows); k++) {
			int c = arec_cmp(&a[i], &a[k]);

			ck_assert_int_eq((c > 0) - (c < 0), (i > k) - (i < k));
		}
}
END_TEST

RUN_TESTS("msg", test_exchanges, test_sets, test_order)
