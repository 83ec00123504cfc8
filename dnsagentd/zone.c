/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zones: records are kept in a short form, sorted once, then walked owner by
 * owner.
 *
 * Owners are kept as keys (key.h), whose order by bytes is the canonical one
 * and in which "below" is "has as a prefix". Invariant after sorting: records
 * of one owner are neighbours, what is below an owner follows it at once.
 */
#include "dnsagentd/zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dnsagentd/key.h"
#include "libipref/text.h"

#define CHAIN_MAX 8 /* CNAMEs followed inside the zone */

/* Types here are DNS's; TXT means one AA string. */
struct zone_record {
	size_t owner, owner_len;   /* key in bytes */
	size_t target, target_len; /* likewise: CNAME; AA by name */
	struct addr addr;	   /* A, AAAA; AA by address */
	struct ref ref;		   /* AA */
	uint16_t type;
	bool hidden; /* not the zone's: see zone_skip */
};

void
zone_init(struct zone *z, const struct name *apex, uint8_t tunnel_ver,
	zone_note note, void *arg)
{
	*z = (struct zone){
		.apex = *apex,
		.tunnel_ver = tunnel_ver,
		.note = note,
		.arg = arg,
	};
}

void
zone_fini(struct zone *z)
{
	free(z->bytes);
	free(z->records);
	z->bytes = NULL;
	z->records = NULL;
	z->n = z->cap = z->n_bytes = z->cap_bytes = 0;
}

void
zone_pass_over(struct zone *z, enum zone_skip why, const struct name *owner)
{
	z->skipped[why]++;
	if (z->note)
		z->note(why, owner, z->arg);
}

static struct key
owner_key(const struct zone *z, const struct zone_record *rec)
{
	return (struct key){z->bytes + rec->owner, rec->owner_len};
}

static struct key
target_key(const struct zone *z, const struct zone_record *rec)
{
	return (struct key){z->bytes + rec->target, rec->target_len};
}

/* --- collecting ----------------------------------------------------------- */

static bool
store_name(struct zone *z, const struct name *n, size_t *at, size_t *len)
{
	uint8_t key[KEY_MAX], *bytes;
	size_t cap = z->cap_bytes;

	*len = key_make(n, key);
	if (cap - z->n_bytes < *len) {
		cap = cap ? 2 * cap : 4096;
		bytes = realloc(z->bytes, cap);
		if (!bytes)
			return false;
		z->bytes = bytes;
		z->cap_bytes = cap;
	}
	*at = z->n_bytes;
	memcpy(z->bytes + *at, key, *len);
	z->n_bytes += *len;
	return true;
}

static bool
store(struct zone *z, const struct name *owner, const struct name *target,
	const struct zone_record *given)
{
	struct zone_record rec = *given, *records;
	size_t cap = z->cap;

	if (z->n == cap) {
		cap = cap ? 2 * cap : 64;
		records = realloc(z->records, cap * sizeof(*records));
		if (!records)
			return false;
		z->records = records;
		z->cap = cap;
	}
	if (!store_name(z, owner, &rec.owner, &rec.owner_len))
		return false;
	if (target && !store_name(z, target, &rec.target, &rec.target_len))
		return false;
	z->records[z->n++] = rec;
	return true;
}

/* Whether what the string says can be used at all; *target is the context's
 * name, if it is given by one. */
static bool
aa_fits(struct zone *z, const struct aa *aa, const struct name *owner,
	struct name *target)
{
	enum zone_skip why = ZONE_N_SKIPS;

	if (ref_is_zero(&aa->ref))
		why = ZONE_REF_ZERO;
	else if (!aa->gw.ver && !name_parse(target, aa->name, strlen(aa->name)))
		why = ZONE_BROKEN;
	else if (aa->gw.ver && aa->gw.ver != z->tunnel_ver)
		why = ZONE_OTHER_VERSION;
	else if (aa->gw.ver && !addr_is_zero(&aa->gw) &&
		 !addr_is_global_unicast(&aa->gw))
		why = ZONE_BAD_CONTEXT;
	if (why == ZONE_N_SKIPS)
		return true;
	zone_pass_over(z, why, owner);
	return false;
}

static bool
add_string(
	struct zone *z, const struct name *owner, const uint8_t *s, size_t len)
{
	struct zone_record rec = {.type = DNS_TYPE_TXT};
	struct name target;
	struct aa aa;

	switch (aa_parse(&aa, (const char *)s, len)) {
	case AA_OK:
		break;
	case AA_BROKEN:
		zone_pass_over(z, ZONE_BROKEN, owner);
		return true;
	case AA_NONE:
	default:
		return true;
	}
	if (!aa_fits(z, &aa, owner, &target))
		return true;
	rec.addr = aa.gw;
	rec.ref = aa.ref;
	return store(z, owner, aa.gw.ver ? NULL : &target, &rec);
}

static bool
add_strings(struct zone *z, const struct dns_rr *rr)
{
	const uint8_t *s;
	size_t pos = 0, len;

	while (dns_txt_next(rr, &pos, &s, &len))
		if (!add_string(z, &rr->owner, s, len))
			return false;
	return true;
}

bool
zone_add(
	struct zone *z, const struct dns_rr *rr, const uint8_t *msg, size_t len)
{
	struct zone_record rec = {.type = rr->type};
	struct name target;

	switch (rr->type) {
	case DNS_TYPE_TXT:
		return add_strings(z, rr);
	case DNS_TYPE_A:
	case DNS_TYPE_AAAA:
		if ((rr->type == DNS_TYPE_A ? 4 : 6) != z->tunnel_ver)
			return true;
		rec.addr = addr_from_bytes(z->tunnel_ver, rr->rdata);
		return store(z, &rr->owner, NULL, &rec);
	case DNS_TYPE_CNAME:
		if (!dns_target_get(&target, rr, msg, len))
			return true;
		return store(z, &rr->owner, &target, &rec);
	case DNS_TYPE_NS:
		if (name_eq(&rr->owner, &z->apex))
			return true;
		return store(z, &rr->owner, NULL, &rec);
	case DNS_TYPE_DNAME:
		return store(z, &rr->owner, NULL, &rec);
	default:
		return true;
	}
}

/* --- sorting, and what is not the zone's ---------------------------------- */

static int
record_cmp(const void *a, const void *b, void *arg)
{
	const struct zone_record *x = a, *y = b;
	const struct zone *z = arg;
	int order = key_cmp(owner_key(z, x), owner_key(z, y));

	if (!order)
		order = (x->type > y->type) - (x->type < y->type);
	if (!order)
		order = addr_cmp(&x->addr, &y->addr);
	if (!order)
		order = key_cmp(target_key(z, x), target_key(z, y));
	return order ? order : ref_cmp(&x->ref, &y->ref);
}

/* Records i up to the result have one owner. */
static size_t
group_end(const struct zone *z, size_t i)
{
	size_t end = i + 1;

	while (end < z->n && !key_cmp(owner_key(z, &z->records[i]),
				     owner_key(z, &z->records[end])))
		end++;
	return end;
}

static bool
group_has(const struct zone *z, size_t i, size_t end, uint16_t type)
{
	for (; i < end; i++)
		if (z->records[i].type == type)
			return true;
	return false;
}

/* Marks the records at and below delegations and below DNAMEs. */
static void
hide(struct zone *z)
{
	struct key cut = {NULL, 0}, owner;
	size_t i, end;
	bool hidden;

	for (i = 0; i < z->n; i = end) {
		end = group_end(z, i);
		owner = owner_key(z, &z->records[i]);
		hidden = cut.len && key_under(owner, cut);
		if (!hidden) {
			hidden = group_has(z, i, end, DNS_TYPE_NS);
			if (hidden || group_has(z, i, end, DNS_TYPE_DNAME))
				cut = owner;
		}
		for (; i < end; i++)
			z->records[i].hidden = hidden;
	}
}

/* --- context names -------------------------------------------------------- */

/* The first record whose owner is not before this key. */
static size_t
lower_bound(const struct zone *z, struct key key)
{
	size_t low = 0, high = z->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (key_cmp(owner_key(z, &z->records[mid]), key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* There is something at or below the name. */
static bool
name_exists(const struct zone *z, struct key key)
{
	size_t i = lower_bound(z, key);

	return i < z->n && key_under(owner_key(z, &z->records[i]), key);
}

/* Something at this owner keeps what is below from being the zone's: a DNAME,
 * or a delegation, to which the owner itself belongs too. */
static bool
is_cut(const struct zone *z, const struct name *owner, bool itself)
{
	uint8_t bytes[KEY_MAX];
	struct key key = {bytes, key_make(owner, bytes)};
	size_t i = lower_bound(z, key), end;

	if (i == z->n || key_cmp(owner_key(z, &z->records[i]), key))
		return false;
	end = group_end(z, i);
	return group_has(z, i, end, DNS_TYPE_NS) ||
	       (!itself && group_has(z, i, end, DNS_TYPE_DNAME));
}

static bool
is_foreign(const struct zone *z, const struct name *n)
{
	struct name at = *n;
	bool cut = is_cut(z, &at, true);

	while (!cut && !name_eq(&at, &z->apex) && name_parent(&at, &at))
		cut = is_cut(z, &at, false);
	return cut;
}

/* Where the answer for a name stands: at itself, or at the wildcard below its
 * closest encloser (RFC 4592). False: the name does not exist. */
static bool
find_owner(const struct zone *z, const struct name *n, size_t *at)
{
	uint8_t bytes[KEY_MAX];
	struct key key = {bytes, key_make(n, bytes)};
	struct name up = *n, wild;
	bool exists = name_exists(z, key);

	while (!exists && !name_eq(&up, &z->apex) && name_parent(&up, &up)) {
		key.len = key_make(&up, bytes);
		exists = name_exists(z, key) || name_eq(&up, &z->apex);
		if (!exists)
			continue;
		if (!name_join(&wild, (const uint8_t *)"*", 1, &up))
			return false;
		key.len = key_make(&wild, bytes);
	}
	*at = lower_bound(z, key);
	return *at < z->n && !key_cmp(owner_key(z, &z->records[*at]), key);
}

enum zone_answer
zone_context(const struct zone *z, struct name *n, struct addr *gw)
{
	const struct zone_record *rec;
	size_t chain, at;

	for (chain = 0; chain <= CHAIN_MAX; chain++) {
		if (!name_under(n, &z->apex) || is_foreign(z, n))
			return ZONE_ASK;
		if (!find_owner(z, n, &at))
			return ZONE_NOTHING;
		rec = &z->records[at];
		if (rec->type == DNS_TYPE_A || rec->type == DNS_TYPE_AAAA) {
			*gw = rec->addr;
			return ZONE_ADDRESS;
		}
		if (rec->type != DNS_TYPE_CNAME)
			return ZONE_NOTHING;
		key_name(target_key(z, rec), n);
	}
	return ZONE_NOTHING;
}

/* --- walking -------------------------------------------------------------- */

void
zone_close(struct zone *z)
{
	if (z->n)
		qsort_r(z->records, z->n, sizeof(*z->records), record_cmp, z);
	hide(z);
}

bool
zone_next_aa(struct zone *z, size_t *pos, struct zone_aa *aa)
{
	const struct zone_record *rec;

	while (*pos < z->n) {
		rec = &z->records[(*pos)++];
		if (rec->type != DNS_TYPE_TXT)
			continue;
		key_name(owner_key(z, rec), &aa->owner);
		if (rec->hidden || name_is_wild(&aa->owner)) {
			zone_pass_over(z,
				rec->hidden ? ZONE_DELEGATED : ZONE_WILDCARD,
				&aa->owner);
			continue;
		}
		aa->gw = rec->addr;
		aa->ref = rec->ref;
		aa->context = (struct name){0};
		if (!aa->gw.ver)
			key_name(target_key(z, rec), &aa->context);
		return true;
	}
	return false;
}

const char *
zone_skip_text(enum zone_skip why)
{
	static const char *const texts[ZONE_N_SKIPS] = {
		[ZONE_BROKEN] = "an AA string that does not parse",
		[ZONE_REF_ZERO] = "reference 0",
		[ZONE_BAD_CONTEXT] =
			"a context address that is not global unicast",
		[ZONE_OTHER_VERSION] =
			"a context address of the other IP version",
		[ZONE_NO_CONTEXT] = "a context name without an address",
		[ZONE_WILDCARD] = "a wildcard as owner",
		[ZONE_DELEGATED] = "an owner in a delegated part",
		[ZONE_MANY_CONTEXTS] = "too many different context names",
	};

	return (size_t)why < ARRAY_LEN(texts) ? texts[why] : "unknown";
}
