/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pure core as a filter, for tests/model/run: settings and packets in, what
 * became of each packet out. Blocks of lines as in tests/vectors/README.md:
 *
 *	settings NAME	   what a gateway is; keys as in tunnel.txt
 *	cases NAME	   packets for it:
 *	encap NUMBER WHOLE PATH LOCAL HEX
 *	decap NUMBER WHOLE PATH LOCAL TOS FROM HEX
 *
 * PATH and LOCAL are MTUs (0: no matter): that of the path to the peer, and of
 * the local network. With a PATH packets are split or refused, with a LOCAL
 * MTU those for IPv6 hosts are, and with both the MSS of SYNs is lowered.
 *
 * A line for each packet:
 *
 *	REASON REPLY ASK ADDR REF PEER FLAGS TOS MTU_OF MTU
 *		ECHO_SRC ECHO_DST ECHO_IDENT WHOLE USED USED HEX
 *
 * where "-" is nothing, and FLAGS are 'p' (peer_ok) and 's' (from_self). What
 *had to be split is "HEX HEX ...". Inputs and outputs have just the bytes that
 *they may have, for sanitizers to see.
 */
#include <inttypes.h>

#include "gwd/mss.h"
#include "tests/unit/gwd/site.h"

#define SITES	    64
#define PACKET_MAX  (1 << 17)
#define PIECE_IDENT 0x12345678 /* of pieces of packets without one */

/* Of the path to the peer, of the local network; 0: no matter. */
struct mtus {
	uint32_t path, local;
};

static char *
read_all(FILE *in)
{
	size_t size = 0, room = 1 << 20, got;
	char *text = malloc(room + 1);

	while (text && (got = fread(text + size, 1, room - size, in))) {
		size += got;
		if (size == room)
			text = realloc(text, (room *= 2) + 1);
	}
	if (text)
		text[size] = '\0';
	return text;
}

static unsigned
digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

/* Bytes on the heap, not one more than there are. */
static uint8_t *
from_hex(const char *hex, size_t *len)
{
	uint8_t *p;
	size_t i;

	*len = strcmp(hex, "-") ? strlen(hex) / 2 : 0;
	p = malloc(*len ? *len : 1);
	ck_assert_ptr_nonnull(p);
	for (i = 0; i < *len; i++)
		p[i] = (uint8_t)(digit(hex[2 * i]) << 4 |
				 digit(hex[2 * i + 1]));
	return p;
}

static void
put_hex(const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	if (!len)
		putchar('-');
	for (i = 0; i < len; i++) {
		putchar(digits[p[i] >> 4]);
		putchar(digits[p[i] & 15]);
	}
}

static void
put_addr(const struct addr *a)
{
	putchar(' ');
	put_hex(a->b, addr_len(a->ver));
}

static void
put_used(const struct map *e)
{
	static const struct addr none;

	put_addr(e ? &e->local : &none);
}

static void
put_outcome(const struct packet_out *out)
{
	static const char *const replies[] = {
		[REPLY_NONE] = "-",
		[REPLY_LOCAL] = "local",
		[REPLY_PEER] = "peer",
	};
	static const char *const asks[] = {
		[ASK_NOTHING] = "-",
		[ASK_REF] = "ref",
		[ASK_EA] = "ea",
		[ASK_LOOKUP] = "lookup",
		[ASK_WHOLE] = "whole",
	};
	bool has = !out->drop || out->reply != REPLY_NONE;

	printf("%s %s %s", out->drop ? drop_label(out->drop) : "-",
		replies[out->reply], asks[out->ask]);
	put_addr(&out->addr);
	putchar(' ');
	put_hex(out->ref.b, sizeof(out->ref.b));
	put_addr(&out->peer);
	printf(" %s%s- %u", out->peer_ok ? "p" : "", out->from_self ? "s" : "",
		out->tos);
	put_addr(&out->mtu_of);
	printf(" %" PRIu32, out->mtu);
	put_addr(&out->echo.src);
	put_addr(&out->echo.dst);
	printf(" %" PRIu32 " %" PRIu32, out->echo.ident, out->whole);
	put_used(out->used[0]);
	put_used(out->used[1]);
	putchar(' ');
	put_hex(out->p, has ? out->len : 0);
}

/* Lowers the MSS of a SYN on its way to `end`: tunnel is its IPREF form. */
static void
clamp(const struct site *s, const struct mtus *mtus, const uint8_t *tunnel,
	size_t len, enum l4_end end, struct packet_out *out)
{
	if (mtus->path && mtus->local)
		(void)mss_fit(&s->set, mtus->path, mtus->local, tunnel, len,
			end, out);
}

static void
put_piece(const uint8_t *piece, size_t len)
{
	putchar(' ');
	put_hex(piece, len);
}

/* What encap() made, on a path that may be too small for it. */
static void
put_sent(const struct site *s, const struct mtus *mtus,
	const struct packet_in *in, struct packet_out *out)
{
	size_t room = frag_room(&s->set, mtus->path), len = out->len, off = 0,
	       n;
	static uint8_t tunnel[PACKET_MAX], piece[PACKET_MAX];

	if (!mtus->path || out->drop || len <= room) {
		put_outcome(out);
		return;
	}
	ck_assert_uint_le(len, sizeof(tunnel));
	ck_assert_uint_le(room, sizeof(piece));
	memcpy(tunnel, out->p, len);
	if (frag_forbidden(tunnel) && !frag_despite_d(&s->set, in->len)) {
		frag_too_big(&s->set, in, tunnel, len, mtus->path, out);
		put_outcome(out);
		return;
	}
	out->len = 0;
	put_outcome(out);
	while ((n = frag_piece(
			tunnel, len, room, PIECE_IDENT, &off, piece, room)))
		put_piece(piece, n);
}

/* What decap() made, on a way to its host that may be too small for it. */
static void
put_delivered(const struct site *s, const struct mtus *mtus,
	const struct packet_in *in, struct packet_out *out)
{
	static uint8_t packet[PACKET_MAX], piece[PACKET_MAX];
	size_t len = out->len, off = 0, n;

	if (!mtus->local || out->drop ||
		!frag_for_host(&s->set, in->p, len, mtus->local)) {
		put_outcome(out);
		return;
	}
	ck_assert_uint_le(len, sizeof(packet));
	ck_assert_uint_le(mtus->local, sizeof(piece));
	memcpy(packet, out->p, len);
	out->len = 0;
	put_outcome(out);
	while ((n = frag_host_piece(packet, len, mtus->local, PIECE_IDENT, &off,
			piece, mtus->local)))
		put_piece(piece, n);
}

static void
translate(const struct site *s, const struct mtus *mtus, bool leaves,
	const struct packet_in *in)
{
	size_t room = in->len + GW_GROWTH;
	struct packet_out out;

	if (room < GW_REPLY_MAX)
		room = GW_REPLY_MAX;
	memset(&out, 0xa5, sizeof(out));
	out.size = room;
	out.p = malloc(room);
	ck_assert_ptr_nonnull(out.p);
	(leaves ? encap : decap)(&s->set, s->maps, in, &out);
	if (!out.drop && leaves)
		clamp(s, mtus, out.p, out.len, L4_TUNNEL, &out);
	else if (!out.drop)
		clamp(s, mtus, in->p, in->len, L4_LOCAL, &out);
	(leaves ? put_sent : put_delivered)(s, mtus, in, &out);
	putchar('\n');
	free(out.p);
}

static uint32_t
number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

static void
translate_line(const struct site *s, const struct vec_line *line)
{
	bool leaves = !strcmp(line->key, "encap");
	char *words[7], *next = (char *)line->value;
	struct packet_in in = {0};
	struct mtus mtus;
	uint8_t *p;
	size_t n;

	for (n = 0; n < 7 && next; n++)
		words[n] = strsep(&next, " ");
	ck_assert_uint_eq(n, leaves ? 5 : 7);
	in.number = number(words[0]);
	in.whole = number(words[1]);
	mtus = (struct mtus){number(words[2]), number(words[3])};
	if (!leaves) {
		in.tos = (uint8_t)number(words[4]);
		in.from = site_addr(words[5], strlen(words[5]));
	}
	in.p = p = from_hex(words[n - 1], &in.len);
	translate(s, &mtus, leaves, &in);
	free(p);
}

static struct site *
find_site(struct site *sites, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(sites[i].name, name))
			return &sites[i];
	ck_abort_msg("no settings %s", name);
}

/* Check's assertions in site.h work inside a test only. */
START_TEST(all_of_stdin)
{
	static struct site sites[SITES];
	static struct vec_block b;
	struct vec_file f = {.text = read_all(stdin)};
	struct site *s;
	size_t n = 0, i;

	ck_assert_ptr_nonnull(f.text);
	f.next = f.text;
	while (vec_next(&f, &b)) {
		if (vec_get(&b, "settings")) {
			ck_assert_uint_lt(n, SITES);
			site_init(&sites[n++], &b);
			continue;
		}
		s = find_site(sites, n, vec_get(&b, "cases"));
		for (i = 1; i < b.n; i++)
			translate_line(s, &b.lines[i]);
	}
	for (i = 0; i < n; i++)
		site_fini(&sites[i]);
	vec_close(&f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("translate");
	TCase *tc = tcase_create("translate");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, all_of_stdin);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	if (failed)
		srunner_print(runner, CK_NORMAL);
	srunner_free(runner);
	return failed != 0;
}
