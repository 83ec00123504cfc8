/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zones in memory. Nodes stand in canonical order, so a name's descendants
 * follow it at once: a name exists without records of its own (an empty
 * non-terminal) when the node at its place lies below it.
 */
#include "resolverd/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolverd/answer.h"

static int
rec_cmp(const void *pa, const void *pb)
{
	const struct zone_rec *a = pa, *b = pb;
	size_t len = a->rdlen < b->rdlen ? a->rdlen : b->rdlen;
	int c = name_cmp(&a->owner, &b->owner);

	if (c)
		return c;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	c = len ? memcmp(a->rdata, b->rdata, len) : 0;
	if (c)
		return c;
	return (a->rdlen > b->rdlen) - (a->rdlen < b->rdlen);
}

static const char *
rec_wrong(const struct zone_rec *r, const struct name *apex)
{
	if (!name_under(&r->owner, apex))
		return "is not in the zone";
	if (r->type == DNS_TYPE_SOA && !name_eq(&r->owner, apex))
		return "has an SOA below the zone's top";
	if (r->ttl > ZONE_TTL_MAX)
		return "has a TTL above 2147483647";
	return NULL;
}

/* What may stand beside a CNAME: signatures and proofs about it (RFC 4034). */
static bool
beside_cname(uint16_t type)
{
	return type == DNS_TYPE_CNAME || type == DNS_TYPE_RRSIG ||
	       type == 47 /* NSEC */ || type == DNS_TYPE_SIG ||
	       type == DNS_TYPE_NXT || type == 25 /* KEY */;
}

static bool
same_set(const struct zone_rec *a, const struct zone_rec *b)
{
	return a->type == b->type && name_eq(&a->owner, &b->owner);
}

/* r is not the first of its name; recs are sorted. */
static const char *
pair_wrong(const struct zone_rec *r, bool has_cname)
{
	const struct zone_rec *before = r - 1;

	if (has_cname && !beside_cname(r->type))
		return "stands beside a CNAME";
	if (!same_set(before, r))
		return NULL;
	if (r->type == DNS_TYPE_SOA)
		return "is a second SOA";
	if (r->type == DNS_TYPE_CNAME || r->type == DNS_TYPE_DNAME)
		return "is a second CNAME or DNAME of the name";
	return NULL;
}

static int
complain(const struct zone_rec *r, const char *what, char *err, size_t size)
{
	char name[NAME_TEXT_MAX];

	snprintf(err, size, "%s:%u: %s %s", r->file, r->line,
		name_format(&r->owner, name), what);
	return -EINVAL;
}

static int
check(const struct name *apex, const struct zone_rec *recs, size_t n, char *err,
	size_t size)
{
	bool cname = false, other = false;
	const char *wrong;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!i || !name_eq(&recs[i].owner, &recs[i - 1].owner))
			cname = other = false;
		wrong = rec_wrong(&recs[i], apex);
		if (!wrong && recs[i].type == DNS_TYPE_CNAME && other)
			wrong = "has a CNAME beside other records";
		if (!wrong && i && name_eq(&recs[i].owner, &recs[i - 1].owner))
			wrong = pair_wrong(&recs[i], cname);
		if (wrong)
			return complain(&recs[i], wrong, err, size);
		cname |= recs[i].type == DNS_TYPE_CNAME;
		other |= !beside_cname(recs[i].type);
	}
	return 0;
}

/* Sorts and drops records that are there twice (RFC 2181, 5). */
static size_t
sort_unique(struct zone_rec *recs, size_t n)
{
	size_t i, kept = 0;

	if (n)
		qsort(recs, n, sizeof(*recs), rec_cmp);
	for (i = 0; i < n; i++) {
		if (kept && !rec_cmp(&recs[kept - 1], &recs[i])) {
			free(recs[i].rdata);
			continue;
		}
		recs[kept++] = recs[i];
	}
	return kept;
}

/* The records [0, n) are one set; their rdata changes hands. */
static int
set_fill(struct zone_set *s, struct zone_rec *recs, size_t n)
{
	size_t i;

	s->rdata = calloc(n, sizeof(*s->rdata));
	if (!s->rdata)
		return -ENOMEM;
	s->type = recs[0].type;
	s->ttl = recs[0].ttl;
	s->n = n;
	for (i = 0; i < n; i++) {
		if (recs[i].ttl < s->ttl)
			s->ttl = recs[i].ttl;
		s->rdata[i].p = recs[i].rdata;
		s->rdata[i].len = recs[i].rdlen;
		recs[i].rdata = NULL;
	}
	return 0;
}

/* The records [0, n) are those of one name. */
static int
node_fill(struct zone_node *node, struct zone_rec *recs, size_t n)
{
	size_t i, from, sets = 1;
	int rc;

	for (i = 1; i < n; i++)
		sets += recs[i].type != recs[i - 1].type;
	node->name = recs[0].owner;
	node->sets = calloc(sets, sizeof(*node->sets));
	if (!node->sets)
		return -ENOMEM;
	for (from = 0, i = 1; i <= n; i++) {
		if (i < n && recs[i].type == recs[from].type)
			continue;
		rc = set_fill(&node->sets[node->n], recs + from, i - from);
		if (rc)
			return rc;
		node->n++;
		from = i;
	}
	return 0;
}

static int
fill(struct zone *z, struct zone_rec *recs, size_t n)
{
	size_t i, from, nodes = 1;
	int rc;

	for (i = 1; i < n; i++)
		nodes += !name_eq(&recs[i].owner, &recs[i - 1].owner);
	z->nodes = calloc(nodes, sizeof(*z->nodes));
	if (!z->nodes)
		return -ENOMEM;
	for (from = 0, i = 1; i <= n; i++) {
		if (i < n && name_eq(&recs[i].owner, &recs[from].owner))
			continue;
		rc = node_fill(&z->nodes[z->n++], recs + from, i - from);
		if (rc)
			return rc;
		from = i;
	}
	z->records = n;
	return 0;
}

static int
read_soa(struct zone *z, char *err, size_t size)
{
	struct rbuf r;
	uint32_t minimum;

	z->soa = zone_set_at(z, &z->apex, DNS_TYPE_SOA);
	if (!z->soa) {
		snprintf(err, size, "no SOA record");
		return -EINVAL;
	}
	rbuf_init(&r, z->soa->rdata[0].p, z->soa->rdata[0].len);
	(void)name_get_plain(&r);
	(void)name_get_plain(&r);
	z->serial = rbuf_be32(&r);
	rbuf_skip(&r, 12);
	minimum = rbuf_be32(&r);
	if (!rbuf_done(&r)) {
		snprintf(err, size, "broken SOA record");
		return -EINVAL;
	}
	z->negative_ttl = minimum < z->soa->ttl ? minimum : z->soa->ttl;
	return 0;
}

int
zone_new_take(struct zone **out, const struct name *apex, struct zone_rec *recs,
	size_t n, char *err, size_t size)
{
	struct zone *z = calloc(1, sizeof(*z));
	int rc = -ENOMEM;

	snprintf(err, size, "out of memory");
	if (!z)
		goto out;
	z->refs = 1;
	z->apex = *apex;
	name_lower(&z->apex);
	n = sort_unique(recs, n);
	rc = check(&z->apex, recs, n, err, size);
	if (!rc && !n) {
		snprintf(err, size, "no SOA record");
		rc = -EINVAL;
	}
	if (!rc)
		rc = fill(z, recs, n);
	if (!rc)
		rc = read_soa(z, err, size);
out:
	zone_recs_fini(recs, n);
	if (rc) {
		zone_unref(z);
		z = NULL;
	}
	*out = z;
	return rc;
}

struct zone *
zone_ref(struct zone *z)
{
	z->refs++;
	return z;
}

void
zone_unref(struct zone *z)
{
	size_t i, k, j;

	if (!z || --z->refs)
		return;
	for (i = 0; i < z->n; i++) {
		for (k = 0; k < z->nodes[i].n; k++) {
			for (j = 0; j < z->nodes[i].sets[k].n; j++)
				free(z->nodes[i].sets[k].rdata[j].p);
			free(z->nodes[i].sets[k].rdata);
		}
		free(z->nodes[i].sets);
	}
	free(z->nodes);
	free(z);
}

void
zone_recs_fini(struct zone_rec *recs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(recs[i].rdata);
		recs[i].rdata = NULL;
	}
}

/* The first node that does not stand before the name; z->n: none. */
static size_t
place(const struct zone *z, const struct name *name)
{
	size_t low = 0, high = z->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (name_cmp(&z->nodes[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct zone_node *
node_at(const struct zone *z, const struct name *name)
{
	size_t i = place(z, name);

	return i < z->n && name_eq(&z->nodes[i].name, name) ? &z->nodes[i]
							    : NULL;
}

/* The name has records, or something stands below it. */
static bool
exists(const struct zone *z, const struct name *name)
{
	size_t i = place(z, name);

	return i < z->n && name_under(&z->nodes[i].name, name);
}

static const struct zone_set *
set_of(const struct zone_node *node, uint16_t type)
{
	size_t i;

	for (i = 0; node && i < node->n; i++)
		if (node->sets[i].type == type)
			return &node->sets[i];
	return NULL;
}

const struct zone_set *
zone_set_at(const struct zone *z, const struct name *name, uint16_t type)
{
	return set_of(node_at(z, name), type);
}

/* The target of a DNAME: the labels of name in front of its owner, then its
 * target (RFC 6672, 2.2). False when that is too long. */
static bool
dname_target(struct name *out, const struct name *name,
	const struct zone_node *node, const struct zone_set *set)
{
	size_t prefix = (size_t)(name->len - node->name.len);

	if (prefix + set->rdata[0].len > NAME_WIRE_MAX)
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out->b, name->b, prefix);
	memcpy(out->b + prefix, set->rdata[0].p, set->rdata[0].len);
	out->len = (uint8_t)(prefix + set->rdata[0].len);
	return true;
}

/* A DNAME above the name, or a zone cut at or above it, the topmost counts. */
static bool
lookup_above(const struct zone *z, const struct name *name, uint16_t type,
	struct zone_found *f)
{
	struct name path[NAME_WIRE_MAX / 2 + 1];
	size_t depth = 0;
	const struct zone_node *node;

	path[depth] = *name;
	while (!name_eq(&path[depth], &z->apex) &&
		name_parent(&path[depth], &path[depth + 1]))
		depth++;
	for (;; depth--) {
		node = node_at(z, &path[depth]);
		f->node = node;
		f->set = depth ? set_of(node, DNS_TYPE_DNAME) : NULL;
		if (f->set) {
			f->kind = dname_target(&f->target, name, node, f->set)
					  ? ZONE_DNAME
					  : ZONE_TOO_LONG;
			return true;
		}
		f->set = set_of(node, DNS_TYPE_NS);
		/* The parent answers for DS of the cut itself. */
		if (f->set && !name_eq(&node->name, &z->apex) &&
			(depth || type != DNS_TYPE_DS)) {
			f->kind = ZONE_DELEGATION;
			return true;
		}
		if (!depth)
			return false;
	}
}

/* The node that answers for a name without records of its own: that of the
 * wildcard at its closest encloser (RFC 4592, 3.3.1). */
static const struct zone_node *
wildcard(const struct zone *z, const struct name *name)
{
	struct name up, below = *name, wild;

	for (; name_parent(&below, &up); below = up)
		if (exists(z, &up))
			break;
	if (!name_join(&wild, (const uint8_t *)"*", 1, &up))
		return NULL;
	return node_at(z, &wild);
}

static void
lookup_node(const struct zone_node *node, uint16_t type, struct zone_found *f)
{
	struct rbuf r;

	f->node = node;
	f->kind = ZONE_ANSWER;
	if (type == DNS_TYPE_ANY) {
		f->set = &node->sets[0]; /* RFC 8482, 4.1 */
		return;
	}
	f->set = set_of(node, type);
	if (f->set)
		return;
	f->set = set_of(node, DNS_TYPE_CNAME);
	if (!f->set) {
		f->kind = ZONE_NODATA;
		return;
	}
	f->kind = ZONE_CNAME;
	rbuf_init(&r, f->set->rdata[0].p, f->set->rdata[0].len);
	f->target = name_get_plain(&r);
}

void
zone_lookup(const struct zone *z, const struct name *name, uint16_t type,
	struct zone_found *f)
{
	const struct zone_node *node;

	memset(f, 0, sizeof(*f));
	if (lookup_above(z, name, type, f))
		return;
	node = node_at(z, name);
	if (!node && exists(z, name)) {
		f->kind = ZONE_NODATA;
		return;
	}
	if (!node)
		node = wildcard(z, name);
	if (node)
		lookup_node(node, type, f);
	else
		f->kind = ZONE_NXDOMAIN;
}
