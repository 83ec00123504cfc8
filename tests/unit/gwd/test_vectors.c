/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tunnel's captured packets, for every settings.
 *
 * Outputs are compared byte by byte but for `vary`. A vector that has a block
 * in tunnel-ours.txt is compared with that; one that says `differs` must have
 * one.
 */
#include "tests/unit/gwd/site.h"
#include "tests/unit/run.h"

#define SITES 10

struct sites {
	struct site site[SITES];
	size_t n;
};

static struct site *
find_site(struct sites *all, const char *name)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (!strcmp(all->site[i].name, name))
			return &all->site[i];
	return NULL;
}

/* Our own expectation, if there is one. The text belongs to *f. */
static bool
find_ours(struct vec_file *f, struct vec_block *b, const char *name)
{
	vec_open(f, "tunnel-ours.txt");
	while (vec_next(f, b))
		if (!strcmp(vec_get(b, "vector"), name))
			return true;
	return false;
}

/* Zeros what may vary in output number n, on both sides of a comparison. */
static void
mask(const struct vec_block *b, size_t n, uint8_t *got, uint8_t *want,
	size_t len)
{
	const char *vary;
	unsigned nr, at, width;
	size_t i;

	for (i = 0; (vary = vec_nth(b, "vary", i)); i++) {
		ck_assert_int_eq(sscanf(vary, "%u %u %u", &nr, &at, &width), 3);
		if (nr != n || at + width > len)
			continue;
		memset(got + at, 0, width);
		memset(want + at, 0, width);
	}
}

static bool
same_output(const struct vec_block *b, const struct vec_line *line, size_t n,
	struct site_out *got)
{
	static uint8_t want[SITE_PACKET_MAX];
	const char *hex = line->value, *port, *data;
	bool tunnel = !strcmp(line->key, "out-tunnel");
	struct addr to;
	size_t len;

	if (tunnel != got->tunnel)
		return false;
	if (tunnel) {
		port = strchr(hex, ' ');
		data = strchr(port + 1, ' ');
		to = site_addr(hex, (size_t)(port - hex));
		if (!addr_eq(&to, &got->to.addr) ||
			atoi(port + 1) != got->to.port)
			return false;
		hex = data + 1;
	}
	len = vec_hex(hex, want, sizeof(want));
	if (len != got->len)
		return false;
	mask(b, n, got->p, want, len);
	return !memcmp(got->p, want, len);
}

static void
print_outputs(const struct site_outs *outs)
{
	size_t i, k;

	for (i = 0; i < outs->n; i++) {
		fprintf(stderr, "  got %s ",
			outs->out[i].tunnel ? "tunnel" : "local");
		for (k = 0; k < outs->out[i].len; k++)
			fprintf(stderr, "%02x", outs->out[i].p[k]);
		fprintf(stderr, "\n");
	}
}

/* What came out is what block b says. */
static bool
same_outputs(const struct vec_block *b, struct site_outs *outs)
{
	size_t i, n = 0;

	for (i = 0; i < b->n; i++) {
		if (strcmp(b->lines[i].key, "out-tunnel") &&
			strcmp(b->lines[i].key, "out-local"))
			continue;
		if (n >= outs->n ||
			!same_output(b, &b->lines[i], n, &outs->out[n]))
			return false;
		n++;
	}
	return n == outs->n && (n > 0 || vec_get(b, "out-none"));
}

static bool
run_vector(struct site *site, const struct vec_block *b)
{
	static struct site_outs outs;
	struct vec_file ours_file = {0};
	struct vec_block ours;
	const char *name = vec_get(b, "vector");
	bool has_ours = find_ours(&ours_file, &ours, name);
	enum drop drop = DROP_NONE;
	struct site_in in;
	bool same;
	size_t i;

	outs.n = 0;
	site->n_ports = 0;
	site->mtu_of = (struct addr){0};
	for (i = 0; i < b->n; i++)
		if (site_input(&in, &b->lines[i])) {
			drop = site_take(site, &in, &outs);
			free(in.p);
		}
	same = (has_ours || !vec_get(b, "differs")) &&
	       same_outputs(has_ours ? &ours : b, &outs);
	if (!same) {
		fprintf(stderr, "%s: outputs differ%s (%s)\n", name,
			has_ours ? " from tunnel-ours.txt" : "",
			drop_label(drop));
		print_outputs(&outs);
	}
	vec_close(&ours_file);
	return same;
}

/* Calls run() for each vector; returns how many it
 * was, and in *bad for how many run() gave false. */
static size_t
each_vector(bool (*run)(struct site *, const struct vec_block *), size_t *bad)
{
	static struct sites all;
	struct vec_file f;
	struct vec_block b;
	struct site *site;
	size_t n = 0;

	*bad = 0;
	all.n = 0;
	vec_open(&f, "tunnel.txt");
	while (vec_next(&f, &b)) {
		if (vec_get(&b, "settings")) {
			ck_assert_uint_lt(all.n, SITES);
			site_init(&all.site[all.n++], &b);
			continue;
		}
		site = find_site(&all, vec_get(&b, "set"));
		ck_assert_ptr_nonnull(site);
		n++;
		if (!run(site, &b))
			++*bad;
	}
	while (all.n > 0)
		site_fini(&all.site[--all.n]);
	vec_close(&f);
	return n;
}

START_TEST(test_vectors)
{
	size_t bad, n = each_vector(run_vector, &bad);

	ck_assert_uint_eq(bad, 0);
	ck_assert_uint_eq(n, 1112);
}
END_TEST

static void
translate_once(const struct site *site, bool tunnel, const struct packet_in *in,
	struct packet_out *out)
{
	if (tunnel)
		decap(&site->set, site->maps, in, out);
	else
		encap(&site->set, site->maps, in, out);
}

/* Inputs cut at every length, on the heap as long as they are, into a buffer
 * of any size: nothing is read or written past an end (the sanitizer's part),
 * and a result is never longer than promised. */
static void
translate(const struct site *site, const struct site_in *from, const uint8_t *p,
	size_t len, size_t size, struct packet_out *out)
{
	struct packet_in in = {.p = p, .len = len, .from = from->from.addr};

	*out = (struct packet_out){.p = malloc(size ? size : 1), .size = size};
	ck_assert_ptr_nonnull(out->p);
	translate_once(site, from->tunnel, &in, out);
	if (out->ask == ASK_WHOLE) {
		in.whole = 1000;
		translate_once(site, from->tunnel, &in, out);
	}
	ck_assert_uint_le(out->len, size);
	ck_assert(out->drop || out->len >= 20);
	ck_assert(out->drop || (!out->ask && !out->reply));
	ck_assert(!out->reply || out->len >= 36);
	if (!out->drop)
		ck_assert_uint_le(out->len, len + GW_GROWTH);
	else
		ck_assert_uint_le(out->len, GW_REPLY_MAX);
	free(out->p);
}

/* A local packet is refused unless its length field agrees; when it does, more
 * of the packet is looked at. */
static void
cut_local(const struct site *site, const struct site_in *in, uint8_t *p,
	size_t len)
{
	size_t base = site->set.local_ver == 6 ? 40 : 0;
	size_t at = site->set.local_ver == 6 ? 4 : 2;
	bool agrees = len >= base && len >= at + 2 &&
		      (size_t)(p[at] << 8 | p[at + 1]) == len - base;
	struct packet_out out;

	translate(site, in, p, len, 4096, &out);
	ck_assert(agrees || out.drop);
	if (agrees || len < base || len < at + 2)
		return;
	p[at] = (uint8_t)((len - base) >> 8);
	p[at + 1] = (uint8_t)(len - base);
	translate(site, in, p, len, 4096, &out);
}

static void
cut_input(const struct site *site, const struct site_in *in)
{
	struct packet_out out, again;
	size_t len, size;
	uint8_t *p;

	for (len = 0; len < in->len; len++) {
		p = malloc(len ? len : 1);
		ck_assert_ptr_nonnull(p);
		memcpy(p, in->p, len);
		if (in->tunnel)
			translate(site, in, p, len, 4096, &out);
		else
			cut_local(site, in, p, len);
		free(p);
	}
	translate(site, in, in->p, in->len, 4096, &out);
	for (size = 0; size < out.len; size++) {
		translate(site, in, in->p, in->len, size, &again);
		ck_assert_int_eq(again.reply, REPLY_NONE);
		ck_assert_int_eq(
			again.drop, out.drop ? out.drop : DROP_NO_ROOM);
	}
	translate(site, in, in->p, in->len, out.len, &again);
	ck_assert_int_eq(again.drop, out.drop);
	ck_assert_uint_eq(again.len, out.len);
}

static bool
cut_vector(struct site *site, const struct vec_block *b)
{
	struct site_in in;
	size_t i;

	for (i = 0; i < b->n; i++)
		if (site_input(&in, &b->lines[i])) {
			cut_input(site, &in);
			free(in.p);
		}
	return true;
}

START_TEST(test_cut)
{
	size_t bad;

	ck_assert_uint_eq(each_vector(cut_vector, &bad), 1112);
	ck_assert_uint_eq(bad, 0);
}
END_TEST

RUN_TESTS("vectors", test_vectors, test_cut)
