/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts: what daemons say, and the row that it leads to; every row is
 * reached by one of the cases. */
#include "iprefctl/verdict.h"

#include <string.h>

#include "tests/unit/run.h"

#define EA "'kind':'remote','ea':'10.240.1.7','gw':'198.51.100.1','ref':'700'"
#define OTHER                                                                  \
	"'kind':'remote','ea':'10.240.1.8','gw':'198.51.100.1','ref':'700'"
#define IP	"'kind':'local','ip':'192.168.1.2','gw':'192.0.2.1','ref':'5'"
#define REMOTE	"{" EA "}"
#define LOCAL	"{" IP "}"
#define FEED	"'feed':{'state':'following'}"
#define HELD	FEED ",'mapping':{" EA "},'gateway':'198.51.100.1'"
#define NO_PEER HELD ",'peer':null"
#define PEER(state, heard, used, error)                                        \
	HELD ",'peer':{'state':'" state "','heard_seconds':" heard             \
	     ",'used_seconds':" used ",'path_error':" error "}"
#define FLOWS PEER("proved", "1", "1", "null")
#define DROP(about, reason, seconds)                                           \
	"{'about':'" about "','reason':'" reason "','seconds':" seconds        \
	",'help':'its help'}"
#define NAME true

/* mapping, why: JSON with ' for "; NULL: there is none. */
static const struct {
	bool mapperd, gwd, by_name;
	const char *mapping, *why;
	bool works;
	const char *text; /* begins so */
} cases[] = {
	{false, false, false, NULL, NULL, false, "neither"},
	{false, false, NAME, NULL, NULL, false, "neither"},
	{false, true, NAME, NULL, NULL, false, "mapperd does not answer: who"},
	{true, true, NAME, NULL, NULL, false, "mapperd has no address for"},
	{true, false, false, REMOTE, NULL, false, "gwd does not answer"},
	{true, false, false, NULL, NULL, false, "gwd does not answer"},
	{true, true, false, NULL, FEED ",'self':true,'mapping':null", true,
		"this is the gateway itself"},
	{true, true, false, REMOTE, "'feed':{'state':'refused'}", false,
		"mapperd refuses gwd's settings"},
	{true, true, false, REMOTE, "'feed':{'state':'copying'}", false,
		"gwd has no mapping of it: its copy"},
	{true, true, false, REMOTE, FEED ",'mapping':null", false,
		"gwd has no mapping of it, though"},
	{true, true, NAME, REMOTE, FEED ",'mapping':{" OTHER "}", false,
		"gwd has another mapping"},
	{true, true, false, NULL, FLOWS, false, "mapperd has no such mapping"},
	{false, true, false, NULL,
		FEED ",'mapping':null,'by_ipref':true,'gateway':'198.51.100.1'",
		false, "gwd has no mapping of it, and mapperd"},
	{false, true, false, NULL, FEED ",'in_encode_net':true", false,
		"gwd has no mapping of it, and mapperd"},
	{true, true, false, NULL, FEED ",'in_encode_net':true", false,
		"this address stands for nobody"},
	{true, true, false, NULL,
		FEED ",'own_context':true,'by_ipref':true,'mapping':null",
		false, "no host of ours has this reference"},
	{true, true, false, NULL,
		FEED ",'by_ipref':true,'gateway':'198.51.100.1'", false,
		"there is no mapping of it: a remote host"},
	{true, true, false, NULL, FEED, false,
		"there is no mapping of it: if it is a host of this site"},
	{true, true, false, REMOTE, FLOWS ",'denied':true", false,
		"packets with that gateway are denied"},
	{true, true, false, REMOTE,
		FLOWS ",'drops':[" DROP("host", "icmp_type", "61") "," DROP(
			"host", "l4_too_short", "60") "]",
		false, "packets are dropped here: l4_too_short: its help"},
	{true, true, false, REMOTE,
		FLOWS ",'drops':[" DROP("host", "protocol", "50") "," DROP(
			"host", "l4_too_short", "9") "]",
		false, "packets are dropped here: l4_too_short: its help"},
	{true, true, false, REMOTE,
		FLOWS ",'drops':[" DROP("gateway", "dst_context", "1") "]",
		false, "packets are dropped here: dst_context: its help"},
	{true, true, false, REMOTE,
		FLOWS ",'drops':[" DROP("gateway", "peer_encoded", "1") "]",
		false, "packets are dropped here: peer_encoded: its help"},
	/* Others' drops, usual ones and old ones are none of it. */
	{true, true, false, REMOTE,
		FLOWS ",'drops':[" DROP("gateway", "ref_unknown", "1") "]",
		true, "packets flow"},
	{true, true, false, REMOTE,
		FLOWS ",'drops':[" DROP("host", "too_big", "1") "," DROP("host",
			"ttl_exceeded",
			"1") "," DROP("host", "protocol", "61") "]",
		true, "packets flow"},
	{false, true, false, NULL, FEED ",'mapping':{" IP "},'peer':null",
		false, "nothing is wrong that gwd can see, but"},
	{true, true, false, LOCAL, FEED ",'mapping':{" IP "},'peer':null", true,
		"nothing is wrong that gwd can see"},
	{true, true, false, REMOTE,
		PEER("not heard from", "null", "1",
			"{'seconds':2,'error':'No route to host'}"),
		false, "that gateway can't be reached: No route to host"},
	{true, true, false, REMOTE,
		PEER("proved", "100", "1", "{'seconds':2,'error':'Refused'}"),
		false, "that gateway can't be reached: Refused"},
	/* Heard from since. */
	{true, true, false, REMOTE,
		PEER("proved", "1", "1", "{'seconds':2,'error':'Refused'}"),
		true, "packets flow"},
	{true, true, false, REMOTE,
		PEER("proved", "100", "99", "{'seconds':61,'error':'Refused'}"),
		true, "packets flow"},
	{true, true, false, REMOTE, NO_PEER, false, "no packet has gone"},
	{true, true, false, REMOTE, PEER("not heard from", "null", "1", "null"),
		false, "never heard from that gateway"},
	{true, true, false, REMOTE, PEER("proved", "12", "2", "null"), false,
		"packets go to that gateway and nothing comes back"},
	{true, true, false, REMOTE, PEER("proved", "11", "2", "null"), true,
		"packets flow"},
	{true, true, false, REMOTE, PEER("proved", "3000", "3000", "null"),
		true, "packets flow"},
	{true, true, false, REMOTE, PEER("heard", "1", "null", "null"), false,
		"packets came from that gateway, but"},
	{false, true, false, NULL, FLOWS, false,
		"packets flow, but mapperd does not answer"},
	{true, true, NAME, REMOTE, FLOWS, true, "packets flow"},
	/* A gateway's own address. */
	{true, true, false, NULL,
		FEED ",'mapping':null,'gateway':'198.51.100.1','peer':{"
		     "'state':'proved','heard_seconds':1,'used_seconds':1}",
		true, "packets flow"},
};

/* text is an object's JSON, or its members alone. */
static json_t *
parse(const char *text)
{
	char json[2048];
	json_error_t error;
	json_t *o;
	size_t i;

	if (!text)
		return NULL;
	snprintf(json, sizeof(json), *text == '{' ? "%s" : "{%s}", text);
	for (i = 0; json[i]; i++)
		if (json[i] == '\'' && strncmp(json + i, "'t ", 3))
			json[i] = '"';
	o = json_loads(json, 0, &error);
	ck_assert_msg(o != NULL, "%s: %s", error.text, json);
	return o;
}

START_TEST(test_cases)
{
	bool reached[64] = {false};
	char text[VERDICT_TEXT_MAX];
	const struct verdict *v;
	struct found f;
	size_t i;

	ck_assert_uint_le(n_verdicts, ARRAY_LEN(reached));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *mapping = parse(cases[i].mapping);
		json_t *why = parse(cases[i].why);

		f = (struct found){cases[i].mapperd, cases[i].gwd,
			cases[i].by_name, mapping, why};
		v = verdict_find(verdict_facts(&f));
		verdict_text(v, &f, text);
		ck_assert_msg(
			!strncmp(text, cases[i].text, strlen(cases[i].text)) &&
				v->works == cases[i].works,
			"case %zu: %s", i, text);
		reached[v - verdicts] = true;
		json_decref(mapping);
		json_decref(why);
	}
	for (i = 0; i < n_verdicts; i++)
		ck_assert_msg(reached[i], "row %zu: %s", i, verdicts[i].text);
}
END_TEST

/* Whatever the facts, there is a verdict. */
START_TEST(test_any_facts)
{
	unsigned facts;

	for (facts = 0; facts < 1U << 21; facts++)
		ck_assert_ptr_nonnull(verdict_find(facts));
	ck_assert_uint_eq(verdicts[n_verdicts - 1].all, 0);
	ck_assert_uint_eq(verdicts[n_verdicts - 1].none, 0);
}
END_TEST

RUN_TESTS("verdict", test_cases, test_any_facts)
