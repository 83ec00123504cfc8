/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Wireshark dissector (proto/ipref.lua), run by tshark on every datagram of
 * the vectors: it shows what gwd's own decoders read, also of packets quoted in
 * ICMP, and finds fault with what they refuse and nothing else. Without tshark
 * there is nothing to test, and that is said.
 */
#include <stdarg.h>
#include <unistd.h>

#include "gwd/icmp.h"
#include "tests/unit/run.h"
#include "tests/unit/vec.h"

#define DATAGRAMS_MAX 4096
#define DATAGRAM_MAX  2048
#define TEXT_MAX      256
#define DISSECTED     ICMP_LEVELS /* packets inside each other */

enum field {
	F_BAD,
	F_SHORT, /* these two: the text of a finding; "1" here */
	F_FRAG,
	F_DF,
	F_TTL,
	F_PROTO,
	F_SRC,
	F_DST,
	F_SRC6,
	F_DST6,
	F_SRC_REF,
	F_DST_REF,
	F_HDR_LEN,
	F_OFFSET,
	F_MF,
	F_ID,
	F_SPORT,
	F_DPORT,
	F_TYPE,
	F_CODE,
	F_MALFORMED, /* says Wireshark: of findings, and of itself */
	F_ERROR,     /* in the script */
	F_N
};

static const char *const names[F_N] = {
	[F_BAD] = "ipref.bad",
	[F_SHORT] = "ipref.short",
	[F_FRAG] = "ipref.flags.frag",
	[F_DF] = "ipref.flags.df",
	[F_TTL] = "ipref.ttl",
	[F_PROTO] = "ipref.proto",
	[F_SRC] = "ipref.src",
	[F_DST] = "ipref.dst",
	[F_SRC6] = "ipref.src6",
	[F_DST6] = "ipref.dst6",
	[F_SRC_REF] = "ipref.src_ref",
	[F_DST_REF] = "ipref.dst_ref",
	[F_HDR_LEN] = "ipref.hdr_len",
	[F_OFFSET] = "ipref.frag.offset",
	[F_MF] = "ipref.frag.mf",
	[F_ID] = "ipref.id",
	[F_SPORT] = "ipref.srcport",
	[F_DPORT] = "ipref.dstport",
	[F_TYPE] = "ipref.icmp.type",
	[F_CODE] = "ipref.icmp.code",
	[F_MALFORMED] = "_ws.malformed",
	[F_ERROR] = "_ws.lua.error",
};

/* What is shown of one datagram; the values of packets inside each other with a
 * comma in between. */
struct shown {
	char f[F_N][TEXT_MAX];
};

struct datagram {
	uint8_t p[DATAGRAM_MAX];
	size_t len;
};

static struct datagram datagrams[DATAGRAMS_MAX];
static size_t n_datagrams;

/* --- what gwd reads ------------------------------------------------------- */

static void PRINTF_LIKE(3, 4)
	add(struct shown *s, enum field f, const char *fmt, ...)
{
	size_t len = strlen(s->f[f]);
	va_list ap;

	if (len)
		s->f[f][len++] = ',';
	va_start(ap, fmt);
	vsnprintf(s->f[f] + len, TEXT_MAX - len, fmt, ap);
	va_end(ap);
}

static void
expect_header(struct shown *s, const struct header *h, size_t size)
{
	bool v4 = h->src_gw.ver == 4;
	char a[ADDR_TEXT_MAX], r[REF_TEXT_MAX];

	add(s, F_FRAG, "%d", h->frag);
	add(s, F_DF, "%d", h->df);
	add(s, F_TTL, "%u", h->ttl);
	add(s, F_PROTO, "%u", h->proto);
	add(s, v4 ? F_SRC : F_SRC6, "%s", addr_format(&h->src_gw, a));
	add(s, v4 ? F_DST : F_DST6, "%s", addr_format(&h->dst_gw, a));
	add(s, F_SRC_REF, "%s", ref_format(&h->src_ref, r));
	add(s, F_DST_REF, "%s", ref_format(&h->dst_ref, r));
	add(s, F_HDR_LEN, "%zu", size);
	if (!h->frag)
		return;
	add(s, F_OFFSET, "%u", h->off);
	add(s, F_MF, "%d", h->mf);
	add(s, F_ID, "0x%08x", h->ident);
}

static bool
has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 33 || proto == 132 ||
	       proto == 136;
}

/* The packet at this level, and those inside. */
static void
expect(struct shown *s, const uint8_t *p, size_t len, int level)
{
	enum drop drop;
	struct header h;
	struct icmp m;
	size_t size;

	drop = header_decode(&h, &size, p, len);
	if (drop) {
		add(s, drop == DROP_TUNNEL_SHORT ? F_SHORT : F_BAD, "1");
		return;
	}
	expect_header(s, &h, size);
	p += size;
	len -= size;
	if (level == 1 && h.mf && len % 8)
		add(s, F_BAD, "1");
	if (h.off)
		return;
	if (has_ports(h.proto) && len >= 4) {
		add(s, F_SPORT, "%u", p[0] << 8 | p[1]);
		add(s, F_DPORT, "%u", p[2] << 8 | p[3]);
	}
	if (h.proto != 1 || len < 2)
		return;
	add(s, F_TYPE, "%u", p[0]);
	add(s, F_CODE, "%u", p[1]);
	if (level < DISSECTED && icmp_read(&m, ICMP_IN_TUNNEL, 4, p, len) &&
		m.carries && m.quote_len)
		expect(s, m.quote, m.quote_len, level + 1);
}

/* --- what tshark shows ---------------------------------------------------- */

static void
put32(FILE *out, uint32_t v)
{
	ck_assert_uint_eq(fwrite(&v, sizeof(v), 1, out), 1);
}

/* A capture of raw IP packets, in this machine's byte order. */
static FILE *
write_capture(void)
{
	static const uint8_t udp[8] = {0x04, 0x15, 0x04, 0x15};
	uint8_t packet[28 + DATAGRAM_MAX] = {
		0x45, [8] = 64, [9] = 17, [12] = 192, 0, 2, 2, 192, 0, 2, 1};
	FILE *out = tmpfile();
	size_t i, len;

	ck_assert_ptr_nonnull(out);
	put32(out, 0xa1b2c3d4);
	put32(out, 4 << 16 | 2);
	put32(out, 0);
	put32(out, 0);
	put32(out, 65535);
	put32(out, 101); /* LINKTYPE_RAW */
	for (i = 0; i < n_datagrams; i++) {
		len = 28 + datagrams[i].len;
		packet[2] = (uint8_t)(len >> 8);
		packet[3] = (uint8_t)len;
		memcpy(packet + 20, udp, sizeof(udp));
		packet[24] = (uint8_t)((len - 20) >> 8);
		packet[25] = (uint8_t)(len - 20);
		memcpy(packet + 28, datagrams[i].p, datagrams[i].len);
		put32(out, (uint32_t)i);
		put32(out, 0);
		put32(out, (uint32_t)len);
		put32(out, (uint32_t)len);
		ck_assert_uint_eq(fwrite(packet, len, 1, out), 1);
	}
	ck_assert_int_eq(fflush(out), 0);
	return out;
}

static FILE *
start_tshark(int capture)
{
	char command[4096], top[256] = "";
	FILE *p;
	int n, up;
	size_t i;

	for (up = 0; up < 6; up++) {
		n = snprintf(
			command, sizeof(command), "%sproto/ipref.lua", top);
		if (!access(command, R_OK))
			break;
		strcat(top, "../");
	}
	ck_assert_int_lt(up, 6);
	n = snprintf(command, sizeof(command),
		"LC_ALL=C tshark -n -X lua_script:%sproto/ipref.lua -r "
		"/proc/self/fd/%d "
		"-T fields -E 'separator=|' -E occurrence=a -E aggregator=,",
		top, capture);
	for (i = 0; i < F_N; i++)
		n += snprintf(command + n, sizeof(command) - (size_t)n,
			" -e %s", names[i]);
	snprintf(command + n, sizeof(command) - (size_t)n, " 2>/dev/null");
	p = popen(command, "r");
	ck_assert_ptr_nonnull(p);
	return p;
}

/* One line of tshark's; findings become "1". */
static void
read_line(struct shown *s, char *line)
{
	char *value;
	size_t i;

	line[strcspn(line, "\n")] = '\0';
	for (i = 0; i < F_N; i++) {
		value = strsep(&line, "|");
		ck_assert_ptr_nonnull(value);
		snprintf(s->f[i], TEXT_MAX, "%s",
			i <= F_SHORT && *value ? "1" : value);
	}
	ck_assert_ptr_null(line);
}

/* --- comparing ------------------------------------------------------------ */

static void
load(const char *file)
{
	static const char *const keys[] = {"in-tunnel", "out-tunnel"};
	struct vec_block b;
	struct vec_file f;
	struct datagram *d;
	const char *value, *hex;
	size_t k, i;

	vec_open(&f, file);
	while (vec_next(&f, &b))
		for (k = 0; k < ARRAY_LEN(keys); k++)
			for (i = 0; (value = vec_nth(&b, keys[k], i)); i++) {
				ck_assert_uint_lt(n_datagrams, DATAGRAMS_MAX);
				hex = strrchr(value, ' ');
				ck_assert_ptr_nonnull(hex);
				d = &datagrams[n_datagrams];
				d->len = vec_hex(hex + 1, d->p, sizeof(d->p));
				if (d->len)
					n_datagrams++;
			}
	vec_close(&f);
}

static void
compare(size_t i, const struct shown *got)
{
	struct shown want = {0};
	size_t f;

	expect(&want, datagrams[i].p, datagrams[i].len, 1);
	ck_assert_msg(
		!got->f[F_ERROR][0], "datagram %zu: %s", i, got->f[F_ERROR]);
	ck_assert_msg(!got->f[F_MALFORMED][0] ==
			      (!got->f[F_BAD][0] && !got->f[F_SHORT][0]),
		"datagram %zu: malformed", i);
	for (f = F_BAD; f < F_MALFORMED; f++) {
		/* Of what is refused the dissector shows all it can. */
		if (f > F_SHORT && (want.f[F_BAD][0] || want.f[F_SHORT][0]))
			break;
		ck_assert_msg(!strcmp(want.f[f], got->f[f]),
			"datagram %zu: %s: \"%s\", not \"%s\"", i, names[f],
			got->f[f], want.f[f]);
	}
}

START_TEST(test_vectors)
{
	char line[8192];
	size_t n = 0, quoted = 0, refused = 0;
	struct shown got;
	FILE *capture, *p;

	if (system("command -v tshark >/dev/null 2>&1")) {
		printf("skipped: no tshark\n");
		return;
	}
	load("tunnel.txt");
	load("tunnel-ours.txt");
	capture = write_capture();
	p = start_tshark(fileno(capture));
	while (n < n_datagrams && fgets(line, sizeof(line), p)) {
		read_line(&got, line);
		compare(n++, &got);
		quoted += strchr(got.f[F_SRC_REF], ',') != NULL;
		refused += got.f[F_BAD][0] || got.f[F_SHORT][0];
	}
	ck_assert_int_eq(pclose(p), 0);
	fclose(capture);
	ck_assert_uint_eq(n, n_datagrams);
	/* All kinds are among them. */
	ck_assert_uint_gt(n, 1000);
	ck_assert_uint_gt(quoted, 50);
	ck_assert_uint_gt(refused, 20);
}
END_TEST

RUN_TESTS("dissector", test_vectors)
