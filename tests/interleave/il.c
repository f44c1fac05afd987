// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>
#include <sys/mman.h>

#include "private.h"

#define MAX_CLASSES 32

bool il_running;
bool il_loud;
bool il_reuse;
volatile bool il_may_race;

/* Locks: whether they may be taken */

/* What is known of the order of locks, from all executions. */
static struct order {
	int n_classes;
	const struct il_lock_class *classes[MAX_CLASSES];
	/* inside[a] has bit b set: a lock of class b was taken while one of class a was held */
	unsigned long inside[MAX_CLASSES];
} own_order, *order = &own_order;

static long n_locked;

void il_share_lock_order(void)
{
	order = mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (order == MAP_FAILED)
		il_fail("no memory");
}

struct context *self(void)
{
	return il.current < 0 ? &il.main_context : &procs[il.current].context;
}

void il_atomic_begin(void)
{
	self()->n_atomic++;
}

void il_atomic_end(void)
{
	if (!self()->n_atomic--)
		il_fail("a spinlock is given back that is not held");
}

void il_might_sleep(const char *what)
{
	if (self()->n_atomic)
		il_fail("%s may sleep, or takes long, with a spinlock held", what);
}

static int class_id(struct il_lock_class *class)
{
	int id;

	if (class->id)
		return class->id;
	for (id = 1; id <= order->n_classes && order->classes[id] != class; id++)
		;
	if (id == MAX_CLASSES)
		il_fail("too many classes of locks");
	if (id > order->n_classes)
		order->classes[++order->n_classes] = class;
	class->id = id;
	return id;
}

void il_own(const void *ptr)
{
	self()->own = ptr;
}

void il_kill(void)
{
	self()->killed = true;
}

bool il_is_killed(void)
{
	return self()->killed;
}

/* Nobody waits for a stranger, who may hold a mutex for long; and spinlocks are not nested. */
static void check_wait(const struct il_lock *lock, bool spins, const char *what)
{
	const struct context *context = self();

	if (!spins)
		il_might_sleep(what);
	else if (context->n_atomic)
		il_fail("%s: two spinlocks: %s", what, lock->class->name);
	if (!spins && context->own && chunk_of(lock) != chunk_of(context->own))
		il_fail("%s: %s is that of a stranger", what, lock->class->name);
}

static void check_order(const struct il_lock *lock)
{
	struct context *context = self();
	int id = class_id(lock->class), outer;
	unsigned int i;

	for (i = 0; i < context->n_held; i++) {
		outer = class_id(context->held[i]->class);
		if (outer == id)
			il_fail("two locks of one class: %s", lock->class->name);
		if (order->inside[id] & BIT(outer))
			il_fail("locks taken in both orders: %s, %s", lock->class->name,
				context->held[i]->class->name);
		order->inside[outer] |= BIT(id);
	}
}

void il_lock_init(struct il_lock *lock, struct il_lock_class *class)
{
	lock->holder = NULL;
	lock->busy = false;
	lock->class = class;
}

bool il_lock_is_held(const struct il_lock *lock)
{
	return lock->holder == self();
}

long il_n_locked(void)
{
	return n_locked;
}

static void lock_taken(struct il_lock *lock, bool spins)
{
	struct context *context = self();

	race_acquire(lock);
	lock->busy = true;
	lock->holder = context;
	if (context->n_held == MAX_HELD)
		il_fail("too many locks are held");
	context->held[context->n_held++] = lock;
	n_locked++;
	if (spins)
		context->n_atomic++;
}

/* Of a thread that is being killed: what it would wait for may last for ever. */
static bool try_lock(bool quiet, struct il_lock *lock, const char *what)
{
	check_wait(lock, false, what);
	check_order(lock);
	il_event(quiet, IL_TRYLOCK, IL_F_FENCE, lock, what);
	if (lock->busy)
		return false;
	lock_taken(lock, false);
	return true;
}

void il_lock(bool quiet, struct il_lock *lock, bool spins, const char *what)
{
	if (!spins && il_is_killed()) {
		if (!try_lock(quiet, lock, what))
			il_fail("%s: a thread that is being killed waits for %s", what,
				lock->class->name);
		return;
	}
	check_wait(lock, spins, what);
	check_order(lock);
	il_event(quiet, IL_LOCK, IL_F_FENCE, lock, what);
	if (lock->busy)
		il_fail("deadlock: %s is held, with nobody to unlock it", lock->class->name);
	lock_taken(lock, spins);
}

bool il_lock_killable(bool quiet, struct il_lock *lock, const char *what)
{
	if (il_is_killed())
		return !try_lock(quiet, lock, what);
	il_lock(quiet, lock, false, what);
	return false;
}

static void buffer_add(volatile void *addr, size_t size, uint64_t value, const char *what)
{
	struct proc *proc = &procs[il.current];
	struct buffered *store;

	if (proc->n_buffered == MAX_BUFFERED)
		il_fail("store buffer is full");
	store = &proc->buffer[proc->n_buffered++];
	store->addr = addr;
	store->size = size;
	store->value = value;
	store->what = what;
	memcpy(store->clock, proc->clock, sizeof(store->clock));
}

static bool buffers_stores(bool quiet)
{
	return il_running && il.buffers && (!quiet || il_loud);
}

/*
 * A mutex is not done with when the next one can take it: mutex_unlock() looks for who waits, so
 * the mutex must stay until it has returned. The event is at an address of its own.
 */
static void touch_after(bool quiet, const struct il_lock *lock, const char *what)
{
	const char *addr = (const char *)lock + 1;

	il_event(quiet, IL_READ, 0, addr, what);
	race_access(addr, 1, false, true, what);
}

void il_unlock(bool quiet, struct il_lock *lock, bool spins, const char *what)
{
	struct context *context = self();
	unsigned int i;

	if (lock->holder != context)
		il_fail("%s: %s is not held", what, lock->class->name);
	if (spins)
		il_atomic_end();
	il_event(quiet, buffers_stores(quiet) ? IL_BUFFER : IL_UNLOCK, 0, lock, what);
	race_release(lock);
	for (i = 0; context->held[i] != lock; i++)
		;
	context->held[i] = context->held[--context->n_held];
	lock->holder = NULL;
	n_locked--;
	if (buffers_stores(quiet))
		buffer_add(lock, 0, 0, what);
	else
		lock->busy = false;
	if (!spins) {
		if (il_running && (!quiet || il_loud))
			procs[il.current].last_unlock = il.n_trace;
		touch_after(quiet, lock, what);
	}
}

/* Accesses */

void il_event(bool quiet, enum il_kind kind, unsigned int flags, const volatile void *addr,
	      const char *what)
{
	if (il_running && (!quiet || il_loud))
		il_point(kind, flags, addr, 0, what);
	if (flags & IL_F_ACQUIRE)
		race_acquire(addr);
	if (flags & IL_F_RELEASE)
		race_release(addr);
}

static uint64_t read_memory(const volatile void *addr, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, (const void *)addr, size);
	return value;
}

uint64_t il_load(unsigned int flags, const volatile void *addr, size_t size, const char *what)
{
	const struct proc *proc;
	unsigned int i;

	if (!il_running)
		return read_memory(addr, size);
	il_event(false, IL_READ, flags, addr, what);
	race_access(addr, size, false, true, what);
	proc = &procs[il.current];
	for (i = proc->n_buffered; i-- > 0;) {
		if (proc->buffer[i].addr == addr && proc->buffer[i].size == size)
			return proc->buffer[i].value;
	}
	return read_memory(addr, size);
}

static void write_memory(volatile void *addr, size_t size, uint64_t value)
{
	memcpy((void *)addr, &value, size);
}

void il_store(unsigned int flags, volatile void *addr, size_t size, uint64_t value,
	      const char *what)
{
	if (buffers_stores(false)) {
		il_point(IL_BUFFER, 0, addr, 0, what);
		buffer_add(addr, size, value, what);
		return;
	}
	il_event(false, IL_WRITE, flags & ~IL_F_RELEASE, addr, what);
	race_access(addr, size, true, true, what);
	if (flags & IL_F_RELEASE)
		race_release(addr);
	write_memory(addr, size, value);
}

static void update(bool quiet, const volatile void *addr, size_t size, const char *what)
{
	il_event(quiet, IL_WRITE, IL_F_FENCE | IL_F_ACQUIRE, addr, what);
	race_access(addr, size, true, true, what);
	race_release(addr);
}

uint64_t il_xchg(bool quiet, volatile void *addr, size_t size, uint64_t value, const char *what)
{
	uint64_t old;

	update(quiet, addr, size, what);
	old = read_memory(addr, size);
	write_memory(addr, size, value);
	return old;
}

int64_t il_add(bool quiet, int64_t *addr, int64_t value, const char *what)
{
	update(quiet, addr, sizeof(*addr), what);
	return *addr += value;
}

uint64_t il_cmpxchg(bool quiet, volatile void *addr, size_t size, uint64_t expected, uint64_t value,
		    const char *what)
{
	uint64_t old;

	update(quiet, addr, size, what);
	old = read_memory(addr, size);
	if (old == expected)
		write_memory(addr, size, value);
	return old;
}

/*
 * Two increments commute; an increment and a decrement, or two decrements, do not: the one that
 * comes last may be the one that frees. A count that is pinned, see IL_PIN, cannot get to 0 while
 * threads run: what happens to it concerns nobody and is no event.
 */
static bool is_pinned(const int *refs)
{
	return *refs >= IL_PIN / 2 && *refs < 2 * IL_PIN;
}

static void check_refs(const int *refs, const char *what)
{
	/* an object without references is on its way out */
	if (*refs <= 0 || *refs > 2 * IL_PIN)
		il_fail("a reference count is %d when it is used: %s", *refs, what);
}

void il_ref(bool quiet, int *refs, int n, const char *what)
{
	if (!is_pinned(refs))
		il_event(quiet, IL_ADD, 0, refs, what);
	race_access(refs, sizeof(*refs), true, true, what);
	check_refs(refs, what);
	*refs += n;
}

bool il_unref(bool quiet, int *refs, int n, const char *what)
{
	if (!is_pinned(refs))
		il_event(quiet, IL_WRITE, IL_F_FENCE, refs, what);
	race_access(refs, sizeof(*refs), true, true, what);
	check_refs(refs, what);
	race_release(refs);
	*refs -= n;
	if (*refs)
		return false;
	race_acquire(refs);
	return true;
}

bool il_unref_not_one(bool quiet, int *refs, const char *what)
{
	il_event(quiet, IL_WRITE, IL_F_FENCE, refs, what);
	race_access(refs, sizeof(*refs), true, true, what);
	check_refs(refs, what);
	if (*refs == 1)
		return false;
	race_release(refs);
	--*refs;
	return true;
}

void il_wake(struct il_waiter *waiter, const char *what)
{
	if (il_running)
		il_point(IL_WAKE, IL_F_FENCE, waiter, 0, what);
	race_release(waiter);
	if (waiter->woken)
		return;
	waiter->woken = true;
	waiter->enabled_by = il.n_trace - 1;
}

void il_wait(struct il_waiter *waiter, const char *what)
{
	il_might_sleep(what);
	if (il_running)
		il_point(IL_WAIT, IL_F_FENCE, waiter, 0, what);
	race_acquire(waiter);
	waiter->woken = false;
}

bool il_is_woken(struct il_waiter *waiter, const char *what)
{
	if (il_running)
		il_point(IL_WAKE, IL_F_FENCE, waiter, 0, what);
	race_acquire(waiter);
	return waiter->woken;
}

void il_drain_stores(void)
{
	if (il_running && il.buffers)
		il_point(IL_FENCE, IL_F_FENCE, NULL, 0, "end of command");
}

void il_sync(const volatile void *addr)
{
	race_acquire(addr);
	race_release(addr);
}

bool il_finds_races(void)
{
#ifdef IL_RACE
	return true;
#else
	return false;
#endif
}

/* Moments */

unsigned int il_n_steps(void)
{
	return il.n_trace;
}

unsigned int il_last_unlock(void)
{
	return il.current < 0 ? 0 : procs[il.current].last_unlock;
}

int il_thread(void)
{
	return il_running ? il.current : -1;
}

unsigned int il_n_events(void)
{
	return il.current < 0 ? 0 : procs[il.current].n_events;
}

bool il_before(int a_thread, unsigned int a, int b_thread, unsigned int b)
{
	if (!b)
		return false;
	return trace[procs[b_thread].position[b]].clock[a_thread] >= a;
}
