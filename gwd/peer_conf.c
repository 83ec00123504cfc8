/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks contain each other or have nothing in common; so in a sorted set
 * without nested ones only the last that begins at or before an address can
 * have it.
 */
#include "gwd/peer_conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_IPV4_MTU 576
#define LEAST_IPV6_MTU 1280 /* RFC 8200, 5 */
#define KEEP_ALIVE_MAX 3600
#define OWN_REF	       1
#define SPACE	       " \t"

struct reading {
	struct peer_conf *c;
	char *why;
	size_t size;
};

static bool refuse(const struct reading *r, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

static bool
refuse(const struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, r->size, fmt, ap);
	va_end(ap);
	return false;
}

static bool
read_number(const struct reading *r, const char *text, uint32_t min,
	uint32_t max, uint32_t *v)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long n;

	if (!digits || text[digits])
		return refuse(r, "\"%.40s\" is no number", text);
	n = strtoul(text, NULL, 10);
	if (digits > 9 || n < min || n > max)
		return refuse(
			r, "%.40s is out of range, %u to %u", text, min, max);
	*v = (uint32_t)n;
	return true;
}

static bool
read_port(const struct reading *r, const char *text)
{
	uint32_t n;

	if (!read_number(r, text, 1, UINT16_MAX, &n))
		return false;
	r->c->port = (uint16_t)n;
	return true;
}

static bool
read_mtu(const struct reading *r, const char *text)
{
	uint32_t least = r->c->addr.ver == 4 ? LEAST_IPV4_MTU : LEAST_IPV6_MTU;

	return read_number(r, text, least, UINT16_MAX, &r->c->mtu);
}

static bool
read_ref(const struct reading *r, const char *text)
{
	if (!ref_parse(&r->c->ref, text, strlen(text)) ||
		ref_is_zero(&r->c->ref))
		return refuse(r, "\"%.60s\" is no reference", text);
	return true;
}

static bool
read_tos(const struct reading *r, const char *text)
{
	(void)text;
	r->c->tos = true;
	return true;
}

static bool
read_keep_alive(const struct reading *r, const char *text)
{
	r->c->keep_alive_set = true;
	return read_number(r, text, 0, KEEP_ALIVE_MAX, &r->c->keep_alive_s);
}

static const struct word {
	const char *name;
	bool (*read)(const struct reading *r, const char *text);
	bool alone; /* no =VALUE */
} words[] = {
	{"port", read_port, false},
	{"mtu", read_mtu, false},
	{"ref", read_ref, false},
	{"tos", read_tos, true},
	{"keep-alive", read_keep_alive, false},
};

/* seen: a bit per word of this line. */
static bool
read_word(const struct reading *r, char *text, unsigned *seen)
{
	char *value = strchr(text, '=');
	char inner[160];
	struct reading sub = {r->c, inner, sizeof(inner)};
	size_t i;

	if (value)
		*value++ = '\0';
	for (i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(text, words[i].name))
			break;
	if (i == ARRAY_LEN(words))
		return refuse(r,
			"\"%.40s\" is none of port=, mtu=, ref=, tos, "
			"keep-alive=",
			text);
	if (*seen & 1U << i)
		return refuse(r, "%s is given twice", text);
	*seen |= 1U << i;
	if (words[i].alone && value)
		return refuse(r, "%s takes no value", text);
	if (!words[i].alone && !value)
		return refuse(r, "%s needs a value", text);
	return words[i].read(&sub, value) || refuse(r, "%s: %s", text, inner);
}

static bool
read_addr(const struct reading *r, const char *text, uint8_t ver)
{
	struct addr *a = &r->c->addr;

	if (!addr_parse(a, text, strlen(text)))
		return refuse(r, "\"%.60s\" is no IPv4 or IPv6 address", text);
	if (a->ver != ver)
		return refuse(r, "%.60s is not of the tunnel's IP version, %u",
			text, ver);
	if (!addr_is_global_unicast(a))
		return refuse(r, "%.60s is no address of a gateway", text);
	return true;
}

bool
peer_conf_parse(struct peer_conf *c, const char *text, uint8_t ver, char *why,
	size_t size)
{
	const struct reading r = {c, why, size};
	char line[256], inner[200], *save = NULL, *word;
	struct reading sub = {c, inner, sizeof(inner)};
	unsigned seen = 0;

	*c = (struct peer_conf){.ref = ref_from_u64(OWN_REF)};
	if (strlen(text) >= sizeof(line))
		return refuse(&r, "\"%.40s...\" is too long", text);
	strcpy(line, text);
	word = strtok_r(line, SPACE, &save);
	if (!word)
		return refuse(&r, "an address is missing");
	if (!read_addr(&r, word, ver))
		return false;
	while ((word = strtok_r(NULL, SPACE, &save)))
		if (!read_word(&sub, word, &seen))
			return refuse(&r, "%s: %s", line, inner);
	return true;
}

/* --- sets of networks --------------------------------------------------- */

static int
cmp_prefix(const void *a, const void *b)
{
	const struct prefix *p = a, *q = b;
	int c = addr_cmp(&p->addr, &q->addr);

	return c ? c : p->len - q->len;
}

static bool
parse_net(struct prefix *p, const char *text)
{
	size_t len = strlen(text);

	if (prefix_parse(p, text, len))
		return true;
	if (!addr_parse(&p->addr, text, len))
		return false;
	p->len = p->addr.ver == 4 ? 32 : 128;
	return true;
}

static int
read_set(struct prefix_set *s, const char *name, const struct conf_list *list,
	uint8_t ver, const struct reading *r)
{
	size_t i, kept = 0;

	s->v = calloc(list->n + 1, sizeof(*s->v));
	if (!s->v) {
		refuse(r, "%s: out of memory", name);
		return -ENOMEM;
	}
	for (i = 0; i < list->n; i++) {
		if (!parse_net(&s->v[i], list->v[i])) {
			refuse(r,
				"%s: \"%.60s\" is no address and no network "
				"with host bits of zero",
				name, list->v[i]);
			return -EINVAL;
		}
		if (s->v[i].addr.ver != ver) {
			refuse(r,
				"%s: %.60s is not of the tunnel's IP version, "
				"%u",
				name, list->v[i], ver);
			return -EINVAL;
		}
	}
	qsort(s->v, list->n, sizeof(*s->v), cmp_prefix);
	for (i = 0; i < list->n; i++)
		if (!kept || !prefix_has(&s->v[kept - 1], &s->v[i].addr))
			s->v[kept++] = s->v[i];
	s->n = kept;
	return 0;
}

static bool
set_has(const struct prefix_set *s, const struct addr *addr)
{
	size_t low = 0, high = s->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (addr_cmp(&s->v[mid].addr, addr) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low && prefix_has(&s->v[low - 1], addr);
}

/* --- all ---------------------------------------------------------------- */

static int
cmp_conf(const void *a, const void *b)
{
	const struct peer_conf *p = a, *q = b;

	return addr_cmp(&p->addr, &q->addr);
}

static int
read_peers(struct peer_confs *c, const struct peer_conf_lists *lists,
	const struct reading *r)
{
	char inner[256], text[ADDR_TEXT_MAX];
	size_t i;

	c->v = calloc(lists->peer->n + 1, sizeof(*c->v));
	if (!c->v) {
		refuse(r, "peer: out of memory");
		return -ENOMEM;
	}
	for (i = 0; i < lists->peer->n; i++) {
		if (!peer_conf_parse(&c->v[i], lists->peer->v[i], lists->ver,
			    inner, sizeof(inner))) {
			refuse(r, "peer: %s", inner);
			return -EINVAL;
		}
		if (!c->v[i].keep_alive_set)
			c->v[i].keep_alive_s = lists->keep_alive_s;
	}
	c->n = lists->peer->n;
	qsort(c->v, c->n, sizeof(*c->v), cmp_conf);
	for (i = 1; i < c->n; i++)
		if (!cmp_conf(&c->v[i - 1], &c->v[i])) {
			refuse(r, "peer: %s is given twice",
				addr_format(&c->v[i].addr, text));
			return -EINVAL;
		}
	return 0;
}

int
peer_confs_init(struct peer_confs *c, const struct peer_conf_lists *lists,
	char *why, size_t size)
{
	const struct reading r = {NULL, why, size};
	int err;

	*c = (struct peer_confs){
		.others = {.ref = ref_from_u64(OWN_REF),
			.keep_alive_s = lists->keep_alive_s},
		.dscp = lists->dscp,
	};
	err = read_peers(c, lists, &r);
	if (!err)
		err = read_set(
			&c->allow, "allow-peers", lists->allow, lists->ver, &r);
	if (!err)
		err = read_set(
			&c->deny, "deny-peers", lists->deny, lists->ver, &r);
	if (err)
		peer_confs_fini(c);
	return err;
}

void
peer_confs_fini(struct peer_confs *c)
{
	free(c->v);
	free(c->allow.v);
	free(c->deny.v);
	*c = (struct peer_confs){0};
}

const struct peer_conf *
peer_confs_get(const struct peer_confs *c, const struct addr *addr)
{
	const struct peer_conf key = {.addr = *addr}, *found;

	if (!c->n)
		return &c->others;
	found = bsearch(&key, c->v, c->n, sizeof(*c->v), cmp_conf);
	return found ? found : &c->others;
}

bool
peer_confs_allow(const struct peer_confs *c, const struct addr *addr)
{
	if (c->allow.n && !set_has(&c->allow, addr))
		return false;
	return !set_has(&c->deny, addr);
}

uint8_t
peer_confs_tos(const struct peer_confs *c, const struct addr *peer, uint8_t tos)
{
	/* Not-ECT: ECN marks would not reach the packet inside. */
	return peer_confs_get(c, peer)->tos ? tos : (uint8_t)(c->dscp * 4u);
}
