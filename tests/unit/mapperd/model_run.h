/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The larger operations of the model test: sets, the hosts file, followers that
 * come and go, kills; and a step as a whole. Part of model_ops.h. */
#ifndef TESTS_UNIT_MAPPERD_MODEL_RUN_H
#define TESTS_UNIT_MAPPERD_MODEL_RUN_H

/* --- followers -------------------------------------------------------------
 */

/* All portions of the copies that are being sent. */
static inline void
feed_all(struct run *r)
{
	take_all(r);
	while (feed_pump(server_feed(r->m.rig.server)))
		take_all(r);
	take_all(r);
}

/* What the gateway holds that is tentative; the mapper takes it back, or the
 * gateway forgets it. */
static inline void
watch_holds(struct run *r)
{
	struct rig *rig = rig_of(r);
	struct arec recs[1000];
	struct m_seen *s;
	struct msg ack, m = {.mode = MSG_REQ,
				.cmd = MSG_FEED_HOLD,
				.id = 9,
				.arecs = recs};
	struct m_host *h;
	size_t i;

	TABLE_FOREACH (&r->watch.now, pos, s) {
		if (!(s->x.flags & MSG_ENTRY_TENTATIVE))
			continue;
		MUST(m.n < ARRAY_LEN(recs));
		recs[m.n++] = s->x.arec;
	}
	if (!m.n)
		return;
	take_all(r);
	rig_request(r->watch.c, &m);
	ck_assert_uint_eq(rig->n_out, 1);
	ack = rig_out(r->watch.c, 0);
	M_CHECK(ack.mode == MSG_ACK, "what is held is refused");
	for (i = 0; i < m.n; i++) {
		h = &r->m.hosts[m_host_of(&recs[i])];
		m_promised(&r->m, &h->lease, r->m.rig.now, false);
	}
	for (i = 0; i < ack.n; i++) {
		struct msg_entry x = {.arec = msg_arec(&ack, i)};
		unsigned host = m_host_of(&x.arec);

		M_CHECK(r->m.hosts[host].lease.ordered,
			"host %u is held, and not taken back", host);
		m_gone(&r->m, host);
		seen_drop(&r->watch.now, &x);
	}
	r->m.held += m.n - ack.n;
	rig_clear(rig);
}

/* The gateway comes (back); without what it had when it was lost too. */
static inline void
watch_joins(struct run *r, bool lost)
{
	struct m_seen *s;

	r->watch.c = rig_join(rig_of(r), ROLE_ALL);
	if (lost) {
		TABLE_FOREACH (&r->watch.now, pos, s)
			if (s->x.flags & MSG_ENTRY_TENTATIVE)
				r->m.hosts[m_host_of(&s->x.arec)]
					.lease.ordered = true;
	} else {
		watch_holds(r);
	}
	follower_start(&r->watch, 10, lost);
	feed_all(r);
	M_CHECK(r->watch.closed, "the copy is not whole");
}

static inline void
leave(struct run *r, struct follower *f)
{
	take_all(r);
	server_leave(r->m.rig.server, f->c->id);
	f->c = NULL;
}

/* The rig has room for few clients in one mapper's life. */
static inline bool
room_for_client(struct run *r)
{
	return r->m.rig.n_clients < ARRAY_LEN(r->m.rig.clients);
}

/* A second follower comes, or has its copy compared and goes. */
static inline void
guest_moves(struct run *r)
{
	if (r->guest.c) {
		feed_all(r);
		follower_compare(&r->guest);
		leave(r, &r->guest);
	} else if (room_for_client(r)) {
		r->guest.c = rig_join(rig_of(r), ROLE_FEED);
		follower_start(&r->guest, 11, below(r, 2));
		take_all(r);
	}
}

/* --- sets ------------------------------------------------------------------
 */

static inline enum msg_mode
send_host(struct run *r, struct msg *m, unsigned owner)
{
	struct source so = s_source(owner);

	ask_next(r, m->cmd);
	m->mode = MSG_REQ;
	m->id = r->id;
	msg_set_source(m, &so);
	rig_request(r->client, m);
	return MSG_ACK;
}

/* Whether the mapper says that it holds this set. */
static inline bool
asks_held(struct run *r, unsigned owner, const struct s_set *set)
{
	struct arec recs[S_KEYS];
	struct msg m = {.cmd = MSG_MC_HOST_DATA_HASH};
	size_t n = s_records(&r->m, set, recs);

	m.count = (uint32_t)n;
	m.hash = msg_set_hash(recs, n);
	send_host(r, &m, owner);
	settle(r);
	return r->last == MSG_ACK;
}

/* Its batches, the last one first; true when all were acknowledged. */
static inline bool
send_batches(struct run *r, unsigned owner, const struct s_set *set, bool kill)
{
	struct arec recs[S_KEYS];
	size_t n = s_records(&r->m, set, recs), at = n, part;
	struct msg m = {.cmd = MSG_MC_HOST_DATA, .count = 5};
	bool all = true;

	m.hash = msg_set_hash(recs, n);
	do {
		part = 1 + below(r, S_KEYS);
		m.n = part < at ? part : at;
		at -= m.n;
		m.arecs = recs + at;
		send_host(r, &m, owner);
		r->last = MSG_NACK;
		store_works(r, kill ? below(r, 2) : SIZE_MAX);
		all &= r->last == MSG_ACK;
	} while (at);
	return all;
}

static inline void run_kill(struct run *r);

/* An agent publishes; the store may fail, or the mapper be killed on the way.
 */
static inline void
publish(struct run *r)
{
	unsigned owner = (unsigned)below(r, S_SOURCES);
	struct s_set *old = &r->sets.sets[owner], set = s_draw(&r->m, old);
	bool kill = !below(r, 30), all;

	settle(r);
	if (!kill && !below(r, 20))
		r->m.rig.store.fail = -EIO;
	all = send_batches(r, owner, &set, kill);
	r->m.rig.store.fail = 0;
	if (kill)
		run_kill(r);
	settle(r);
	r->m.rig.now += 1100; /* sets are tried again by then */
	tick(r);
	if (asks_held(r, owner, &set)) {
		s_apply(&r->sets, owner, &set);
		return;
	}
	M_CHECK(!all,
		"source %u: all batches are acknowledged, the set is "
		"not held",
		owner);
	M_CHECK(!old->there || asks_held(r, owner, old),
		"source %u: its last set is not held any more", owner);
}

static inline void
removed(int err, size_t n, void *arg)
{
	(void)n;
	*(int *)arg = err;
}

static inline void
remove_source(struct run *r)
{
	unsigned owner = (unsigned)below(r, S_SOURCES), k;
	struct s_set none = {.there = false};
	struct source so = s_source(owner);
	int err = 1;

	settle(r);
	for (k = 0; k < S_KEYS; k++)
		none.want[k] = -1;
	mapper_source_remove(rig_mapper(rig_of(r)), &so, removed, &err);
	settle(r);
	M_CHECK(err == 0 || (err == -ENOENT && !r->sets.sets[owner].there),
		"a source can't be removed: %d", err);
	s_apply(&r->sets, owner, &none);
}

/* A line that gives this host an ea by hand. */
static inline struct hosts_rec
line_for(const struct model *m, unsigned host)
{
	struct arec rec = m_host_arec(host);
	struct hosts_rec line = {
		.entry = {.kind = ENTRY_REMOTE, .key = {rec.gw, rec.ref}}};

	line.entry.addr = prefix_host(&m->cfg.rules.encode, 0x500 + host);
	return line;
}

static inline void
apply_lines(struct run *r)
{
	ck_assert_int_eq(mapper_hosts(rig_mapper(rig_of(r)), r->sets.lines,
				 r->sets.n_lines),
		0);
	settle(r);
}

/* References that lines asked for are there, and as they were. */
static inline void
check_allotted(struct run *r)
{
	const struct entries *es = mapper_entries(rig_mapper(rig_of(r)));
	const struct entry *e;
	struct addr addr;
	unsigned ip;
	size_t i;
	bool asks;

	for (ip = S_IPS; ip < M_IPS; ip++) {
		addr = m_ip_addr(&r->m, ip);
		asks = false;
		for (i = 0; i < r->sets.n_lines; i++)
			asks |= r->sets.lines[i].allot &&
				addr_eq(&r->sets.lines[i].entry.addr, &addr);
		e = entries_by_ip(es, &addr);
		M_CHECK(asks == !!e, "a line's reference");
		if (e && !ref_is_zero(&r->sets.allotted[ip]))
			M_CHECK(ref_eq(&e->key.ref, &r->sets.allotted[ip]),
				"a line's reference has changed");
		r->sets.allotted[ip] = e ? e->key.ref : (struct ref){{0}};
	}
}

/* The hosts file has changed. */
static inline void
edit_lines(struct run *r)
{
	struct s_set set = s_draw(&r->m, &r->sets.sets[S_HOSTS]);
	struct hosts_rec *line = r->sets.lines;
	unsigned k, host;

	settle(r);
	for (k = 0; k < S_KEYS; k++)
		if (set.want[k] >= 0)
			*line++ = (struct hosts_rec){
				.entry = {.kind = ENTRY_LOCAL,
					.addr = m_ip_addr(
						&r->m, (unsigned)set.want[k]),
					.key = s_key(&r->m, k)}};
	for (host = 0; host < S_LINES; host++) {
		if (below(r, 3))
			continue;
		*line++ = line_for(&r->m, host);
		r->m.hosts[host].lease.ordered = true;
	}
	for (k = S_IPS; k < M_IPS; k++)
		if (below(r, 2))
			*line++ = (struct hosts_rec){
				.entry = {.kind = ENTRY_LOCAL,
					.addr = m_ip_addr(&r->m, k),
					.key.gw = addr_zero(
						r->m.cfg.rules.tunnel_ver)},
				.allot = true};
	r->sets.n_lines = (size_t)(line - r->sets.lines);
	apply_lines(r);
	s_apply(&r->sets, S_HOSTS, &set);
	check_allotted(r);
}

/* --- kills -----------------------------------------------------------------
 */

/* What was promised while the store could not write is lost. Orders and lines
 * that were under way may have been stored. */
static inline void
forget_unstored(struct run *r)
{
	unsigned i;

	for (i = 0; i < M_HOSTS; i++)
		if (!r->m.hosts[i].lease.tentative)
			r->m.hosts[i].lease.min = r->m.hosts[i].lease.kept;
	for (i = 0; i < M_IPS; i++)
		r->m.ips[i].lease.min = r->m.ips[i].lease.kept;
	for (i = 0; i < ARRAY_LEN(r->asked); i++)
		r->asked[i].cmd = 0;
	r->under_way = 0;
}

/* The store remembers removals for a while only. */
static inline void
prune_removed(struct run *r)
{
	struct memstore *ms = &r->m.rig.store;
	uint64_t keep = below(r, 3000);
	size_t i, n = 0;

	if (ms->revision > keep && ms->revision - keep > ms->store.oldest)
		ms->store.oldest = ms->revision - keep;
	for (i = 0; i < ms->removed.n; i++)
		if (ms->removed.ops[i].data.born > ms->store.oldest)
			ms->removed.ops[n++] = ms->removed.ops[i];
	ms->removed.n = n;
}

/* A resolver asks before the gateway is back: for some the mapper has no
 * memory of, so they get another ea. */
static inline void
ask_before_hold(struct run *r)
{
	unsigned i, host;

	for (i = 0; i < 5; i++) {
		host = recent_host(r);
		if (!r->m.hosts[host].lease.tentative)
			continue;
		r->m.hosts[host].lease.ordered = true;
		ask_ea(r, MSG_MC_GET_EA, host, true);
	}
	settle(r);
}

static inline void
run_kill(struct run *r)
{
	r->m.kills++;
	take_all(r);
	prune_removed(r);
	rig_restart_ring(rig_of(r), &r->m.cfg, below(r, 2) ? 64 : 8192);
	rig_clear(rig_of(r));
	forget_unstored(r);
	r->m.started = r->m.rig.now;
	r->m.reported = false;
	r->watch.c = r->guest.c = NULL;
	r->client = rig_join(rig_of(r), ROLE_ALL);
	if (!below(r, 5))
		ask_before_hold(r);
	watch_joins(r, !below(r, 6));
	apply_lines(r);
}

/* --- checks of the whole ---------------------------------------------------
 */

/* Nothing outlives its lease; what is promised is there. */
static inline void
check_leases(struct run *r)
{
	bool expires = r->m.reported ||
		       r->m.rig.now - r->m.started >= r->m.cfg.hold_ms;
	struct m_lease *l;
	unsigned i;

	for (i = 0; i < M_HOSTS + M_IPS; i++) {
		l = i < M_HOSTS ? &r->m.hosts[i].lease
				: &r->m.ips[i - M_HOSTS].lease;
		M_CHECK(!expires || !l->there || r->m.rig.now < l->max,
			"%s %u outlives its lease by %llu s",
			l->tentative ? "tentative" : "dynamic", i,
			(unsigned long long)(r->m.rig.now - l->max) / 1000);
		if (i >= S_LINES)
			l->ordered = false; /* nothing is under way */
	}
}

/* Peers have their part of the pool and no more. */
static inline void
check_share(struct run *r)
{
	uint64_t n = m_of_peers(&r->m), share = m_share(&r->m);

	M_CHECK(n <= share, "peers have %llu eas, more than their part of %llu",
		(unsigned long long)n, (unsigned long long)share);
}

static inline void
check_all(struct run *r)
{
	settle(r);
	feed_all(r);
	tick(r);
	check_leases(r);
	check_share(r);
	s_check(&r->m, &r->sets);
	check_allotted(r);
	follower_compare(&r->watch);
	follower_compare(&r->guest);
	M_CHECK(!r->m.rig.fatal, "%s", r->m.rig.fatal);
}

/* --- steps -----------------------------------------------------------------
 */

static inline void
pass_time(struct run *r)
{
	r->m.rig.now += below(r, 10000);
	if (!below(r, 2000)) {
		settle(r);
		r->m.rig.now += below(r, 12 * HOUR);
	}
	if (!below(r, 20000)) {
		settle(r);
		r->m.rig.now += below(r, 72 * HOUR);
	}
}

static inline void
store_may_fail(struct run *r)
{
	bool fails = m_step < r->fail_until || !below(r, 80);

	if (!below(r, 10000))
		r->fail_until = m_step + below(r, 300);
	r->m.rig.store.fail = fails ? -ENOSPC : 0;
	r->m.failures += fails;
}

static inline void
run_step(struct run *r)
{
	unsigned n = 1 + (unsigned)below(r, 6);
	unsigned what = (unsigned)below(r, 2000);

	pass_time(r);
	r->m.quiet = !r->under_way && !r->m.rig.store.n_queued;
	r->m.quiet &= n == 1;
	while (n--)
		ask_something(r);
	store_may_fail(r);
	if (!below(r, 30))
		take_all(r); /* the store is slow */
	else
		settle(r);
	if (below(r, 3) == 0)
		tick(r);
	r->m.rig.store.fail = 0;
	if (what < 2) {
		store_works(r, below(r, 4));
		run_kill(r);
	} else if (what < 22) {
		guest_moves(r);
	} else if (what < 26 && room_for_client(r)) {
		settle(r);
		leave(r, &r->watch);
		watch_joins(r, false);
	} else if (what < 50) {
		publish(r);
	} else if (what < 56) {
		edit_lines(r);
	} else if (what < 57) {
		remove_source(r);
	} else if (what < 60) {
		settle(r);
		forget(r);
		settle(r);
	} else if (what < 73) {
		check_all(r);
	}
}

static inline struct run *
run_new(const char *encode, const char *pub, bool loose, uint64_t seed)
{
	struct run *r = calloc(1, sizeof(*r));
	struct mapper_config *cfg = &r->m.cfg;

	r->m.dice.state = r->m.rig.dice.state = seed;
	*cfg = rig_config(&r->m.rig, encode, pub);
	r->loose = loose;
	if (!loose) {
		cfg->allot.resolver_gw = 120;
		cfg->allot.peer_gw = 40;
		cfg->allot.peer_net = 120;
		cfg->allot.tentative_gw = 20;
		cfg->allot.tentative_net = 60;
	}
	m_table(&r->m.eas, 0, sizeof(struct addr));
	m_table(&r->m.refs, 0, sizeof(struct ref));
	m_table(&r->m.blocks, 0, sizeof(struct addr));
	sets_init(&r->sets);
	follower_init(&r->watch, &r->m, true);
	follower_init(&r->guest, &r->m, false);
	rig_start(&r->m.rig, cfg, 1024);
	m_table(&r->m.rig.store.gone, r->m.rig.store.gone.key_off,
		r->m.rig.store.gone.key_len);
	r->m.started = r->m.rig.now;
	r->client = rig_join(&r->m.rig, ROLE_ALL);
	watch_joins(r, false);
	return r;
}

static inline void
run_report(struct run *r)
{
	check_all(r);
	printf("%lu steps, %lu operations, %lu answers, %lu refusals, %lu "
	       "ends, %lu eas again, "
	       "%lu promoted, %lu held, %lu forgotten, %lu kills, %lu "
	       "failures, %lu resumed, "
	       "%lu copies\n",
		m_step - 1, r->asked_in_all, r->m.acks, r->m.nacks, r->m.ends,
		r->m.reused, r->m.promoted, r->m.held, r->forgotten, r->m.kills,
		r->m.failures, r->m.resumed, r->m.copies);
}

static inline void
free_all(struct table *t)
{
	void *obj;

	TABLE_FOREACH (t, pos, obj)
		free(obj);
	table_fini(t);
}

static inline void
run_free(struct run *r)
{
	rig_fini(&r->m.rig);
	follower_fini(&r->watch);
	follower_fini(&r->guest);
	free_all(&r->m.eas);
	free_all(&r->m.refs);
	free_all(&r->m.blocks);
	free(r);
}

#endif
