/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hash table: bounds, and a long random walk against a plain array. */
#include "libipref/table.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/unit/run.h"

struct thing {
	int before; /* so that the key is not at offset 0 */
	uint32_t key;
	uint8_t more[7]; /* the key is 11 bytes: no whole words */
};

#define KEY_LEN 11

static struct thing
thing_of(uint32_t n)
{
	struct thing thing = {.before = -1, .key = n};

	thing.more[6] = (uint8_t)(n % 3);
	return thing;
}

static void
things_init(struct table *t, size_t max)
{
	table_init(t, offsetof(struct thing, key), KEY_LEN, max);
}

static size_t
count(const struct table *t)
{
	struct thing *thing;
	size_t n = 0;

	TABLE_FOREACH (t, pos, thing)
		n++;
	return n;
}

START_TEST(test_empty)
{
	struct thing thing = thing_of(1);
	struct table t;

	things_init(&t, 10);
	ck_assert_ptr_null(table_get(&t, &thing.key));
	ck_assert_ptr_null(table_del(&t, &thing.key));
	table_prefetch(&t, &thing.key);
	ck_assert_uint_eq(count(&t), 0);
	ck_assert_ptr_null(t.slots);
	table_fini(&t);
	table_fini(&t);
}
END_TEST

START_TEST(test_put_get_del)
{
	struct thing a = thing_of(1), b = thing_of(2), same = thing_of(1);
	struct table t;

	things_init(&t, 2);
	ck_assert_int_eq(table_put(&t, &a), 0);
	ck_assert_int_eq(table_put(&t, &same), -EEXIST);
	ck_assert_ptr_eq(table_get(&t, &same.key), &a);
	ck_assert_ptr_null(table_get(&t, &b.key));
	ck_assert_ptr_null(table_del(&t, &b.key));
	ck_assert_int_eq(table_put(&t, &b), 0);
	/* At the bound "it is there" still comes first. */
	ck_assert_int_eq(table_put(&t, &same), -EEXIST);
	same = thing_of(3);
	ck_assert_int_eq(table_put(&t, &same), -ENOSPC);
	ck_assert_uint_eq(t.n, 2);
	ck_assert_ptr_eq(table_del(&t, &a.key), &a);
	ck_assert_ptr_null(table_get(&t, &a.key));
	ck_assert_ptr_eq(table_get(&t, &b.key), &b);
	ck_assert_int_eq(table_put(&t, &same), 0);
	table_fini(&t);
	ck_assert_ptr_null(table_get(&t, &b.key));
}
END_TEST

START_TEST(test_bound_of_zero)
{
	struct thing a = thing_of(1);
	struct table t;

	things_init(&t, 0);
	ck_assert_int_eq(table_put(&t, &a), -ENOSPC);
	table_fini(&t);
}
END_TEST

START_TEST(test_keys_differ_in_last_byte)
{
	struct thing a = thing_of(3), b = thing_of(3);
	struct table t;

	b.more[6] ^= 1;
	things_init(&t, 10);
	ck_assert_int_eq(table_put(&t, &a), 0);
	ck_assert_ptr_null(table_get(&t, &b.key));
	ck_assert_int_eq(table_put(&t, &b), 0);
	ck_assert_ptr_eq(table_get(&t, &b.key), &b);
	table_fini(&t);
}
END_TEST

START_TEST(test_seeds_differ)
{
	struct table a, b;

	things_init(&a, 1);
	things_init(&b, 1);
	ck_assert_mem_ne(a.seed, b.seed, sizeof(a.seed));
	table_fini(&a);
	table_fini(&b);
}
END_TEST

/* A kernel whose generator is not to be had, for the rest of this process
 * (each test has one of its own). False, with errno: not
 * on this machine. */
static bool
without_getrandom(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {ARRAY_LEN(code), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

START_TEST(test_seeds_without_generator)
{
	static const uint64_t zero[2];
	struct thing thing = thing_of(7);
	struct table a, b;

	ck_assert_msg(without_getrandom(), "no seccomp: %s", strerror(errno));
	things_init(&a, 1);
	things_init(&b, 1);
	ck_assert_mem_ne(a.seed, zero, sizeof(zero));
	ck_assert_mem_ne(a.seed, b.seed, sizeof(a.seed));
	ck_assert_uint_ne(a.seed[0], a.seed[1]);
	ck_assert_int_eq(table_put(&a, &thing), 0);
	ck_assert_ptr_eq(table_get(&a, &thing.key), &thing);
	table_fini(&a);
	table_fini(&b);
}
END_TEST

#define THINGS 2000
#define BOUND  1500 /* 0.73 of 2,048 slots */

/* Everything that is in, and nothing else. */
static void
check_all(struct table *t, struct thing *things, const bool *in)
{
	size_t i, n = 0;
	struct thing *thing;

	for (i = 0; i < THINGS; i++) {
		void *want = in[i] ? &things[i] : NULL;

		n += in[i];
		ck_assert_ptr_eq(table_get(t, &things[i].key), want);
	}
	ck_assert_uint_eq(t->n, n);
	ck_assert_uint_eq(count(t), n);
	ck_assert_uint_le(t->n * 4, t->n_slots * 3);
	TABLE_FOREACH (t, pos, thing)
		ck_assert(in[thing - things]);
}

/* The seed of the table is random, so each run walks other collisions; the
 * order of puts and deletions is the same. */
START_TEST(test_random_walk)
{
	static struct thing things[THINGS];
	static bool in[THINGS];
	uint64_t state = 9;
	struct table t;
	size_t step, i;
	int rc;

	for (i = 0; i < THINGS; i++)
		things[i] = thing_of((uint32_t)i);
	things_init(&t, BOUND);
	for (step = 0; step < 40000; step++) {
		/* Phases: mostly filling, then mostly emptying. */
		bool fill = step / 4000 % 2 == 0;

		state = state * UINT64_C(6364136223846793005) + 1;
		i = (size_t)(state >> 33) % THINGS;
		if ((state >> 60 < 3) != fill) {
			rc = table_put(&t, &things[i]);
			ck_assert_int_eq(rc, in[i]	    ? -EEXIST
					     : t.n == BOUND ? -ENOSPC
							    : 0);
			in[i] = in[i] || rc == 0;
		} else {
			ck_assert_ptr_eq(table_del(&t, &things[i].key),
				in[i] ? &things[i] : NULL);
			in[i] = false;
		}
		if (step % 500 == 0)
			check_all(&t, things, in);
	}
	check_all(&t, things, in);
	for (i = 0; i < THINGS; i++)
		if (in[i])
			ck_assert_ptr_eq(
				table_del(&t, &things[i].key), &things[i]);
	ck_assert_uint_eq(t.n, 0);
	for (i = 0; i < t.n_slots; i++)
		ck_assert_ptr_null(t.slots[i].obj);
	table_fini(&t);
}
END_TEST

/* Removing all, each time starting the walk anew. */
START_TEST(test_remove_while_walking)
{
	static struct thing things[100];
	struct thing *thing;
	struct table t;
	size_t i;

	things_init(&t, 100);
	for (i = 0; i < 100; i++) {
		things[i] = thing_of((uint32_t)i);
		ck_assert_int_eq(table_put(&t, &things[i]), 0);
	}
	for (i = 100; i > 0; i--) {
		size_t pos = 0;

		thing = table_next(&t, &pos);
		ck_assert_ptr_nonnull(thing);
		ck_assert_ptr_eq(table_del(&t, &thing->key), thing);
		ck_assert_uint_eq(count(&t), i - 1);
	}
	table_fini(&t);
}
END_TEST

/* While the objects move to the new slots, a few with each put, each is found,
 * walked over and removed wherever it is. */
START_TEST(test_grows_bit_by_bit)
{
	static struct thing things[THINGS];
	static bool in[THINGS];
	size_t i, puts = 0;
	struct table t;

	for (i = 0; i < THINGS; i++)
		things[i] = thing_of((uint32_t)i);
	things_init(&t, THINGS);
	for (i = 0; i < 769; i++) { /* one more than 3/4 of 1,024 */
		ck_assert_int_eq(table_put(&t, &things[i]), 0);
		in[i] = true;
	}
	ck_assert_uint_eq(t.n_slots, 2048);
	for (; t.old; i++, puts++) {
		ck_assert_uint_lt(puts, 1024);
		check_all(&t, things, in);
		ck_assert_ptr_eq(table_del(&t, &things[puts * 7].key),
			&things[puts * 7]);
		in[puts * 7] = false;
		check_all(&t, things, in);
		ck_assert_int_eq(table_put(&t, &things[i]), 0);
		ck_assert_int_eq(table_put(&t, &things[i]), -EEXIST);
		in[i] = true;
	}
	ck_assert_uint_gt(puts, 2);
	check_all(&t, things, in);
	table_fini(&t);
}
END_TEST

/* What has not moved yet is let go of, too. */
START_TEST(test_fini_while_growing)
{
	static struct thing things[THINGS];
	struct table t;
	size_t i;

	things_init(&t, THINGS);
	for (i = 0; i < 769; i++) {
		things[i] = thing_of((uint32_t)i);
		ck_assert_int_eq(table_put(&t, &things[i]), 0);
	}
	ck_assert_ptr_nonnull(t.old);
	table_fini(&t);
	ck_assert_ptr_null(table_get(&t, &things[0].key));
	ck_assert_uint_eq(count(&t), 0);
}
END_TEST

/* Neighbouring keys, as counters and addresses are, must not make long runs:
 * at 3/4 full linear probing looks at 8.5 slots for an absent key on average
 * (Knuth, 6.4), and long runs of 500 are as good as impossible. */
START_TEST(test_hash_spreads)
{
	static struct thing things[6000];
	struct table t;
	size_t i, run = 0, longest = 0;

	things_init(&t, 6000);
	for (i = 0; i < 6000; i++) {
		things[i] = thing_of((uint32_t)i << 8);
		ck_assert_int_eq(table_put(&t, &things[i]), 0);
	}
	ck_assert_uint_eq(t.n_slots, 8192);
	for (i = 0; i < t.n_slots; i++) {
		run = t.slots[i].obj ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	ck_assert_uint_lt(longest, 500);
	table_fini(&t);
}
END_TEST

RUN_TESTS("table", test_empty, test_put_get_del, test_bound_of_zero,
	test_keys_differ_in_last_byte, test_seeds_differ,
	test_seeds_without_generator, test_random_walk,
	test_remove_while_walking, test_grows_bit_by_bit,
	test_fini_while_growing, test_hash_spreads)
