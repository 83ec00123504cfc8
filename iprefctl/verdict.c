/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iprefctl/verdict.h"

#include <stdio.h>
#include <string.h>

#define LATELY_S 60 /* what was longer ago is history */
#define SILENT_S 10 /* an answer would have come */

const struct verdict verdicts[] = {
	/* Who could say something does not answer. */
	{0, FACT_MAPPERD | FACT_GWD, false,
		"neither mapperd nor gwd answers: no packet passes"},
	{FACT_BY_NAME, FACT_MAPPERD, false,
		"mapperd does not answer: who has this name is not known"},
	{FACT_BY_NAME, FACT_MAPPED, false,
		"mapperd has no address for this name: nobody has asked "
		"resolverd for it, or it has ended; ask for the name again"},
	{0, FACT_GWD, false, "gwd does not answer: no packet passes"},
	{FACT_SELF, 0, true, "this is the gateway itself"},
	/* The mapping. */
	{FACT_REFUSED, 0, false,
		"mapperd refuses gwd's settings, so gwd translates nothing "
		"new: see iprefctl status gwd"},
	{FACT_MAPPED, FACT_HELD | FACT_FOLLOWING, false,
		"gwd has no mapping of it: its copy of mapperd's is not up to "
		"date, see iprefctl status gwd"},
	{FACT_MAPPED, FACT_HELD, false,
		"gwd has no mapping of it, though it follows mapperd: its copy "
		"may be full, see not_held in iprefctl status gwd"},
	{FACT_MAPPED | FACT_HELD, FACT_SAME, false,
		"gwd has another mapping than mapperd: ask again; if it stays "
		"so, see iprefctl status gwd"},
	{FACT_MAPPERD | FACT_HELD, FACT_MAPPED, false,
		"mapperd has no such mapping (any more), gwd has one still: it "
		"ends soon"},
	{FACT_BY_IPREF, FACT_HELD | FACT_MAPPERD, false,
		"gwd has no mapping of it, and mapperd does not answer: "
		"nothing new passes until it does"},
	{0, FACT_HELD | FACT_MAPPERD | FACT_GATEWAY, false,
		"gwd has no mapping of it, and mapperd does not answer: "
		"nothing new passes until it does"},
	{FACT_ENCODED, FACT_HELD, false,
		"this address stands for nobody: it was never handed out or "
		"has ended; ask for the name again"},
	{FACT_OWN_CONTEXT, FACT_HELD, false,
		"no host of ours has this reference: who sends to it has an "
		"old address"},
	{FACT_BY_IPREF, FACT_HELD, false,
		"there is no mapping of it: a remote host gets its address "
		"here when its name is asked for, or its first packet comes"},
	{0, FACT_HELD | FACT_GATEWAY, false,
		"there is no mapping of it: if it is a host of this site, it "
		"gets its reference with its first packet to a remote one"},
	/* Its packets. */
	{FACT_DENIED, 0, false,
		"packets with that gateway are denied: settings allow-peers "
		"and deny-peers of gwd"},
	{FACT_DROPPED, 0, false, "packets are dropped here"},
	{0, FACT_GATEWAY | FACT_MAPPERD, false,
		"nothing is wrong that gwd can see, but mapperd does not "
		"answer: nothing new gets a mapping"},
	{0, FACT_GATEWAY, true, "nothing is wrong that gwd can see"},
	/* The other gateway. */
	{FACT_UNREACHABLE, 0, false, "that gateway can't be reached"},
	{0, FACT_PEER, false,
		"no packet has gone to that gateway yet, and none has come"},
	{0, FACT_HEARD, false,
		"never heard from that gateway: ask whether it runs and its "
		"port is reachable from here (UDP)"},
	{FACT_SILENT, 0, false,
		"packets go to that gateway and nothing comes back: ask "
		"whether it runs, and its host answers"},
	{0, FACT_PROVED, false,
		"packets came from that gateway, but no conversation was seen "
		"yet"},
	{0, FACT_MAPPERD, false,
		"packets flow, but mapperd does not answer: nothing new gets a "
		"mapping"},
	{0, 0, true, "packets flow"},
};
const size_t n_verdicts = ARRAY_LEN(verdicts);

/* Drops that are part of how things work: senders are told, and go on. */
static const char *const usual[] = {"too_big", "ttl_exceeded"};
/* Those of a gateway that all its packets have in common. */
static const char *const common[] = {"tunnel_short", "tunnel_version",
	"tunnel_ref_len", "tunnel_reserved", "tunnel_ipver", "src_context",
	"dst_context", "peer_not_unicast", "peer_encoded", "peer_denied"};

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool
is_true(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* -1: none. */
static json_int_t
seconds(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

static bool
lately(json_int_t ago)
{
	return ago >= 0 && ago <= LATELY_S;
}

static bool
is_one_of(const char *s, const char *const *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(list[i], s))
			return true;
	return false;
}

static bool
counts(const json_t *drop)
{
	const char *reason = text(drop, "reason");

	if (!lately(seconds(drop, "seconds")))
		return false;
	if (!strcmp(text(drop, "about"), "gateway"))
		return is_one_of(reason, common, ARRAY_LEN(common));
	return !is_one_of(reason, usual, ARRAY_LEN(usual));
}

/* The last drop that says something is wrong; NULL: none. */
static const json_t *
last_drop(const json_t *why)
{
	const json_t *last = NULL, *drop;
	size_t i;

	json_array_foreach (json_object_get(why, "drops"), i, drop)
		if (counts(drop) && (!last || seconds(drop, "seconds") <
						      seconds(last, "seconds")))
			last = drop;
	return last;
}

static bool
same_mapping(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"kind", "ea", "ip", "gw", "ref"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(text(a, keys[i]), text(b, keys[i])))
			return false;
	return true;
}

static unsigned
peer_facts(const json_t *peer)
{
	const json_t *error = json_object_get(peer, "path_error");
	json_int_t heard = seconds(peer, "heard_seconds");
	json_int_t used = seconds(peer, "used_seconds");
	json_int_t told = seconds(error, "seconds");
	unsigned facts = FACT_PEER;

	if (heard >= 0)
		facts |= FACT_HEARD;
	if (heard >= 0 && used >= 0 && heard >= used + SILENT_S)
		facts |= FACT_SILENT;
	if (!strcmp(text(peer, "state"), "proved"))
		facts |= FACT_PROVED;
	if (lately(told) && (heard < 0 || told <= heard))
		facts |= FACT_UNREACHABLE;
	return facts;
}

static unsigned
gwd_facts(const json_t *why)
{
	static const struct {
		const char *key;
		unsigned fact;
	} flags[] = {
		{"self", FACT_SELF},
		{"own_context", FACT_OWN_CONTEXT},
		{"by_ipref", FACT_BY_IPREF},
		{"in_encode_net", FACT_ENCODED},
		{"denied", FACT_DENIED},
	};
	const char *feed = text(json_object_get(why, "feed"), "state");
	const json_t *peer = json_object_get(why, "peer");
	unsigned facts = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(flags); i++)
		if (is_true(why, flags[i].key))
			facts |= flags[i].fact;
	if (!strcmp(feed, "following"))
		facts |= FACT_FOLLOWING;
	if (!strcmp(feed, "refused"))
		facts |= FACT_REFUSED;
	if (json_is_object(json_object_get(why, "mapping")))
		facts |= FACT_HELD;
	if (*text(why, "gateway"))
		facts |= FACT_GATEWAY;
	if (last_drop(why))
		facts |= FACT_DROPPED;
	return json_is_object(peer) ? facts | peer_facts(peer) : facts;
}

unsigned
verdict_facts(const struct found *f)
{
	const json_t *held = json_object_get(f->why, "mapping");
	unsigned facts = f->why ? gwd_facts(f->why) : 0;

	if (f->mapperd)
		facts |= FACT_MAPPERD;
	if (f->gwd)
		facts |= FACT_GWD;
	if (f->by_name)
		facts |= FACT_BY_NAME;
	if (f->mapping)
		facts |= FACT_MAPPED;
	if (f->mapping && same_mapping(f->mapping, held))
		facts |= FACT_SAME;
	return facts;
}

const struct verdict *
verdict_find(unsigned facts)
{
	const struct verdict *v = verdicts;

	/* The last row holds always. */
	while ((facts & v->all) != v->all || (facts & v->none))
		v++;
	return v;
}

void
verdict_text(const struct verdict *v, const struct found *f,
	char buf[VERDICT_TEXT_MAX])
{
	const json_t *drop = last_drop(f->why);
	const json_t *peer = json_object_get(f->why, "peer");
	const json_t *error = json_object_get(peer, "path_error");

	if (v->all & FACT_DROPPED)
		snprintf(buf, VERDICT_TEXT_MAX, "%s: %s: %s", v->text,
			text(drop, "reason"), text(drop, "help"));
	else if (v->all & FACT_UNREACHABLE)
		snprintf(buf, VERDICT_TEXT_MAX, "%s: %s", v->text,
			text(error, "error"));
	else
		snprintf(buf, VERDICT_TEXT_MAX, "%s", v->text);
}
