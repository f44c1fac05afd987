// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Queues: what one reader gets, whatever the moments at which others push and commit.
 *
 * Bundles have a file of their own, queue-bundles.c.
 */
#include <stdio.h>
#include <string.h>

#include "queue-unit.h"

struct b1_queue queue;
struct item items[N_ITEMS];
struct b1_tx txs[N_TX];
struct list_head group, other_group;

static void tx_freed(struct b1_ref *ref)
{
	ck_abort_msg("transaction %td lost a reference", b1_tx_from_ref(ref) - txs);
}

void reset(void)
{
	int i;

	b1_queue_init(&queue);
	INIT_LIST_HEAD(&group);
	INIT_LIST_HEAD(&other_group);
	for (i = 0; i < N_ITEMS; i++) {
		b1_queue_entry_init(&items[i].entry, 7, i < 5 ? &group : &other_group);
		items[i].value = i;
	}
	for (i = 0; i < N_TX; i++)
		b1_tx_init(&txs[i], tx_freed);
}

/* Nothing is left: no entry, no lock, no reference to a transaction. */
void check_empty(void)
{
	int i;

	QUICK_ASSERT(list_empty(&group) && list_empty(&other_group));
	for (i = 0; i < N_TX; i++)
		QUICK_ASSERT(refcount_read(&txs[i].ref.refs) == 1);
	b1_queue_deinit(&queue);
	QUICK_ASSERT(!shim_n_locked());
}

/* Pushes item @i as part of transaction @t, -1: by itself. */
bool push(int i, int t)
{
	struct b1_tx *tx = t < 0 ? NULL : b1_tx_ref(&txs[t]);
	bool pushed = b1_queue_push(&queue, &items[i].entry, tx);

	if (!pushed)
		b1_tx_unref(tx);
	return pushed;
}

void commit(int t)
{
	b1_tx_commit(&txs[t]);
}

/* What a remover does with an entry that is its own now. */
static int consume(struct b1_queue_entry *entry)
{
	if (!entry)
		return -1;
	QUICK_ASSERT(entry->type == 7);
	b1_tx_unref(entry->tx);
	entry->tx = NULL;
	return container_of(entry, struct item, entry)->value;
}

int peek(void)
{
	struct b1_queue_entry *entry;

	mutex_lock(&queue.lock);
	entry = b1_queue_peek(&queue);
	mutex_unlock(&queue.lock);
	return entry ? container_of(entry, struct item, entry)->value : -1;
}

int pop(void)
{
	struct b1_queue_entry *entry;

	mutex_lock(&queue.lock);
	entry = b1_queue_peek(&queue);
	if (entry)
		b1_queue_remove(&queue, entry);
	mutex_unlock(&queue.lock);
	return consume(entry);
}

/* The reader gets these, in this order, and then nothing. */
void expect(const char *digits)
{
	char found[N_ITEMS + 1] = "";
	int i, value;

	for (i = 0; i < N_ITEMS && (value = pop()) >= 0; i++)
		found[i] = '0' + value;
	ck_assert_str_eq(found, digits);
}

void seal(void)
{
	mutex_lock(&queue.lock);
	b1_queue_seal(&queue);
	mutex_unlock(&queue.lock);
}

/* Takes an item out, wherever it is; -1: it is nowhere. */
int cancel(int i)
{
	bool found;

	mutex_lock(&queue.lock);
	b1_queue_unstack(&queue);
	found = b1_queue_cancel(&queue, &items[i].entry);
	mutex_unlock(&queue.lock);
	return consume(found ? &items[i].entry : NULL);
}

/* Takes all items of a group out; returns a bit for each. */
unsigned int take_group(struct list_head *list)
{
	struct b1_queue_entry *entry, *next;
	unsigned int seen = 0;

	mutex_lock(&queue.lock);
	b1_queue_unstack(&queue);
	entry = b1_queue_remove_group(&queue, list, NULL, &(size_t){ 0 });
	mutex_unlock(&queue.lock);
	for (; entry; entry = next) {
		next = entry->next;
		seen |= 1 << consume(entry);
	}
	return seen;
}

/* Takes any item out of a sealed queue; -1: there is none. */
int take_any(void)
{
	struct b1_queue_entry *entry;

	mutex_lock(&queue.lock);
	entry = b1_queue_remove_any(&queue);
	mutex_unlock(&queue.lock);
	return consume(entry);
}

/* Takes all items out of a sealed queue; returns a bit for each. */
unsigned int take_all(void)
{
	unsigned int seen = 0;
	int value;

	while ((value = take_any()) >= 0) {
		QUICK_ASSERT(!(seen & 1 << value));
		seen |= 1 << value;
	}
	return seen;
}

static void expect_one(int value)
{
	ck_assert_int_eq(pop(), value);
}

START_TEST(empty)
{
	expect("");
	ck_assert_int_eq(peek(), -1);
}
END_TEST

START_TEST(singles_in_order)
{
	push(0, -1);
	push(1, -1);
	expect_one(0);
	push(2, -1);
	push(3, -1);
	expect("123");
}
END_TEST

START_TEST(uncommitted_waits)
{
	push(0, 0);
	expect("");
	push(1, 0);
	expect("");
	commit(0);
	expect("01");
}
END_TEST

/* nothing orders them, so what is committed is not held up */
START_TEST(concurrent_overtakes)
{
	push(0, 0);
	push(1, -1);
	push(2, 1);
	expect("1");
	commit(1);
	expect("2");
	commit(0);
	expect("0");
}
END_TEST

START_TEST(busy_commits_later)
{
	push(0, 0);
	push(1, 1);
	push(2, 0);
	expect("");
	push(3, 1);
	commit(1);
	expect("13");
	push(4, 0);
	commit(0);
	push(5, -1);
	expect("0245");
}
END_TEST

/* entries of one transaction: fetched together, or in any portions */
START_TEST(order_in_transaction)
{
	int i;

	for (i = 0; i < 4; i++) {
		push(i, 0);
		if (_i & (1 << i))
			ck_assert_int_eq(peek(), -1);
	}
	commit(0);
	expect("0123");
}
END_TEST

static void commit_0(void)
{
	commit(0);
}

/*
 * The commit comes right before a look at the flag, the first or the second one of the fetch: the
 * older entry must not be left behind. Bits of _i: which of the entries were busy before, and which
 * look.
 */
START_TEST(commit_while_sorting)
{
	int first;

	push(0, 0);
	if (_i & 1)
		peek();
	push(1, 0);
	if (_i & 2)
		peek();
	unit_arm(SHIM_LOAD, &txs[0].committed, 1 + !!(_i & 4), commit_0);
	first = pop();
	shim_hook = NULL;
	/* there is no second look unless the newer one is found committed, and others were busy */
	if (!unit_n_trapped) {
		ck_assert_int_eq(first, -1);
		commit(0);
		first = pop();
	}
	ck_assert_int_eq(first, 0);
	expect("1");
}
END_TEST

static void commit_0_push_1(void)
{
	commit(0);
	push(1, -1);
}

/* 1 is a reaction to 0, which was busy already; it happens around the xchg(), or between looks */
START_TEST(fetch_before_test)
{
	static const enum shim_point points[] = { SHIM_XCHG, SHIM_XCHG_DONE, SHIM_LOAD };

	push(0, 0);
	if (_i & 1)
		peek();
	unit_arm(points[_i / 2], NULL, 1, commit_0_push_1);
	ck_assert_int_eq(pop(), 0);
	unit_disarm();
	expect("1");
}
END_TEST

/* All interleavings of a history with a reader who looks three times. */

struct event {
	int push;			/* item, or -1: commit */
	int tx;
};

static const struct event history[] = {
	{ 0, 0 }, { 2, 1 }, { 1, 0 }, { -1, 0 }, { 3, -1 }, { -1, 1 }, { 4, -1 },
};
/* pairs whose first must come first: order in a transaction, and reactions */
static const int causal[][2] = {
	{ 0, 1 }, { 0, 3 }, { 1, 3 }, { 0, 4 }, { 1, 4 }, { 2, 4 }, { 3, 4 },
};

#define N_POINTS 24
static unsigned int choices[N_POINTS];	/* events that happen at each moment */
static unsigned int n_points, n_events;

static void happen(void)
{
	const struct event *event = &history[n_events++];

	if (event->push < 0)
		commit(event->tx);
	else
		push(event->push, event->tx);
}

static void history_hook(enum shim_point point, const void *addr)
{
	unsigned int i;

	(void)addr;
	if (point != SHIM_XCHG && point != SHIM_XCHG_DONE && point != SHIM_LOAD)
		return;
	if (n_points == N_POINTS)
		return;
	for (i = 0; i < choices[n_points] && n_events < UNIT_N(history); i++)
		happen();
	n_points++;
}

static void check_history(void)
{
	int place[5] = { -1, -1, -1, -1, -1 };
	int n = 0, looks, value;
	size_t i;

	reset();
	n_points = n_events = 0;
	shim_hook = history_hook;
	for (looks = 0; looks < 3; looks++) {
		value = pop();
		if (value >= 0)
			place[value] = n++;
	}
	shim_hook = NULL;
	while (n_events < UNIT_N(history))
		happen();
	while ((value = pop()) >= 0)
		place[value] = n++;
	QUICK_ASSERT(n == 5);
	for (i = 0; i < UNIT_N(causal); i++)
		QUICK_ASSERT(place[causal[i][0]] < place[causal[i][1]]);
	check_empty();
}

/* The next way to spread the events over the moments of the last run; false: there is none. */
static bool next_choice(void)
{
	unsigned int i, sum = 0;

	for (i = 0; i < n_points; i++)
		sum += choices[i];
	for (i = n_points; i-- > 0;) {
		if (sum < UNIT_N(history)) {
			choices[i]++;
			memset(&choices[i + 1], 0, (N_POINTS - i - 1) * sizeof(*choices));
			return true;
		}
		sum -= choices[i];
		choices[i] = 0;
	}
	return false;
}

START_TEST(all_interleavings)
{
	unsigned int n_runs = 0;

	b1_queue_deinit(&queue);
	memset(choices, 0, sizeof(choices));
	do {
		check_history();
		n_runs++;
	} while (next_choice());
	ck_assert_uint_gt(n_runs, 1000);
	reset();
}
END_TEST

/* Sealing */

START_TEST(seal_refuses)
{
	push(0, -1);
	push(1, 0);
	ck_assert_int_eq(peek(), 0);
	push(2, 0);
	seal();
	ck_assert(!push(3, -1));
	ck_assert(!push(4, 1));
	ck_assert_ptr_null(items[4].entry.tx);
	ck_assert_int_eq(peek(), 0);
	/* what was there comes out, committed or not */
	ck_assert_uint_eq(take_all(), 0x7);
	ck_assert(!push(3, -1));
	expect("");
	ck_assert_int_eq(cancel(3), -1);
	ck_assert_uint_eq(take_group(&group), 0);
}
END_TEST

/* sealed between the first look of a push at the stack and its exchange */
START_TEST(seal_during_push)
{
	unit_arm(SHIM_CMPXCHG, &queue.stack, 1, seal);
	ck_assert(!push(0, 0));
	unit_disarm();
	ck_assert_ptr_null(items[0].entry.tx);
	ck_assert_int_eq(take_any(), -1);
}
END_TEST

static bool pushed;

static void push_0(void)
{
	pushed = push(0, -1);
}

/* pushed just before, and just after the stack is taken: found, or refused */
START_TEST(push_during_seal)
{
	unit_arm(_i ? SHIM_XCHG_DONE : SHIM_XCHG, &queue.stack, 1, push_0);
	seal();
	unit_disarm();
	ck_assert_int_eq(pushed, !_i);
	ck_assert_int_eq(take_any(), _i ? -1 : 0);
}
END_TEST

/* a push that loses the race tries again, and is the newer one */
START_TEST(push_during_push)
{
	unit_arm(SHIM_CMPXCHG, &queue.stack, 1, push_0);
	ck_assert(push(1, -1));
	unit_disarm();
	expect("01");
}
END_TEST

static void pop_0(void)
{
	expect_one(0);
}

/* the stack is emptied under the push: no entry may point to what is gone */
START_TEST(fetch_during_push)
{
	push(0, -1);
	unit_arm(SHIM_CMPXCHG, &queue.stack, 1, pop_0);
	push(1, -1);
	unit_disarm();
	ck_assert_ptr_null(items[1].entry.next);
	expect("1");
}
END_TEST

/* Taking out */

START_TEST(cancel_anywhere)
{
	ck_assert_int_eq(cancel(0), -1);
	/* on the stack */
	push(0, -1);
	push(1, 0);
	ck_assert_int_eq(cancel(0), 0);
	ck_assert_int_eq(cancel(0), -1);
	/* busy */
	ck_assert_int_eq(cancel(1), 1);
	/* ready */
	push(2, -1);
	push(3, -1);
	ck_assert_int_eq(peek(), 2);
	ck_assert_int_eq(cancel(2), 2);
	/* and it may be pushed again */
	push(2, -1);
	expect("32");
	ck_assert_int_eq(cancel(2), -1);
}
END_TEST

static void add_front(int i)
{
	mutex_lock(&queue.lock);
	b1_queue_add_front(&queue, &items[i].entry);
	mutex_unlock(&queue.lock);
}

/* what came alone and has been looked at is in no list, and yet everybody finds it in its place */
START_TEST(next_is_found)
{
	push(0, -1);
	ck_assert_int_eq(peek(), 0);
	ck_assert_ptr_eq(queue.next, &items[0].entry);
	push(1, -1);
	switch (_i) {
	case 0:
		ck_assert_int_eq(cancel(0), 0);
		expect("1");
		return;
	case 1:
		ck_assert_int_eq(cancel(1), 1);
		expect("0");
		return;
	case 2:
		ck_assert_uint_eq(take_group(&group), 0x3);
		expect("");
		return;
	case 3:
		seal();
		ck_assert_int_eq(take_any(), 0);
		ck_assert_int_eq(take_any(), 1);
		return;
	case 4:
		add_front(2);
		expect("201");
		return;
	}
}
END_TEST

/* a cancel fetches: what else is there keeps its order */
START_TEST(cancel_keeps_order)
{
	push(0, 0);
	push(1, -1);
	push(2, -1);
	ck_assert_int_eq(cancel(1), 1);
	push(3, -1);
	commit(0);
	expect("203");
}
END_TEST

START_TEST(remove_group)
{
	ck_assert_uint_eq(take_group(&group), 0);
	push(0, -1);		/* ready */
	push(5, -1);
	push(1, 0);		/* busy */
	push(6, 0);
	ck_assert_int_eq(peek(), 0);
	push(2, -1);		/* on the stack */
	push(7, -1);
	push(3, 0);
	ck_assert_uint_eq(take_group(&group), 0xf);
	ck_assert(list_empty(&group));
	ck_assert_uint_eq(take_group(&group), 0);
	expect("57");
	commit(0);
	expect("6");
}
END_TEST

/* what was taken out before stays in the chain */
START_TEST(remove_groups)
{
	struct b1_queue_entry *chain, *next;
	unsigned int seen = 0;

	push(0, -1);
	push(5, 0);
	push(1, 0);
	push(6, -1);
	mutex_lock(&queue.lock);
	b1_queue_unstack(&queue);
	chain = b1_queue_remove_group(&queue, &group, NULL, &(size_t){ 0 });
	chain = b1_queue_remove_group(&queue, &other_group, chain, &(size_t){ 0 });
	mutex_unlock(&queue.lock);
	for (; chain; chain = next) {
		next = chain->next;
		seen |= 1 << consume(chain);
	}
	ck_assert_uint_eq(seen, 0x63);
	expect("");
}
END_TEST

START_TEST(remove_any)
{
	int i;

	for (i = 0; i < N_ITEMS; i++) {
		push(i, i % 3 ? i % 3 : -1);
		if (i == 4)
			peek();
	}
	commit(1);
	seal();
	ck_assert_uint_eq(take_all(), (1 << N_ITEMS) - 1);
}
END_TEST

START_TEST(add_front_is_next)
{
	push(0, -1);
	push(1, -1);
	push(2, 0);
	ck_assert_int_eq(peek(), 0);
	push(3, -1);
	add_front(4);
	add_front(5);
	ck_assert_int_eq(peek(), 5);
	expect("54013");
	add_front(6);
	commit(0);
	expect("62");
	/* it is in its group, and can be cancelled */
	add_front(0);
	ck_assert_int_eq(cancel(0), 0);
	add_front(1);
	ck_assert_uint_eq(take_group(&group), 1 << 1);
}
END_TEST

/* what a reader has looked at stays first until it is taken out */
START_TEST(peek_is_stable)
{
	push(0, 0);
	push(1, 1);
	ck_assert_int_eq(peek(), -1);
	commit(1);
	ck_assert_int_eq(peek(), 1);
	commit(0);
	push(2, -1);
	ck_assert_int_eq(peek(), 1);
	/* others may fetch meanwhile */
	ck_assert_int_eq(cancel(9), -1);
	ck_assert_uint_eq(take_group(&other_group), 0);
	ck_assert_int_eq(peek(), 1);
	seal();
	ck_assert_int_eq(peek(), 1);
	expect("102");
}
END_TEST

/*
 * A long random history of one thread. An entry that was pushed after the transaction of another
 * was committed comes later; so does the younger one of a transaction.
 */
struct step {
	struct b1_queue_entry entry;
	struct b1_tx *tx;
	unsigned long pushed, committed, received;	/* times, 0: not yet */
};

#define N_STEPS 600
static struct step steps[N_STEPS];

static void random_commit(struct b1_tx *tx, unsigned long now)
{
	int i;

	commit(tx - txs);
	for (i = 0; i < N_STEPS; i++) {
		if (steps[i].tx == tx && !steps[i].committed)
			steps[i].committed = now;
	}
}

static bool random_receive(unsigned long now)
{
	struct b1_queue_entry *entry;
	struct step *step;

	mutex_lock(&queue.lock);
	entry = b1_queue_peek(&queue);
	if (entry)
		b1_queue_remove(&queue, entry);
	mutex_unlock(&queue.lock);
	if (!entry)
		return false;
	step = container_of(entry, struct step, entry);
	QUICK_ASSERT(step->committed && !step->received);
	step->received = now;
	b1_tx_unref(entry->tx);
	return true;
}

static void random_push(struct step *step, unsigned int t, unsigned long now)
{
	b1_queue_entry_init(&step->entry, 7, NULL);
	/* each transaction is used once, and some entries are one by themselves */
	step->tx = t < N_TX && !txs[t].committed ? &txs[t] : NULL;
	step->pushed = now;
	step->committed = step->tx ? 0 : now;
	step->received = 0;
	QUICK_ASSERT(b1_queue_push(&queue, &step->entry, b1_tx_ref(step->tx)));
}

static void random_check(void)
{
	int i, j;

	for (i = 0; i < N_STEPS; i++) {
		QUICK_ASSERT(steps[i].received);
		for (j = i + 1; j < N_STEPS; j++) {
			if ((steps[i].tx && steps[i].tx == steps[j].tx) ||
			    steps[i].committed < steps[j].pushed)
				QUICK_ASSERT(steps[i].received < steps[j].received);
		}
	}
}

START_TEST(random_mixture)
{
	unsigned long long seed = _i + 1;
	unsigned long now = 1;
	int n = 0, t;

	while (n < N_STEPS) {
		now++;
		switch (unit_random(&seed, 8)) {
		case 0:
			if (!unit_random(&seed, 30))
				random_commit(&txs[unit_random(&seed, N_TX)], now);
			break;
		case 1:
		case 2:
		case 3:
			random_receive(now);
			break;
		default:
			random_push(&steps[n++], unit_random(&seed, N_TX + 3), now);
		}
	}
	for (t = 0; t < N_TX; t++)
		random_commit(&txs[t], now);
	while (random_receive(++now))
		;
	random_check();
}
END_TEST

TCase *queue_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, reset, check_empty);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_order(Suite *suite)
{
	TCase *order = queue_case(suite, "order");

	tcase_add_test(order, empty);
	tcase_add_test(order, singles_in_order);
	tcase_add_test(order, uncommitted_waits);
	tcase_add_test(order, concurrent_overtakes);
	tcase_add_test(order, busy_commits_later);
	tcase_add_loop_test(order, order_in_transaction, 0, 16);
	tcase_add_loop_test(order, commit_while_sorting, 0, 8);
	tcase_add_loop_test(order, fetch_before_test, 0, 6);
	tcase_add_test(order, all_interleavings);
	tcase_add_loop_test(order, random_mixture, 0, 20);
}

static void add_ends(Suite *suite)
{
	TCase *ends = queue_case(suite, "ends");

	tcase_add_test(ends, seal_refuses);
	tcase_add_test(ends, seal_during_push);
	tcase_add_loop_test(ends, push_during_seal, 0, 2);
	tcase_add_test(ends, push_during_push);
	tcase_add_test(ends, fetch_during_push);
	tcase_add_test(ends, cancel_anywhere);
	tcase_add_loop_test(ends, next_is_found, 0, 5);
	tcase_add_test(ends, cancel_keeps_order);
	tcase_add_test(ends, remove_group);
	tcase_add_test(ends, remove_groups);
	tcase_add_test(ends, remove_any);
	tcase_add_test(ends, add_front_is_next);
	tcase_add_test(ends, peek_is_stable);
}

int main(void)
{
	Suite *suite = suite_create("queue");

	add_order(suite);
	add_ends(suite);
	add_bundles(suite);
	return unit_run(suite);
}
