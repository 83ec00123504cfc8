/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapper's promises by random operations with a simulated clock: every
 * answer, and every change that a follower sees, is checked against a plain
 * model (model.h). In between: time passes (milliseconds to days), the store
 * fails, the mapper is killed with jobs on their way, followers come and go.
 *
 * MODEL_STEPS in the environment: how many steps in all (several operations
 * each); MODEL_SEED: another seed.
 */
#include "libipref/log.h"
#include "model_ops.h"
#include "tests/unit/run.h"

#if defined(__SANITIZE_ADDRESS__)
#define STEPS 12000
#else
#define STEPS 60000
#endif

unsigned long m_step;

static const struct net {
	const char *encode, *pub;
	bool loose;	 /* quotas that leave only the pool as a bound */
	unsigned weight; /* of the steps */
} nets[] = {
	{"10.200.0.0/19", "192.0.2.1", false, 3}, /* pools run out */
	{"10.200.0.0/19", "192.0.2.1", true, 3},
	{"10.240.0.0/12", "192.0.2.1", false, 2},
	{"16.0.0.0/6", "192.0.2.1", false, 1}, /* too large for a bitmap */
	{"fd00:200::/115", "192.0.2.1", false, 1},
};
#define WEIGHTS 10

static unsigned long
steps_in_all(void)
{
	const char *text = getenv("MODEL_STEPS");

	return text ? strtoul(text, NULL, 10) : STEPS;
}

static uint64_t
seed_for(int i)
{
	const char *text = getenv("MODEL_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 10) : 20260101;

	return seed * 104729 + (unsigned)i;
}

START_TEST(test_model)
{
	const struct net *net = &nets[_i];
	unsigned long n = steps_in_all() * net->weight / WEIGHTS;
	uint64_t seed = seed_for(_i);
	struct run *r = run_new(net->encode, net->pub, net->loose, seed);

	log_init("test", LOG_LEVEL_ERR, false);
	printf("%s: seed %llu\n", net->encode, (unsigned long long)seed);
	fflush(stdout);
	for (m_step = 1; m_step <= n; m_step++)
		run_step(r);
	run_report(r);
	run_free(r);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("model");
	TCase *tc = tcase_create("model");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 280);
	tcase_add_loop_test(tc, test_model, 0, ARRAY_LEN(nets));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
