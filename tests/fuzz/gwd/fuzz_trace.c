/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people are shown of packets, which may be anything, and the filters that
 * they ask for.
 *
 * Input: way, result and reason; length of the packet as read (2 bytes); that
 * packet, as written by the core if it takes it; and the rest as a filter.
 */
#include "gwd/decap.h"
#include "gwd/encap.h"
#include "gwd/trace.h"
#include "tests/fuzz/gwd/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
show(const struct trace_input *in, const char *query)
{
	char why[TRACE_ERROR_MAX], flags[TRACE_FLAGS_MAX];
	struct trace_filter all = {0}, f;
	struct trace t;
	uint8_t proto, again;

	trace_decode(&t, in);
	REQUIRE(t.way == in->way);
	if (t.local.there && t.local.parsed)
		REQUIRE(t.local.p.ver == 4 || t.local.p.ver == 6);
	if (t.tunnel.there)
		REQUIRE(t.tunnel.header_len <= t.tunnel.len);
	REQUIRE(strlen(trace_flags(t.local.l4.tcp_flags, flags)) <
		sizeof(flags));
	if (trace_proto(&t, &proto) && trace_proto_name(proto)) {
		REQUIRE(trace_proto_parse(&again, trace_proto_name(proto)));
		REQUIRE(again == proto);
	}
	REQUIRE(trace_match(&all, &t));
	if (trace_filter_parse(&f, query, why))
		(void)trace_match(&f, &t);
	else
		REQUIRE(*why && strlen(why) < sizeof(why));
}

static void
run(const struct gateway *g, struct trace_input *ti, const char *query)
{
	struct packet_in in = {
		.p = ti->in, .len = ti->in_len, .from = g->peer, .number = 7};
	struct packet_out out = gateway_out(in.len);

	if (ti->way == WAY_OUT)
		encap(&g->set, g->maps, &in, &out);
	else
		decap(&g->set, g->maps, &in, &out);
	if (!out.drop) {
		ti->out = out.p;
		ti->out_len = out.len;
	}
	show(ti, query);
	free(out.p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gateway *g;
	struct trace_input in;
	char query[512];
	size_t n;

	if (size < 4)
		return 0;
	g = gateway_get(data[0]);
	in = (struct trace_input){
		.way = data[1] & 1 ? WAY_IN : WAY_OUT,
		.result = data[1] / 2 % 3,
		.drop = data[1] % DROP_N,
		.in = data + 4,
		.peer = {g->peer, 1045},
		.pub = &g->set.pub,
	};
	n = (size_t)(data[2] << 8 | data[3]);
	in.in_len = n < size - 4 ? n : size - 4;
	n = size - 4 - in.in_len;
	if (n >= sizeof(query))
		n = sizeof(query) - 1;
	memcpy(query, data + 4 + in.in_len, n);
	query[n] = '\0';
	run(g, &in, query);
	return 0;
}
