// SPDX-License-Identifier: LGPL-2.1-or-later
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenarios.h"
#include "selftest.h"

static const char usage[] =
	"usage: interleave [OPTION]... [SCENARIO]...\n"
	"\n"
	"Runs scenarios of the concurrent core of kmod/ under all schedules, or random ones.\n"
	"\n"
	"  --list            the scenarios, and what they are about\n"
	"  --full            without reduction: only for the smallest ones\n"
	"  --preemptions N   without reduction: all schedules with at most N preemptions\n"
	"  --random          random schedules; also of the scenarios that are too large for all\n"
	"  --buffers         with store buffers, in all scenarios\n"
	"  --reuse           receivers use the memory of messages again, in all scenarios\n"
	"  --seconds N       stop after N seconds of each scenario; random: of all together\n"
	"  --seed N          seed of a random search (default 1)\n"
	"  --run N           only the random schedule with this number\n"
	"  --replay SCHEDULE one schedule, as printed with a failure\n"
	"  --verbose         on failure show each step\n"
	"  --stop            end with the first scenario that fails\n"
	"  --selftest        check the search itself\n"
	"\n"
	"Columns: schedules that were run to the end and checked, without --full one of each\n"
	"class of equivalent ones; those that turned out halfway to be equivalent to another;\n"
	"the most events in a schedule; \"complete\" if no schedule is left.\n"
	"\n"
	"A failure is shown with its schedule. The last line is \"N passed, N failed\".\n";

struct report {
	struct il_result result;
	uint64_t failed_run;
	bool done;
};

static struct report *report;
static struct il_options options = { .search = IL_REDUCED, .seed = 1 };
static bool one_run, stop;
static unsigned int n_passed, n_failed;

static int run_child(const struct il_scenario *scenario, const struct il_options *how)
{
	pid_t pid;
	int status;

	memset(report, 0, sizeof(*report));
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (!pid) {
		il_failed_run = &report->failed_run;
		il_explore(scenario, how, &report->result);
		report->done = true;
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) || !report->done;
}

static const char *extent(const struct il_result *result, char *text, size_t size)
{
	if (options.search == IL_RANDOM)
		snprintf(text, size, "random");
	else if (options.search == IL_REPLAY)
		snprintf(text, size, "replay");
	else if (!result->complete)
		snprintf(text, size, "stopped");
	else if (options.search == IL_BOUNDED)
		snprintf(text, size, "<= %u preemptions", options.preemptions);
	else
		snprintf(text, size, "complete");
	return text;
}

static void run_scenario(const struct il_scenario *scenario)
{
	struct il_options again = options;
	struct il_result *result;
	char text[40];
	bool failed;

	if ((scenario->buffers || options.buffers) && il_finds_races()) {
		printf("%-20s %7u left out: the race detector knows no store buffers\n",
		       scenario->name, scenario->n_threads);
		return;
	}
	failed = run_child(scenario, &options);
	result = &report->result;
	if (failed && options.search == IL_RANDOM && !options.verbose) {
		printf("again: interleave --random --seed %llu --run %llu --verbose %s\n",
		       (unsigned long long)options.seed, (unsigned long long)report->failed_run,
		       scenario->name);
		/* the same run once more, in detail */
		again.run = report->failed_run;
		again.max_runs = 1;
		again.verbose = true;
		run_child(scenario, &again);
	}
	if (failed)
		n_failed++;
	else
		n_passed++;
	if (failed)
		printf("%-20s %7u %44s FAILED\n", scenario->name, scenario->n_threads, "");
	else
		printf("%-20s %7u %10llu %8llu %6u %-12s %6.1f s ok\n", scenario->name,
		       scenario->n_threads, (unsigned long long)(result->n_runs - result->n_cut),
		       (unsigned long long)result->n_cut, result->max_events,
		       extent(result, text, sizeof(text)), result->seconds);
	fflush(stdout);
}

static void print_head(void)
{
	printf("%-20s %7s %10s %8s %6s %-12s %8s verdict\n", "scenario", "threads", "schedules",
	       "cut", "events", "extent", "time");
}

static void list(const struct il_scenario *const *of)
{
	for (; *of; of++)
		printf("%-20s %u threads%s: %s\n", (*of)->name, (*of)->n_threads,
		       (*of)->random ? ", random" : "", (*of)->text);
}

static const struct il_scenario *find_in(const struct il_scenario *const *of, const char *name)
{
	for (; *of; of++) {
		if (!strcmp((*of)->name, name))
			return *of;
	}
	return NULL;
}

static const struct il_scenario *find(const char *name)
{
	const struct il_scenario *found = find_in(scenarios, name);

	found = found ?: find_in(storms, name);
	found = found ?: find_in(litmus, name);
	if (!found) {
		fprintf(stderr, "no such scenario: %s (see --list)\n", name);
		exit(2);
	}
	return found;
}

static void run_all(const struct il_scenario *const *of)
{
	for (; *of && !(stop && n_failed); of++)
		run_scenario(*of);
}

static unsigned int count(const struct il_scenario *const *of)
{
	unsigned int n = 0;

	while (*of++)
		n++;
	return n;
}

static void parse(int argc, char **argv, bool *selftestp)
{
	static const struct option names[] = {
		{ "list", 0, NULL, 'l' }, { "full", 0, NULL, 'f' },
		{ "preemptions", 1, NULL, 'p' }, { "random", 0, NULL, 'r' },
		{ "buffers", 0, NULL, 'b' }, { "reuse", 0, NULL, 'u' },
		{ "seconds", 1, NULL, 't' }, { "seed", 1, NULL, 's' }, { "run", 1, NULL, 'n' },
		{ "replay", 1, NULL, 'y' }, { "verbose", 0, NULL, 'v' },
		{ "stop", 0, NULL, 'o' }, { "selftest", 0, NULL, 'x' }, { "help", 0, NULL, 'h' }, {},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1) {
		switch (c) {
		case 'l':
			list(scenarios);
			list(storms);
			exit(0);
		case 'f':
			options.search = IL_FULL;
			break;
		case 'p':
			options.search = IL_BOUNDED;
			options.preemptions = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			options.search = IL_RANDOM;
			break;
		case 'b':
			options.buffers = true;
			break;
		case 'u':
			options.reuse = true;
			break;
		case 't':
			options.seconds = strtod(optarg, NULL);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			options.run = strtoull(optarg, NULL, 10);
			options.max_runs = 1;
			one_run = true;
			break;
		case 'y':
			options.search = IL_REPLAY;
			options.schedule = optarg;
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'o':
			stop = true;
			break;
		case 'x':
			*selftestp = true;
			break;
		case 'h':
			printf("%s", usage);
			exit(0);
		default:
			fprintf(stderr, "%s", usage);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	bool test_self = false;
	int i;

	parse(argc, argv, &test_self);
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (report == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	if (test_self)
		return selftest();
	il_share_lock_order();
	if (options.search == IL_RANDOM) {
		printf("seed %llu\n", (unsigned long long)options.seed);
		if (!options.seconds && !one_run)
			options.seconds = 30;
		options.seconds /= argc - optind ?: count(scenarios) + 3 * count(storms);
	}
	print_head();
	for (i = optind; i < argc; i++)
		run_scenario(find(argv[i]));
	if (optind == argc) {
		run_all(scenarios);
		if (options.search == IL_RANDOM) {
			/* these have more to find */
			options.seconds *= 3;
			run_all(storms);
		}
	}
	printf("%u passed, %u failed\n", n_passed, n_failed);
	return n_failed || !n_passed;
}
