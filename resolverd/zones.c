/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The set of local zones. A reload makes each zone anew beside the old one and
 * puts it in its place when all of it is understood.
 */
#include "resolverd/zones.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/log.h"
#include "resolverd/policy.h"
#include "resolverd/zonefile.h"

#define ERR_MAX 2048

static void
entry_fini(struct zones_entry *e)
{
	zone_unref(e->zone);
	free(e->path);
	free(e->error);
	*e = (struct zones_entry){0};
}

void
zones_fini(struct zones *z)
{
	size_t i;

	for (i = 0; i < z->n; i++)
		entry_fini(&z->v[i]);
	free(z->v);
	*z = (struct zones){0};
}

/* Fills an entry; old is the zone that it had before, if any: it stays when the
 * file is not understood. */
static int
entry_load(struct zones_entry *e, const char *text, const struct zones *old)
{
	struct zone_conf c;
	char err[ERR_MAX];
	char apex[NAME_TEXT_MAX];
	struct zone *kept;
	int rc;

	if (zone_conf_parse(&c, text, err, sizeof(err))) {
		log_err("zone: %s", err);
		return -EINVAL;
	}
	e->apex = c.apex;
	e->path = strdup(c.path);
	if (!e->path)
		return -ENOMEM;
	e->loaded_ms = now_ms();
	rc = zonefile_load(&e->zone, &c.apex, c.path, err, sizeof(err));
	if (!rc) {
		log_info("zone %s: serial %u, %zu records",
			name_format(&e->apex, apex), e->zone->serial,
			e->zone->records);
		return 0;
	}
	e->error = strdup(err);
	kept = old ? zones_at(old, &e->apex) : NULL;
	if (kept)
		e->zone = zone_ref(kept);
	log_err("zone %s: %s%s", name_format(&e->apex, apex), err,
		kept ? "; the old one stays" : "");
	return rc;
}

/* rc of the last failure; *failed counts them. */
static int
load_all(struct zones *z, const struct conf_list *texts,
	const struct zones *old, size_t *failed)
{
	int rc = 0, one;
	size_t i;

	*z = (struct zones){0};
	*failed = 0;
	z->v = calloc(texts->n + 1, sizeof(*z->v));
	if (!z->v)
		return -ENOMEM;
	for (i = 0; i < texts->n; i++) {
		one = entry_load(&z->v[i], texts->v[i], old);
		z->n++;
		if (one) {
			rc = one;
			(*failed)++;
		}
	}
	return rc;
}

int
zones_load(struct zones *z, const struct conf_list *texts)
{
	size_t failed;
	int rc = load_all(z, texts, NULL, &failed);

	if (rc)
		zones_fini(z);
	return rc;
}

size_t
zones_reload(struct zones *z, const struct conf_list *texts)
{
	struct zones old = *z;
	size_t failed;

	if (load_all(z, texts, &old, &failed) && !z->v) {
		*z = old;
		log_err("zones: no memory to read them again");
		return old.n;
	}
	zones_fini(&old);
	return failed;
}

struct zone *
zones_at(const struct zones *z, const struct name *apex)
{
	size_t i;

	for (i = 0; i < z->n; i++)
		if (z->v[i].zone && name_eq(&z->v[i].apex, apex))
			return z->v[i].zone;
	return NULL;
}

struct zone *
zones_find(const struct zones *z, const struct name *name, uint16_t type)
{
	struct zone *best = NULL;
	size_t i;

	for (i = 0; i < z->n; i++) {
		if (!z->v[i].zone || !name_under(name, &z->v[i].apex))
			continue;
		/* The parent's zone has the DS of a zone (RFC 4035, 3.1.4.1).
		 */
		if (type == DNS_TYPE_DS && name_eq(name, &z->v[i].apex))
			continue;
		if (!best || z->v[i].apex.len > best->apex.len)
			best = z->v[i].zone;
	}
	return best;
}

static void
write_set(struct answer *a, enum dns_section section, const struct name *owner,
	const struct zone_set *set, uint32_t ttl)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		answer_rr(a, section, owner, set->type, DNS_CLASS_IN, ttl,
			set->rdata[i].p, set->rdata[i].len);
}

void
zones_negative(const struct zone *z, struct answer *a)
{
	write_set(a, DNS_AUTHORITY, &z->nodes[0].name, z->soa, z->negative_ttl);
}

/* Addresses of the servers of a delegation that lie in the zone themselves. */
static void
write_glue(const struct zone *z, const struct zone_set *ns, struct answer *a)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA};
	const struct zone_set *set;
	struct name target;
	struct rbuf r;
	size_t i, k;

	for (i = 0; i < ns->n; i++) {
		rbuf_init(&r, ns->rdata[i].p, ns->rdata[i].len);
		target = name_get_plain(&r);
		for (k = 0; target.len && k < ARRAY_LEN(types); k++) {
			set = zone_set_at(z, &target, types[k]);
			if (set)
				write_set(a, DNS_ADDITIONAL, &target, set,
					set->ttl);
		}
	}
}

static enum zones_result
follow(const struct zone_found *f, struct chain *chain, struct name *name)
{
	struct name dname;
	struct rbuf r;

	if (f->kind == ZONE_DNAME) {
		rbuf_init(&r, f->set->rdata[0].p, f->set->rdata[0].len);
		dname = name_get_plain(&r);
		if (!chain_push(chain, DNS_TYPE_DNAME, &f->node->name, &dname,
			    f->set->ttl))
			return ZONES_FAIL;
	}
	if (!chain_push(chain, DNS_TYPE_CNAME, name, &f->target, f->set->ttl))
		return ZONES_FAIL;
	*name = f->target;
	return ZONES_ALIAS;
}

enum zones_result
zones_answer(const struct zone *z, struct chain *chain, struct name *name,
	uint16_t type, struct answer *a, uint16_t *rcode)
{
	struct zone_found f;

	zone_lookup(z, name, type, &f);
	if (f.kind == ZONE_CNAME || f.kind == ZONE_DNAME)
		return follow(&f, chain, name);
	chain_write(chain, a);
	a->aa = true;
	*rcode = DNS_NOERROR;
	switch (f.kind) {
	case ZONE_ANSWER:
		write_set(a, DNS_ANSWER, name, f.set, f.set->ttl);
		break;
	case ZONE_DELEGATION:
		a->aa = false;
		write_set(a, DNS_AUTHORITY, &f.node->name, f.set, f.set->ttl);
		write_glue(z, f.set, a);
		break;
	case ZONE_TOO_LONG:
		*rcode = 6; /* YXDOMAIN (RFC 6672, 2.2) */
		break;
	case ZONE_NXDOMAIN:
		*rcode = DNS_NXDOMAIN;
		zones_negative(z, a);
		break;
	default:
		zones_negative(z, a);
	}
	return ZONES_DONE;
}
