/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Written by hand, not as a tree: a million of them are shown in one page. */
#include "mapperd/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is being written; SHOW_MAX has room for all that can come. */
struct text {
	char *p;
	size_t len;
};

static void
put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	memcpy(t->p + t->len, s, n + 1);
	t->len += n;
}

/* A JSON string; NULL is null. What is no ASCII comes as its bytes' numbers, so
 * that the page is UTF-8 whatever somebody gave as a name. */
static void
put_string(struct text *t, const char *s)
{
	unsigned char c;

	if (!s) {
		put(t, "null");
		return;
	}
	t->p[t->len++] = '"';
	for (; *s; s++) {
		c = (unsigned char)*s;
		if (c < 0x20 || c >= 0x7f) {
			t->len += (size_t)sprintf(t->p + t->len, "\\u%04x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			t->p[t->len++] = '\\';
		t->p[t->len++] = *s;
	}
	t->p[t->len++] = '"';
	t->p[t->len] = '\0';
}

static void
put_member(struct text *t, const char *key, const char *value)
{
	put(t, ",\"");
	put(t, key);
	put(t, "\":");
	put_string(t, value);
}

static void
put_number(struct text *t, const char *key, uint64_t value)
{
	t->len +=
		(size_t)sprintf(t->p + t->len, ",\"%s\":%" PRIu64, key, value);
}

struct entry_data
show_entry(const struct entry *e)
{
	return (struct entry_data){
		.kind = (enum entry_kind)e->kind,
		.cause = (enum entry_cause)e->cause,
		.owner = e->owner,
		.addr = e->addr,
		.key = e->key,
		.born = e->born,
		.made = e->made_s * UINT64_C(1000),
		.expires = e->expires,
		.name = e->name,
	};
}

const char *
show_owner(
	uint32_t owner, const struct hostset *sets, char buf[SOURCE_TEXT_MAX])
{
	const struct host_source *s;

	switch (owner) {
	case OWNER_MAPPER:
		return "mapper";
	case OWNER_TENTATIVE:
		return "tentative";
	case OWNER_HOSTS:
		return "hosts";
	}
	s = hostset_by_id(sets, owner);
	return s ? source_format(&s->name, buf) : NULL;
}

const struct addr *
show_gw(const struct entry_data *d, const struct show *how)
{
	return d->kind == ENTRY_LOCAL && entry_key_own(&d->key) ? &how->pub
								: &d->key.gw;
}

static const char *
cause_text(enum entry_cause cause)
{
	switch (cause) {
	case CAUSE_RESOLVER:
		return "resolver";
	case CAUSE_PEER:
	case CAUSE_TENTATIVE:
		return "peer";
	case CAUSE_NONE:
		break;
	}
	return NULL;
}

size_t
show_mapping(char buf[SHOW_MAX], const struct entry_data *d,
	const struct show *how, bool life)
{
	char addr[ADDR_TEXT_MAX], ref[REF_TEXT_MAX], owner[SOURCE_TEXT_MAX];
	bool remote = d->kind == ENTRY_REMOTE;
	bool tentative = d->owner == OWNER_TENTATIVE;
	bool listed = d->owner != OWNER_MAPPER && !tentative;
	struct text t = {.p = buf};

	put(&t, "\"kind\":");
	put_string(&t, remote ? "remote" : "local");
	put_member(&t, remote ? "ea" : "ip", addr_format(&d->addr, addr));
	put_member(&t, "gw", addr_format(show_gw(d, how), addr));
	put_member(&t, "ref", ref_format(&d->key.ref, ref));
	put_member(&t, "owner", show_owner(d->owner, how->sets, owner));
	put_member(&t, "cause", cause_text(d->cause));
	put_member(&t, "name", d->name);
	put(&t, listed ? ",\"listed\":true" : ",\"listed\":false");
	put(&t, tentative ? ",\"tentative\":true" : ",\"tentative\":false");
	if (!life)
		return t.len;
	if (d->expires)
		put_number(&t, "expires_seconds",
			d->expires > how->now ? (d->expires - how->now) / 1000
					      : 0);
	else
		put(&t, ",\"expires_seconds\":null");
	put_number(&t, "age_seconds",
		how->now > d->made ? (how->now - d->made) / 1000 : 0);
	put_number(&t, "revision", d->born);
	return t.len;
}
