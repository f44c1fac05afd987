/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of the scheduler share:
 *
 *	il.c		what the code under test and the shim call
 *	memory.c	allocations
 *	threads.c	stacks, what can go on, and the switch to it
 *	order.c		what must come after what, and what is in a race
 *	search.c	what is tried next
 *	report.c	failures
 *	race.c		plain accesses, in a build of its own
 */
#ifndef PRIVATE_H
#define PRIVATE_H

#include "il.h"

#define P IL_MAX_PROCS
#define BIT(_n) (1u << (_n))

#define MAX_BUFFERED 64
#define MAX_HELD 8

typedef uint16_t clock_vector[P];

struct pending {
	enum il_kind kind;
	unsigned int flags;
	const volatile void *addr;
	size_t size;
	const char *what;
};

struct event {
	struct pending act;
	const char *label;
	uint8_t proc;
	uint16_t index;			/* among those of the proc, from 1 */
	clock_vector clock;
};

struct buffered {
	volatile void *addr;
	size_t size;			/* 0: an unlock */
	uint64_t value;
	const char *what;
	clock_vector clock;
};

struct context {
	unsigned int n_held;
	unsigned int n_atomic;
	bool killed;
	const void *own;		/* see il_own() */
	const struct il_lock *held[MAX_HELD];
};

struct proc {
	bool live;			/* a thread that has not ended */
	void *sp;
	void *stack;
	struct pending pending;
	const char *label;
	struct context context;
	clock_vector clock;
	unsigned int n_events;
	uint16_t position[IL_MAX_EVENTS + 1];	/* of its events */
	unsigned int last_unlock;	/* of a mutex: how many events there had been */
	/* threads: what is on its way to memory */
	unsigned int n_buffered;
	struct buffered buffer[MAX_BUFFERED];
};

struct chunk {
	char *base;
	size_t size;
	bool freed;
	const void *own;		/* of who has allocated it */
	struct loc *locs;
};

/* A moment of the current execution, and what is left to be tried there. */
struct node {
	uint32_t enabled;
	uint32_t backtrack;
	uint32_t sleep;
	uint8_t chosen;
	unsigned int preemptions;
};

struct state {
	const struct il_scenario *scenario;
	const struct il_options *options;
	unsigned int n_threads;
	bool buffers;			/* threads have store buffers */
	int current;			/* -1: main */
	void *main_sp;
	struct context main_context;
	uint64_t run;			/* of all searches: tells what is of this execution */
	uint64_t number;		/* of this search */
	bool cut;			/* the rest of this execution is run, but not explored */
	unsigned int n_trace;
	unsigned int n_nodes;
	unsigned int n_replay;		/* nodes that are decided already */
	unsigned int n_new;		/* events from here on are new */
	unsigned int n_runnable;
	uint64_t random, schedule_random;
	/* random search */
	unsigned int strategy;
	unsigned int stickiness;
	unsigned int priority[P];
	unsigned int change[4];
	const char *replay;
	unsigned int replay_left;
	int replay_proc;
};

extern struct state il;
extern struct proc procs[P];
extern struct event trace[IL_MAX_EVENTS];
extern struct node nodes[IL_MAX_EVENTS];

/* il.c: of what runs at the moment */
struct context *self(void);

/* memory.c */
struct chunk *chunk_of(const volatile void *addr);
ptrdiff_t arena_offset(const volatile void *addr);
void memory_reset(void);

/* threads.c */
struct pending *next_of(unsigned int q, struct pending *room);
void threads_run(void);
void dispatch(void);

/* order.c */
void join(uint16_t *to, const uint16_t *from);
bool depend(const struct pending *a, const struct pending *b);
void enter_event(unsigned int q);
void find_races_of_blocked(void);

/* search.c */
int choose(uint32_t set);

/*
 * race.c: order that the kernel's memory model knows of, and accesses. What one thread did before a
 * release is known to the one who does the next acquire of the same address.
 */
#ifdef IL_RACE
void race_begin(void);
void race_acquire(const volatile void *addr);
void race_release(const volatile void *addr);
void race_access(const volatile void *addr, size_t size, bool writes, bool marked,
		 const void *where);
#else
static inline void race_begin(void)
{
}

static inline void race_acquire(const volatile void *addr)
{
	(void)addr;
}

static inline void race_release(const volatile void *addr)
{
	(void)addr;
}

static inline void race_access(const volatile void *addr, size_t size, bool writes, bool marked,
			       const void *where)
{
	(void)addr, (void)size, (void)writes, (void)marked, (void)where;
}
#endif

/* report.c */
const char *name_of(const volatile void *addr, char *text, size_t size);
const char *proc_name(unsigned int proc, char *text, size_t size);
void report_reset(void);
void catch_signals(void);

#endif /* PRIVATE_H */
