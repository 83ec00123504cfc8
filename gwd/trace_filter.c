/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which packets somebody wants to see. */
#include <stdio.h>
#include <string.h>

#include "gwd/trace.h"
#include "libipref/ctl.h"

#define VALUE_MAX 128

/* NULL, or why the value makes no sense. */
typedef const char *(*read_fn)(struct trace_filter *f, const char *value);

static const char *
read_address(struct trace_filter *f, const char *value)
{
	struct prefix *p = &f->net;

	f->has_who = f->has_net = true;
	if (addr_parse(&p->addr, value, strlen(value))) {
		p->len = (uint8_t)(8 * addr_len(p->addr.ver));
		return NULL;
	}
	return prefix_parse(p, value, strlen(value))
		       ? NULL
		       : "it is no IP address, and no prefix whose host bits "
			 "are zero";
}

static const char *
read_gw(struct trace_filter *f, const char *value)
{
	return addr_parse(&f->gw, value, strlen(value)) ? NULL
							: "it is no IP address";
}

static const char *
read_ref(struct trace_filter *f, const char *value)
{
	f->has_who = f->has_ipref = true;
	return ref_parse(&f->ref, value, strlen(value)) ? NULL
							: "it is no reference";
}

static const char *
read_protocol(struct trace_filter *f, const char *value)
{
	f->has_proto = true;
	return trace_proto_parse(&f->proto, value)
		       ? NULL
		       : "it has to be a number to 255, or icmp, tcp, udp, "
			 "dccp, gre, esp, sctp or udplite";
}

static const char *
read_direction(struct trace_filter *f, const char *value)
{
	f->has_way = true;
	f->way = strcmp(value, "in") ? WAY_OUT : WAY_IN;
	return f->way == WAY_IN || !strcmp(value, "out")
		       ? NULL
		       : "it has to be in or out";
}

static const char *
read_drops(struct trace_filter *f, const char *value)
{
	f->drops = !strcmp(value, "1");
	return f->drops || !strcmp(value, "0") ? NULL : "it has to be 1 or 0";
}

static const struct row {
	const char *key;
	read_fn fn;
} rows[] = {
	{"address", read_address},
	{"gw", read_gw},
	{"ref", read_ref},
	{"protocol", read_protocol},
	{"direction", read_direction},
	{"drops", read_drops},
};

/* NULL: there is none of that name. */
static const struct row *
find_row(const char *key, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].key) == len &&
			!memcmp(rows[i].key, key, len))
			return &rows[i];
	return NULL;
}

/* What is not understood is refused: who asks for less must not see all. */
bool
trace_filter_parse(
	struct trace_filter *f, const char *query, char error[TRACE_ERROR_MAX])
{
	const struct row *row;
	const char *wrong;
	char value[VALUE_MAX];
	size_t len, key_len;

	*f = (struct trace_filter){0};
	for (; query && *query; query += len + (query[len] == '&')) {
		len = strcspn(query, "&");
		key_len = strcspn(query, "=&");
		row = find_row(query, key_len);
		if (!row) {
			snprintf(error, TRACE_ERROR_MAX,
				"there is no filter \"%.*s\"",
				key_len > 60 ? 60 : (int)key_len, query);
			return false;
		}
		if (!ctl_query(query, row->key, value, sizeof(value))) {
			snprintf(error, TRACE_ERROR_MAX,
				"%s: too long or broken", row->key);
			return false;
		}
		wrong = row->fn(f, value);
		if (wrong) {
			snprintf(error, TRACE_ERROR_MAX, "%s \"%.60s\": %s",
				row->key, value, wrong);
			return false;
		}
	}
	if (!f->gw.ver == !f->has_ipref)
		return true;
	snprintf(error, TRACE_ERROR_MAX, "gw and ref go together");
	return false;
}

/* --- matching ------------------------------------------------------------- */

static bool
in_net(const struct prefix *net, const struct trace *t)
{
	const struct addr *const addrs[] = {&t->local.p.src, &t->local.p.dst,
		&t->peer.addr, &t->tunnel.h.src_gw, &t->tunnel.h.dst_gw};
	size_t i;

	for (i = 0; i < ARRAY_LEN(addrs); i++)
		if (addrs[i]->ver && prefix_has(net, addrs[i]))
			return true;
	return false;
}

static bool
is_ipref(const struct trace_filter *f, const struct trace *t)
{
	const struct header *h = &t->tunnel.h;

	if (!t->tunnel.there)
		return false;
	return (ref_eq(&f->ref, &h->src_ref) && addr_eq(&f->gw, &h->src_gw)) ||
	       (ref_eq(&f->ref, &h->dst_ref) && addr_eq(&f->gw, &h->dst_gw));
}

bool
trace_match(const struct trace_filter *f, const struct trace *t)
{
	uint8_t proto;

	if (f->drops && t->result != TRACE_DROPPED)
		return false;
	if (f->has_way && t->way != f->way)
		return false;
	if (f->has_proto && (!trace_proto(t, &proto) || proto != f->proto))
		return false;
	return !f->has_who || (f->has_net && in_net(&f->net, t)) ||
	       (f->has_ipref && is_ipref(f, t));
}
