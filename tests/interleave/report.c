// SPDX-License-Identifier: LGPL-2.1-or-later
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "private.h"

#define MAX_NAMES 256

uint64_t *il_failed_run;

static struct {
	const volatile char *addr;
	size_t size;
	char text[40];
} names[MAX_NAMES];
static unsigned int n_names;

void il_name(const volatile void *addr, size_t size, const char *format, ...)
{
	va_list args;

	if (!il.options->verbose || n_names == MAX_NAMES)
		return;
	names[n_names].addr = addr;
	names[n_names].size = size;
	va_start(args, format);
	vsnprintf(names[n_names].text, sizeof(names[n_names].text), format, args);
	va_end(args);
	n_names++;
}

void il_label(const char *label)
{
	if (il.current >= 0)
		procs[il.current].label = label;
}

const char *name_of(const volatile void *addr, char *text, size_t size)
{
	const volatile char *at = addr;
	unsigned int i, found = MAX_NAMES;

	/* the narrowest that fits */
	for (i = 0; i < n_names; i++) {
		if (at < names[i].addr || at >= names[i].addr + names[i].size)
			continue;
		if (found == MAX_NAMES || names[i].size <= names[found].size)
			found = i;
	}
	if (!addr)
		snprintf(text, size, "-");
	else if (found == MAX_NAMES)
		snprintf(text, size, "%p", (void *)addr);
	else
		snprintf(text, size, "%s+%td", names[found].text, at - names[found].addr);
	return text;
}

const char *proc_name(unsigned int proc, char *text, size_t size)
{
	const char *name = il.scenario->names[proc % IL_MAX_THREADS];

	snprintf(text, size, "%s%s", name ?: "?", proc < IL_MAX_THREADS ? "" : "'s stores");
	return text;
}

/* Proc and number of events, for each stretch: 0*12,1*3 */
static void print_schedule(void)
{
	unsigned int i, n;

	for (i = 0; i < il.n_trace; i += n) {
		for (n = 1; i + n < il.n_trace && trace[i + n].proc == trace[i].proc; n++)
			;
		printf("%s%u*%u", i ? "," : "", trace[i].proc, n);
	}
}

static void print_trace(void)
{
	static const char *const kinds[] = {
		[IL_START] = "start", [IL_READ] = "read", [IL_WRITE] = "write", [IL_ADD] = "add",
		[IL_LOCK] = "lock", [IL_TRYLOCK] = "trylock", [IL_UNLOCK] = "unlock", [IL_FENCE] = "fence",
		[IL_WAIT] = "wait", [IL_WAKE] = "wake", [IL_FREE] = "free", [IL_BUFFER] = "buffer",
	};
	char proc[40], where[60];
	const struct event *ev;
	const char *what;
	unsigned int i;

	for (i = 0; i < il.n_trace; i++) {
		ev = &trace[i];
		if (!i || ev->proc != ev[-1].proc || ev->label != ev[-1].label)
			printf("%s: %s\n", proc_name(ev->proc, proc, sizeof(proc)), ev->label ?: "");
		what = ev->act.what ?: "";
		/* the file without its directories */
		while (strchr(what, '/') && strchr(what, '/') < (strchr(what, ':') ?: what))
			what = strchr(what, '/') + 1;
		printf("  %4u  %-12s %-32s %s\n", i, kinds[ev->act.kind],
		       name_of(ev->act.addr, where, sizeof(where)), what);
	}
}

void il_fail(const char *format, ...)
{
	static volatile bool failing;
	va_list args;

	if (failing)
		_exit(2);
	failing = true;
	printf("\n%s: ", il.scenario ? il.scenario->name : "?");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	if (il.scenario && il.options->verbose)
		print_trace();
	if (il_failed_run)
		*il_failed_run = il.number;
	if (il.scenario) {
		printf("schedule: ");
		print_schedule();
		printf("\n");
	}
	fflush(stdout);
	_exit(1);
}

void report_reset(void)
{
	n_names = 0;
}

static void on_signal(int signal)
{
	il_fail("%s", strsignal(signal));
}

static void on_alarm(int signal)
{
	static uint64_t last_run, last_trace;

	(void)signal;
	if (last_run == il.run && last_trace == il.n_trace)
		il_fail("no event for ten seconds");
	last_run = il.run;
	last_trace = il.n_trace;
}

void catch_signals(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	static char stack[64 * 1024];
	stack_t alternative = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct itimerval interval = { { 10, 0 }, { 10, 0 } };
	struct sigaction action = { .sa_flags = SA_ONSTACK };
	unsigned int i;

	sigaltstack(&alternative, NULL);
	action.sa_handler = on_signal;
	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &action, NULL);
	action.sa_handler = on_alarm;
	action.sa_flags |= SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &interval, NULL);
}
