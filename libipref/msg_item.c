/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Items of the mapper protocol (layouts: proto/mapper.md, "Items").
 *
 * Each item stands with its decoder, encoder and text together. All sizes are
 * whole 32-bit words, so that a packet of items is one too. Padding is skipped
 * when read and zero when written; all else reads back as it was written.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libipref/msg_item.h"

#define STR_TYPE     4 /* type byte of an item S */
#define STR_MAX	     255
#define VERSIONS_LEN 4 /* in front of a record, dialect 2 */
#define ENTRY_HEADER 16

void
msg_line_add(struct msg_line *l, const char *fmt, ...)
{
	size_t room = l->size - l->len, dots;
	va_list ap;
	int n;

	if (l->cut)
		return;
	va_start(ap, fmt);
	n = vsnprintf(l->buf + l->len, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < room) {
		l->len += (size_t)n;
		return;
	}
	l->cut = true;
	dots = l->size > 3 ? 3 : l->size - 1;
	memset(l->buf + l->size - 1 - dots, '.', dots);
	l->buf[l->size - 1] = '\0';
	l->len = l->size - 1;
}

/* Bytes of a peer, for a line of a log: nothing but printable ASCII. */
static void
line_str(struct msg_line *l, const struct msg_str *s)
{
	size_t i;

	for (i = 0; i < s->len && !l->cut; i++) {
		unsigned char c = (unsigned char)s->p[i];

		if (c >= ' ' && c <= '~' && c != '\\')
			msg_line_add(l, "%c", c);
		else
			msg_line_add(l, "\\%03u", c);
	}
}

size_t
msg_arec_len(const struct msg_format *fmt)
{
	return 2 * addr_len(fmt->local_ver) + addr_len(fmt->tunnel_ver) +
	       REF_LEN + (fmt->dialect == MSG_DIALECT_2 ? VERSIONS_LEN : 0);
}

size_t
msg_entry_len(const struct msg_format *fmt)
{
	return ENTRY_HEADER + msg_arec_len(fmt);
}

/* Whether the four bytes of dialect 2 say what was agreed. */
static bool
get_versions(struct rbuf *r, const struct msg_format *fmt)
{
	uint8_t want[VERSIONS_LEN] = {fmt->local_ver,
		(uint8_t)addr_len(fmt->local_ver), fmt->tunnel_ver,
		(uint8_t)addr_len(fmt->tunnel_ver)};
	uint8_t got[VERSIONS_LEN];

	rbuf_bytes(r, got, sizeof(got));
	return !memcmp(got, want, sizeof(got));
}

static struct arec
get_arec(struct rbuf *r, const struct msg_format *fmt, bool *versions)
{
	struct arec a;

	if (fmt->dialect == MSG_DIALECT_2 && !get_versions(r, fmt) &&
		rbuf_ok(r))
		*versions = true;
	a.ea = addr_get(r, fmt->local_ver);
	a.ip = addr_get(r, fmt->local_ver);
	a.gw = addr_get(r, fmt->tunnel_ver);
	rbuf_bytes(r, a.ref.b, REF_LEN);
	return a;
}

static void
put_addr(struct msg_out *o, const struct addr *a, uint8_t ver)
{
	struct addr zero = addr_zero(ver);

	if (a->ver == 0)
		a = &zero;
	if (a->ver != ver)
		o->bad = true;
	else
		addr_put(&o->w, a, ver);
}

static void
put_arec(struct msg_out *o, const struct arec *a)
{
	const struct msg_format *fmt = o->fmt;

	if (fmt->dialect == MSG_DIALECT_2) {
		wbuf_u8(&o->w, fmt->local_ver);
		wbuf_u8(&o->w, addr_len(fmt->local_ver));
		wbuf_u8(&o->w, fmt->tunnel_ver);
		wbuf_u8(&o->w, addr_len(fmt->tunnel_ver));
	}
	put_addr(o, &a->ea, fmt->local_ver);
	put_addr(o, &a->ip, fmt->local_ver);
	put_addr(o, &a->gw, fmt->tunnel_ver);
	wbuf_bytes(&o->w, a->ref.b, REF_LEN);
}

static const char *
absent_or(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	return addr_is_zero(a) ? "-" : addr_format(a, text);
}

static void
line_arec(struct msg_line *l, const struct arec *a)
{
	char ea[ADDR_TEXT_MAX], ip[ADDR_TEXT_MAX], gw[ADDR_TEXT_MAX];
	char ref[REF_TEXT_MAX];

	msg_line_add(l, " ea %s ip %s gw %s ref %s", absent_or(&a->ea, ea),
		absent_or(&a->ip, ip), absent_or(&a->gw, gw),
		ref_format(&a->ref, ref));
}

/* Item A: an address record. */

static void
decode_arec(struct msg_in *in)
{
	const uint8_t *start = rbuf_take(&in->r, 0);

	if (in->m->n++ == 0)
		in->m->raw = start;
	(void)get_arec(&in->r, &in->m->fmt, &in->versions);
}

static bool
more_records(const struct msg *m, size_t i)
{
	return i < m->n;
}

struct arec
msg_arec(const struct msg *m, size_t i)
{
	size_t len = msg_arec_len(&m->fmt);
	bool versions = false;
	struct rbuf r;

	rbuf_init(&r, m->raw, i < m->n ? m->n * len : 0);
	rbuf_skip(&r, i * len);
	return get_arec(&r, &m->fmt, &versions);
}

static struct arec
arec_at(const struct msg *m, size_t i)
{
	return m->arecs ? m->arecs[i] : msg_arec(m, i);
}

static void
encode_arec(struct msg_out *o)
{
	struct arec a;

	if (o->i >= o->m->n || (!o->m->arecs && !o->m->raw)) {
		o->bad = true;
		return;
	}
	a = arec_at(o->m, o->i++);
	put_arec(o, &a);
}

static void
text_arec(struct msg_line *l)
{
	struct arec a;

	if (l->i >= l->m->n)
		return;
	a = arec_at(l->m, l->i++);
	msg_line_add(l, " arec");
	line_arec(l, &a);
}

/* Item X: an entry of the feed. */

static struct msg_entry
get_entry(struct rbuf *r, const struct msg_format *fmt, bool *versions)
{
	struct msg_entry e;

	e.flags = rbuf_be32(r);
	rbuf_skip(r, 4);
	e.born = rbuf_be64(r);
	e.arec = get_arec(r, fmt, versions);
	return e;
}

static void
decode_entry(struct msg_in *in)
{
	const uint8_t *start = rbuf_take(&in->r, 0);

	if (in->m->n++ == 0)
		in->m->raw = start;
	(void)get_entry(&in->r, &in->m->fmt, &in->versions);
}

struct msg_entry
msg_entry(const struct msg *m, size_t i)
{
	size_t len = msg_entry_len(&m->fmt);
	bool versions = false;
	struct rbuf r;

	rbuf_init(&r, m->raw, i < m->n ? m->n * len : 0);
	rbuf_skip(&r, i * len);
	return get_entry(&r, &m->fmt, &versions);
}

static struct msg_entry
entry_at(const struct msg *m, size_t i)
{
	return m->entries ? m->entries[i] : msg_entry(m, i);
}

static void
encode_entry(struct msg_out *o)
{
	struct msg_entry e;

	if (o->i >= o->m->n || (!o->m->entries && !o->m->raw)) {
		o->bad = true;
		return;
	}
	e = entry_at(o->m, o->i++);
	wbuf_be32(&o->w, e.flags);
	wbuf_zeros(&o->w, 4);
	wbuf_be64(&o->w, e.born);
	put_arec(o, &e.arec);
}

static void
text_entry(struct msg_line *l)
{
	struct msg_entry e;

	if (l->i >= l->m->n)
		return;
	e = entry_at(l->m, l->i++);
	msg_line_add(l, " entry%s%s born %" PRIu64,
		e.flags & MSG_ENTRY_LISTED ? " listed" : "",
		e.flags & MSG_ENTRY_TENTATIVE ? " tentative" : "", e.born);
	line_arec(l, &e.arec);
}

/* Item M: a mark. */

static void
decode_mark(struct msg_in *in)
{
	in->m->mark.owner = rbuf_be32(&in->r);
	in->m->mark.mark = rbuf_be32(&in->r);
}

static void
encode_mark(struct msg_out *o)
{
	wbuf_be32(&o->w, o->m->mark.owner);
	wbuf_be32(&o->w, o->m->mark.mark);
}

static void
text_mark(struct msg_line *l)
{
	msg_line_add(l, " owner %" PRIu32 " mark %" PRIu32, l->m->mark.owner,
		l->m->mark.mark);
}

/* Items S and O: a string, and the two of a source. */

static struct msg_str
get_str(struct rbuf *r)
{
	struct msg_str s;

	if (rbuf_u8(r) != STR_TYPE)
		rbuf_fail(r);
	s.len = rbuf_u8(r);
	if (s.len == 0)
		rbuf_fail(r);
	s.p = (const char *)rbuf_take(r, s.len);
	rbuf_skip(r, (2 - s.len) & 3);
	return s;
}

static void
put_str(struct msg_out *o, const struct msg_str *s)
{
	if (s->len == 0 || s->len > STR_MAX) {
		o->bad = true;
		return;
	}
	wbuf_u8(&o->w, STR_TYPE);
	wbuf_u8(&o->w, s->len);
	wbuf_bytes(&o->w, s->p, s->len);
	wbuf_zeros(&o->w, (2 - s->len) & 3);
}

static void
decode_str(struct msg_in *in)
{
	in->m->str = get_str(&in->r);
}

static void
encode_str(struct msg_out *o)
{
	put_str(o, &o->m->str);
}

static bool
more_str(const struct msg *m, size_t i)
{
	(void)i;
	return m->str.len > 0;
}

static void
text_str(struct msg_line *l)
{
	if (!l->m->str.len)
		return;
	msg_line_add(l, l->m->mode == MSG_NACK ? " reason " : " name ");
	line_str(l, &l->m->str);
}

static void
decode_source(struct msg_in *in)
{
	in->m->local = get_str(&in->r);
	in->m->domain = get_str(&in->r);
}

static void
encode_source(struct msg_out *o)
{
	put_str(o, &o->m->local);
	put_str(o, &o->m->domain);
}

static void
text_source(struct msg_line *l)
{
	msg_line_add(l, " source ");
	line_str(l, &l->m->local);
	msg_line_add(l, ":");
	line_str(l, &l->m->domain);
}

/* Items B, C, U: batch id, count of records, kind of copy. */

static void
decode_count(struct msg_in *in)
{
	in->m->count = rbuf_be32(&in->r);
}

static void
encode_count(struct msg_out *o)
{
	wbuf_be32(&o->w, o->m->count);
}

static void
text_batch(struct msg_line *l)
{
	msg_line_add(l, " batch %08" PRIx32, l->m->count);
}

static void
text_count(struct msg_line *l)
{
	msg_line_add(l, " count %" PRIu32, l->m->count);
}

static void
text_kind(struct msg_line *l)
{
	msg_line_add(l, " kind %" PRIu32, l->m->count);
}

/* Items H, R, I: hash, revision, store identity. */

static void
decode_hash(struct msg_in *in)
{
	in->m->hash = rbuf_be64(&in->r);
}

static void
encode_hash(struct msg_out *o)
{
	wbuf_be64(&o->w, o->m->hash);
}

static void
text_hash(struct msg_line *l)
{
	msg_line_add(l, " hash %016" PRIx64, l->m->hash);
}

static void
decode_revision(struct msg_in *in)
{
	in->m->revision = rbuf_be64(&in->r);
}

static void
encode_revision(struct msg_out *o)
{
	wbuf_be64(&o->w, o->m->revision);
}

static void
text_revision(struct msg_line *l)
{
	msg_line_add(l, " revision %" PRIu64, l->m->revision);
}

static void
decode_store(struct msg_in *in)
{
	in->m->store = rbuf_be64(&in->r);
}

static void
encode_store(struct msg_out *o)
{
	wbuf_be64(&o->w, o->m->store);
}

static void
text_store(struct msg_line *l)
{
	msg_line_add(l, " store %016" PRIx64, l->m->store);
}

/* Item P: the settings that must agree. */

/* The length is one of the version's and the host bits are zero. */
static bool
prefix_valid(const struct prefix *p)
{
	size_t bits = 8 * addr_len(p->addr.ver), i;

	if (p->len > bits)
		return false;
	for (i = p->len; i < bits; i++)
		if (p->addr.b[i / 8] & (0x80u >> i % 8))
			return false;
	return true;
}

static void
decode_profile(struct msg_in *in)
{
	struct msg_profile *p = &in->m->profile;
	struct arec a = get_arec(&in->r, &in->m->fmt, &in->versions);

	p->encode_net = (struct prefix){.addr = a.ea, .len = rbuf_u8(&in->r)};
	rbuf_skip(&in->r, 3);
	p->pub = a.gw;
	p->own_ref = a.ref;
	if (!addr_is_zero(&a.ip) || !prefix_valid(&p->encode_net))
		rbuf_fail(&in->r);
}

static void
encode_profile(struct msg_out *o)
{
	const struct msg_profile *p = &o->m->profile;
	struct arec a = {
		.ea = p->encode_net.addr, .gw = p->pub, .ref = p->own_ref};

	if (!prefix_valid(&p->encode_net))
		o->bad = true;
	put_arec(o, &a);
	wbuf_u8(&o->w, p->encode_net.len);
	wbuf_zeros(&o->w, 3);
}

static void
text_profile(struct msg_line *l)
{
	const struct msg_profile *p = &l->m->profile;
	char net[PREFIX_TEXT_MAX], pub[ADDR_TEXT_MAX], ref[REF_TEXT_MAX];

	msg_line_add(l, " encode-net %s public %s own-ref %s",
		prefix_format(&p->encode_net, net), absent_or(&p->pub, pub),
		ref_format(&p->own_ref, ref));
}

static const struct msg_item items[] = {
	['A'] = {decode_arec, encode_arec, text_arec, more_records},
	['B'] = {decode_count, encode_count, text_batch, NULL},
	['C'] = {decode_count, encode_count, text_count, NULL},
	['H'] = {decode_hash, encode_hash, text_hash, NULL},
	['I'] = {decode_store, encode_store, text_store, NULL},
	['M'] = {decode_mark, encode_mark, text_mark, NULL},
	['O'] = {decode_source, encode_source, text_source, NULL},
	['P'] = {decode_profile, encode_profile, text_profile, NULL},
	['R'] = {decode_revision, encode_revision, text_revision, NULL},
	['S'] = {decode_str, encode_str, text_str, more_str},
	['U'] = {decode_count, encode_count, text_kind, NULL},
	['X'] = {decode_entry, encode_entry, text_entry, more_records},
};

const struct msg_item *
msg_item(char letter)
{
	size_t i = (unsigned char)letter;

	return i < ARRAY_LEN(items) && items[i].decode ? &items[i] : NULL;
}
