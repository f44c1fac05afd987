// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The reduction is that of source sets with sleep sets (Abdulla, Aronis, Jonsson, Sagonas: Optimal
 * dynamic partial order reduction, POPL 2014). Two events depend on each other if they are of one
 * thread, or touch the same address and do not commute; the order of dependent events is the
 * happens-before of an execution, kept as vector clocks, and executions with the same one are
 * equivalent. For each new event that is in a race with an earlier one of another thread
 * (dependent, and nothing in between orders them), another execution is planned in which it comes
 * first. An unlock does not race with the lock that follows, as that could not have come first: the
 * two locks race: also if one of them is never taken, because the execution is found to be equivalent to
 * another one before. It does race with an attempt, of a thread that is being killed, to take the lock.
 */

#include <string.h>

#include "private.h"

#define N_LOCS 32768

/* What has been done to an address. */
struct loc {
	const volatile void *addr;
	uint64_t run;
	enum il_kind mode;		/* of the last group of events that commute */
	uint32_t group_mask, before_mask;
	/* the last event of each proc in it, and in the one before */
	uint16_t group[P], before[P];
	int lock, unlock;		/* last events, or -1 */
	struct loc *next;		/* in the same allocation */
};

struct event trace[IL_MAX_EVENTS];
static struct loc locs[N_LOCS];

/* Clocks */

void join(uint16_t *to, const uint16_t *from)
{
	unsigned int i;

	for (i = 0; i < P; i++) {
		if (to[i] < from[i])
			to[i] = from[i];
	}
}

static bool is_before(const struct event *event, const uint16_t *clock)
{
	return clock[event->proc] >= event->index;
}

/* How an event uses its address: IL_READ, IL_ADD or IL_WRITE; 0: it touches nothing of others. */
static enum il_kind mode_of(const struct pending *act)
{
	switch (act->kind) {
	case IL_READ:
	case IL_ADD:
	case IL_WRITE:
		return act->kind;
	case IL_LOCK:
	case IL_TRYLOCK:
	case IL_UNLOCK:
	case IL_WAIT:
	case IL_WAKE:
	case IL_FREE:
		return IL_WRITE;
	default:
		return IL_START;
	}
}

static bool is_lock(const struct pending *act)
{
	return act->kind == IL_LOCK || act->kind == IL_TRYLOCK || act->kind == IL_UNLOCK;
}

/* Whether an attempt, which is about to happen, finds the lock held. */
static bool is_in_vain(const struct pending *act)
{
	return act->kind == IL_TRYLOCK && ((const volatile struct il_lock *)act->addr)->busy;
}

static bool is_within(const volatile void *addr, const struct pending *freed)
{
	return (const volatile char *)addr >= (const volatile char *)freed->addr &&
	       (const volatile char *)addr < (const volatile char *)freed->addr + freed->size;
}

bool depend(const struct pending *a, const struct pending *b)
{
	enum il_kind a_mode = mode_of(a), b_mode = mode_of(b);

	if (a_mode == IL_START || b_mode == IL_START)
		return false;
	if (a->kind == IL_FREE && is_within(b->addr, a))
		return true;
	if (b->kind == IL_FREE && is_within(a->addr, b))
		return true;
	return a->addr == b->addr && (a_mode != b_mode || a_mode == IL_WRITE);
}

/* Races */

static struct loc *loc_of(const volatile void *addr)
{
	uint64_t hash = (uint64_t)(uintptr_t)addr * 0x9e3779b97f4a7c15ULL;
	unsigned int i = hash >> 40;
	struct chunk *chunk;
	struct loc *loc;

	for (;; i++) {
		loc = &locs[i % N_LOCS];
		if (loc->run == il.run && loc->addr == addr)
			return loc;
		if (loc->run != il.run)
			break;
	}
	loc->addr = addr;
	loc->run = il.run;
	loc->mode = IL_START;
	loc->group_mask = loc->before_mask = 0;
	loc->lock = loc->unlock = -1;
	loc->next = NULL;
	chunk = chunk_of(addr);
	if (chunk) {
		loc->next = chunk->locs;
		chunk->locs = loc;
	}
	return loc;
}

struct preds {
	unsigned int n;
	uint16_t events[P * 64];
};

static void add_pred(struct preds *preds, unsigned int proc, unsigned int event)
{
	if (trace[event].proc == proc)
		return;
	if (preds->n == P * 64)
		il_fail("too many events that an event depends on");
	preds->events[preds->n++] = event;
}

/* Collects what an access by @proc depends on, and enters it. */
static void loc_access(struct loc *loc, enum il_kind mode, unsigned int proc, unsigned int event,
		       struct preds *preds)
{
	bool joins = mode == loc->mode && mode != IL_WRITE;
	uint32_t mask = joins ? loc->before_mask : loc->group_mask;
	uint16_t *from = joins ? loc->before : loc->group;
	unsigned int i;

	for (i = 0; i < P; i++) {
		if (mask & BIT(i))
			add_pred(preds, proc, from[i]);
	}
	if (!joins) {
		memcpy(loc->before, loc->group, sizeof(loc->before));
		loc->before_mask = loc->group_mask;
		loc->group_mask = 0;
		loc->mode = mode;
	}
	loc->group[proc] = event;
	loc->group_mask |= BIT(proc);
}

/* The procs one of which must be first if event @second is to come before event @first. */
static uint32_t initials(unsigned int first, unsigned int second, const uint16_t *second_clock)
{
	const struct event *e = &trace[first], *k;
	uint16_t firsts[P];
	uint32_t seen = 0, set = 0;
	const uint16_t *clock;
	unsigned int i, s;
	bool initial;

	for (i = first + 1; i <= second; i++) {
		k = &trace[i];
		clock = i == second ? second_clock : k->clock;
		if (i < second && is_before(e, clock))
			continue;
		if (seen & BIT(k->proc))
			continue;
		initial = true;
		for (s = 0; s < P; s++) {
			if ((seen & BIT(s)) && clock[s] >= firsts[s])
				initial = false;
		}
		seen |= BIT(k->proc);
		firsts[k->proc] = k->index;
		if (initial)
			set |= BIT(k->proc);
	}
	return set;
}

/* Event @second could have come before event @first: plan an execution where it does. */
static void plan(unsigned int first, unsigned int second, const uint16_t *clock)
{
	struct node *node = &nodes[first];
	uint32_t set = initials(first, second, clock);

	if (set & (node->backtrack | node->sleep))
		return;
	set &= node->enabled;
	if (!set)
		node->backtrack |= node->enabled;
	else if (set & BIT(trace[second].proc))
		node->backtrack |= BIT(trace[second].proc);
	else
		node->backtrack |= set & -set;
}

static void find_races(unsigned int event, const struct preds *preds, const uint16_t *before)
{
	unsigned int i, j;
	clock_vector clock;
	bool direct;

	for (i = 0; i < preds->n; i++) {
		const struct event *e = &trace[preds->events[i]];

		if (is_before(e, before))
			continue;
		direct = true;
		memcpy(clock, before, sizeof(clock));
		for (j = 0; j < preds->n && direct; j++) {
			const struct event *other = &trace[preds->events[j]];

			if (other == e)
				continue;
			if (is_before(e, other->clock))
				direct = false;
			else
				join(clock, other->clock);
		}
		if (direct)
			plan(preds->events[i], event, clock);
	}
}

/* What had to come before the next event of a proc in any case. */
static void clock_before(unsigned int q, const struct pending *act, uint16_t *before)
{
	memcpy(before, procs[q].clock, sizeof(clock_vector));
	if (q >= IL_MAX_THREADS)
		join(before, procs[q % IL_MAX_THREADS].buffer[0].clock);
	else if (act->flags & IL_F_FENCE)
		join(before, procs[q + IL_MAX_THREADS].clock);
}

/*
 * An execution is cut, as each proc that could go on sleeps. Those that wait for a lock are in a race
 * nevertheless: each could have taken it before the one who has it. In other executions that is found
 * when the lock is taken at last.
 */
void find_races_of_blocked(void)
{
	struct event *ev = &trace[il.n_trace];
	static struct preds preds;
	const struct pending *act;
	clock_vector before;
	struct loc *loc;
	unsigned int q;

	for (q = 0; q < il.n_threads; q++) {
		act = &procs[q].pending;
		if (!procs[q].live || act->kind != IL_LOCK ||
		    !((const volatile struct il_lock *)act->addr)->busy)
			continue;
		loc = loc_of(act->addr);
		ev->proc = q;
		ev->index = procs[q].n_events + 1;
		clock_before(q, act, before);
		preds.n = 0;
		add_pred(&preds, q, loc->lock);
		find_races(il.n_trace, &preds, before);
	}
}

/*
 * What an event of a lock depends on. The accesses of its location are attempts in vain, since it was
 * locked: each could have come after the unlock.
 */
static void lock_access(struct loc *loc, const struct pending *act, unsigned int proc,
			unsigned int event, struct preds *preds)
{
	unsigned int i;

	if (act->kind != IL_UNLOCK && loc->lock >= 0)
		add_pred(preds, proc, loc->lock);
	if (act->kind == IL_TRYLOCK && loc->unlock >= 0)
		add_pred(preds, proc, loc->unlock);
	if (is_in_vain(act)) {
		loc->group[proc] = event;
		loc->group_mask |= BIT(proc);
		return;
	}
	for (i = 0; i < P; i++) {
		if (loc->group_mask & BIT(i))
			add_pred(preds, proc, loc->group[i]);
	}
	loc->group_mask = 0;
}

/* Enters the next event of a proc, which is about to happen. */
void enter_event(unsigned int q)
{
	struct proc *proc = &procs[q], *thread = &procs[q % IL_MAX_THREADS];
	static struct preds preds;
	struct event *ev;
	struct pending room;
	clock_vector before;
	struct chunk *chunk;
	struct loc *loc = NULL;
	enum il_kind mode;
	unsigned int i;

	if (il.n_trace == IL_MAX_EVENTS)
		il_fail("more than %u events: a livelock, or too large", IL_MAX_EVENTS);
	preds.n = 0;
	ev = &trace[il.n_trace];
	ev->act = *next_of(q, &room);
	ev->label = thread->label;
	ev->proc = q;
	ev->index = ++proc->n_events;
	proc->position[ev->index] = il.n_trace;
	mode = mode_of(&ev->act);

	clock_before(q, &ev->act, before);
	chunk = chunk_of(ev->act.addr);
	if (chunk && chunk->freed) {
		il.n_trace++;
		il_fail("use after free: %s", ev->act.what);
	}
	if (ev->act.kind == IL_FREE) {
		for (loc = chunk->locs; loc; loc = loc->next) {
			if (loc->lock >= 0)
				add_pred(&preds, q, loc->lock);
			if (loc->unlock >= 0)
				add_pred(&preds, q, loc->unlock);
			loc_access(loc, IL_WRITE, q, il.n_trace, &preds);
		}
	} else if (is_lock(&ev->act)) {
		loc = loc_of(ev->act.addr);
		lock_access(loc, &ev->act, q, il.n_trace, &preds);
	} else if (mode != IL_START) {
		loc = loc_of(ev->act.addr);
		if (ev->act.kind == IL_WAIT) {
			const volatile struct il_waiter *waiter = ev->act.addr;

			/* before this one it could not have happened */
			join(before, trace[waiter->enabled_by].clock);
		}
		loc_access(loc, mode, q, il.n_trace, &preds);
	}

	if (il.options->search == IL_REDUCED && !il.cut && il.n_trace >= il.n_new)
		find_races(il.n_trace, &preds, before);

	memcpy(ev->clock, before, sizeof(before));
	for (i = 0; i < preds.n; i++)
		join(ev->clock, trace[preds.events[i]].clock);
	if (ev->act.kind == IL_LOCK && loc->unlock >= 0)
		join(ev->clock, trace[loc->unlock].clock);
	if (ev->act.kind == IL_UNLOCK)
		loc->unlock = il.n_trace;
	else if (is_lock(&ev->act) && !is_in_vain(&ev->act))
		loc->lock = il.n_trace;
	ev->clock[q] = ev->index;
	memcpy(proc->clock, ev->clock, sizeof(ev->clock));
	il.n_trace++;
}
