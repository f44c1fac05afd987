/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * examples: runs the programs in the EXAMPLES of the manual pages
 *
 * They are here as they are in the pages, but for main(), which got the name of the program; see
 * extract and meson.build. Each must exit with 0 and print exactly what its page says.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_ELEMENTS(_array) (sizeof(_array) / sizeof((_array)[0]))

/* what extract makes of the pages: EXAMPLE(name, output)... */
#define EXAMPLE(_name, _output) int _name##_main(void);
#include "examples.h"
#undef EXAMPLE

static const struct example {
	const char *name;
	const char *output;
	int (*main)(void);
} examples[] = {
#define EXAMPLE(_name, _output) { #_name, _output, _name##_main },
#include "examples.h"
#undef EXAMPLE
};

/* Runs the program with its output going to @fd; returns as from waitpid(2). */
static int run(const struct example *example, int fd)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
			_exit(126);
		exit(example->main());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(example)
{
	const struct example *example = &examples[_i];
	char output[4096] = "";
	FILE *file = tmpfile();
	int status;

	ck_assert_ptr_nonnull(file);
	status = run(example, fileno(file));
	rewind(file);
	output[fread(output, 1, sizeof(output) - 1, file)] = '\0';
	fclose(file);
	printf("%s:\n%s", example->name, output);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "%s: wait status %#x, output:\n%s",
		      example->name, status, output);
	ck_assert_msg(!strcmp(output, example->output), "%s: it prints\n%sand the page says\n%s",
		      example->name, output, example->output);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("examples");
	TCase *tc = tcase_create("examples");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, example, 0, N_ELEMENTS(examples));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
