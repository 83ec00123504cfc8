/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The codec of the mapper protocol: rows, header, and the walk over items.
 *
 * proto/mapper.def gives each message its items as a string of letters,
 * msg_item.c gives each letter its decoder, encoder and text. Decoding,
 * encoding and formatting walk a message's letters; nothing here or there
 * looks at a command's number.
 *
 * Invariants: a message that decodes also encodes, to the same bytes but for
 * padding, which is zero then. Whatever the bytes, a walk ends: decoding with
 * the packet's bytes, encoding with the buffer, text with the line.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/msg_item.h"

struct row {
	const char *name;	      /* NULL: no such command */
	const char *how;	      /* 'D', 'R': the modes of a request */
	const char *req, *ack, *nack; /* letters; NULL: no such packet */
	enum msg_sender sender;
};

static const struct row rows[MSG_N_CMDS] = {
#define MSG(name_, nr, sender_, how_, req_, ack_, nack_)                       \
	[nr] = {.name = #name_,                                                \
		.how = how_,                                                   \
		.req = req_,                                                   \
		.ack = ack_,                                                   \
		.nack = nack_,                                                 \
		.sender = MSG_SENDER_##sender_},
#include "proto/mapper.def"
#undef MSG
};

/* What a row says about one item: its letter's item, and ?, * or 0. */
struct step {
	const struct msg_item *item;
	char how;
};

/* The step that begins at p; returns where the next one begins. */
static const char *
step_next(const char *p, struct step *s)
{
	s->item = msg_item(*p++);
	s->how = *p == '?' || *p == '*' ? *p++ : '\0';
	return p;
}

/* The letters of the row's packet of this mode, NULL if there is none. */
static const char *
row_items(const struct row *row, enum msg_mode mode)
{
	switch (mode) {
	case MSG_DATA:
		return strchr(row->how, 'D') ? row->req : NULL;
	case MSG_REQ:
		return strchr(row->how, 'R') ? row->req : NULL;
	case MSG_ACK:
		return row->ack;
	case MSG_NACK:
		return row->nack;
	}
	return NULL;
}

bool
msg_cmd_known(uint8_t cmd)
{
	return cmd < MSG_N_CMDS && rows[cmd].name;
}

static uint8_t
versions_byte(const struct msg_format *fmt)
{
	if (fmt->dialect == MSG_DIALECT_2)
		return 0;
	return (uint8_t)(fmt->local_ver << 4 | fmt->tunnel_ver);
}

/* Reads the header into m, even of a bad packet; m->fmt.dialect is known
 * afterwards unless the packet is bad. */
static enum msg_error
decode_header(struct msg *m, struct rbuf *r, size_t len)
{
	uint8_t signature = rbuf_u8(r), byte = rbuf_u8(r), versions, reserved;
	size_t words;

	m->mode = (enum msg_mode)(byte >> 6);
	m->cmd = byte & (MSG_N_CMDS - 1);
	m->id = rbuf_be16(r);
	versions = rbuf_u8(r);
	reserved = rbuf_u8(r);
	words = rbuf_be16(r);
	if (!rbuf_ok(r))
		return MSG_SHORT;
	if (len % 4)
		return MSG_UNALIGNED;
	if (signature != MSG_SIGNATURE)
		return MSG_BAD_SIGNATURE;
	if (words * 4 != len || len > MSG_MAX)
		return MSG_BAD_LENGTH;
	if (reserved)
		return MSG_BAD_RESERVED;
	if (m->fmt.dialect == MSG_DIALECT_UNKNOWN)
		m->fmt.dialect = versions ? MSG_DIALECT_1 : MSG_DIALECT_2;
	if (versions != versions_byte(&m->fmt))
		return MSG_BAD_VERSION;
	return MSG_OK;
}

static enum msg_error
decode_items(struct msg_in *in, const char *letters)
{
	struct step s;

	while (*letters) {
		letters = step_next(letters, &s);
		if (!s.how)
			s.item->decode(in);
		while (s.how && rbuf_left(&in->r) > 0) {
			s.item->decode(in);
			if (s.how == '?')
				break;
		}
	}
	if (in->versions)
		return MSG_BAD_VERSION;
	return rbuf_done(&in->r) ? MSG_OK : MSG_BAD_ITEMS;
}

enum msg_error
msg_decode(struct msg *m, const struct msg_format *fmt, const uint8_t *pkt,
	size_t len)
{
	struct msg_in in = {.m = m};
	const char *letters;
	struct msg header;
	enum msg_error e;

	*m = (struct msg){.fmt = *fmt};
	rbuf_init(&in.r, pkt, len);
	e = decode_header(m, &in.r, len);
	if (e != MSG_OK)
		return e;
	if (!msg_cmd_known(m->cmd))
		return MSG_UNKNOWN;
	letters = row_items(&rows[m->cmd], m->mode);
	if (!letters)
		return MSG_BAD_MODE;
	header = *m;
	e = decode_items(&in, letters);
	if (e != MSG_OK)
		*m = header;
	return e;
}

/* True when every record of m, if the row has any, was written. */
static bool
encode_items(struct msg_out *o, const char *letters)
{
	struct step s;

	while (*letters) {
		letters = step_next(letters, &s);
		if (!s.how)
			s.item->encode(o);
		while (s.how && wbuf_ok(&o->w) && !o->bad &&
			s.item->more(o->m, o->i)) {
			s.item->encode(o);
			if (s.how == '?')
				break;
		}
	}
	return !o->bad && (o->i == 0 || o->i == o->m->n || !wbuf_ok(&o->w));
}

enum msg_error
msg_encode(const struct msg *m, const struct msg_format *fmt, uint8_t *buf,
	size_t size, size_t *len)
{
	struct msg_out o = {.m = m, .fmt = fmt};
	const char *letters;

	if (fmt->dialect == MSG_DIALECT_UNKNOWN || !addr_len(fmt->local_ver) ||
		!addr_len(fmt->tunnel_ver))
		return MSG_BAD_VERSION;
	if (!msg_cmd_known(m->cmd))
		return MSG_UNKNOWN;
	letters = row_items(&rows[m->cmd], m->mode);
	if (!letters)
		return MSG_BAD_MODE;
	wbuf_init(&o.w, buf, size < MSG_MAX ? size : MSG_MAX);
	wbuf_u8(&o.w, MSG_SIGNATURE);
	wbuf_u8(&o.w, (uint8_t)((unsigned)m->mode << 6 | m->cmd));
	wbuf_be16(&o.w, m->id);
	wbuf_u8(&o.w, versions_byte(fmt));
	wbuf_u8(&o.w, 0);
	wbuf_be16(&o.w, 0); /* the length, when it is known */
	if (!encode_items(&o, letters))
		return MSG_BAD_ITEMS;
	wbuf_patch16(&o.w, 6, o.w.len / 4);
	if (!wbuf_ok(&o.w))
		return MSG_TOO_BIG;
	*len = o.w.len;
	return MSG_OK;
}

void
msg_format_text(const struct msg *m, char *buf, size_t size)
{
	struct msg_line l = {.m = m, .buf = buf, .size = size};
	const char *letters = NULL;
	struct step s;

	if (size == 0)
		return;
	buf[0] = '\0';
	msg_line_add(&l, "%s %s %u", msg_mode_name(m->mode),
		msg_cmd_name(m->cmd), m->id);
	if (msg_cmd_known(m->cmd))
		letters = row_items(&rows[m->cmd], m->mode);
	while (letters && *letters) {
		letters = step_next(letters, &s);
		if (!s.how)
			s.item->text(&l);
		while (s.how && !l.cut && s.item->more(m, l.i)) {
			s.item->text(&l);
			if (s.how == '?')
				break;
		}
	}
}

const char *
msg_cmd_name(uint8_t cmd)
{
#define TEN(d)                                                                 \
	d "0", d "1", d "2", d "3", d "4", d "5", d "6", d "7", d "8", d "9"
	static const char *const numbers[] = {TEN(""), TEN("1"), TEN("2"),
		TEN("3"), TEN("4"), TEN("5"), TEN("6")};
#undef TEN

	if (msg_cmd_known(cmd))
		return rows[cmd].name;
	return cmd < MSG_N_CMDS ? numbers[cmd] : "invalid";
}

const char *
msg_mode_name(enum msg_mode mode)
{
	static const char *const names[] = {
		[MSG_DATA] = "DATA",
		[MSG_REQ] = "REQ",
		[MSG_ACK] = "ACK",
		[MSG_NACK] = "NACK",
	};

	return (size_t)mode < ARRAY_LEN(names) ? names[mode] : "invalid";
}

const char *
msg_error_text(enum msg_error e)
{
	static const char *const texts[] = {
		[MSG_OK] = "no error",
		[MSG_SHORT] = "shorter than a header",
		[MSG_UNALIGNED] = "not a whole number of words",
		[MSG_BAD_LENGTH] = "disagrees with its length field",
		[MSG_BAD_SIGNATURE] = "another signature",
		[MSG_BAD_RESERVED] = "byte 5 is not zero",
		[MSG_BAD_VERSION] = "other IP versions or another dialect",
		[MSG_UNKNOWN] = "unknown command",
		[MSG_BAD_MODE] = "a mode that the command does not have",
		[MSG_BAD_ITEMS] = "items cut, too long or senseless",
		[MSG_TOO_BIG] = "too big",
	};

	_Static_assert(ARRAY_LEN(texts) == MSG_N_ERRORS, "a text per error");
	return (size_t)e < MSG_N_ERRORS ? texts[e] : "invalid";
}

enum msg_sender
msg_cmd_sender(uint8_t cmd)
{
	return msg_cmd_known(cmd) ? rows[cmd].sender : MSG_SENDER_ANY;
}

int
arec_cmp(const void *a, const void *b)
{
	const struct arec *x = a, *y = b;
	int c;

	/* All of it bytes in the order that counts: version, address, ref. */
	static_assert(offsetof(struct arec, ref) ==
			      offsetof(struct arec, gw) + sizeof(x->gw),
		"gw and ref are compared as one");
	c = memcmp(&x->gw, &y->gw, sizeof(x->gw) + sizeof(x->ref));
	return c ? c : addr_cmp(&x->ip, &y->ip);
}

/* 64-bit FNV-1a, going on from h. */
static uint64_t
fnv(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

uint64_t
msg_set_hash(struct arec *arecs, size_t n)
{
	uint64_t h = MSG_EMPTY_SET_HASH;
	size_t i;

	if (n)
		qsort(arecs, n, sizeof(*arecs), arec_cmp);
	for (i = 0; i < n; i++) {
		const struct arec *a = &arecs[i];

		h = fnv(h, a->ip.b, addr_len(a->ip.ver));
		h = fnv(h, a->gw.b, addr_len(a->gw.ver));
		h = fnv(h, a->ref.b, REF_LEN);
	}
	return h;
}

/* A domain as struct source wants it: lower case, without its last dot. */
static bool
get_domain(char *out, size_t size, const struct msg_str *s)
{
	size_t len = s->len, i;

	if (len && s->p[len - 1] == '.')
		len--;
	if (len == 0 || len >= size || memchr(s->p, '\0', len) ||
		memchr(s->p, ':', len))
		return false;
	for (i = 0; i < len; i++)
		out[i] = (char)(s->p[i] >= 'A' && s->p[i] <= 'Z'
					? s->p[i] - 'A' + 'a'
					: s->p[i]);
	out[len] = '\0';
	return true;
}

bool
msg_source(const struct msg *m, struct source *s)
{
	return get_domain(s->local, sizeof(s->local), &m->local) &&
	       get_domain(s->domain, sizeof(s->domain), &m->domain);
}

void
msg_set_source(struct msg *m, const struct source *s)
{
	m->local = (struct msg_str){s->local, strlen(s->local)};
	m->domain = (struct msg_str){s->domain, strlen(s->domain)};
}
