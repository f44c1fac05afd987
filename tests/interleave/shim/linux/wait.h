/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wait queues, with those that wait on them. */
#ifndef IL_WAIT_H
#define IL_WAIT_H

#include <linux/atomic.h>
#include <linux/spinlock.h>

typedef struct wait_queue_head {
	raw_spinlock_t lock;
	struct il_waiter *waiters;
} wait_queue_head_t;

static inline void init_waitqueue_head(wait_queue_head_t *wq)
{
	raw_spin_lock_init(&wq->lock);
	wq->waiters = NULL;
}

/* the caller has made the barrier that is needed before this */
#define waitqueue_active(_wq) (READ_ONCE((_wq)->waiters) != NULL)

#define wake_up_interruptible_poll(_wq, _events)					\
	do {										\
		(void)(_events);							\
		il_wake_up((_wq), IL_AT("wake_up"));					\
	} while (0)

static inline void il_wake_up(wait_queue_head_t *wq, const char *what)
{
	struct il_waiter *waiter;

	raw_spin_lock(&wq->lock);
	for (waiter = wq->waiters; waiter; waiter = waiter->next)
		il_wake(waiter, what);
	raw_spin_unlock(&wq->lock);
}

static inline void il_wait_add(wait_queue_head_t *wq, struct il_waiter *waiter)
{
	waiter->woken = false;
	raw_spin_lock(&wq->lock);
	waiter->next = wq->waiters;
	WRITE_ONCE(wq->waiters, waiter);
	raw_spin_unlock(&wq->lock);
}

static inline void il_wait_remove(wait_queue_head_t *wq, struct il_waiter *waiter)
{
	struct il_waiter **link;

	raw_spin_lock(&wq->lock);
	for (link = &wq->waiters; *link != waiter; link = &(*link)->next)
		;
	WRITE_ONCE(*link, waiter->next);
	raw_spin_unlock(&wq->lock);
}

#endif /* IL_WAIT_H */
