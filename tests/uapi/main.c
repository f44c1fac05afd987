// SPDX-License-Identifier: LGPL-2.1-or-later
/* uapi, quota, scale: tests of the kernel interface; CK_RUN_CASE runs one of the cases. */
#include "b1t.h"

/* One function per source file; meson.build says which, for programs other than uapi. */
#ifndef CASES
#define CASES(_) \
	_(transfer) _(release) _(message) _(notify) _(order) _(close) _(poll) _(regress) \
	_(args_transfer) _(args_release) _(args_send) _(args_recv) _(device)
#endif

#define DECLARE(_name) TCase *b1t_tcase_##_name(void);
CASES(DECLARE)

#define ENTRY(_name) b1t_tcase_##_name,
static TCase *(*const cases[])(void) = { CASES(ENTRY) };

int main(void)
{
	Suite *suite = suite_create("bus1");
	SRunner *runner;
	int failed;
	size_t i;

	for (i = 0; i < B1T_N(cases); i++)
		suite_add_tcase(suite, cases[i]());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
