/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of the text that people publish or put into hosts files.
 *
 * Everything works on spans, pieces of the caller's text that are never copied
 * or NUL-terminated and that only get shorter. White space is a list of bytes,
 * not isspace(): results must not depend on a locale.
 *
 * References are taken here only in the forms that deployed programs read, too
 * (no commas, no dots): an AA record or a hosts file that serves with ours must
 * mean the same to everybody else.
 */
#include "libipref/text.h"

#include <stdio.h>

#define BLANKS	  " "		/* in AA strings */
#define SPACES	  " \t\r\n\v\f" /* in hosts files */
#define LABEL_MAX 63		/* RFC 1035, 2.3.4 */
#define HOST_MAX  253		/* the same for a whole name, as text */
#define LISTED_B  16		/* the second-byte rule's limit */

struct span {
	const char *p;
	size_t len;
};

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static struct span
span_trim(struct span s, const char *spaces)
{
	while (s.len && is_one_of(s.p[0], spaces)) {
		s.p++;
		s.len--;
	}
	while (s.len && is_one_of(s.p[s.len - 1], spaces))
		s.len--;
	return s;
}

/* Cuts s at the first c, which belongs to neither part; false without one:
 * then all is before. */
static bool
span_cut(struct span s, char c, struct span *before, struct span *after)
{
	const char *at = s.len ? memchr(s.p, c, s.len) : NULL;
	size_t n = at ? (size_t)(at - s.p) : s.len;

	*before = (struct span){s.p, n};
	*after = (struct span){s.p, 0};
	if (at)
		*after = (struct span){at + 1, s.len - n - 1};
	return at != NULL;
}

/* Takes what is in front of the first white space or stop sign. */
static struct span
span_word(struct span *s, const char *stops)
{
	struct span word = {s->p, 0};

	while (word.len < s->len && !is_one_of(s->p[word.len], SPACES) &&
		!is_one_of(s->p[word.len], stops))
		word.len++;
	s->p += word.len;
	s->len -= word.len;
	return word;
}

static bool
span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && !memcmp(s.p, text, s.len);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
listed_ref_parse(struct ref *r, struct span s)
{
	*r = (struct ref){0};
	if (s.len && (memchr(s.p, ',', s.len) || memchr(s.p, '.', s.len)))
		return false;
	return ref_parse(r, s.p, s.len);
}

/* A label of a host name: letters, digits, dash, underscore. */
static bool
label_ok(struct span s)
{
	size_t i;
	char c;

	for (i = 0; i < s.len; i++) {
		c = lower(s.p[i]);
		if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' &&
			c != '_')
			return false;
	}
	return s.len > 0 && s.len <= LABEL_MAX;
}

/* A number, also in hex. A last label like that makes an address in one of the
 * forms of old (127.1, 0x7f000001), no name. */
static bool
label_is_number(struct span s)
{
	size_t i = 0;

	if (s.len > 1 && s.p[0] == '0' && lower(s.p[1]) == 'x')
		return true;
	while (i < s.len && is_digit(s.p[i]))
		i++;
	return i == s.len;
}

/* A host name into out, lower case, without its last dot. */
static bool
host_name(char *out, size_t size, struct span s)
{
	struct span rest, label;
	bool more;
	size_t i;

	if (s.len && s.p[s.len - 1] == '.')
		s.len--;
	if (s.len > HOST_MAX || s.len >= size)
		return false;
	rest = s;
	do {
		more = span_cut(rest, '.', &label, &rest);
		if (!label_ok(label))
			return false;
	} while (more);
	if (label_is_number(label))
		return false;
	for (i = 0; i < s.len; i++)
		out[i] = lower(s.p[i]);
	out[s.len] = '\0';
	return true;
}

/* What follows "AA ". A second "+" fails as no sign of a reference. */
static bool
aa_parts(struct aa *aa, struct span s)
{
	struct span gw, ref;

	if (!span_cut(s, '+', &gw, &ref))
		return false;
	gw = span_trim(gw, BLANKS);
	ref = span_trim(ref, BLANKS);
	return listed_ref_parse(&aa->ref, ref) &&
	       (addr_parse(&aa->gw, gw.p, gw.len) ||
		       host_name(aa->name, sizeof(aa->name), gw));
}

enum aa_result
aa_parse(struct aa *aa, const char *s, size_t len)
{
	static const char mark[] = "AA ";
	const size_t n = sizeof(mark) - 1;

	*aa = (struct aa){0};
	if (len < n || memcmp(s, mark, n) != 0)
		return AA_NONE;
	if (aa_parts(aa, (struct span){s + n, len - n}))
		return AA_OK;
	*aa = (struct aa){0};
	return AA_BROKEN;
}

bool
aa_usable(const struct aa *aa)
{
	if (ref_is_zero(&aa->ref))
		return false;
	return aa->name[0] || addr_is_global_unicast(&aa->gw);
}

static void
hosts_broken(struct hosts_line *h, const char *error)
{
	*h = (struct hosts_line){.kind = HOSTS_BROKEN, .error = error};
}

/* [context] [+] [reference], of which each may be missing. */
struct parts {
	struct span gw, ref;
	bool plus;
};

/* The words after the keyword; false when there are too many. */
static bool
split_parts(struct parts *p, struct span s)
{
	*p = (struct parts){0};
	s = span_trim(s, SPACES);
	p->gw = span_word(&s, "+");
	s = span_trim(s, SPACES);
	if (s.len && s.p[0] == '+') {
		p->plus = true;
		s.p++;
		s.len--;
		s = span_trim(s, SPACES);
		p->ref = span_word(&s, "+");
		s = span_trim(s, SPACES);
	}
	return s.len == 0;
}

/* A word alone is an address or a reference; no text is both. */
static const char *
parse_parts(struct hosts_line *h, struct span s)
{
	struct parts p;

	if (!split_parts(&p, s))
		return "more than a context address and a reference";
	if (!p.plus && p.gw.len && !addr_parse(&h->gw, p.gw.p, p.gw.len)) {
		p.ref = p.gw;
		p.gw.len = 0;
	}
	if (p.plus && !p.ref.len)
		return "no reference after the +";
	if (p.gw.len && !addr_parse(&h->gw, p.gw.p, p.gw.len))
		return "the context is not an IP address";
	h->has_ref = p.ref.len > 0;
	if (h->has_ref && !listed_ref_parse(&h->ref, p.ref))
		return p.plus ? "the reference makes no sense"
			      : "neither an IP address nor a reference";
	return NULL;
}

/* What follows "#=". */
static const char *
parse_mapping(struct hosts_line *h, struct span s)
{
	struct span word;
	const char *error;

	(void)span_cut(s, '#', &s, &word); /* a comment */
	s = span_trim(s, SPACES);
	word = span_word(&s, "+");
	if (span_is(word, "loc") || span_is(word, "local")) {
		h->kind = HOSTS_LOCAL;
		return NULL;
	}
	if (span_is(word, "pub") || span_is(word, "public"))
		h->kind = HOSTS_PUB;
	else if (span_is(word, "ext") || span_is(word, "external"))
		h->kind = HOSTS_EXT;
	else
		return "no pub, ext or local after #=";
	error = parse_parts(h, s);
	if (error)
		return error;
	if (h->kind == HOSTS_EXT && (!h->gw.ver || !h->has_ref))
		return "ext wants a context address, + and a reference";
	return NULL;
}

void
hosts_parse(struct hosts_line *h, const char *line, size_t len)
{
	struct span host, mapping, ip;
	const char *error;

	*h = (struct hosts_line){.kind = HOSTS_PLAIN};
	if (!span_cut((struct span){line, len}, '#', &host, &mapping) ||
		!mapping.len || mapping.p[0] != '=')
		return;
	mapping.p++;
	mapping.len--;
	host = span_trim(host, SPACES);
	ip = span_word(&host, "");
	if (!addr_parse(&h->addr, ip.p, ip.len)) {
		hosts_broken(h, "no IP address at the start of the line");
		return;
	}
	error = parse_mapping(h, mapping);
	if (error)
		hosts_broken(h, error);
}

static const char *
check_pub(const struct hosts_line *h, const struct prefix *encode)
{
	if (prefix_has(encode, &h->addr))
		return "a host's address inside the encoding network";
	if (!h->has_ref)
		return NULL;
	if (ref_second_byte(&h->ref) >= LISTED_B)
		return "the reference is one that only the mapper may allot "
		       "(second-to-last byte above 15)";
	return NULL;
}

static const char *
check_ext(const struct hosts_line *h, const struct prefix *encode)
{
	struct addr own = prefix_host(encode, 1);

	if (!prefix_has(encode, &h->addr))
		return "the address of an ext line must be inside the "
		       "encoding network";
	if (addr_eq(&h->addr, &encode->addr))
		return "the encoding network's own address";
	if (addr_eq(&h->addr, &own))
		return "the gateway's own local address";
	if (addr_second_byte(&h->addr) >= LISTED_B)
		return "the address is one that only the mapper may allot "
		       "(second-to-last byte above 15)";
	if (addr_is_zero(&h->gw))
		return "our own context address for a remote host";
	return NULL;
}

const char *
hosts_check(const struct hosts_line *h, const struct prefix *encode,
	uint8_t tunnel_ver)
{
	if (h->kind == HOSTS_BROKEN)
		return h->error;
	/* Without a mapping there is nothing that could be wrong. */
	if (h->kind == HOSTS_PLAIN || h->kind == HOSTS_LOCAL)
		return NULL;
	if (h->addr.ver != encode->addr.ver)
		return "the address is not of the local network's IP version";
	if (!addr_is_global_unicast(&h->addr))
		return "the address is not global unicast";
	if (h->gw.ver && h->gw.ver != tunnel_ver)
		return "the context address is not of the tunnel's IP version";
	if (!addr_is_zero(&h->gw) && !addr_is_global_unicast(&h->gw))
		return "the context address is not global unicast";
	if (h->has_ref && ref_is_zero(&h->ref))
		return "reference 0 is nobody's";
	return h->kind == HOSTS_PUB ? check_pub(h, encode)
				    : check_ext(h, encode);
}

/* A domain of a source into out, lower case, without its last dot: visible
 * signs, no empty label. */
static bool
source_domain(char out[256], struct span s)
{
	size_t i;

	if (s.len && s.p[s.len - 1] == '.')
		s.len--;
	if (!s.len || s.len > 255 || s.p[s.len - 1] == '.')
		return false;
	for (i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ':')
			return false;
		if (s.p[i] == '.' && (!i || s.p[i - 1] == '.'))
			return false;
		out[i] = lower(s.p[i]);
	}
	out[s.len] = '\0';
	return true;
}

bool
source_parse(struct source *s, const char *text, size_t len)
{
	struct span local, domain;

	*s = (struct source){0};
	if (span_cut((struct span){text, len}, ':', &local, &domain) &&
		source_domain(s->local, local) &&
		source_domain(s->domain, domain))
		return true;
	*s = (struct source){0};
	return false;
}

const char *
source_format(const struct source *s, char buf[SOURCE_TEXT_MAX])
{
	snprintf(buf, SOURCE_TEXT_MAX, "%s:%s", s->local, s->domain);
	return buf;
}

bool
source_eq(const struct source *a, const struct source *b)
{
	return !strcmp(a->local, b->local) && !strcmp(a->domain, b->domain);
}
