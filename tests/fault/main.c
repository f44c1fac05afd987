// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * main: makes each scenario fail everywhere, and compares
 *
 * For n = 1, 2, 3, ...: build the bus, let the n-th chance to fail be taken during the call, and
 * see that it says what is documented, and that a look at the bus shows no difference. Then take
 * the bus apart: it must be one on which nothing was called. Then once more, but with a second call,
 * in which nothing fails, before the bus is taken apart: it must be one on which there was only
 * this. A failure that the kernel copes with itself is none: then the first call must have done all.
 * And the module itself: it loads and registers its device, or is not there.
 */
#include <linux/securebits.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fault.h"

/* More than any scenario has; a sweep that gets there does not come to an end. */
#define CHANCES_MAX 4000

/* What the kernel allocates for its own checks now and then is none of the call's. */
#define TRIES_FREE 4

static const char cgroup[] = "/sys/fs/cgroup/fault";

/* one row of the table */
struct row {
	const struct scenario *scenario;
	enum inject_kind kind;
	unsigned int n;			/* where it is */
	unsigned int failed;		/* calls that failed, as they should */
	unsigned int coped;		/* calls that succeeded with a fault */
	bool began, ok;
};

/* shared with the processes of the tests, one for each scenario and kind; theirs is row */
static struct row *rows, *row;
static struct world world;

static void print_row(const struct row *row)
{
	printf("%-34s %-24s %6u %6u  ", row->scenario->name, inject_names[row->kind], row->failed,
	       row->coped);
	if (row->ok)
		printf("ok\n");
	else
		printf("FAILED at chance %u\n", row->n);
	fflush(stdout);
}

static int call(bool inject, bool *takenp)
{
	int ret;

	ck_assert_int_eq(seteuid(row->scenario->uid), 0);
	if (inject)
		inject_arm(row->kind, row->n);
	ret = row->scenario->call(&world);
	if (inject)
		*takenp = inject_disarm(row->kind);
	ck_assert_int_eq(seteuid(0), 0);
	if (ret == row->scenario->want && row->scenario->done)
		row->scenario->done(&world);
	return ret;
}

static void build(void)
{
	world_init(&world);
	row->scenario->setup(&world);
}

/* The texts are too long for a message of libcheck. */
static void expect_same(const char *what, const char *expected, char *got)
{
	if (strcmp(expected, got)) {
		printf("--- expected\n%s--- found\n%s---\n", expected, got);
		fflush(stdout);
		ck_abort_msg("%s, %s, chance %u: %s", row->scenario->name, inject_names[row->kind],
			     row->n, what);
	}
	free(got);
}

static void expect_ret(const char *what, int expected, int ret)
{
	ck_assert_msg(ret == expected, "%s, %s, chance %u: %s returns %d, expected %d",
		      row->scenario->name, inject_names[row->kind], row->n, what, ret, expected);
}

/* The bus without the call, and after it: what others are compared with. */
static void take_references(char **untouchedp, char **donep)
{
	build();
	*untouchedp = world_end(&world);
	build();
	expect_ret("without faults", row->scenario->want, call(false, NULL));
	*donep = world_end(&world);
}

/* The next chance; false if there is none. */
static bool try_once(const char *untouched, const char *done)
{
	int error = row->kind == INJECT_COPY ? -EFAULT : -ENOMEM;
	bool taken;
	char *before;
	int ret;

	build();
	before = world_look(&world);
	ret = call(true, &taken);
	if (!taken || ret == row->scenario->want) {
		expect_ret(taken ? "with a fault" : "without a fault", row->scenario->want, ret);
		expect_same("the call was not done", done, world_end(&world));
		free(before);
		row->coped += taken;
		return taken;
	}
	ck_assert_msg(!row->scenario->frees || row->kind == INJECT_COPY,
		      "%s fails, although it allocates nothing", row->scenario->name);
	expect_ret("with a fault", error, ret);
	expect_same("the failed call left something", before, world_look(&world));
	free(before);
	expect_same("the failed call did something", untouched, world_end(&world));

	/* page faults and caches may differ: what counts is that the second call does it all */
	build();
	ret = call(true, &taken);
	if (ret != row->scenario->want)
		expect_ret("after a fault", row->scenario->want, call(false, NULL));
	expect_same("the second call did something else", done, world_end(&world));
	row->failed++;
	return true;
}

/* What frees must not allocate: no chance is taken, or only by chance. */
static void expect_no_chances(const char *untouched, const char *done)
{
	unsigned int try;

	for (try = 0; try < TRIES_FREE; try++)
		if (!try_once(untouched, done))
			return;
	ck_abort_msg("%s allocates: %s", row->scenario->name, inject_names[row->kind]);
}

/* Where kernel memory is accounted, and other UIDs may let things fail. */
static void enter_cgroup(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(write(fd, "0", 1), 1);
	close(fd);
	ck_assert_int_eq(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP), 0);
}

START_TEST(fault_sweep)
{
	char *untouched, *done;

	row = &rows[_i];
	row->began = true;
	enter_cgroup();
	inject_open();
	take_references(&untouched, &done);
	row->n = 1;
	if (row->scenario->frees && row->kind != INJECT_COPY)
		expect_no_chances(untouched, done);
	else
		for (; try_once(untouched, done); row->n++)
			ck_assert_uint_lt(row->n, CHANCES_MAX);
	free(untouched);
	free(done);
	row->ok = true;
	print_row(row);
}
END_TEST

/* Loads the module with the n-th chance taken, and says what that returned. */
static int load_with_fault(int module, unsigned int n, bool *takenp)
{
	int ret;

	inject_arm(INJECT_SLAB, n);
	ret = syscall(SYS_finit_module, module, "", 0) ? -errno : 0;
	*takenp = inject_disarm(INJECT_SLAB);
	return ret;
}

/* A module that cannot register its device is not loaded, and leaves nothing. */
START_TEST(fault_load)
{
	unsigned int n, failed = 0, coped = 0;
	bool taken = true;
	int module, ret;

	module = open("/modules/bus1.ko", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(module, 0);
	inject_open();
	inject_within("misc_register");
	for (n = 1; taken; n++) {
		ck_assert_int_eq(syscall(SYS_delete_module, "bus1", O_NONBLOCK), 0);
		ret = load_with_fault(module, n, &taken);
		ck_assert_msg(!ret || (ret == -ENOMEM && taken), "chance %u: %d", n, ret);
		coped += taken && !ret;
		if (!ret)
			continue;
		failed++;
		ck_assert_int_eq(access("/sys/module/bus1", F_OK), -1);
		ck_assert_int_eq(access("/dev/bus1", F_OK), -1);
		ck_assert_int_eq(access("/sys/kernel/debug/bus1", F_OK), -1);
		ck_assert_int_eq(syscall(SYS_finit_module, module, "", 0), 0);
	}
	inject_within(NULL);
	close(module);
	ck_assert_uint_gt(failed, 0);
	close(b1t_peer());
	printf("%-34s %-24s %6u %6u  ok\n", "load", inject_names[INJECT_SLAB], failed, coped);
	fflush(stdout);
}
END_TEST

/* One test for each kind of fault, but for those that would take too long. */
static void add_scenario(TCase *tcase, size_t scenario)
{
	size_t i, kind;

	for (kind = 0; kind < INJECT_KINDS; kind++) {
		i = scenario * INJECT_KINDS + kind;
		rows[i].scenario = &scenarios[scenario];
		rows[i].kind = kind;
		if (!(scenarios[scenario].kinds & (1 << kind)))
			tcase_add_loop_test(tcase, fault_sweep, i, i + 1);
	}
}

static bool wanted(const char *name, char **texts)
{
	size_t i;

	for (i = 0; texts[i] && !strstr(name, texts[i]); i++)
		;
	return !i || texts[i];
}

/* Whether something of a kind must have failed: what a call allocates and copies, it always does. */
static bool must_fail(const struct row *row)
{
	const char *name = row->scenario->name;

	switch (row->kind) {
	case INJECT_SLAB:
		return !strncmp(name, "open", 4) || !strncmp(name, "transfer", 8) ||
		       !strncmp(name, "send", 4);
	case INJECT_COPY:
		return strncmp(name, "open", 4) && strncmp(name, "close", 5);
	default:
		return false;
	}
}

/* How often what failed, and where a check did. Whether there was a failure of all that can fail. */
static bool print_summary(bool everything)
{
	unsigned int failed[INJECT_KINDS] = {}, coped[INJECT_KINDS] = {};
	bool all = true;
	size_t i;

	for (i = 0; i < n_scenarios * INJECT_KINDS; i++) {
		failed[rows[i].kind] += rows[i].failed;
		coped[rows[i].kind] += rows[i].coped;
		if (rows[i].began && !rows[i].ok)
			print_row(&rows[i]);
		if (rows[i].ok && must_fail(&rows[i]) && !rows[i].failed && !rows[i].coped) {
			print_row(&rows[i]);
			fprintf(stderr, "fault: nothing of that was made to fail\n");
			all = false;
		}
	}
	for (i = 0; i < INJECT_KINDS; i++) {
		printf("%-34s %-24s %6u %6u\n", "all", inject_names[i], failed[i], coped[i]);
		all = all && (failed[i] || coped[i] || !everything);
	}
	fflush(stdout);
	return all;
}

/* The kernel warns of each page that it cannot allocate; the log is enough for that. */
static void keep_quiet(void)
{
	/* 8 sets the level of the console */
	klogctl(8, NULL, 4);
}

int main(int argc, char **argv)
{
	Suite *suite = suite_create("fault");
	TCase *tcase = tcase_create("fault");
	SRunner *runner;
	int failed;
	size_t i;

	if (argc > 1 && argv[1][0] == '-') {
		fprintf(stderr, "usage: fault [TEXT...]: scenarios that have a TEXT in their name\n");
		return EXIT_FAILURE;
	}
	inject_init();
	keep_quiet();
	rows = mmap(NULL, n_scenarios * INJECT_KINDS * sizeof(*rows), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rows == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILURE;
	}
	if (mkdir(cgroup, 0755) && errno != EEXIST) {
		perror(cgroup);
		return EXIT_FAILURE;
	}
	tcase_set_timeout(tcase, 600);
	for (i = 0; i < n_scenarios; i++)
		if (wanted(scenarios[i].name, argv + 1))
			add_scenario(tcase, i);
	if (wanted("load", argv + 1))
		tcase_add_test(tcase, fault_load);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	printf("%-34s %-24s %6s %6s\n", "call", "what fails", "failed", "coped");
	fflush(stdout);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	if (!print_summary(argc == 1)) {
		fprintf(stderr, "fault: not all was made to fail that can\n");
		failed++;
	}
	srunner_free(runner);
	rmdir(cgroup);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
