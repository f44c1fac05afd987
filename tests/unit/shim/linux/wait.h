/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wait queues on which nobody waits: tests say how many sleep, and count how often they wake. */
#ifndef SHIM_WAIT_H
#define SHIM_WAIT_H

#include <linux/types.h>

typedef struct wait_queue_head {
	int n_sleepers;
	unsigned int n_wakes;
} wait_queue_head_t;

static inline void init_waitqueue_head(wait_queue_head_t *wq)
{
	wq->n_sleepers = 0;
	wq->n_wakes = 0;
}

/* the caller has made the barrier that is needed before this */
static inline bool waitqueue_active(wait_queue_head_t *wq)
{
	return __atomic_load_n(&wq->n_sleepers, __ATOMIC_RELAXED);
}

static inline void wake_up_interruptible_poll(wait_queue_head_t *wq, unsigned int events)
{
	(void)events;
	__atomic_fetch_add(&wq->n_wakes, 1, __ATOMIC_RELAXED);
}

#endif /* SHIM_WAIT_H */
