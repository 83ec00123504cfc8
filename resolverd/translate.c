/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation, step by step:
 *
 *	ask_txt --> on_txt -- no AA string --> query_resolve(), untranslated
 *	   ^          |  \-- an alias not followed upstream --> ask_txt
 *	   +----------+
 *	              |-- type of the other version --> ask_soa --> NODATA
 *	              v
 *	         ask_contexts --> on_context (each) --> ask_mapper
 *	                                                    |
 *	              answer <-- finish <-- on_ea (each) <--+
 *
 * Never on to native addresses once an AA string has parsed, nor when no answer
 * about the TXT could be had: then SERVFAIL. What is under way is counted in
 * `pending`; the step after it begins when that is 0.
 */
#include "resolverd/translate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/dns/message.h"
#include "libipref/text.h"

/* A context given by name. */
struct context {
	struct translate *t;
	struct name name;
	struct upstream_req *req;
	struct addr addrs[TRANSLATE_ADDRESSES];
	size_t n;
	uint32_t ttl;
};

/* An AA string that parsed. */
struct string {
	struct addr gw; /* version 0: by name */
	size_t context; /* then: index */
	struct ref ref;
};

/* One request to the mapper. */
struct ask {
	struct translate *t;
	struct addr gw;
	struct ref ref;
	struct addr ea; /* version 0 until the ACK */
	struct mreq *req;
};

struct translate {
	struct query *q;
	size_t chain_n;	   /* aliases that were there before */
	struct name start; /* q->name before */
	struct upstream_req *req;
	struct string strings[TRANSLATE_STRINGS];
	size_t n_strings;
	struct context *contexts; /* owned; room for TRANSLATE_STRINGS */
	size_t n_contexts;
	struct ask asks[TRANSLATE_ASKS];
	size_t n_asks;
	unsigned pending;
	uint32_t ttl; /* the least of all that the answer rests on */
};

static void ask_txt(struct translate *t);

void
translate_free(struct translate *t)
{
	size_t i;

	if (!t)
		return;
	if (t->req)
		upstream_cancel(t->req);
	for (i = 0; i < t->n_contexts; i++)
		if (t->contexts[i].req)
			upstream_cancel(t->contexts[i].req);
	for (i = 0; i < t->n_asks; i++)
		if (t->asks[i].req)
			mclient_cancel(t->q->r->mapper, t->asks[i].req);
	free(t->contexts);
	free(t);
}

/* Ends translation and query. */
static void
fail(struct translate *t, uint64_t *counter, unsigned ede)
{
	(*counter)++;
	query_fail(t->q, DNS_SERVFAIL, ede);
}

static void
fail_upstream(struct translate *t)
{
	fail(t, &t->q->r->stats.servfail_upstream, EDE_UPSTREAM);
}

static void
lower_ttl(struct translate *t, uint32_t ttl)
{
	/* RFC 2181, 8: the top bit set means 0. */
	if (ttl > INT32_MAX)
		ttl = 0;
	if (ttl < t->ttl)
		t->ttl = ttl;
}

/* The name itself has no mapping: everything as if it had not been looked at.
 */
static void
give_up(struct translate *t)
{
	struct query *q = t->q;

	q->name = t->start;
	chain_cut(&q->chain, t->chain_n);
	q->translate = NULL;
	q->untranslated = true;
	translate_free(t);
	query_resolve(q);
}

static bool
ea_seen(const struct translate *t, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (addr_eq(&t->asks[k].ea, &t->asks[i].ea))
			return true;
	return false;
}

static void
finish(struct translate *t)
{
	struct query *q = t->q;
	uint64_t cap = q->r->conf->ttl_cap;
	uint32_t ttl = t->ttl < cap ? t->ttl : (uint32_t)cap;
	uint8_t buf[DNS_MESSAGE_MAX];
	struct answer a;
	size_t i, n = 0;

	query_begin(q, &a, buf);
	for (i = 0; i < t->n_asks; i++) {
		if (!t->asks[i].ea.ver || ea_seen(t, i))
			continue;
		answer_rr(&a, DNS_ANSWER, &q->name, q->type, DNS_CLASS_IN, ttl,
			t->asks[i].ea.b, addr_len(t->asks[i].ea.ver));
		n++;
	}
	if (!n) {
		fail(t, &q->r->stats.servfail_mapper, EDE_NETWORK);
		return;
	}
	q->r->stats.translated++;
	query_send(q, &a, DNS_NOERROR);
}

/* An ea is an address that a host can have: not the ends of the encoding
 * network either. */
static bool
is_host(const struct resolver *r, const struct addr *ea)
{
	const struct prefix *net = &r->conf->common.encode_net;
	struct addr first = prefix_host(net, 0);
	struct addr last = prefix_host(net, UINT64_MAX);

	return addr_is_global_unicast(ea) && !addr_eq(ea, &first) &&
	       !(net->addr.ver == 4 && addr_eq(ea, &last));
}

static void
on_ea(enum mclient_result res, const struct msg *answer, void *arg)
{
	struct ask *ask = arg;
	struct translate *t = ask->t;
	struct resolver *r = t->q->r;
	char gw[ADDR_TEXT_MAX], ref[REF_TEXT_MAX];
	struct arec rec;

	ask->req = NULL;
	if (res == MCLIENT_ACK && answer->n == 1) {
		rec = msg_arec(answer, 0);
		if (addr_eq(&rec.gw, &ask->gw) && ref_eq(&rec.ref, &ask->ref) &&
			is_host(r, &rec.ea)) {
			ask->ea = rec.ea;
		} else {
			r->stats.ea_refused++;
			log_limited(&r->mapper_limit, LOG_LEVEL_WARN,
				"mapper: its answer for %s + %s is refused",
				addr_format(&ask->gw, gw),
				ref_format(&ask->ref, ref));
		}
	} else {
		log_limited(&r->mapper_limit, LOG_LEVEL_WARN,
			"mapper: no address for %s + %s: %s",
			addr_format(&ask->gw, gw), ref_format(&ask->ref, ref),
			res == MCLIENT_NACK	 ? "refused"
			: res == MCLIENT_TIMEOUT ? "no answer in time"
						 : "not there");
	}
	if (!--t->pending)
		finish(t);
}

/* The name asked for, as deployed resolvers give it: lower case, with the last
 * dot; none when it is longer than the protocol allows. */
static struct msg_str
name_asked(const struct translate *t, char buf[NAME_TEXT_MAX])
{
	struct name name = t->q->head.question.name;
	struct msg_str s = {0};
	size_t len;

	name_lower(&name);
	len = strlen(name_format(&name, buf));
	if (len && len <= 255)
		s = (struct msg_str){buf, len};
	return s;
}

static void
ask_mapper(struct translate *t)
{
	struct resolver *r = t->q->r;
	char text[NAME_TEXT_MAX];
	struct msg m = {.mode = MSG_REQ, .cmd = MSG_MC_GET_EA, .n = 1};
	struct arec rec;
	size_t i;

	m.str = name_asked(t, text);
	for (i = 0; i < t->n_asks; i++) {
		rec = (struct arec){.gw = t->asks[i].gw, .ref = t->asks[i].ref};
		m.arecs = &rec;
		t->asks[i].req =
			mclient_request(r->mapper, &m, r->conf->mapper_timeout,
				MCLIENT_RESEND, on_ea, &t->asks[i]);
		if (t->asks[i].req)
			t->pending++;
	}
	if (!t->pending)
		fail(t, &r->stats.servfail_mapper, EDE_NETWORK);
}

static void
add_ask(struct translate *t, const struct addr *gw, const struct ref *ref)
{
	size_t i;

	if (gw->ver != t->q->r->fmt.tunnel_ver || !addr_is_global_unicast(gw))
		return;
	for (i = 0; i < t->n_asks; i++)
		if (addr_eq(&t->asks[i].gw, gw) && ref_eq(&t->asks[i].ref, ref))
			return;
	if (t->n_asks < TRANSLATE_ASKS)
		t->asks[t->n_asks++] =
			(struct ask){.t = t, .gw = *gw, .ref = *ref};
}

/* All contexts are known, as far as they can be. */
static void
contexts_done(struct translate *t)
{
	const struct string *s;
	const struct context *c;
	size_t i, k;

	for (i = 0; i < t->n_strings; i++) {
		s = &t->strings[i];
		if (s->gw.ver) {
			add_ask(t, &s->gw, &s->ref);
			continue;
		}
		c = &t->contexts[s->context];
		for (k = 0; k < c->n; k++)
			add_ask(t, &c->addrs[k], &s->ref);
		if (c->n)
			lower_ttl(t, c->ttl);
	}
	if (t->n_asks)
		ask_mapper(t);
	else
		fail(t, &t->q->r->stats.servfail_unusable, EDE_OTHER);
}

/* Takes the addresses of a context's answer, with the least TTL on the way. */
static void
read_context(struct context *c, const uint8_t *msg, size_t len,
	const struct screened *s)
{
	uint8_t ver = c->t->q->r->fmt.tunnel_ver;
	uint16_t type = ver == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
	struct chain chain = {0};
	struct name name = c->name;
	struct dns_rr rr;
	struct rbuf r;
	size_t i;

	if (!chain_follow(&chain, &name, msg, len, s))
		goto out;
	for (i = 0; i < chain.n; i++)
		if (chain.links[i].ttl < c->ttl)
			c->ttl = chain.links[i].ttl;
	rbuf_init(&r, msg, len);
	rbuf_skip(&r, s->at[DNS_ANSWER]);
	for (i = 0; i < s->header.counts[DNS_ANSWER]; i++) {
		rr = dns_rr_get(&r);
		if (rr.type != type || rr.rdlen != addr_len(ver) ||
			!name_eq(&rr.owner, &name) ||
			c->n == TRANSLATE_ADDRESSES)
			continue;
		c->addrs[c->n++] = addr_from_bytes(ver, rr.rdata);
		if (rr.ttl < c->ttl)
			c->ttl = rr.ttl;
	}
out:
	chain_fini(&chain);
}

static void
on_context(enum upstream_result res, const uint8_t *msg, size_t len,
	const struct screened *s, void *arg)
{
	struct context *c = arg;

	c->req = NULL;
	if (res == UPSTREAM_OK)
		read_context(c, msg, len, s);
	if (!--c->t->pending)
		contexts_done(c->t);
}

static void
ask_contexts(struct translate *t)
{
	struct resolver *r = t->q->r;
	struct upstream_question uq = {
		.type = r->fmt.tunnel_ver == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA};
	size_t i;

	for (i = 0; i < t->n_contexts; i++) {
		uq.name = t->contexts[i].name;
		t->contexts[i].req =
			upstream_ask(r->up, &uq, on_context, &t->contexts[i]);
		if (t->contexts[i].req)
			t->pending++;
	}
	if (!t->pending)
		contexts_done(t);
}

/* NODATA: the name exists, whatever native addresses public DNS has. */
static void
answer_nodata(struct translate *t, const struct dns_rr *soa, uint32_t ttl,
	const uint8_t *msg, size_t len)
{
	struct query *q = t->q;
	uint8_t buf[DNS_MESSAGE_MAX];
	struct dns_rr rr;
	struct answer a;

	query_begin(q, &a, buf);
	if (soa) {
		rr = *soa;
		rr.ttl = ttl;
		answer_copy(&a, DNS_AUTHORITY, &rr, msg, len);
	}
	q->r->stats.translated_none++;
	query_send(q, &a, DNS_NOERROR);
}

static void
on_soa(enum upstream_result res, const uint8_t *msg, size_t len,
	const struct screened *s, void *arg)
{
	struct translate *t = arg;
	struct dns_soa soa;
	struct dns_rr rr;
	uint32_t ttl;

	t->req = NULL;
	if (res != UPSTREAM_OK ||
		(!rr_find(&rr, DNS_ANSWER, &t->q->name, DNS_TYPE_SOA, msg, len,
			 s) &&
			!rr_find(&rr, DNS_AUTHORITY, NULL, DNS_TYPE_SOA, msg,
				len, s)) ||
		!name_under(&t->q->name, &rr.owner) ||
		!dns_soa_get(&soa, &rr, msg, len)) {
		answer_nodata(t, NULL, 0, NULL, 0);
		return;
	}
	ttl = soa.minimum < rr.ttl ? soa.minimum : rr.ttl;
	if (ttl > t->q->r->conf->ttl_cap)
		ttl = (uint32_t)t->q->r->conf->ttl_cap;
	answer_nodata(t, &rr, ttl, msg, len);
}

static void
ask_soa(struct translate *t)
{
	struct upstream_question uq = {
		.name = t->q->name, .type = DNS_TYPE_SOA};

	t->req = upstream_ask(t->q->r->up, &uq, on_soa, t);
	if (!t->req)
		answer_nodata(t, NULL, 0, NULL, 0);
}

/* The context of this name, made when it is new. */
static bool
context_index(struct translate *t, const char *text, size_t *index)
{
	struct name name;

	if (!name_parse(&name, text, strlen(text)))
		return false;
	name_lower(&name);
	for (*index = 0; *index < t->n_contexts; (*index)++)
		if (name_eq(&t->contexts[*index].name, &name))
			return true;
	if (!t->contexts)
		t->contexts = calloc(TRANSLATE_STRINGS, sizeof(*t->contexts));
	if (!t->contexts)
		return false;
	t->contexts[t->n_contexts++] =
		(struct context){.t = t, .name = name, .ttl = UINT32_MAX};
	return true;
}

static void
log_string(struct translate *t, const char *what)
{
	char name[NAME_TEXT_MAX];

	log_limited(&t->q->r->aa_limit, LOG_LEVEL_INFO,
		"translate %s: an AA string %s", name_format(&t->q->name, name),
		what);
}

/* One character-string; true when it is an AA string that parses. */
static bool
read_string(struct translate *t, const uint8_t *text, size_t len)
{
	struct string *s = &t->strings[t->n_strings];
	struct aa aa;

	switch (aa_parse(&aa, (const char *)text, len)) {
	case AA_NONE:
		return false;
	case AA_BROKEN:
		log_debug("translate: an AA string does not parse");
		return false;
	case AA_OK:
		break;
	}
	if (!aa_usable(&aa)) {
		log_string(t, "has a reference of 0 or a context address that "
			      "is not global unicast");
		return true;
	}
	if (t->n_strings == TRANSLATE_STRINGS) {
		log_string(t, "is one too many");
		return true;
	}
	*s = (struct string){.gw = aa.gw, .ref = aa.ref};
	if (aa.gw.ver || context_index(t, aa.name, &s->context))
		t->n_strings++;
	return true;
}

/* True when the name is translated: a string of its TXT records parses. */
static bool
read_strings(struct translate *t, const uint8_t *msg, size_t len,
	const struct screened *s)
{
	bool translated = false;
	const uint8_t *text;
	size_t i, pos, text_len;
	struct dns_rr rr;
	struct rbuf r;

	rbuf_init(&r, msg, len);
	rbuf_skip(&r, s->at[DNS_ANSWER]);
	for (i = 0; i < s->header.counts[DNS_ANSWER]; i++) {
		rr = dns_rr_get(&r);
		if (rr.type != DNS_TYPE_TXT || rr.class != DNS_CLASS_IN ||
			!name_eq(&rr.owner, &t->q->name))
			continue;
		lower_ttl(t, rr.ttl);
		pos = 0;
		while (dns_txt_next(&rr, &pos, &text, &text_len))
			translated |= read_string(t, text, text_len);
	}
	return translated;
}

/* NOERROR that ends in an alias without saying that there is no more. */
static bool
alias_not_followed(const struct translate *t, size_t chain_before,
	const uint8_t *msg, size_t len, const struct screened *s)
{
	struct dns_rr rr;

	return t->q->chain.n > chain_before &&
	       !rr_find(&rr, DNS_ANSWER, &t->q->name, DNS_TYPE_TXT, msg, len,
		       s) &&
	       !rr_find(&rr, DNS_AUTHORITY, NULL, DNS_TYPE_SOA, msg, len, s);
}

static void
on_txt(enum upstream_result res, const uint8_t *msg, size_t len,
	const struct screened *s, void *arg)
{
	struct translate *t = arg;
	struct query *q = t->q;
	size_t before = q->chain.n;

	t->req = NULL;
	if (res != UPSTREAM_OK) {
		fail_upstream(t);
		return;
	}
	if (screen_rcode(s) != DNS_NOERROR) {
		query_relay(q, msg, len, s);
		return;
	}
	if (!chain_follow(&q->chain, &q->name, msg, len, s)) {
		fail(t, &q->r->stats.servfail_other, EDE_OTHER);
		return;
	}
	if (alias_not_followed(t, before, msg, len, s))
		ask_txt(t);
	else if (!read_strings(t, msg, len, s))
		give_up(t);
	else if ((q->type == DNS_TYPE_A) != (q->r->fmt.local_ver == 4))
		ask_soa(t);
	else
		ask_contexts(t);
}

static void
ask_txt(struct translate *t)
{
	struct upstream_question uq = {
		.name = t->q->name, .type = DNS_TYPE_TXT};

	t->req = upstream_ask(t->q->r->up, &uq, on_txt, t);
	if (!t->req)
		fail_upstream(t);
}

void
translate_start(struct query *q)
{
	struct translate *t = calloc(1, sizeof(*t));

	if (!t) {
		q->r->stats.servfail_other++;
		query_fail(q, DNS_SERVFAIL, EDE_OTHER);
		return;
	}
	t->q = q;
	t->start = q->name;
	t->chain_n = q->chain.n;
	t->ttl = UINT32_MAX;
	q->translate = t;
	ask_txt(t);
}
