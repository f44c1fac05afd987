// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "private.h"

struct state il = { .current = -1 };
struct node nodes[IL_MAX_EVENTS];

/* The decision */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x7fb5d329728ea185ULL;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44dULL;
	return x ^ x >> 33;
}

static unsigned int random_of(uint64_t *state, unsigned int n)
{
	*state += 0x9e3779b97f4a7c15ULL;
	return mix(*state) % n;
}

unsigned int il_random(unsigned int n)
{
	return random_of(&il.random, n);
}

static unsigned int nth_of(uint32_t set, unsigned int n)
{
	while (n--)
		set &= set - 1;
	return __builtin_ctz(set);
}

static unsigned int any_of(uint32_t set)
{
	return nth_of(set, random_of(&il.schedule_random, __builtin_popcount(set)));
}

static bool can_stay(uint32_t set)
{
	return il.current >= 0 && (set & BIT(il.current));
}

static int choose_random(uint32_t set)
{
	unsigned int i, best = 0;

	switch (il.strategy) {
	case 0:
		return any_of(set);
	case 1:
		/* stay with a thread for a while */
		if (can_stay(set) && random_of(&il.schedule_random, il.stickiness))
			return il.current;
		return any_of(set);
	default:
		/* by priority, that of the thread drops at a few moments */
		for (i = 0; i < 4; i++) {
			if (il.change[i] == il.n_trace && il.current >= 0)
				il.priority[il.current] = i;
		}
		for (i = 0; i < P; i++) {
			if ((set & BIT(i)) &&
			    (!(set & BIT(best)) || il.priority[i] > il.priority[best]))
				best = i;
		}
		return best;
	}
}

static int choose_replay(uint32_t set)
{
	char *end;

	if (!il.replay_left) {
		if (!*il.replay)
			return can_stay(set) ? il.current : (int)nth_of(set, 0);
		il.replay_proc = strtol(il.replay, &end, 10);
		il.replay_left = *end == '*' ? strtoul(end + 1, &end, 10) : 0;
		if (!il.replay_left || il.replay_proc < 0 || il.replay_proc >= P)
			il_fail("the schedule cannot be read: %s", il.replay);
		il.replay = end + (*end == ',');
	}
	il.replay_left--;
	if (!(set & BIT(il.replay_proc)))
		il_fail("the schedule does not fit: %d cannot run", il.replay_proc);
	return il.replay_proc;
}

static void sleep_after(const struct node *node, uint32_t *nextp)
{
	struct pending room, chosen_room, *chosen = next_of(node->chosen, &chosen_room);
	unsigned int q;

	*nextp = 0;
	for (q = 0; q < P; q++) {
		if (!(node->sleep & BIT(q)) || q == node->chosen)
			continue;
		if (!depend(next_of(q, &room), chosen))
			*nextp |= BIT(q);
	}
}

static uint32_t next_sleep;

/* A moment that is seen for the first time. */
static void node_new(struct node *node, uint32_t set)
{
	const struct node *last = il.n_nodes ? node - 1 : NULL;
	uint32_t allowed = set;

	node->enabled = set;
	node->sleep = il.options->search == IL_REDUCED ? next_sleep : 0;
	node->preemptions = 0;
	if (il.options->search == IL_BOUNDED && last) {
		node->preemptions = last->preemptions;
		if (il.n_nodes > 1 && last->chosen != (last - 1)->chosen &&
		    (last->enabled & BIT((last - 1)->chosen)))
			node->preemptions++;
		if (node->preemptions >= il.options->preemptions && (set & BIT(last->chosen)))
			allowed = BIT(last->chosen);
	}
	set &= ~node->sleep;
	if (!set) {
		il.cut = true;
		return;
	}
	node->chosen = can_stay(set & allowed) ? il.current : (int)nth_of(set & allowed, 0);
	node->backtrack = il.options->search == IL_REDUCED ? BIT(node->chosen) : allowed;
	il.n_nodes++;
}

static int choose_searching(uint32_t set)
{
	struct node *node = &nodes[il.n_trace];

	if (il.cut)
		return can_stay(set) ? il.current : (int)nth_of(set, 0);
	if (il.n_trace < il.n_replay) {
		if (node->enabled != set)
			il_fail("the scenario is not deterministic");
	} else {
		node_new(node, set);
		if (il.cut) {
			find_races_of_blocked();
			return nth_of(set, 0);
		}
	}
	if (il.options->search == IL_REDUCED)
		sleep_after(node, &next_sleep);
	return node->chosen;
}

int choose(uint32_t set)
{
	switch (il.options->search) {
	case IL_RANDOM:
		return choose_random(set);
	case IL_REPLAY:
		return choose_replay(set);
	default:
		return choose_searching(set);
	}
}

/* Classes of equivalent executions */

static uint64_t *classes;
static size_t n_slots, n_known;

static bool class_add(uint64_t hash)
{
	size_t i, j, n = n_slots;
	uint64_t *old = classes;

	if (2 * n_known >= n_slots) {
		n_slots = n_slots ? 4 * n_slots : 4096;
		classes = calloc(n_slots, sizeof(*classes));
		n_known = 0;
		for (j = 0; j < n; j++) {
			if (old[j])
				class_add(old[j]);
		}
		free(old);
	}
	for (i = hash % n_slots; classes[i]; i = (i + 1) % n_slots) {
		if (classes[i] == hash)
			return false;
	}
	classes[i] = hash;
	n_known++;
	return true;
}

void il_class_forget(void)
{
	free(classes);
	classes = NULL;
	n_slots = n_known = 0;
}

/* Threads are deterministic, so what each event comes after tells one class from another. */
static uint64_t trace_hash(void)
{
	uint64_t sum = 1, hash;
	unsigned int i, j;

	for (i = 0; i < il.n_trace; i++) {
		hash = mix(trace[i].proc + 1);
		for (j = 0; j < P; j++)
			hash = mix(hash + trace[i].clock[j]) + j;
		sum += mix(hash);
	}
	return sum ?: 1;
}

/* Executions */

static void random_begin(uint64_t run)
{
	unsigned int i, length;

	il.random = mix(il.options->seed + mix(run + 1));
	il.schedule_random = mix(il.random + 4711);
	il.strategy = random_of(&il.schedule_random, 3);
	il.stickiness = 2 << random_of(&il.schedule_random, 6);
	for (i = 0; i < P; i++)
		il.priority[i] = 4 + random_of(&il.schedule_random, 1000);
	for (i = 0; i < 4; i++) {
		length = 400 << random_of(&il.schedule_random, 3);
		il.change[i] = random_of(&il.schedule_random, length);
	}
}

static void run_once(uint64_t n)
{
	memory_reset();
	report_reset();
	il.n_trace = 0;
	il.n_nodes = il.n_replay;
	il.cut = false;
	il.current = -1;
	il.run++;
	il.number = il.options->run + n;
	il_loud = il.scenario->loud;
	il.buffers = il.scenario->buffers || il.options->buffers;
	il_reuse = il.scenario->reuse || il.options->reuse;
	next_sleep = 0;
	random_begin(il.number);
	if (il.options->search == IL_REPLAY) {
		il.replay = il.options->schedule;
		il.replay_left = 0;
	}

	il.scenario->setup();
	threads_run();
	il.scenario->finish();
	il_check_leaks();
}

/* The next execution; false: there is none. */
static bool next_run(void)
{
	struct node *node;
	uint32_t left;

	while (il.n_nodes) {
		node = &nodes[il.n_nodes - 1];
		node->sleep |= BIT(node->chosen);
		left = node->backtrack & ~node->sleep;
		if (left) {
			node->chosen = nth_of(left, 0);
			il.n_replay = il.n_nodes;
			il.n_new = il.n_nodes - 1;
			return true;
		}
		il.n_nodes--;
	}
	return false;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

void il_explore(const struct il_scenario *scenario, const struct il_options *options,
		struct il_result *result)
{
	bool searching = options->search != IL_RANDOM && options->search != IL_REPLAY;
	double start = now();

	memset(result, 0, sizeof(*result));
	il.scenario = scenario;
	il.options = options;
	il.n_nodes = il.n_replay = il.n_new = 0;
	catch_signals();
	do {
		run_once(result->n_runs++);
		result->n_cut += il.cut;
		result->n_events += il.n_trace;
		if (result->max_events < il.n_trace)
			result->max_events = il.n_trace;
		if (options->collect && !il.cut && class_add(trace_hash()))
			result->n_classes++;
		if (searching && !next_run()) {
			result->complete = true;
			break;
		}
		if (options->search == IL_REPLAY)
			break;
		if (options->max_runs && result->n_runs == options->max_runs)
			break;
	} while (!options->seconds || (result->n_runs & 15) || now() - start < options->seconds);
	result->seconds = now() - start;
}
