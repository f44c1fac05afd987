// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * stress: threads and processes that do everything on /dev/bus1 at random
 *
 * Each scenario runs in a child process; this one watches the time and judges. See usage() for the
 * options and each scenario's file for its invariants.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define SECOND 1000000000ULL
#define GRACE (10 * SECOND)
#define GRACE_SELF_CHECK (SECOND / 2)

/* On top of the time of a scenario, until it counts as hanging. */
#define WATCHDOG (60 * SECOND)

static const struct st_scenario *const scenarios[] = {
	&st_causal, &st_atomic, &st_notify, &st_epoll, &st_shared, &st_close, &st_processes,
};

/* Each of these must make the scenario complain. */
static const struct {
	const struct st_scenario *scenario;
	enum st_fault fault;
} self_checks[] = {
	{ &st_causal, ST_FAULT_DROP_USER },
	{ &st_causal, ST_FAULT_DUP_USER },
	{ &st_causal, ST_FAULT_SWAP },
	{ &st_atomic, ST_FAULT_DROP_USER },
	{ &st_atomic, ST_FAULT_DROP_NOTE },
	{ &st_atomic, ST_FAULT_HIDE },
	{ &st_notify, ST_FAULT_DROP_USER },
	{ &st_notify, ST_FAULT_DROP_NOTE },
	{ &st_notify, ST_FAULT_DUP_NOTE },
	{ &st_notify, ST_FAULT_SWAP },
	{ &st_epoll, ST_FAULT_DEAF },
	{ &st_shared, ST_FAULT_DROP_USER },
	{ &st_shared, ST_FAULT_DUP_USER },
	{ &st_shared, ST_FAULT_DROP_NOTE },
	{ &st_shared, ST_FAULT_GHOST },
	{ &st_close, ST_FAULT_DROP_NOTE },
	{ &st_close, ST_FAULT_GHOST },
	{ &st_processes, ST_FAULT_DROP_NOTE },
	{ &st_processes, ST_FAULT_DUP_NOTE },
};

struct options {
	unsigned int seconds;
	unsigned int n_threads;
	uint64_t seed;
	const char *scenario;
	enum st_fault fault;
	bool self_check;
};

struct verdicts {
	unsigned int n, n_failures, n_errors;
};

enum verdict {
	PASSED,
	FAILED,
	ERROR,
};

static struct st_run *run_new(const struct st_scenario *scenario, const struct options *o,
			      uint64_t duration, enum st_fault fault)
{
	struct st_run *run = st_alloc_shared(sizeof(*run));

	run->seed = o->seed;
	run->n_threads = o->n_threads;
	run->required = scenario->required;
	run->t_end = st_now() + duration;
	run->grace = o->self_check ? GRACE_SELF_CHECK : GRACE;
	run->fault = fault;
	run->quiet = o->self_check;
	snprintf(run->name, sizeof(run->name), "%s", scenario->name);
	return run;
}

/* Reaps @pid; after @t_end, says so and kills it. What cannot be killed is left behind. */
static bool reap(pid_t pid, uint64_t t_end, const char *name, int *statusp)
{
	uint64_t t_give_up = t_end + 10 * SECOND;
	bool killed = false;

	while (waitpid(pid, statusp, WNOHANG) != pid) {
		if (!killed && st_now() > t_end) {
			fprintf(stderr, "%s: HANG: not finished in time\n", name);
			kill(-pid, SIGKILL);
			killed = true;
		}
		if (st_now() > t_give_up) {
			fprintf(stderr, "%s: cannot even be killed\n", name);
			return false;
		}
		st_pause(10000);
	}
	return !killed;
}

/* Runs the scenario in a process group of its own; ERROR if it does not come to its end. */
static enum verdict run_child(const struct st_scenario *scenario, struct st_run *run)
{
	pid_t pid;
	int status = 0;

	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return ERROR;
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		scenario->run(run);
		_exit(EXIT_SUCCESS);
	}
	setpgid(pid, pid);
	if (!reap(pid, run->t_end + WATCHDOG, scenario->name, &status))
		return ERROR;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "%s: ended with status %#x\n", scenario->name,
			(unsigned int)status);
		return ERROR;
	}
	return PASSED;
}

static void print_run(const struct st_run *run)
{
	unsigned int i;

	printf("%s:", run->name);
	for (i = 0; i < _ST_COUNTER_N; i++)
		if (atomic_load(&run->counters[i]))
			printf(" %lu %s", atomic_load(&run->counters[i]), st_counter_names[i]);
	printf("; %u violations\n", atomic_load(&run->n_violations));
}

/* Every scenario must really have worked. */
static enum verdict judge_work(const struct st_run *run)
{
	enum verdict verdict = PASSED;
	unsigned int i;

	for (i = 0; i < _ST_COUNTER_N; i++) {
		if (!(run->required & ST_BIT(i)) || atomic_load(&run->counters[i]))
			continue;
		fprintf(stderr, "%s: no %s at all\n", run->name, st_counter_names[i]);
		verdict = FAILED;
	}
	return verdict;
}

static void verdict_add(struct verdicts *v, enum verdict verdict)
{
	v->n++;
	v->n_failures += verdict == FAILED;
	v->n_errors += verdict == ERROR;
}

static void run_scenarios(const struct options *o, struct verdicts *v)
{
	uint64_t n = o->scenario ? 1 : ST_N(scenarios), duration = o->seconds * SECOND / n;
	enum verdict verdict;
	struct st_run *run;
	unsigned int i;

	for (i = 0; i < ST_N(scenarios); i++) {
		if (o->scenario && strcmp(o->scenario, scenarios[i]->name))
			continue;
		run = run_new(scenarios[i], o, duration, o->fault);
		verdict = run_child(scenarios[i], run);
		print_run(run);
		if (verdict == PASSED && atomic_load(&run->n_violations))
			verdict = FAILED;
		if (verdict == PASSED)
			verdict = judge_work(run);
		verdict_add(v, verdict);
	}
}

static void run_self_checks(const struct options *o, struct verdicts *v)
{
	unsigned int i, n_faults, n_violations;
	enum verdict verdict;
	struct st_run *run;

	for (i = 0; i < ST_N(self_checks); i++) {
		if (o->scenario && strcmp(o->scenario, self_checks[i].scenario->name))
			continue;
		run = run_new(self_checks[i].scenario, o, SECOND, self_checks[i].fault);
		verdict = run_child(self_checks[i].scenario, run);
		n_faults = atomic_load(&run->n_faults);
		n_violations = atomic_load(&run->n_violations);
		if (verdict == PASSED && (!n_faults || !n_violations))
			verdict = FAILED;
		printf("self-check %s, %s: %u faults, %s\n", run->name,
		       st_fault_names[self_checks[i].fault], n_faults,
		       n_violations ? "noticed" : "NOT NOTICED");
		verdict_add(v, verdict);
	}
}

static void usage(FILE *f)
{
	fputs("Usage: stress [OPTION...]\n"
	      "  --seconds N      time for all scenarios together (default 20)\n"
	      "  --seed S         start of all pseudo-random sequences\n"
	      "  --threads T      1 to 16, where a scenario allows (default 4)\n"
	      "  --scenario NAME  run only this one\n"
	      "  --break FAULT    make one of the mistakes of --self-check\n"
	      "  --self-check     instead: inject faults, fail where they go unnoticed\n"
	      "  --list           print the names of the scenarios\n",
	      f);
}

static void list(void)
{
	unsigned int i;

	for (i = 0; i < ST_N(scenarios); i++)
		printf("%-12s %s\n", scenarios[i]->name, scenarios[i]->what);
}

static enum st_fault parse_fault(const char *name)
{
	unsigned int i;

	for (i = 0; i < _ST_FAULT_N; i++)
		if (!strcmp(name, st_fault_names[i]))
			return i;
	fprintf(stderr, "stress: no fault %s\n", name);
	exit(EXIT_FAILURE);
}

static unsigned long parse_number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 0);
	if (errno || end == text || *end || n < min || n > max) {
		fprintf(stderr, "stress: bad number: %s\n", text);
		exit(EXIT_FAILURE);
	}
	return n;
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'S' },
		{ "threads", required_argument, NULL, 't' },
		{ "scenario", required_argument, NULL, 'n' },
		{ "break", required_argument, NULL, 'b' },
		{ "self-check", no_argument, NULL, 'c' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		switch (c) {
		case 's':
			o->seconds = (unsigned int)parse_number(optarg, 1, 1000000);
			break;
		case 'S':
			o->seed = parse_number(optarg, 0, ~0UL);
			break;
		case 't':
			o->n_threads = (unsigned int)parse_number(optarg, 1, 16);
			break;
		case 'n':
			o->scenario = optarg;
			break;
		case 'b':
			o->fault = parse_fault(optarg);
			break;
		case 'c':
			o->self_check = true;
			break;
		case 'l':
			list();
			exit(EXIT_SUCCESS);
		default:
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? EXIT_SUCCESS : EXIT_FAILURE);
		}
	}
	if (optind < argc) {
		usage(stderr);
		exit(EXIT_FAILURE);
	}
}

int main(int argc, char **argv)
{
	struct options o = { .seconds = 20, .n_threads = 4, .seed = st_now() & 0xffffffff };
	struct verdicts v = {};
	unsigned int n_good;

	parse(&o, argc, argv);
	printf("stress: seed %llu\n", (unsigned long long)o.seed);
	if (o.self_check)
		run_self_checks(&o, &v);
	else
		run_scenarios(&o, &v);
	n_good = v.n - v.n_failures - v.n_errors;
	printf("%u%%: Checks: %u, Failures: %u, Errors: %u\n", v.n ? 100 * n_good / v.n : 0, v.n,
	       v.n_failures, v.n_errors);
	return v.n && n_good == v.n ? EXIT_SUCCESS : EXIT_FAILURE;
}
