// SPDX-License-Identifier: LGPL-2.1-or-later
/* uapi, errors, quota, scale: tests of the kernel interface; CK_RUN_CASE runs one of the cases. */
#define _GNU_SOURCE
#include "b1t.h"
#include <sys/mman.h>

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

/* A table that all tests can write to, though each is a process of its own. */
static void errors_init(void)
{
	b1t_asserted = mmap(NULL, B1T_N_COMMANDS * sizeof(*b1t_asserted), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b1t_asserted == MAP_FAILED)
		abort();
}

/* Prints the table, one line for each command: see tests/docs/errors. */
static void errors_print(void)
{
	static const char * const names[B1T_N_COMMANDS] = {
		[B1T_TRANSFER] = "bus1_cmd_transfer",
		[B1T_RELEASE] = "bus1_cmd_release",
		[B1T_SEND] = "bus1_cmd_send",
		[B1T_RECV] = "bus1_cmd_recv",
		[B1T_OPEN] = "bus1_peer_new",
	};
	size_t i, error;

	for (i = 0; i < B1T_N_COMMANDS; i++) {
		printf("asserted: %s", names[i]);
		for (error = 0; error < B1T_N_ERRNOS; error++)
			if (b1t_asserted[i][error])
				printf(" %s", strerrorname_np(error));
		printf("\n");
	}
}

int main(void)
{
	Suite *suite = suite_create("bus1");
	SRunner *runner;
	int failed;
	size_t i;

	for (i = 0; i < B1T_N(cases); i++)
		suite_add_tcase(suite, cases[i]());
	runner = srunner_create(suite);
	errors_init();
	srunner_run_all(runner, CK_NORMAL);
	errors_print();
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
