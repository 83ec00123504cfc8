/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SQLite store: what is acknowledged is there after a restart, also after
 * kill -9 in the middle of work; what can't be stored takes nothing with it. */
#include <signal.h>
#include <sys/wait.h>

#include "store_rig.h"
#include "tests/unit/run.h"

#define KILLS 25

static struct entry_data
local_of_16(void)
{
	struct entry_data d = remote(78);

	d.kind = ENTRY_LOCAL;
	d.owner = 16;
	d.addr = addr_of("2001:db8::1");
	d.key.gw = addr_zero(6);
	d.expires = 0;
	return d;
}

/* One of each thing that is stored. */
static struct store_job *
one_of_each(const struct entry_data *d, const struct entry_data *local)
{
	static const struct source so = {"int.example", "example.com"};
	struct store_job *job = new_job();
	struct op *op;

	change_add(&job->change, d);
	change_add(&job->change, local);
	change_op(&job->change, OP_GONE)->data = remote(79);
	op = change_op(&job->change, OP_SOURCE);
	op->data.owner = 16;
	op->held = true;
	op->hash = UINT64_C(0xfedcba9876543210);
	op->count = 3;
	op->source = malloc(sizeof(so));
	*op->source = so;
	op = change_op(&job->change, OP_BATCH);
	op->data = *local;
	op->hash = 99;
	change_op(&job->change, OP_WAIT)->data = *local;
	return job;
}

static void
check_one_of_each(struct loaded *l)
{
	ck_assert_uint_eq(l->n_ops, 4);
	ck_assert_int_eq(l->ops[0].kind, OP_SOURCE);
	ck_assert_uint_eq(l->ops[0].hash, UINT64_C(0xfedcba9876543210));
	ck_assert(l->ops[0].held && l->ops[0].count == 3);
	ck_assert_str_eq(l->source.local, "int.example");
	ck_assert_str_eq(l->source.domain, "example.com");
	ck_assert_int_eq(l->ops[1].kind, OP_GONE);
	ck_assert_uint_eq(l->ops[1].data.made, 5001);
	ck_assert_int_eq(l->ops[2].kind, OP_WAIT);
	ck_assert_int_eq(l->ops[3].kind, OP_BATCH);
	ck_assert_uint_eq(l->ops[3].hash, 99);
}

START_TEST(test_every_operation)
{
	struct entry_data d = remote(77), local = local_of_16();
	struct store_job *job;
	uint64_t identity;
	struct loaded l;
	struct entry *e;
	struct op *op;
	char dir[32];

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	identity = l.store->identity;
	ck_assert_uint_ne(identity, 0);
	ck_assert_uint_eq(l.store->revision, 0);
	d.name = "h.example.";
	ck_assert_int_eq(run_job(&l, one_of_each(&d, &local)), 0);
	ck_assert_uint_eq(l.revision, 1);
	/* Without followers' business there is no revision. */
	job = new_job();
	op = change_op(&job->change, OP_LEASE);
	op->data.key = d.key;
	op->data.expires = 4711;
	ck_assert_int_eq(run_job(&l, job), 0);
	ck_assert_uint_eq(l.revision, 0);
	close_it(&l);

	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.store->identity, identity);
	ck_assert_uint_eq(l.store->revision, 1);
	e = entries_remote(&l.entries, &d.key);
	ck_assert_ptr_nonnull(e);
	ck_assert(addr_eq(&e->addr, &d.addr));
	ck_assert_uint_eq(e->expires, 4711);
	ck_assert_uint_eq(e->cause, CAUSE_PEER);
	ck_assert_uint_eq(e->born, 1);
	ck_assert_uint_eq(e->made_s, 5);
	ck_assert_str_eq(e->name, "h.example.");
	e = entries_local(&l.entries, &local.key);
	ck_assert(e && addr_eq(&e->addr, &local.addr) && e->owner == 16);
	ck_assert_ptr_null(e->name);
	check_one_of_each(&l);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

/* An entry, a gone one, three batches, a waiting record, a source. */
static struct store_job *
things_to_remove(const struct entry_data *d)
{
	static const struct source so = {"a", "b"};
	struct store_job *job = new_job();
	struct op *op;
	int i;

	change_add(&job->change, d);
	change_op(&job->change, OP_GONE)->data = *d;
	for (i = 0; i < 3; i++) {
		op = change_op(&job->change, OP_BATCH);
		op->data = remote(2);
		op->data.owner = 16;
		op->hash = (uint64_t)i << 62; /* also beyond signed ones */
	}
	op = change_op(&job->change, OP_WAIT);
	op->data = remote(2);
	op->data.kind = ENTRY_LOCAL;
	op->data.owner = 16;
	op = change_op(&job->change, OP_SOURCE);
	op->data.owner = 16;
	op->source = malloc(sizeof(so));
	*op->source = so;
	return job;
}

START_TEST(test_removals)
{
	struct entry_data d = remote(1);
	struct store_job *job;
	struct loaded l;
	struct op *op;
	char dir[32];
	int i;

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_int_eq(run_job(&l, things_to_remove(&d)), 0);

	job = new_job();
	for (i = 0; i < 2; i++) {
		op = change_op(&job->change, OP_BATCH_ONLY);
		op->data.kind = i ? ENTRY_LOCAL : ENTRY_REMOTE;
		op->data.owner = 16;
		op->hash = UINT64_C(2) << 62;
	}
	ck_assert_int_eq(run_job(&l, job), 0);
	close_it(&l);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.n_ops, 4); /* one batch record is left */
	ck_assert_uint_eq(l.ops[3].hash, UINT64_C(2) << 62);

	job = new_job();
	op = change_op(&job->change, OP_DEL);
	op->data = (struct entry_data){
		.addr = d.addr, .key = d.key, .owner = d.owner};
	op = change_op(&job->change, OP_FORGET);
	op->data.addr = d.addr;
	change_op(&job->change, OP_BATCH_CLEAR)->data.owner = 16;
	op = change_op(&job->change, OP_WAIT_DEL);
	op->data = remote(2);
	op->data.kind = ENTRY_LOCAL;
	op->data.owner = 16;
	change_op(&job->change, OP_SOURCE_DEL)->data.owner = 16;
	ck_assert_int_eq(run_job(&l, job), 0);
	ck_assert_uint_eq(l.revision, 2);
	close_it(&l);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.n_ops, 0);
	ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], 0);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

START_TEST(test_blocks)
{
	struct store_job *job = new_job();
	struct loaded l;
	char dir[32];
	int i;

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	change_op(&job->change, OP_BLOCK)->data.addr = addr_of("10.240.1.0");
	change_op(&job->change, OP_BLOCK)->data.addr = addr_of("2001:db8::");
	ck_assert_int_eq(run_job(&l, job), 0);
	ck_assert_uint_eq(l.revision, 0);
	for (i = 2; i >= 0; i--) {
		close_it(&l);
		ck_assert_int_eq(open_at(&l, dir), 0);
		ck_assert_uint_eq(l.n_ops, (unsigned)i);
		if (!i)
			break;
		ck_assert_int_eq(l.ops[0].kind, OP_BLOCK);
		job = new_job();
		change_op(&job->change, OP_BLOCK_DEL)->data.addr =
			l.ops[0].data.addr;
		ck_assert_int_eq(run_job(&l, job), 0);
	}
	close_it(&l);
	remove_dir(dir);
}
END_TEST

/* Adds or removes as many entries as make one change. */
static void
many(struct loaded *l, enum op_kind kind, uint32_t n)
{
	struct store_job *job = new_job();
	uint32_t i;

	job->change.numbered = true;
	for (i = 0; i < n; i++) {
		struct op *op = change_op(&job->change, kind);

		op->data = remote(i);
		op->data.kind = ENTRY_LOCAL;
	}
	ck_assert_int_eq(run_job(l, job), 0);
}

/* Removals are remembered, in their order, but not all of them for good; and
 * those of entries that were not there are none. */
START_TEST(test_remembered_removals)
{
	struct loaded l;
	char dir[32];
	size_t i;

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	many(&l, OP_ADD, 10);
	many(&l, OP_DEL, 20);
	many(&l, OP_ADD, 10);
	many(&l, OP_DEL, 10);
	close_it(&l);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.store->oldest, 0);
	ck_assert_uint_eq(l.n_removed, 20);
	for (i = 0; i < 20; i++)
		ck_assert_uint_eq(l.removed[i], i < 10 ? 2 : 4);
	many(&l, OP_ADD, 33500);
	many(&l, OP_DEL, 33500);
	many(&l, OP_ADD, 33500);
	many(&l, OP_DEL, 33500);
	close_it(&l);
	/* A part of those of 6 was forgotten: so all of them are. */
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.store->oldest, 6);
	ck_assert_uint_eq(l.n_removed, 33500);
	ck_assert_uint_eq(l.removed[0], 8);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

/* An entry is not removed by an owner who has lost it meanwhile. */
START_TEST(test_removal_by_another)
{
	struct entry_data d = remote(1);
	struct store_job *job = new_job();
	struct loaded l;
	struct op *op;
	char dir[32];

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	change_add(&job->change, &d);
	ck_assert_int_eq(run_job(&l, job), 0);
	job = new_job();
	op = change_op(&job->change, OP_DEL);
	op->data = (struct entry_data){
		.addr = d.addr, .key = d.key, .owner = d.owner + 1};
	ck_assert_int_eq(run_job(&l, job), 0);
	close_it(&l);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], 1);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

/* In one group: those before and behind a job that contradicts what is there
 * are stored, with revisions in a row. */
START_TEST(test_contradiction)
{
	struct store_job *job;
	struct entry_data d;
	struct store_stats st;
	struct loaded l;
	char dir[32];
	uint32_t i;

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	for (i = 0; i < 3; i++) {
		job = new_job();
		d = remote(i == 2 ? 5 : i);
		if (i == 1)
			d.addr = remote(0).addr; /* another holder's ea */
		change_add(&job->change, &d);
		ck_assert_int_eq(store_submit(l.store, job), 0);
	}
	while (l.done < 3)
		event_base_loop(l.base, EVLOOP_ONCE);
	ck_assert_int_eq(l.err, 0);
	ck_assert_uint_eq(l.revision, 2);
	job = new_job();
	d = remote(9);
	d.key = remote(0).key; /* another ea for the same host */
	change_add(&job->change, &d);
	ck_assert_int_eq(run_job(&l, job), -EEXIST);
	store_stats(l.store, &st);
	ck_assert(!st.degraded);
	close_it(&l);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], 2);
	ck_assert_uint_eq(l.store->revision, 2);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

START_TEST(test_one_process_only)
{
	struct loaded l, other;
	char dir[32];

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_int_eq(open_at(&other, dir), -EBUSY);
	close_it(&other);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

/* The child stores one entry per job until it is killed, and writes into a pipe
 * what it was told to be stored. */
static void
child_work(const char *dir, int report, uint32_t first)
{
	struct entry_data d;
	struct store_job *job;
	struct loaded l;
	unsigned sent = 0;

	if (open_at(&l, dir))
		_exit(3);
	l.report = report;
	for (;;) {
		while (sent < l.done + 64) {
			d = remote(first + sent++);
			job = new_job();
			change_add(&job->change, &d);
			if (store_submit(l.store, job))
				_exit(4);
		}
		event_base_loop(l.base, EVLOOP_ONCE);
	}
}

/* Kills a child after it has stored at least `after` entries; adds what it told
 * us to told[]; returns how many it told. */
static size_t
kill_one(const char *dir, uint32_t first, size_t after, struct entry_key *told,
	size_t max)
{
	size_t n = 0;
	int fds[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		close(fds[0]);
		child_work(dir, fds[1], first);
	}
	close(fds[1]);
	while (n < max &&
		read(fds[0], &told[n], sizeof(told[n])) == sizeof(told[n])) {
		if (++n == after)
			kill(pid, SIGKILL);
	}
	ck_assert_uint_lt(n, max);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status), "child ended by itself: %d", status);
	close(fds[0]);
	return n;
}

START_TEST(test_kill)
{
	struct entry_key *told = calloc(1 << 16, sizeof(*told));
	struct dice dice = {2024};
	uint64_t revision = 0, identity = 0;
	size_t n = 0, i;
	struct loaded l;
	char dir[32];
	uint32_t first = 0;
	int round;

	make_dir(dir);
	for (round = 0; round < KILLS; round++) {
		n += kill_one(dir, first, 1 + roll_below(&dice, 200), told + n,
			(1 << 16) - n);
		first += 10000;
		ck_assert_int_eq(open_at(&l, dir), 0);
		ck_assert(!identity || l.store->identity == identity);
		identity = l.store->identity;
		/* One revision for each: as many as there are entries. */
		ck_assert_uint_gt(l.store->revision, revision);
		revision = l.store->revision;
		ck_assert_uint_eq(revision, l.entries.n[ENTRY_REMOTE]);
		for (i = 0; i < n; i++)
			ck_assert_ptr_nonnull(
				entries_remote(&l.entries, &told[i]));
		close_it(&l);
	}
	ck_assert_uint_ge(n, KILLS);
	free(told);
	remove_dir(dir);
}
END_TEST

/* The clock goes on in the same run of the machine, and stands still in
 * between two. */
START_TEST(test_clock)
{
	struct loaded l;
	int64_t offset;
	char dir[32];

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	offset = l.store->clock_offset;
	ck_assert_int_eq(run_job(&l, new_job()), 0);
	close_it(&l);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_int_eq(l.store->clock_offset, offset);
	close_it(&l);
	tamper(dir, "UPDATE meta SET boot_id='another', "
		    "clock=5000000000000;" SUM_META);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_int_ge(l.store->clock_offset + (int64_t)now_ms(),
		INT64_C(5000000000000));
	ck_assert_int_lt(l.store->clock_offset + (int64_t)now_ms(),
		INT64_C(5000000010000));
	close_it(&l);
	remove_dir(dir);
}
END_TEST

static void
look_and_end(struct store_job *job, void *arg)
{
	struct loaded *l = arg;
	struct store_stats st;

	store_stats(l->store, &st);
	ck_assert(!st.checking);
	on_done(job, arg);
}

/* Whoever gets his job back may look at the store, while it is closed, too. */
START_TEST(test_looked_at_while_closing)
{
	struct loaded l = {.report = -1, .base = event_base_new()};
	const struct store_hooks hooks = {
		.load = on_load, .done = look_and_end, .arg = &l};
	struct store_job *job = new_job();
	char dir[32];

	make_dir(dir);
	entries_init(&l.entries, 16);
	ck_assert_int_eq(store_open(&l.store, dir, l.base, &hooks), 0);
	ck_assert_int_eq(store_submit(l.store, job), 0);
	close_it(&l);
	ck_assert_uint_eq(l.done, 1);
	remove_dir(dir);
}
END_TEST

RUN_TESTS("store", test_every_operation, test_removals, test_blocks,
	test_remembered_removals, test_removal_by_another, test_contradiction,
	test_one_process_only, test_kill, test_clock,
	test_looked_at_while_closing)
