// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Is the search right? A search that leaves out too much finds nothing and looks fine.
 *
 *	1. Small programs, each about one kind of event, are searched in full and reduced: both must
 *	   see the same classes of equivalent executions, and the outcomes that are known.
 *	2. A reduced search of each real scenario is followed by random schedules of it: none may be
 *	   of a class that was not seen.
 *	3. Programs with a mistake must fail.
 */
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../kmod/queue.h"
#include "scenarios.h"
#include "selftest.h"

static int x, y, z;
static int r[4];
static struct mutex lock, lock2;
static raw_spinlock_t spinlock;
static struct object {
	refcount_t refs;
	int value;
} *object;
static wait_queue_head_t wq;
static struct il_waiter waiter;
static atomic64_t counter;
static struct llist_head list;
static struct llist_node list_nodes[2];

/* What came of it, as bits: shared by both searches. */
static uint64_t *outcomes;

static void setup(void)
{
	x = y = z = 0;
	memset(r, 0, sizeof(r));
	mutex_init(&lock);
	mutex_init(&lock2);
	raw_spin_lock_init(&spinlock);
	init_waitqueue_head(&wq);
	atomic64_set(&counter, 0);
	init_llist_head(&list);
	object = kmalloc(sizeof(*object), GFP_KERNEL);
	refcount_set(&object->refs, 2);
	object->value = 0;
}

static void outcome(void)
{
	*outcomes |= 1ULL << (r[0] + 4 * r[1] + 16 * r[2]) % 64;
}

static void finish(void)
{
	outcome();
	if (object)
		kfree(object);
}

/* Store buffering: each stores one, and reads the other one's */

static void sb_0(void)
{
	WRITE_ONCE(x, 1);
	r[0] = READ_ONCE(y);
}

static void sb_1(void)
{
	WRITE_ONCE(y, 1);
	r[1] = READ_ONCE(x);
}

static void sb_mb_0(void)
{
	WRITE_ONCE(x, 1);
	smp_mb();
	r[0] = READ_ONCE(y);
}

static void sb_mb_1(void)
{
	WRITE_ONCE(y, 1);
	smp_mb();
	r[1] = READ_ONCE(x);
}

/* Message passing */

static void mp_0(void)
{
	WRITE_ONCE(x, 1);
	smp_store_release(&y, 1);
}

static void mp_1(void)
{
	r[0] = smp_load_acquire(&y);
	r[1] = READ_ONCE(x);
}

/* Independent reads of independent writes */

static void write_x(void)
{
	WRITE_ONCE(x, 1);
}

static void write_y(void)
{
	WRITE_ONCE(y, 1);
}

static void read_x_y(void)
{
	r[0] = READ_ONCE(x);
	r[1] = READ_ONCE(y);
}

static void read_y_x(void)
{
	r[2] = READ_ONCE(y);
	r[3] = READ_ONCE(x);
}

/* one variable */

static void write_1_2(void)
{
	WRITE_ONCE(x, 1);
	WRITE_ONCE(x, 2);
}

static void write_3(void)
{
	WRITE_ONCE(x, 3);
}

static void read_read(void)
{
	r[0] = READ_ONCE(x);
	r[1] = READ_ONCE(x);
}

/* Locks: nested, and with a read outside */

static void lock_0(void)
{
	mutex_lock(&lock);
	WRITE_ONCE(x, READ_ONCE(x) + 1);
	mutex_unlock(&lock);
	mutex_lock(&lock2);
	mutex_unlock(&lock2);
}

static void lock_1(void)
{
	mutex_lock(&lock);
	mutex_lock(&lock2);
	r[0] = READ_ONCE(x);
	mutex_unlock(&lock2);
	mutex_unlock(&lock);
}

static void lock_2(void)
{
	r[1] = READ_ONCE(x);
	mutex_lock(&lock2);
	r[2] = READ_ONCE(y);
	mutex_unlock(&lock2);
	WRITE_ONCE(y, 1);
}

/* Attempts of one that is being killed, which come to nothing while another one has the lock. */

static bool try_to_add(void)
{
	if (mutex_lock_killable(&lock))
		return false;
	WRITE_ONCE(x, READ_ONCE(x) + 1);
	mutex_unlock(&lock);
	return true;
}

static void try_once(void)
{
	il_kill();
	r[0] = try_to_add();
}

static void try_twice(void)
{
	try_once();
	r[1] = try_to_add();
}

static void lock_and_add(void)
{
	mutex_lock(&lock);
	WRITE_ONCE(x, READ_ONCE(x) + 1);
	mutex_unlock(&lock);
}

static void lock_and_read(void)
{
	mutex_lock(&lock);
	r[2] = READ_ONCE(x);
	mutex_unlock(&lock);
}

/* Which one comes first decides what is done next, and so which lock is taken. */
static void branch_0(void)
{
	if (READ_ONCE(x)) {
		mutex_lock(&lock);
		r[0] = READ_ONCE(y) + 1;
		mutex_unlock(&lock);
	} else {
		WRITE_ONCE(z, 1);
	}
}

static void branch_1(void)
{
	mutex_lock(&lock);
	WRITE_ONCE(y, 1);
	WRITE_ONCE(x, 1);
	mutex_unlock(&lock);
	r[1] = READ_ONCE(z);
}

static void branch_2(void)
{
	r[2] = READ_ONCE(x) + 2 * READ_ONCE(z);
}

/* References: the last one frees */

static void put_object(void)
{
	if (refcount_dec_and_test(&object->refs)) {
		kfree(object);
		r[0] = READ_ONCE(x);
	}
}

static void use_and_put(void)
{
	refcount_inc(&object->refs);
	WRITE_ONCE(x, 1);
	put_object();
	put_object();
}

static void finish_freed(void)
{
	outcome();
}

/* read-modify-write */

static void add_1(void)
{
	r[0] = atomic64_add_return(1, &counter);
	llist_add(&list_nodes[0], &list);
}

static void add_2(void)
{
	r[1] = atomic64_add_return(2, &counter) & 3;
	llist_add(&list_nodes[1], &list);
}

static void take_list(void)
{
	struct llist_node *node;

	for (node = llist_del_all(&list); node; node = node->next)
		r[2] = 1 + r[2] % 2;
}

/* Waiting */

static void wait_for_x(void)
{
	il_wait_add(&wq, &waiter);
	smp_mb();
	while (!READ_ONCE(x))
		il_wait(&waiter, "wait");
	il_wait_remove(&wq, &waiter);
	r[0] = READ_ONCE(y);
}

static void wake_for_x(void)
{
	WRITE_ONCE(x, 1);
	smp_mb();
	if (waitqueue_active(&wq))
		wake_up_interruptible_poll(&wq, 0);
}

static void wake_for_nothing(void)
{
	wake_up_interruptible_poll(&wq, 0);
	WRITE_ONCE(y, 1);
}

static void wake_both(void)
{
	wake_for_nothing();
	wake_for_x();
}

/* The queue itself, in its smallest form */

static struct b1_queue queue;
static struct b1_tx tx;
static struct b1_queue_entry entries[3];

static void no_free(struct b1_ref *unused)
{
	(void)unused;
}

static void queue_setup(void)
{
	unsigned int i;

	setup();
	b1_queue_init(&queue);
	b1_tx_init(&tx, no_free);
	tx.ref.refs.refs += IL_PIN;
	for (i = 0; i < 3; i++)
		b1_queue_entry_init(&entries[i], 7, NULL);
}

static void queue_push_tx(void)
{
	b1_queue_push(&queue, &entries[0], &tx);
	b1_tx_commit(&tx);
}

static void queue_push(void)
{
	b1_queue_push(&queue, &entries[1], NULL);
}

static int queue_take(void)
{
	struct b1_queue_entry *entry;

	mutex_lock(&queue.lock);
	entry = b1_queue_peek(&queue);
	if (entry)
		b1_queue_remove(&queue, entry);
	mutex_unlock(&queue.lock);
	return entry ? 1 + (entry - entries) : 0;
}

static void queue_read(void)
{
	r[0] = queue_take();
	r[1] = queue_take();
}

static void queue_read_once(void)
{
	r[0] = queue_take();
}

static void queue_finish(void)
{
	while (queue_take())
		;
	b1_queue_deinit(&queue);
	finish();
}

#define LITMUS(_name, _text, _n, ...)							\
	static const struct il_scenario litmus_##_name = {				\
		.name = #_name, .text = _text, .n_threads = _n, .setup = setup,		\
		.finish = finish, .threads = { __VA_ARGS__ },				\
		.names = { "0", "1", "2", "3" },						\
	}
#define LITMUS_WITH(_name, _text, _n, _setup, _finish, _buffers, ...)			\
	static const struct il_scenario litmus_##_name = {				\
		.name = #_name, .text = _text, .n_threads = _n, .setup = _setup,	\
		.finish = _finish, .buffers = _buffers, .threads = { __VA_ARGS__ },	\
		.names = { "0", "1", "2", "3" },						\
	}

LITMUS(sb, "store buffering", 2, sb_0, sb_1);
LITMUS_WITH(sb_buffers, "store buffering, with buffers", 2, setup, finish, true, sb_0, sb_1);
LITMUS_WITH(sb_mb_buffers, "with barriers", 2, setup, finish, true, sb_mb_0, sb_mb_1);
LITMUS_WITH(sb_half_buffers, "with one barrier", 2, setup, finish, true, sb_mb_0, sb_1);
LITMUS(mp, "message passing", 2, mp_0, mp_1);
LITMUS_WITH(mp_buffers, "message passing, with buffers", 3, setup, finish, true, mp_0, mp_1, write_x);
LITMUS(iriw, "independent reads of independent writes", 4, write_x, write_y, read_x_y, read_y_x);
LITMUS(coherence, "one variable", 3, write_1_2, write_3, read_read);
LITMUS(locks, "locks", 3, lock_0, lock_1, lock_2);
LITMUS_WITH(locks_buffers, "locks, with buffers", 2, setup, finish, true, lock_0, lock_1);
LITMUS(trylocks, "attempts to lock", 2, try_twice, lock_and_add);
LITMUS(trylocks_more, "an attempt to lock, against two", 3, try_once, lock_and_add, lock_and_read);
LITMUS_WITH(trylocks_buffers, "attempts to lock, with buffers", 2, setup, finish, true, try_twice,
	    lock_and_add);
LITMUS(branches, "what is done depends on what was read", 3, branch_0, branch_1, branch_2);
LITMUS_WITH(references, "the last reference frees", 2, setup, finish_freed, false, put_object,
	    use_and_put);
LITMUS(updates, "read-modify-write", 3, add_1, add_2, take_list);
LITMUS(wake, "waiting", 2, wait_for_x, wake_for_x);
LITMUS(wake_twice, "waiting, and woken for nothing", 2, wait_for_x, wake_both);
LITMUS_WITH(wake_buffers, "waiting, with buffers", 2, setup, finish, true, wait_for_x, wake_for_x);
LITMUS_WITH(queue_tx, "a queue, a transaction", 2, queue_setup, queue_finish, false, queue_push_tx,
	    queue_read);
LITMUS_WITH(queue_pushes, "a queue, two that push", 3, queue_setup, queue_finish, false,
	    queue_push_tx, queue_push, queue_read_once);

/* Programs with mistakes */

static void deadlock_0(void)
{
	mutex_lock(&lock);
	mutex_lock(&lock2);
	mutex_unlock(&lock2);
	mutex_unlock(&lock);
}

static void deadlock_1(void)
{
	mutex_lock(&lock2);
	if (READ_ONCE(x))
		mutex_lock(&lock);
	else
		mutex_lock(&lock);
	mutex_unlock(&lock);
	mutex_unlock(&lock2);
}

static void lost_wake(void)
{
	WRITE_ONCE(x, 1);
	if (waitqueue_active(&wq))
		wake_up_interruptible_poll(&wq, 0);
}

static void sleeps_atomic(void)
{
	raw_spin_lock(&spinlock);
	mutex_lock(&lock);
	mutex_unlock(&lock);
	raw_spin_unlock(&spinlock);
}

static void frees_atomic(void)
{
	raw_spin_lock(&spinlock);
	kfree(object);
	raw_spin_unlock(&spinlock);
}

static void spins_twice(void)
{
	raw_spin_lock(&spinlock);
	wake_up_interruptible_poll(&wq, 0);
	raw_spin_unlock(&spinlock);
}

static struct locked {
	struct mutex lock;
} *strangers[2];

static void strangers_setup(void)
{
	unsigned int i;

	setup();
	for (i = 0; i < 2; i++) {
		strangers[i] = kmalloc(sizeof(*strangers[i]), GFP_KERNEL);
		mutex_init(&strangers[i]->lock);
	}
}

static void waits_for_stranger(void)
{
	il_own(strangers[0]);
	mutex_lock(&strangers[0]->lock);
	mutex_unlock(&strangers[0]->lock);
	mutex_lock(&strangers[1]->lock);
	mutex_unlock(&strangers[1]->lock);
}

static void killed_waits(void)
{
	il_kill();
	lock_and_add();
}

static void strangers_finish(void)
{
	kfree(strangers[0]);
	kfree(strangers[1]);
	finish();
}

static void uses_freed(void)
{
	r[0] = READ_ONCE(object->value);
}

static void frees(void)
{
	struct object *old = object;

	WRITE_ONCE(x, 1);
	kfree(old);
}

static void leaks(void)
{
	kmalloc(8, GFP_KERNEL);
}

static void increments_late(void)
{
	refcount_inc(&object->refs);
	put_object();
}

static void puts_twice(void)
{
	put_object();
	put_object();
}

static void loses_update(void)
{
	WRITE_ONCE(x, READ_ONCE(x) + 1);
}

static void update_finish(void)
{
	if (x != 2)
		il_fail("an update got lost");
	finish();
}

static void waits_for_nobody(void)
{
	il_wait_add(&wq, &waiter);
	il_wait(&waiter, "wait");
}

static void keeps_lock(void)
{
	mutex_lock(&lock);
}

static void asserts_lock(void)
{
	lockdep_assert_held(&lock);
}

LITMUS(deadlock, "locks in both orders", 2, deadlock_0, deadlock_1);
LITMUS_WITH(missing_mb, "no barrier before the look for sleepers", 2, setup, finish, true,
	    wait_for_x, lost_wake);
LITMUS(atomic_sleep, "sleeps with a spinlock held", 1, sleeps_atomic);
LITMUS_WITH(atomic_free, "frees with a spinlock held", 1, setup, finish_freed, false, frees_atomic);
LITMUS(nested_spinlocks, "two spinlocks", 1, spins_twice);
LITMUS_WITH(stranger, "a mutex of a stranger", 1, strangers_setup, strangers_finish, false,
	    waits_for_stranger);
LITMUS(killed_wait, "waits for a mutex though it is being killed", 2, killed_waits, lock_and_add);
LITMUS_WITH(use_after_free, "a late read", 2, setup, finish_freed, false, uses_freed, frees);
LITMUS(leak, "memory that nobody frees", 1, leaks);
LITMUS_WITH(late_increment, "a reference from nothing", 2, setup, finish_freed, false, puts_twice,
	    increments_late);
LITMUS_WITH(lost_update, "a read and a write are not one", 2, setup, update_finish, false,
	    loses_update, loses_update);
LITMUS(no_wake, "nobody wakes", 1, waits_for_nobody);
LITMUS(kept_lock, "a lock that is not given back", 1, keeps_lock);
LITMUS(not_held, "a lock that is not held", 1, asserts_lock);

const struct il_scenario *const litmus[] = {
	&litmus_sb, &litmus_sb_buffers, &litmus_sb_mb_buffers, &litmus_sb_half_buffers, &litmus_mp,
	&litmus_mp_buffers, &litmus_iriw, &litmus_coherence, &litmus_locks, &litmus_locks_buffers,
	&litmus_trylocks, &litmus_trylocks_more, &litmus_trylocks_buffers,
	&litmus_branches, &litmus_references, &litmus_updates, &litmus_wake, &litmus_wake_twice,
	&litmus_wake_buffers, &litmus_queue_tx, &litmus_queue_pushes,
	NULL,
};

static const struct il_scenario *const mistakes[] = {
	&litmus_deadlock, &litmus_missing_mb, &litmus_atomic_sleep, &litmus_atomic_free,
	&litmus_nested_spinlocks, &litmus_stranger, &litmus_killed_wait, &litmus_use_after_free,
	&litmus_leak, &litmus_late_increment, &litmus_lost_update, &litmus_no_wake,
	&litmus_kept_lock, &litmus_not_held,
	NULL,
};

/* Outcomes that a program must have, and must not: r0 + 4 r1 + 16 r2 */
static const struct {
	const struct il_scenario *scenario;
	uint64_t must, must_not;
} known[] = {
	/* 0,0 only with buffers, and not with both barriers */
	{ &litmus_sb, 0x32, 0x1 },
	{ &litmus_sb_buffers, 0x33, 0 },
	{ &litmus_sb_mb_buffers, 0x32, 0x1 },
	{ &litmus_sb_half_buffers, 0x33, 0 },
	/* 1,0 is never seen, as stores stay in order */
	{ &litmus_mp, 0x31, 0x2 },
	{ &litmus_mp_buffers, 0x31, 0x2 },
};

static unsigned int n_passed, n_failed;

static void verdict(bool ok, const char *what, const struct il_scenario *scenario)
{
	if (!ok)
		printf("FAILED: %s: %s\n", scenario->name, what);
	if (ok)
		n_passed++;
	else
		n_failed++;
}

static void check_outcomes(const struct il_scenario *scenario, uint64_t found)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].scenario != scenario)
			continue;
		verdict((found & known[i].must) == known[i].must && !(found & known[i].must_not),
			"not the known outcomes", scenario);
	}
}

static void check_litmus(const struct il_scenario *scenario)
{
	struct il_options full = { .search = IL_FULL, .collect = true };
	struct il_options reduced = { .search = IL_REDUCED, .collect = true };
	uint64_t full_outcomes, reduced_outcomes;
	struct il_result some, all;

	*outcomes = 0;
	il_explore(scenario, &reduced, &some);
	reduced_outcomes = *outcomes;
	/* what is new now was left out before */
	*outcomes = 0;
	il_explore(scenario, &full, &all);
	full_outcomes = *outcomes;
	il_class_forget();
	printf("%-16s reduced: %6llu schedules, %4llu cut, %6llu classes; all: %8llu schedules, %llu classes not seen before\n",
	       scenario->name, (unsigned long long)(some.n_runs - some.n_cut),
	       (unsigned long long)some.n_cut, (unsigned long long)some.n_classes,
	       (unsigned long long)all.n_runs, (unsigned long long)all.n_classes);
	verdict(some.complete && all.complete, "not complete", scenario);
	verdict(some.n_classes == some.n_runs - some.n_cut, "a class was seen twice", scenario);
	verdict(!all.n_classes, "classes are left out", scenario);
	verdict(full_outcomes == reduced_outcomes, "the outcomes differ", scenario);
	check_outcomes(scenario, full_outcomes);
}

static void check_sample(const struct il_scenario *scenario, uint64_t n)
{
	struct il_options reduced = { .search = IL_REDUCED, .collect = true };
	struct il_options sample = { .search = IL_RANDOM, .collect = true, .seed = 1,
				     .max_runs = n };
	struct il_result some, more;

	il_explore(scenario, &reduced, &some);
	il_explore(scenario, &sample, &more);
	il_class_forget();
	printf("%-20s %8llu classes, %8llu random runs, %llu of classes not seen before\n",
	       scenario->name, (unsigned long long)some.n_classes,
	       (unsigned long long)more.n_runs, (unsigned long long)more.n_classes);
	verdict(some.n_classes == some.n_runs - some.n_cut, "a class was seen twice", scenario);
	verdict(!more.n_classes, "classes are left out", scenario);
}

static void check_mistake(const struct il_scenario *scenario)
{
	struct il_options reduced = { .search = IL_REDUCED };
	struct il_result result;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		il_explore(scenario, &reduced, &result);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	verdict(WIFEXITED(status) && WEXITSTATUS(status) == 1, "a mistake is not noticed", scenario);
}

int selftest(void)
{
	const struct il_scenario *const *scenario;

	outcomes = mmap(NULL, sizeof(*outcomes), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (outcomes == MAP_FAILED)
		return 1;
	for (scenario = litmus; *scenario; scenario++)
		check_litmus(*scenario);
	for (scenario = mistakes; *scenario; scenario++)
		check_mistake(*scenario);
	for (scenario = scenarios; *scenario; scenario++)
		check_sample(*scenario, 4000);
	printf("%u passed, %u failed\n", n_passed, n_failed);
	return n_failed || !n_passed;
}
