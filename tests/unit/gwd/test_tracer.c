/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who traces packets sees them, within bounds, and holds up nobody. */
#include "gwd/tracer.h"

#include "gwd/maps.h"
#include "tests/unit/gwd/ctl_rig.h"

static const struct addr pub = {4, {192, 0, 2, 1}};

struct tracing {
	struct ctl_rig rig;
	struct maps *maps;
	struct tracer *tracer;
};

static void
start(struct tracing *t)
{
	const struct msg_entry entry = {
		.flags = MSG_ENTRY_LISTED,
		.born = 1,
		.arec = {.ea = {4, {10, 240, 1, 7}},
			.gw = {4, {198, 51, 100, 1}},
			.ref = ref_from_u64(700)},
	};

	ctl_rig_start(&t->rig);
	t->maps = maps_new(&pub, 16);
	t->tracer = tracer_new(t->rig.base, t->maps);
	ck_assert(t->maps && t->tracer);
	ck_assert_int_eq(maps_set(t->maps, &entry), 0);
	tracer_start(t->tracer, t->rig.ctl);
	ck_assert(!tracer_on(t->tracer));
	ck_assert(!tracer_on(NULL));
}

static void
stop(struct tracing *t)
{
	ctl_rig_stop(&t->rig);
	ck_assert(!tracer_on(t->tracer));
	tracer_free(t->tracer);
	maps_free(t->maps);
}

/* A packet to 10.240.1.last that was dropped. */
static void
dropped(struct tracing *t, uint8_t last)
{
	const uint8_t pkt[] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192,
		168, 1, 2, 10, 240, 1, last, 0, 1, 0, 2, 0, 8, 0, 0};
	const struct trace_input in = {
		.way = WAY_OUT,
		.result = TRACE_DROPPED,
		.drop = DROP_TOO_BIG,
		.in = pkt,
		.in_len = sizeof(pkt),
		.pub = &pub,
	};

	tracer_packet(t->tracer, &in);
}

#define NAMELESS 253

/* A datagram from 198.51.100.1 + ref that was dropped. */
static void
dropped_in(struct tracing *t, uint64_t ref)
{
	const struct header h = {
		.ttl = 64,
		.proto = NAMELESS,
		.src_gw = {4, {198, 51, 100, 1}},
		.dst_gw = pub,
		.src_ref = ref_from_u64(ref),
	};
	uint8_t pkt[64];
	struct trace_input in = {
		.way = WAY_IN,
		.result = TRACE_DROPPED,
		.drop = DROP_REF_UNKNOWN,
		.in = pkt,
		.peer = {h.src_gw, 1045},
		.pub = &pub,
	};
	struct wbuf w;

	wbuf_init(&w, pkt, sizeof(pkt));
	header_encode(&w, &h);
	in.in_len = w.len;
	tracer_packet(t->tracer, &in);
}

/* A client that traces, from when it has been told so. */
static void
traces(struct tracing *t, struct client *c, const char *target, size_t enough)
{
	client_start(c, &t->rig, "POST", target, enough);
	rig_until(&t->rig, c, 1);
	ck_assert(!c->done);
	ck_assert_str_eq(c->text, "{\"result\":\"start\"}\n");
	ck_assert(tracer_on(t->tracer));
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

START_TEST(test_packets)
{
	struct tracing t;
	struct client c;

	start(&t);
	traces(&t, &c, "/trace", 3);
	dropped(&t, 7);
	dropped_in(&t, 700);
	client_end(&t.rig, &c);
	ck_assert_uint_eq(count(c.text, "\"reason\":\"too_big\""), 1);
	ck_assert_uint_eq(count(c.text, "\"reason\":\"ref_unknown\""), 1);
	ck_assert_uint_eq(count(c.text, "\"dst\":\"10.240.1.7\""), 1);
	ck_assert_uint_eq(count(c.text, "\"src_ref\":\"700\""), 1);
	/* of one type always */
	ck_assert_uint_eq(count(c.text, "\"protocol\":\"udp\""), 1);
	ck_assert_uint_eq(count(c.text, "\"protocol\":\"253\""), 1);
	/* Who has hung up is gone for the packets, too. */
	while (tracer_on(t.tracer))
		rig_turn(&t.rig);
	free(c.text);
	stop(&t);
}
END_TEST

/* A host is found in either of its forms, by either of its addresses. */
START_TEST(test_one_host)
{
	static const char *const targets[] = {
		"/trace?address=10.240.1.7", "/trace?gw=198.51.100.1&ref=700"};
	struct tracing t;
	struct client c;
	size_t i;

	start(&t);
	for (i = 0; i < ARRAY_LEN(targets); i++) {
		traces(&t, &c, targets[i], 3);
		dropped(&t, 8);
		dropped_in(&t, 701);
		dropped(&t, 7);
		dropped_in(&t, 700);
		client_end(&t.rig, &c);
		ck_assert_uint_eq(count(c.text, "10.240.1.7"), 1);
		ck_assert_uint_eq(count(c.text, "\"src_ref\":\"700\""), 1);
		ck_assert_uint_eq(c.lines, 3);
		free(c.text);
	}
	stop(&t);
}
END_TEST

/* Beyond the rate packets are left out, and that is said. */
START_TEST(test_rate)
{
	const size_t sent = 5 * TRACER_RATE;
	struct tracing t;
	struct client c;
	const char *said;
	size_t i, shown;

	start(&t);
	traces(&t, &c, "/trace", 1 + TRACER_RATE + 1);
	for (i = 0; i < sent; i++)
		dropped(&t, 7);
	client_end(&t.rig, &c);
	shown = count(c.text, "too_big");
	ck_assert_uint_eq(shown, TRACER_RATE);
	said = strstr(c.text, "{\"result\":\"skipped\",\"packets\":4000,"
			      "\"why\":\"rate\"}\n");
	ck_assert_ptr_nonnull(said);
	free(c.text);
	stop(&t);
}
END_TEST

START_TEST(test_refused)
{
	struct client c, many[TRACER_READERS];
	struct tracing t;
	size_t i;

	start(&t);
	client_start(&c, &t.rig, "POST", "/trace?protocol=nix", 0);
	client_end(&t.rig, &c);
	ck_assert_int_eq(c.status, 400);
	ck_assert_ptr_nonnull(strstr(c.text, "protocol \"nix\""));
	free(c.text);
	for (i = 0; i < TRACER_READERS; i++)
		traces(&t, &many[i], "/trace", 2);
	client_start(&c, &t.rig, "POST", "/trace", 0);
	client_end(&t.rig, &c);
	ck_assert_int_eq(c.status, 503);
	free(c.text);
	dropped(&t, 7);
	for (i = 0; i < TRACER_READERS; i++) {
		client_end(&t.rig, &many[i]);
		ck_assert_uint_eq(count(many[i].text, "too_big"), 1);
		free(many[i].text);
	}
	stop(&t);
}
END_TEST

RUN_TESTS("tracer", test_packets, test_one_host, test_rate, test_refused)
