/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * il: threads that run one at a time, switched only where they touch what others see
 *
 * Each marked access, lock, unlock, barrier, wait, wake and free of memory is an event. Before an
 * event a thread stops and the scheduler decides whose event is next; between two events a thread
 * runs undisturbed. So an execution is a sequence of events, and the explorer runs a scenario again
 * and again until it has seen every one, but for those that differ from one it has seen in the order
 * of events that do not concern each other only.
 *
 * What is between two events is not interrupted: plain accesses are taken to be ordered by locks or
 * private to a thread. A build of its own checks that, in all executions: see race.c.
 *
 * Memory is sequentially consistent, unless the scenario asks for store buffers: then what a thread
 * stores, an unlock included, becomes visible at any later moment, in order, but before the next
 * barrier or atomic operation of the thread. This is what x86 does.
 */
#ifndef IL_H
#define IL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IL_MAX_THREADS 6
/* each thread, and behind them the store buffer of each */
#define IL_MAX_PROCS (2 * IL_MAX_THREADS)
#define IL_MAX_EVENTS 8192

enum il_kind {
	IL_START,		/* a thread begins */
	IL_READ,
	IL_WRITE,		/* also each read-modify-write */
	IL_ADD,			/* an update whose order among others of its kind does not matter */
	IL_LOCK,
	IL_TRYLOCK,		/* may find the lock held, and then does nothing */
	IL_UNLOCK,
	IL_FENCE,
	IL_WAIT,		/* for a flag; resets it */
	IL_WAKE,
	IL_FREE,		/* a write to all of an allocation */
	IL_BUFFER,		/* a store goes into the buffer */
};

/* flags of an event */
#define IL_F_FENCE 1		/* the store buffer must be empty */
#define IL_F_ACQUIRE 2		/* what the one did who stored this is known */
#define IL_F_RELEASE 4		/* the one who loads this knows what was done */
#define IL_F_RMW (IL_F_FENCE | IL_F_ACQUIRE | IL_F_RELEASE)

struct il_lock_class {
	int id;			/* 0: not seen before */
	const char *name;
};

struct il_lock {
	const void *holder;	/* NULL: free */
	bool busy;		/* held, or its unlock is in a store buffer */
	struct il_lock_class *class;
};

struct il_waiter {
	bool woken;
	struct il_waiter *next;	/* of the wait queue */
	int enabled_by;		/* event that set woken */
};

/* The places where code is, for the report. */
#define IL_STR2(_x) #_x
#define IL_STR(_x) IL_STR2(_x)
#define IL_AT(_what) (__FILE__ ":" IL_STR(__LINE__) " " _what)

/* A file compiled with this has no events: what it does is atomic, unless il_loud is set. */
#ifndef IL_QUIET
#define IL_QUIET false
#endif

extern bool il_running;		/* threads run; not while setting up or cleaning up */
extern bool il_loud;
/* Receivers use the memory of messages again: else a late use of one is seen. */
extern bool il_reuse;
/* if set, a failure leaves there which run it was */
extern uint64_t *il_failed_run;

void il_point(enum il_kind kind, unsigned int flags, const volatile void *addr, size_t size,
	      const char *what);
uint64_t il_load(unsigned int flags, const volatile void *addr, size_t size, const char *what);
void il_store(unsigned int flags, volatile void *addr, size_t size, uint64_t value,
	      const char *what);
/* the event, and then @value is exchanged for what was there, or added to it */
uint64_t il_xchg(bool quiet, volatile void *addr, size_t size, uint64_t value, const char *what);
int64_t il_add(bool quiet, int64_t *addr, int64_t value, const char *what);
/* what was there; it is only changed if that is @expected */
uint64_t il_cmpxchg(bool quiet, volatile void *addr, size_t size, uint64_t expected, uint64_t value,
		    const char *what);

/* Reference counts. One that has this much on top is pinned: see il.c. */
#define IL_PIN 0x100000
void il_ref(bool quiet, int *refs, int n, const char *what);
bool il_unref(bool quiet, int *refs, int n, const char *what);
bool il_unref_not_one(bool quiet, int *refs, const char *what);

void il_event(bool quiet, enum il_kind kind, unsigned int flags, const volatile void *addr,
	      const char *what);

/* Processes that are forked from now on learn of the order of locks from each other. */
void il_share_lock_order(void);
void il_lock_init(struct il_lock *lock, struct il_lock_class *class);
void il_lock(bool quiet, struct il_lock *lock, bool spins, const char *what);
/* true if it was not taken: the thread is being killed, and another one has the lock */
bool il_lock_killable(bool quiet, struct il_lock *lock, const char *what);
void il_unlock(bool quiet, struct il_lock *lock, bool spins, const char *what);
bool il_lock_is_held(const struct il_lock *lock);
long il_n_locked(void);

void il_wake(struct il_waiter *waiter, const char *what);
void il_wait(struct il_waiter *waiter, const char *what);
/* whether it would return at once; leaves that as it is */
bool il_is_woken(struct il_waiter *waiter, const char *what);

/* with store buffers: until what this thread has stored is visible */
void il_drain_stores(void);

void il_atomic_begin(void);
void il_atomic_end(void);
void il_might_sleep(const char *what);

/*
 * From here on this thread takes no mutex but those in the allocation that @ptr is in, and what it
 * allocates is marked with @ptr. NULL: any.
 */
void il_own(const void *ptr);
#define IL_OWN_NOTHING ((const void *)"")
/* From here on this thread is being killed: it waits for no mutex any more. */
void il_kill(void);
bool il_is_killed(void);

/* A name for an address, in reports. */
void il_name(const volatile void *addr, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What a thread does at the moment, in reports. Kept by reference. */
void il_label(const char *label);

/* Ends the execution, and the process, with a report of how it came to this. */
_Noreturn void il_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Orders what threads do by something that is no part of the model, such as the count of a file. */
void il_sync(const volatile void *addr);
bool il_finds_races(void);

/* With all cleaned up: no memory, no lock. */
void il_check_leaks(void);

/* Moments, to be compared after the execution. A thread is at its n-th event. */
int il_thread(void);			/* -1: none, setting up or cleaning up */
unsigned int il_n_events(void);		/* of this thread so far */
unsigned int il_n_steps(void);		/* events of all threads so far */
unsigned int il_last_unlock(void);	/* the event at which this thread last unlocked a mutex */
/* Whether event @a of a thread must come before, or is, event @b of another. */
bool il_before(int a_thread, unsigned int a, int b_thread, unsigned int b);

/* Until it is reset, plain accesses of the current thread may race: see data_race(). No event in between. */
extern volatile bool il_may_race;

/* Memory */
void *il_alloc(size_t size, bool zero);
/* what il_own() had been called with by the thread that has allocated this */
const void *il_allocated_for(const void *ptr);
/* @ctor: has set the memory up, and what it has set up must be as it was; or NULL */
void il_free(bool quiet, const void *ptr, void (*ctor)(void *ptr), const char *what);
long il_n_live(void);

/* small, repeatable random numbers, of this run */
unsigned int il_random(unsigned int n);

struct il_scenario {
	const char *name;
	const char *text;
	unsigned int n_threads;
	void (*setup)(void);
	void (*threads[IL_MAX_THREADS])(void);
	const char *names[IL_MAX_THREADS];
	void (*finish)(void);		/* with all threads ended: checks, then cleans up */
	bool loud;			/* accounting has events, too */
	bool buffers;			/* with store buffers */
	bool reuse;			/* receivers use the memory of messages again */
	bool random;			/* too large to be searched at all */
};

enum il_search {
	IL_REDUCED,			/* one of each class of equivalent executions */
	IL_FULL,			/* each execution */
	IL_BOUNDED,			/* each execution with few preemptions */
	IL_RANDOM,
	IL_REPLAY,
};

struct il_result {
	uint64_t n_runs;
	uint64_t n_cut;			/* of these: turned out to be equivalent to another one */
	uint64_t n_events;		/* of all runs */
	unsigned int max_events;	/* of one run */
	uint64_t n_classes;		/* of equivalent executions, not seen before */
	bool complete;
	double seconds;
};

struct il_options {
	enum il_search search;
	double seconds;			/* 0: no limit */
	uint64_t max_runs;		/* 0: no limit */
	uint64_t seed;
	uint64_t run;			/* the first one of a random search */
	unsigned int preemptions;
	bool buffers;			/* with store buffers, whatever the scenario says */
	bool reuse;			/* with memory that is used again, whatever the scenario says */
	bool collect;			/* classes */
	const char *schedule;		/* for a replay */
	bool verbose;
};

void il_explore(const struct il_scenario *scenario, const struct il_options *options,
		struct il_result *result);
/* Classes are collected over several searches, until this is called. */
void il_class_forget(void);

#endif /* IL_H */
