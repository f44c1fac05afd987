/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of queues share: one queue, some entries and transactions, new before each test
 * and with nothing left after it.
 *
 * Entries are numbered, and a string of digits is the order they are expected in.
 */
#ifndef QUEUE_UNIT_H
#define QUEUE_UNIT_H

#include "../../kmod/queue.h"
#include "unit.h"

#define N_ITEMS 10
#define N_TX 4

struct item {
	struct b1_queue_entry entry;
	int value;
};

/* queue.c */
extern struct b1_queue queue;
extern struct item items[N_ITEMS];
extern struct b1_tx txs[N_TX];
extern struct list_head group, other_group;	/* of the first five items, and of the others */

void reset(void);
void check_empty(void);
bool push(int i, int t);
void commit(int t);
int peek(void);
int pop(void);
void expect(const char *digits);
void seal(void);
int cancel(int i);
unsigned int take_group(struct list_head *list);
int take_any(void);
unsigned int take_all(void);

/* Its tests begin with a new queue, and end with an empty one. */
TCase *queue_case(Suite *suite, const char *name);

/* queue-bundles.c */
void add_bundles(Suite *suite);

#endif /* QUEUE_UNIT_H */
