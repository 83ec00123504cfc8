/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table for readers without locks: it holds what a plain list would,
 * however the hashes fall, and what is in it is found while it grows. */
#include <pthread.h>
#include <stdatomic.h>

#include "gwd/maps_table.h"
#include "gwd/qs.h"
#include "tests/unit/run.h"

struct object {
	uint64_t value;
	uint64_t key;
};

static void
table_init(struct maps_table *t, maps_retire *retire)
{
	maps_table_init(
		t, offsetof(struct object, key), sizeof(uint64_t), retire);
}

static const struct object *
get(const struct maps_table *t, uint64_t key, uint64_t hash)
{
	return maps_table_get(
		t, &key, hash, offsetof(struct object, key), sizeof(key));
}

/* --- like a list --------------------------------------------------------- */

enum {
	KEYS = 600, /* so that growing takes many puts */
	STEPS = 6000,
};

static void
retire_now(void (*destroy)(void *p), void *p)
{
	destroy(p);
}

/* From all alike to all different; some fall on the last slot and go on at the
 * first. */
static uint64_t
hash_of(uint64_t key, unsigned kind)
{
	static const uint64_t hashes[] = {1, 5, 64, UINT64_MAX};

	return UINT64_MAX - key % hashes[kind % ARRAY_LEN(hashes)];
}

static void
check_list(const struct maps_table *t, struct object *const list[KEYS],
	unsigned kind)
{
	uint64_t key;

	for (key = 0; key < KEYS; key++)
		ck_assert_ptr_eq(get(t, key, hash_of(key, kind)), list[key]);
}

/* Grows, shrinks and grows. */
static void
walk_list(unsigned kind, uint64_t random)
{
	static struct object objects[2][KEYS];
	struct object *list[KEYS] = {0}, *o;
	struct maps_table t;
	uint64_t key, hash;
	unsigned step;

	table_init(&t, retire_now);
	for (step = 0; step < STEPS; step++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		key = (random >> 33) % KEYS;
		hash = hash_of(key, kind);
		o = &objects[list[key] == &objects[0][key]][key];
		o->key = key;
		if (list[key] && (random >> 60 & 1 || step / 1500 % 2)) {
			maps_table_del(&t, hash, list[key]);
			o = NULL;
		} else if (list[key]) {
			maps_table_replace(&t, hash, o);
		} else {
			ck_assert_int_eq(maps_table_put(&t, hash, o), 0);
		}
		list[key] = o;
		ck_assert_ptr_eq(get(&t, key, hash), o);
		if (step % 16 == 0)
			check_list(&t, list, kind);
	}
	maps_table_fini(&t);
}

START_TEST(test_like_a_list)
{
	unsigned kind;

	for (kind = 0; kind < 4; kind++)
		walk_list(kind, kind + 1);
}
END_TEST

/* --- growing ------------------------------------------------------------- */

enum {
	STABLE = 6,  /* put first, always there */
	GROWN = 200, /* that make it grow, some beyond one copying step */
	TABLES = 3000,
};

static struct object all[GROWN];
static _Atomic(struct maps_table *) current;
static _Atomic bool over;

struct reader {
	uint64_t missing;
	_Atomic uint64_t looks;
};

static uint64_t
spread(uint64_t key)
{
	return (key + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void *
read_table(void *arg)
{
	struct reader *r = arg;
	const struct maps_table *t;
	uint64_t key;

	qs_reader_start();
	while (!atomic_load(&over)) {
		t = atomic_load(&current);
		for (key = 0; key < STABLE; key++)
			r->missing += get(t, key, spread(key)) != &all[key];
		atomic_fetch_add(&r->looks, 1);
		qs_quiet();
	}
	qs_reader_end();
	return NULL;
}

static void
destroy_table(void *p)
{
	maps_table_fini(p);
	free(p);
}

static struct maps_table *
new_table(void)
{
	struct maps_table *t = malloc(sizeof(*t));
	uint64_t key;

	ck_assert_ptr_nonnull(t);
	table_init(t, qs_retire);
	for (key = 0; key < STABLE; key++)
		ck_assert_int_eq(maps_table_put(t, spread(key), &all[key]), 0);
	return t;
}

/* One table after the other grows from the least slots on; so often that a
 * reader meets any moment in which one of the first would not be found. */
START_TEST(test_growing)
{
	struct reader r = {0};
	struct maps_table *t, *full;
	pthread_t thread;
	uint64_t key;
	unsigned i;

	for (key = 0; key < GROWN; key++)
		all[key].key = key;
	ck_assert_int_eq(qs_writer_start(), 0);
	t = new_table();
	atomic_store(&current, t);
	ck_assert_int_eq(pthread_create(&thread, NULL, read_table, &r), 0);
	while (!atomic_load(&r.looks))
		sched_yield();
	for (i = 0; i < TABLES; i++) {
		for (key = STABLE; key < GROWN; key++)
			ck_assert_int_eq(
				maps_table_put(t, spread(key), &all[key]), 0);
		full = t;
		t = new_table();
		atomic_store(&current, t);
		qs_retire(destroy_table, full);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(r.missing, 0);
	qs_retire(destroy_table, t);
	qs_writer_end();
}
END_TEST

RUN_TESTS("maps_table", test_like_a_list, test_growing)
