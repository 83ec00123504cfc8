/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/lanes.h"

#include <errno.h>
#include <stdlib.h>

#include "gwd/qs.h"
#include "gwd/ring.h"
#include "libipref/log.h"

/* Some hundred superpackets, for the moments in which the control thread does
 * something else. */
#define RING_BYTES (4 << 20)

struct one {
	struct lane *lane;
	struct ring *ring;
	struct lanes_work work; /* as of the last collect */
};

struct lanes {
	struct lanes_config cfg;
	struct lane_shared shared;
	struct lane_rules *rules; /* in force */
	bool tso_said, uso_said;  /* given up, or never wanted */
	uint64_t gso_refused;	  /* said in the log */
	struct log_limit limit;
	unsigned n;
	struct one v[LANES_MAX];
};

/* --- life --------------------------------------------------------------- */

struct lanes *
lanes_new(const struct lanes_config *cfg)
{
	struct lanes *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->cfg = *cfg;
	l->tso_said = !cfg->tun_tso;
	l->uso_said = !cfg->tun_uso;
	atomic_init(&l->shared.tun_tso, cfg->tun_tso);
	atomic_init(&l->shared.tun_uso, cfg->tun_uso);
	if (lanes_set_rules(l, &cfg->rules)) {
		free(l);
		return NULL;
	}
	for (; l->n < cfg->n; l->n++) {
		l->v[l->n].ring = ring_new(RING_BYTES);
		if (!l->v[l->n].ring) {
			lanes_free(l);
			return NULL;
		}
	}
	return l;
}

static int
start_one(struct lanes *l, unsigned i)
{
	bool own = i < l->cfg.n_udp;
	const struct lane_config lane = {
		.id = i,
		.tun_fd = l->cfg.tun_fds[i],
		.udp_fd = l->cfg.udp_fds[own ? i : 0],
		.receives = own,
		.most_segments = l->cfg.most_segments,
		.ring = l->v[i].ring,
		.maps = l->cfg.maps,
		.routes = l->cfg.routes,
		.shared = &l->shared,
	};

	return lane_new(&lane, &l->v[i].lane);
}

void
lanes_stop(struct lanes *l)
{
	unsigned i;

	if (!l)
		return;
	for (i = 0; i < l->n; i++) {
		lane_free(l->v[i].lane);
		l->v[i].lane = NULL;
	}
}

int
lanes_start(
	struct lanes *l, bool (*wants_all)(const void *arg), const void *arg)
{
	unsigned i;
	int err = 0;

	l->shared.wants_all = wants_all;
	l->shared.arg = arg;
	for (i = 0; !err && i < l->n; i++)
		err = start_one(l, i);
	if (err)
		lanes_stop(l);
	return err;
}

void
lanes_free(struct lanes *l)
{
	unsigned i;

	if (!l)
		return;
	for (i = 0; i < l->n; i++)
		ring_free(l->v[i].ring);
	free(l->rules);
	free(l);
}

unsigned
lanes_count(const struct lanes *l)
{
	return l->n;
}

struct ring *
lanes_ring(const struct lanes *l, unsigned i)
{
	return l->v[i].ring;
}

/* --- rules -------------------------------------------------------------- */

int
lanes_set_rules(struct lanes *l, const struct lane_rules *rules)
{
	struct lane_rules *new = malloc(sizeof(*new)), *old = l->rules;

	if (!new)
		return -ENOMEM;
	*new = *rules;
	l->rules = new;
	atomic_store_explicit(&l->shared.rules, new, memory_order_release);
	if (old)
		qs_retire(free, old);
	return 0;
}

/* --- what they counted -------------------------------------------------- */

/* How much was added since this was asked last; *sum is what there is now. */
static uint64_t
added(const _Atomic uint64_t *counter, uint64_t *sum)
{
	uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
	uint64_t n = now - *sum;

	*sum = now;
	return n;
}

static void
collect_way(struct one *o, enum way way, struct counters *c, uint64_t now_ms)
{
	const struct lane_counters *from = lane_counters(o->lane);
	struct lanes_work *w = &o->work;
	int i;

	c->packets[way] += added(&from->packets[way], &w->packets[way]);
	c->bytes[way] += added(&from->bytes[way], &w->bytes[way]);
	for (i = 0; i < DROP_N; i++)
		counters_add(c, (enum drop)i, way,
			added(&from->drops[way][i], &w->drops[way][i]), now_ms);
}

static void
collect_one(struct one *o, struct counters *c, uint64_t now_ms)
{
	const struct lane_counters *from = lane_counters(o->lane);
	struct lanes_work *w = &o->work;

	collect_way(o, WAY_OUT, c, now_ms);
	collect_way(o, WAY_IN, c, now_ms);
	c->mss_clamped += added(&from->mss_clamped, &w->mss_clamped);
	(void)added(&from->handed, &w->handed);
	(void)added(&from->tun_reads, &w->tun_reads);
	(void)added(&from->tun_writes, &w->tun_writes);
	(void)added(&from->udp_sends, &w->udp_sends);
	(void)added(&from->udp_recvs, &w->udp_recvs);
	(void)added(&from->gso_refused, &w->gso_refused);
}

static bool
is_on(const atomic_bool *b)
{
	return atomic_load_explicit(b, memory_order_relaxed);
}

static void
say_given_up(const atomic_bool *offload, bool *said, const char *what)
{
	if (*said || is_on(offload))
		return;
	*said = true;
	log_warn("tun: the kernel refuses %s superpackets: none are made any "
		 "more",
		what);
}

void
lanes_collect(struct lanes *l, struct counters *c, uint64_t now_ms)
{
	uint64_t gso_refused = 0;
	unsigned i;

	for (i = 0; i < l->n; i++) {
		collect_one(&l->v[i], c, now_ms);
		gso_refused += l->v[i].work.gso_refused;
	}
	say_given_up(&l->shared.tun_tso, &l->tso_said, "TCP");
	say_given_up(&l->shared.tun_uso, &l->uso_said, "UDP");
	if (gso_refused == l->gso_refused)
		return;
	l->gso_refused = gso_refused;
	log_limited(&l->limit, LOG_LEVEL_WARN,
		"tunnel socket: a path takes no batches (UDP_SEGMENT): its "
		"datagrams are sent one by one");
}

const struct lanes_work *
lanes_work(const struct lanes *l, unsigned i)
{
	return &l->v[i].work;
}

bool
lanes_tun_tso(const struct lanes *l)
{
	return is_on(&l->shared.tun_tso);
}

bool
lanes_tun_uso(const struct lanes *l)
{
	return is_on(&l->shared.tun_uso);
}
