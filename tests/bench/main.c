// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a message costs: see tests/bench/run, which starts this in a virtual machine
 *
 *	bench [--rounds N] [--quick] [--peers REGEX] [--only REGEX] [--symbols all|modules]
 *	      [--cgroup]
 *
 * With --cgroup, in a control group of its own, as the kernel accounts for no memory in that where
 * everything starts.
 *
 * Prints one line for each row that is to be measured before it starts (plan ROW PEER), and one for
 * each that was (row ROW PEER VALUE
 * QUARTILE QUARTILE). With --symbols, also where functions of the kernel are (symbol ADDRESS NAME).
 */
#include <errno.h>
#include <getopt.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "transport.h"

static const struct row *const groups[] = {
	one_way_rows, ping_pong_rows, fan_out_rows, handle_rows, object_rows, notify_rows,
	load_rows, idle_rows,
};

static regex_t only, peers;
static int quick, cgroup;

static void compile(regex_t *regex, const char *pattern)
{
	if (regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB)) {
		fprintf(stderr, "%s: no regular expression\n", pattern);
		exit(2);
	}
}

static bool is_wanted(const struct row *row)
{
	return !(quick && (row->flags & ROW_LONG)) && !regexec(&only, row->name, 0, NULL, 0) &&
	       !regexec(&peers, row->peer, 0, NULL, 0);
}

static void print_plan(const struct row *row)
{
	printf("plan %s %s\n", row->name, row->peer);
}

/* In a process of its own, so that no row leaves anything behind for the next, not even a crash. */
static void run_row(const struct row *row)
{
	double low, high;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		row->run(row);
		printf("row %s %s %.1f", row->name, row->peer, measure_result(row));
		measure_quartiles(row, &low, &high);
		printf(" %.1f %.1f\n", low, high);
		fflush(NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status)
		printf("failed %s %s (status %#x)\n", row->name, row->peer, status);
}

static unsigned int for_each(void (*function)(const struct row *row))
{
	const struct row *row;
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		for (row = groups[i]; row->name; row++) {
			if (is_wanted(row)) {
				function(row);
				n++;
			}
		}
	}
	return n;
}

/* A loop of which the number of instructions is known, and one to prepare it. */
static void check_clock(void)
{
	long n;

	while (next_round()) {
		n = 500;
		begin();
		asm volatile("1: dec %0; jnz 1b" : "+r"(n));
		end();
	}
	printf("clock: looking at it costs %lld, a loop of 1000 instructions %.0f\n",
	       (long long)measure_clock_cost(), measure_result(&(struct row){ .name = "clock" }));
	measure_reset();
}

/* The functions of the kernel's modules, and its own, of which there are many. */
static void print_symbols(bool all)
{
	char line[512], address[32], type, name[256];
	FILE *file = fopen("/proc/kallsyms", "r");

	if (!file)
		die("/proc/kallsyms");
	while (fgets(line, sizeof(line), file)) {
		if ((all || strchr(line, '[')) &&
		    sscanf(line, "%31s %c %255s", address, &type, name) == 3 &&
		    strchr("tTwW", type))
			printf("symbol %s %s\n", address, name);
	}
	fclose(file);
}

static void enter_cgroup(void)
{
	static const char directory[] = "/sys/fs/cgroup/bench";
	char path[sizeof(directory) + 32];
	FILE *file;

	if (mkdir(directory, 0755) < 0)
		die("%s", directory);
	snprintf(path, sizeof(path), "%s/memory.current", directory);
	if (access(path, F_OK) < 0)
		die("%s", path);
	snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	file = fopen(path, "w");
	if (!file || fputs("0", file) < 0 || fclose(file))
		die("%s", path);
}

static void raise_limits(void)
{
	struct rlimit limit = { 4096, 4096 };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("RLIMIT_NOFILE");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "symbols", required_argument, NULL, 's' },
		{ "cgroup", no_argument, &cgroup, 1 },
		{ "quick", no_argument, &quick, 1 },
		{ "peers", required_argument, NULL, 'p' },
		{ "only", required_argument, NULL, 'o' },
		{}
	};
	const char *symbols = NULL;
	unsigned int rounds = 301;
	int c;

	compile(&only, "");
	compile(&peers, "");
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 0: break;
		case 'r': rounds = atoi(optarg); break;
		case 's': symbols = optarg; break;
		case 'p': compile(&peers, optarg); break;
		case 'o': compile(&only, optarg); break;
		default: return 2;
		}
	}
	raise_limits();
	if (cgroup)
		enter_cgroup();
	use_cpu(0);
	measure_init(rounds);
	check_clock();
	if (!for_each(print_plan)) {
		fprintf(stderr, "no such row\n");
		return 2;
	}
	for_each(run_row);
	if (symbols)
		print_symbols(!strcmp(symbols, "all"));
	return 0;
}
