// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Time, chance, threads and violations
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

/* A scenario that is that wrong has nothing more to say. */
#define MAX_VIOLATIONS 32

/* One fault may have no consequence; so many will. */
#define MIN_FAULTS 20

const char *const st_counter_names[_ST_COUNTER_N] = {
	[ST_SENT] = "sent",
	[ST_RECEIVED] = "received",
	[ST_NODE_RELEASE] = "node-releases",
	[ST_HANDLE_RELEASE] = "handle-releases",
	[ST_TRANSFERS] = "transfers",
	[ST_RELEASES] = "releases",
	[ST_WAITS] = "waits",
	[ST_CLOSES] = "closes",
	[ST_KILLS] = "kills",
	[ST_CHECKS] = "checks",
	[ST_QUOTA] = "over-quota",
};

const char *const st_fault_names[_ST_FAULT_N] = {
	[ST_FAULT_NONE] = "none",
	[ST_FAULT_DROP_USER] = "drop-user",
	[ST_FAULT_DUP_USER] = "dup-user",
	[ST_FAULT_SWAP] = "swap",
	[ST_FAULT_DROP_NOTE] = "drop-note",
	[ST_FAULT_DUP_NOTE] = "dup-note",
	[ST_FAULT_HIDE] = "hide",
	[ST_FAULT_DEAF] = "deaf",
	[ST_FAULT_GHOST] = "ghost",
};

static uint64_t mix(uint64_t v)
{
	v += 0x9e3779b97f4a7c15ULL;
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
	return v ^ (v >> 31);
}

/* The sequence depends on nothing but the seed, the scenario and the number of the thread. */
void st_rng_init(struct st_rng *rng, const struct st_run *run, unsigned int thread)
{
	const char *p;

	rng->state = mix(run->seed);
	for (p = run->name; *p; p++)
		rng->state = mix(rng->state ^ (unsigned char)*p);
	rng->state = mix(rng->state ^ thread);
}

/* A number below @n. */
uint32_t st_rand(struct st_rng *rng, uint32_t n)
{
	rng->state += 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(((mix(rng->state) >> 32) * n) >> 32);
}

uint64_t st_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void st_pause(unsigned int us)
{
	struct timespec ts = { .tv_nsec = us * 1000L };

	nanosleep(&ts, NULL);
}

static bool lacks_work(struct st_run *run)
{
	unsigned int i;

	if (run->fault && atomic_load(&run->n_faults) < MIN_FAULTS)
		return true;
	for (i = 0; i < _ST_COUNTER_N; i++)
		if ((run->required & ST_BIT(i)) && !atomic_load(&run->counters[i]))
			return true;
	return false;
}

/*
 * Whether to go on. Where the machine is so slow that something has not happened even once yet, a
 * scenario gets more time.
 */
bool st_going(struct st_run *run)
{
	uint64_t now = st_now();

	if (atomic_load(&run->n_violations) >= (run->fault ? 1 : MAX_VIOLATIONS))
		return false;
	return now < run->t_end || (lacks_work(run) && now < run->t_end + 4 * run->grace);
}

void st_count(struct st_run *run, enum st_counter counter)
{
	atomic_fetch_add_explicit(&run->counters[counter], 1, memory_order_relaxed);
}

/* Uses no stdio streams: a forked child of a process with threads may call it. */
void st_violation(struct st_run *run, const char *format, ...)
{
	char text[512];
	va_list args;
	int n, m;

	if (atomic_fetch_add(&run->n_violations, 1) >= MAX_VIOLATIONS || run->quiet)
		return;
	n = snprintf(text, sizeof(text), "%s: VIOLATION: ", run->name);
	va_start(args, format);
	m = vsnprintf(text + n, sizeof(text) - (size_t)n - 1, format, args);
	va_end(args);
	n += m < (int)sizeof(text) - n - 1 ? m : (int)sizeof(text) - n - 2;
	text[n++] = '\n';
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		return;
}

/*
 * Whether @fault is to strike here. Not at once, so that there is something to break, and then
 * often, so that the invariants get their chance also where one fault has no consequence.
 */
bool st_fault(struct st_run *run, enum st_fault fault)
{
	unsigned int n;

	if (run->fault != fault)
		return false;
	n = atomic_fetch_add(&run->n_opportunities, 1);
	if (n < 10 || n % 5)
		return false;
	atomic_fetch_add(&run->n_faults, 1);
	return true;
}

void *st_alloc_shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(EXIT_FAILURE);
	}
	return p;
}

/* Zeroed memory; the scenario's process ends soon after, nobody frees it. */
void *st_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (!p) {
		perror("calloc");
		exit(EXIT_FAILURE);
	}
	return p;
}

void st_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	int ret = pthread_create(thread, NULL, fn, arg);

	if (ret) {
		fprintf(stderr, "pthread_create: %s\n", strerror(ret));
		exit(EXIT_FAILURE);
	}
}

/* May wait for ever: the parent of the scenario watches the time. */
void st_thread_join(pthread_t thread)
{
	pthread_join(thread, NULL);
}
