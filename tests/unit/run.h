/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every unit test needs of Check: one suite with one case, and main().
 *
 *	START_TEST(test_x) { ... ck_assert(...); } END_TEST
 *	RUN_TESTS("addr", test_x, test_y)
 */
#ifndef TESTS_UNIT_RUN_H
#define TESTS_UNIT_RUN_H

#include <check.h>
#include <stdlib.h>

/* Seconds after which Check ends a test that hangs; sanitizers and valgrind
 * make code slower, hence not Check's 4. */
#define TEST_TIMEOUT 120

static inline int
run_tests(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *runner;
	size_t i;
	int failed;

	tcase_set_timeout(tc, TEST_TIMEOUT);
	for (i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define RUN_TESTS(name, ...)                                                   \
	int main(void)                                                         \
	{                                                                      \
		const TTest *const tests[] = {__VA_ARGS__};                    \
                                                                               \
		return run_tests(                                              \
			name, tests, sizeof(tests) / sizeof(tests[0]));        \
	}

#endif
