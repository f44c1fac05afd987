// SPDX-License-Identifier: LGPL-2.1-or-later
/* strangers: see strangers.h. CK_RUN_CASE runs one case, STRANGERS_MS is the time for a pair. */
#define _GNU_SOURCE
#include "strangers.h"

static const char rt_runtime[] = "/proc/sys/kernel/sched_rt_runtime_us";

int main(void)
{
	Suite *suite = suite_create("strangers");
	SRunner *runner;
	int failed;

	/* what a test says comes before its verdict, also if it ends in a bad way */
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* else real-time threads lose the CPU to all others for a moment each second */
	st_write_file(rt_runtime, "-1");
	st_write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (st_single_cpu()) {
		/* the clock counts instructions: see vm/run --icount */
		printf("one CPU: only what measures costs\n");
	} else {
		suite_add_tcase(suite, st_tcase_wait());
		suite_add_tcase(suite, st_tcase_fault());
		suite_add_tcase(suite, st_tcase_copy());
	}
	suite_add_tcase(suite, st_tcase_cost());
	suite_add_tcase(suite, st_tcase_bill());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	st_write_file(rt_runtime, "950000");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
