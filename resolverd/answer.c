/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building answers. Invariants: the cursor is never left marked between calls
 * (a record that does not fit is taken back whole), room for the OPT record is
 * kept free until answer_end(), and places remembered for compression always
 * lie before the cursor and below 16,384 (RFC 1035, 4.1.4).
 */
#include "resolverd/answer.h"

#include <string.h>

#define POINTER_MAX 0x3fff
#define OPT_LEN	    11 /* without options */
#define EDE_LEN	    6  /* one extended error without text */
#define OPTION_EDE  15
#define PLAIN_MAX   4096 /* rdata of a type that holds names */

#define SVCB_MANDATORY 0
#define SVCB_IPV4HINT  4
#define SVCB_IPV6HINT  6

/* Rdata that holds names, which RFC 1035 (N: we compress, too) or older
 * programs (n: RFC 3597 section 4) may have compressed: w a 16-bit field, l one
 * of 32 bits, b a byte, s a character-string, * the rest. */
static const struct {
	uint16_t type;
	const char *layout;
} layouts[] = {
	{DNS_TYPE_NS, "N"},
	{3, "N"}, /* MD */
	{4, "N"}, /* MF */
	{DNS_TYPE_CNAME, "N"},
	{DNS_TYPE_SOA, "NNlllll"},
	{7, "N"}, /* MB */
	{8, "N"}, /* MG */
	{9, "N"}, /* MR */
	{DNS_TYPE_PTR, "N"},
	{14, "NN"}, /* MINFO */
	{DNS_TYPE_MX, "wN"},
	{17, "nn"}, /* RP */
	{18, "wn"}, /* AFSDB */
	{21, "wn"}, /* RT */
	{DNS_TYPE_SIG, "wbblllwn*"},
	{26, "wnn"}, /* PX */
	{DNS_TYPE_NXT, "n*"},
	{DNS_TYPE_SRV, "wwwn"},
	{35, "wwsssn"}, /* NAPTR */
	{36, "wn"},	/* KX */
	{DNS_TYPE_DNAME, "n"},
};

static const char *
layout_of(uint16_t type)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(layouts); i++)
		if (layouts[i].type == type)
			return layouts[i].layout;
	return NULL;
}

/* The bytes of a field that is no name, from the cursor on; left: of the rdata.
 */
static size_t
field_len(const struct rbuf *r, char field, size_t left)
{
	switch (field) {
	case 'b':
		return 1;
	case 'w':
		return 2;
	case 'l':
		return 4;
	case 's':
		return left ? (size_t)r->p[r->pos] + 1 : 1;
	default:
		return left;
	}
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

/* The name written at pos is the wire name at n. */
static bool
name_at_is(const struct wbuf *w, size_t pos, const uint8_t *n)
{
	size_t i, len;

	for (;;) {
		while (w->p[pos] >= 0xc0)
			pos = (size_t)(w->p[pos] & 0x3f) << 8 | w->p[pos + 1];
		len = w->p[pos];
		if (len != n[0])
			return false;
		if (!len)
			return true;
		for (i = 1; i <= len; i++)
			if (lower(w->p[pos + i]) != lower(n[i]))
				return false;
		pos += len + 1;
		n += len + 1;
	}
}

/* Where the wire name of len bytes at n stands already; 0: nowhere. Few names
 * have the same length, and those of one name's ends all differ: so names made
 * to be alike up to their last label cost no more than others. */
static size_t
name_find(struct answer *a, const uint8_t *n, size_t len)
{
	size_t i;

	for (i = 0; i < a->n_names; i++) {
		if (a->name_lens[i] != len)
			continue;
		a->compared++;
		if (name_at_is(&a->w, a->names[i], n))
			return a->names[i];
	}
	return 0;
}

static void
write_name(struct answer *a, const struct name *name)
{
	const uint8_t *n = name->b;
	size_t pos, len, known = a->n_names;

	if (!name->len) {
		wbuf_fail(&a->w);
		return;
	}
	for (; n[0]; n += n[0] + 1) {
		len = name->len - (size_t)(n - name->b);
		pos = name_find(a, n, len);
		if (pos) {
			wbuf_be16(&a->w, 0xc000 | pos);
			goto out;
		}
		pos = a->w.len;
		wbuf_bytes(&a->w, n, (size_t)n[0] + 1);
		/* Not counted yet: this name is not whole. */
		if (pos <= POINTER_MAX && known < ANSWER_NAMES) {
			a->name_lens[known] = (uint8_t)len;
			a->names[known++] = pos;
		}
	}
	wbuf_u8(&a->w, 0);
out:
	if (wbuf_ok(&a->w))
		a->n_names = known;
}

/* Uncompressed rdata with its names compressed where that is allowed. */
static void
write_rdata(struct answer *a, uint16_t type, const uint8_t *rdata, size_t rdlen)
{
	const char *layout = layout_of(type);
	struct name name;
	struct rbuf r;

	if (!layout || !strchr(layout, 'N')) {
		wbuf_bytes(&a->w, rdata, rdlen);
		return;
	}
	rbuf_init(&r, rdata, rdlen);
	for (; *layout; layout++) {
		if (*layout == 'N') {
			name = name_get_plain(&r);
			write_name(a, &name);
		} else {
			size_t len = field_len(&r, *layout, rbuf_left(&r));
			const uint8_t *p = rbuf_take(&r, len);

			if (p)
				wbuf_bytes(&a->w, p, len);
		}
	}
	if (!rbuf_done(&r))
		wbuf_fail(&a->w);
}

void
answer_begin(struct answer *a, const struct answer_head *head, uint8_t *buf)
{
	size_t opt = head->edns ? OPT_LEN + EDE_LEN : 0;

	a->head = *head;
	memset(a->counts, 0, sizeof(a->counts));
	a->aa = a->truncated = false;
	a->ra = true;
	a->n_names = 0;
	a->compared = 0;
	wbuf_init(&a->w, buf, head->limit - opt);
	wbuf_zeros(&a->w, DNS_HEADER);
	if (head->has_question) {
		write_name(a, &head->question.name);
		wbuf_be16(&a->w, head->question.type);
		wbuf_be16(&a->w, head->question.class);
		a->counts[DNS_QUESTION] = 1;
	}
	a->question_end = a->w.len;
}

void
answer_rr(struct answer *a, enum dns_section section, const struct name *owner,
	uint16_t type, uint16_t class, uint32_t ttl, const void *rdata,
	size_t rdlen)
{
	size_t start = a->w.len, names = a->n_names, at;

	if (a->truncated)
		return;
	write_name(a, owner);
	wbuf_be16(&a->w, type);
	wbuf_be16(&a->w, class);
	wbuf_be32(&a->w, ttl);
	wbuf_be16(&a->w, 0);
	at = a->w.len;
	write_rdata(a, type, rdata, rdlen);
	wbuf_patch16(&a->w, at - 2, a->w.len - at);
	if (wbuf_ok(&a->w)) {
		a->counts[section]++;
		return;
	}
	a->w.len = start;
	a->w.bad = false;
	a->n_names = names;
	if (section != DNS_ADDITIONAL)
		a->truncated = true;
}

void
answer_plain_rdata(
	struct wbuf *w, const struct dns_rr *rr, const uint8_t *msg, size_t len)
{
	const char *layout = layout_of(rr->type);
	size_t end = rr->rdpos + rr->rdlen, n;
	struct name name;
	struct rbuf r;

	if (!layout) {
		wbuf_bytes(w, rr->rdata, rr->rdlen);
		return;
	}
	rbuf_init(&r, msg, len);
	rbuf_skip(&r, rr->rdpos);
	for (; *layout; layout++) {
		if (!rbuf_ok(&r) || r.pos > end) {
			wbuf_fail(w);
			return;
		}
		if (*layout == 'N' || *layout == 'n') {
			name = name_get(&r);
			name_put(w, &name);
			continue;
		}
		n = field_len(&r, *layout, end - r.pos);
		if (n > end - r.pos) {
			wbuf_fail(w);
			return;
		}
		wbuf_bytes(w, rbuf_take(&r, n), n);
	}
	if (!rbuf_ok(&r) || r.pos != end)
		wbuf_fail(w);
}

void
answer_copy(struct answer *a, enum dns_section section, const struct dns_rr *rr,
	const uint8_t *msg, size_t len)
{
	uint8_t plain[PLAIN_MAX];
	struct wbuf w;

	if (!layout_of(rr->type)) {
		answer_rr(a, section, &rr->owner, rr->type, rr->class, rr->ttl,
			rr->rdata, rr->rdlen);
		return;
	}
	wbuf_init(&w, plain, sizeof(plain));
	answer_plain_rdata(&w, rr, msg, len);
	/* Screened messages don't get here; a record that is broken after all
	 * is left out. */
	if (wbuf_ok(&w))
		answer_rr(a, section, &rr->owner, rr->type, rr->class, rr->ttl,
			plain, w.len);
}

void
answer_cname(struct answer *a, const struct name *owner,
	const struct name *target, uint32_t ttl)
{
	answer_rr(a, DNS_ANSWER, owner, DNS_TYPE_CNAME, DNS_CLASS_IN, ttl,
		target->b, target->len);
}

static size_t
write_ede(struct wbuf *w, unsigned ede)
{
	if (ede == EDE_NONE)
		return 0;
	wbuf_be16(w, OPTION_EDE);
	wbuf_be16(w, 2);
	wbuf_be16(w, ede);
	return EDE_LEN;
}

static void
write_opt(struct answer *a, uint16_t rcode, unsigned ede)
{
	size_t at;

	wbuf_u8(&a->w, 0);
	wbuf_be16(&a->w, DNS_TYPE_OPT);
	wbuf_be16(&a->w, ANSWER_UDP_MAX);
	wbuf_u8(&a->w, rcode >> 4);
	wbuf_u8(&a->w, 0);
	wbuf_be16(&a->w, a->head.dnssec_ok ? DNS_EDNS_DO : 0);
	wbuf_be16(&a->w, 0);
	at = a->w.len;
	write_ede(&a->w, ede);
	wbuf_patch16(&a->w, at - 2, a->w.len - at);
	a->counts[DNS_ADDITIONAL]++;
}

size_t
answer_end(struct answer *a, uint16_t rcode, unsigned ede)
{
	struct dns_header h = {.id = a->head.id};
	struct wbuf head;

	if (a->truncated) {
		if (a->head.limit == DNS_MESSAGE_MAX)
			return 0;
		a->w.len = a->question_end;
		memset(a->counts + DNS_ANSWER, 0,
			sizeof(a->counts) - sizeof(a->counts[0]));
	}
	a->w.size = a->head.limit;
	if (a->head.edns)
		write_opt(a, rcode, ede);
	h.flags = (uint16_t)(DNS_QR |
			     (a->head.flags & (DNS_OPCODE | DNS_RD | DNS_CD)) |
			     (a->aa ? DNS_AA : 0) | (a->ra ? DNS_RA : 0) |
			     (a->truncated ? DNS_TC : 0) | DNS_RCODE_OF(rcode));
	memcpy(h.counts, a->counts, sizeof(h.counts));
	wbuf_init(&head, a->w.p, DNS_HEADER);
	dns_header_put(&head, &h);
	return wbuf_ok(&a->w) && wbuf_ok(&head) ? a->w.len : 0;
}

size_t
answer_error(const struct answer_head *head, uint8_t *buf, uint16_t rcode,
	unsigned ede, bool ra)
{
	struct answer a;

	answer_begin(&a, head, buf);
	a.ra = ra;
	return answer_end(&a, rcode, ede);
}

/* One parameter without its hints: how many keys are left out is added to
 * *stripped. */
static void
strip_param(struct wbuf *w, uint16_t key, const uint8_t *v, size_t len,
	size_t *stripped)
{
	struct rbuf r;
	size_t at;
	uint16_t k;

	if (key == SVCB_IPV4HINT || key == SVCB_IPV6HINT) {
		(*stripped)++;
		return;
	}
	at = w->len;
	wbuf_be16(w, key);
	wbuf_be16(w, len);
	if (key != SVCB_MANDATORY) {
		wbuf_bytes(w, v, len);
		return;
	}
	rbuf_init(&r, v, len);
	while (rbuf_left(&r)) {
		k = rbuf_be16(&r);
		if (k == SVCB_IPV4HINT || k == SVCB_IPV6HINT)
			(*stripped)++;
		else
			wbuf_be16(w, k);
	}
	if (!rbuf_done(&r))
		wbuf_fail(w);
	if (!wbuf_ok(w))
		return;
	/* An empty list of mandatory keys is not allowed (RFC 9460, 8). */
	if (w->len == at + 4)
		w->len = at;
	else
		wbuf_patch16(w, at + 2, w->len - at - 4);
}

bool
answer_strip_hints(struct wbuf *w, const uint8_t *rdata, size_t rdlen)
{
	size_t stripped = 0, len;
	const uint8_t *v;
	struct name target;
	struct rbuf r;
	uint16_t key;

	rbuf_init(&r, rdata, rdlen);
	wbuf_be16(w, rbuf_be16(&r));
	target = name_get_plain(&r);
	name_put(w, &target);
	while (rbuf_left(&r)) {
		key = rbuf_be16(&r);
		len = rbuf_be16(&r);
		v = rbuf_take(&r, len);
		if (v)
			strip_param(w, key, v, len, &stripped);
	}
	if (!rbuf_done(&r))
		wbuf_fail(w);
	return wbuf_ok(w) && stripped;
}
