// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Queues: the busy entries of one transaction hang together, so that its flag is tested once for
 * all of them, and stay in order whatever comes and goes.
 */
#include <stdlib.h>
#include <string.h>

#include "queue-unit.h"

static unsigned int n_tests[N_TX];	/* of the flag of each transaction */

static void count_hook(enum shim_point point, const void *addr)
{
	int t;

	for (t = 0; point == SHIM_LOAD && t < N_TX; t++)
		n_tests[t] += addr == &txs[t].committed;
}

/* A look, and how often it has tested the flag of each transaction. */
static int peek_counted(void)
{
	int value;

	memset(n_tests, 0, sizeof(n_tests));
	shim_hook = count_hook;
	value = peek();
	shim_hook = NULL;
	return value;
}

/* One test decides, and one more may have told before whether there is anything to be decided. */
static void expect_few_tests(int t)
{
	ck_assert_uint_ge(n_tests[t], 1);
	ck_assert_uint_le(n_tests[t], 2);
}

static void push_all(const int (*pushes)[2], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		push(pushes[i][0], pushes[i][1]);
}

#define PUSH(...)									\
	push_all((const int[][2]){ __VA_ARGS__ }, UNIT_N(((const int[][2]){ __VA_ARGS__ })))

static unsigned int n_bundles(void)
{
	struct b1_queue_entry *head;
	unsigned int n = 0;

	list_for_each_entry(head, &queue.busy, bundle_link)
		n++;
	return n;
}

/* interleaved, new or busy already, or both */
START_TEST(one_test_for_each_fetch)
{
	int i;

	PUSH({ 0, 0 }, { 1, 1 }, { 2, 0 }, { 3, 0 }, { 4, 1 });
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(peek_counted(), -1);
		expect_few_tests(0);
		expect_few_tests(1);
		ck_assert_uint_eq(n_bundles(), 2);
		if (i == 1)
			PUSH({ 5, 1 }, { 6, 0 }, { 7, 1 });
	}
	commit(1);
	ck_assert_int_eq(peek_counted(), 1);
	expect_few_tests(0);
	expect_few_tests(1);
	/* nothing is tested while something is ready */
	for (i = 0; i < 4; i++)
		pop();
	ck_assert_int_eq(peek_counted(), -1);
	ck_assert_uint_eq(n_tests[1], 0);
	commit(0);
	expect("0236");
}
END_TEST

#define N_MANY 50000

/* fifty thousand entries cost two tests at most, and a few steps, of each look */
START_TEST(many_cost_as_one)
{
	struct item *many = calloc(N_MANY, sizeof(*many));
	struct b1_queue_entry *entry;
	unsigned long steps;
	int i;

	for (i = 0; i < N_MANY; i++) {
		b1_queue_entry_init(&many[i].entry, 7, NULL);
		QUICK_ASSERT(b1_queue_push(&queue, &many[i].entry, b1_tx_ref(&txs[0])));
		/* in one portion, or in many */
		if (_i && i % 100 == 0)
			ck_assert_int_eq(peek(), -1);
	}
	ck_assert_int_eq(peek_counted(), -1);
	expect_few_tests(0);
	for (i = 0; i < 5; i++) {
		/* alone, and next to others */
		push(i, i - 1);
		steps = shim_n_steps();
		ck_assert_int_eq(peek_counted(), i ? -1 : 0);
		expect_few_tests(0);
		ck_assert_uint_le(shim_n_steps() - steps, 8);
		if (!i)
			expect("0");
	}
	commit(0);
	for (i = 0; i < N_MANY; i++) {
		mutex_lock(&queue.lock);
		entry = b1_queue_peek(&queue);
		QUICK_ASSERT(entry == &many[i].entry);
		b1_queue_remove(&queue, entry);
		mutex_unlock(&queue.lock);
		b1_tx_unref(entry->tx);
	}
	free(many);
	expect("1");
	for (i = 1; i < N_TX; i++)
		commit(i);
	expect("234");
}
END_TEST

/* one that was found busy is tested again in each fetch: no fetch trusts the one before */
START_TEST(tested_again)
{
	PUSH({ 0, 0 }, { 1, 0 });
	ck_assert_int_eq(peek(), -1);
	commit(0);
	push(2, 0);
	ck_assert_int_eq(peek_counted(), 0);
	expect("012");
}
END_TEST

/* a bundle has the place of its newest entry */
START_TEST(order_of_bundles)
{
	PUSH({ 0, 0 }, { 1, 1 }, { 2, 0 }, { 3, -1 }, { 4, 1 }, { 5, 2 }, { 6, 0 });
	expect("3");
	if (_i) {
		/* newer ones move it */
		push(7, 1);
		expect("");
	}
	commit(2);
	commit(0);
	commit(1);
	expect(_i ? "5026147" : "145026");
}
END_TEST

/* what is by itself stays where it was pushed, if all is found committed at once */
START_TEST(order_of_bundles_and_singles)
{
	push(0, 0);
	if (_i)
		expect("");
	PUSH({ 1, -1 }, { 2, 0 }, { 3, 1 }, { 4, -1 });
	commit(0);
	push(5, -1);
	expect("01245");
	commit(1);
	expect("3");
}
END_TEST

/* One of three goes, the newest, too; what comes later goes behind the rest. */
START_TEST(cancel_in_ring)
{
	static const char * const expected[] = { "124", "024", "014" };

	PUSH({ 0, 0 }, { 1, 0 }, { 2, 0 }, { 3, 1 });
	expect("");
	ck_assert_int_eq(cancel(_i), _i);
	ck_assert_int_eq(peek_counted(), -1);
	expect_few_tests(0);
	ck_assert_uint_eq(n_bundles(), 2);
	push(4, 0);
	ck_assert_int_eq(peek_counted(), -1);
	expect_few_tests(0);
	commit(0);
	expect(expected[_i]);
	commit(1);
	expect("3");
}
END_TEST

/* The place of a bundle whose head has gone stays the same. */
START_TEST(head_removed)
{
	PUSH({ 0, 0 }, { 1, 1 }, { 2, 0 }, { 3, 2 });
	expect("");
	ck_assert_int_eq(cancel(2), 2);
	commit(0);
	commit(1);
	commit(2);
	expect("103");
}
END_TEST

/* With the last entry the bundle goes, and others of the transaction make a new one. */
START_TEST(last_removed)
{
	int i;

	PUSH({ 0, 0 }, { 1, 0 }, { 2, 0 });
	expect("");
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(cancel((i + _i) % 3), (i + _i) % 3);
	ck_assert(RB_EMPTY_ROOT(&queue.bundles));
	ck_assert_uint_eq(n_bundles(), 0);
	PUSH({ 3, 0 }, { 2, 0 });
	ck_assert_int_eq(peek_counted(), -1);
	expect_few_tests(0);
	/* one that was a head may be by itself */
	push(0, -1);
	expect("0");
	commit(0);
	expect("32");
}
END_TEST

/* Entries of a group are taken out of bundles, wherever they are there. */
START_TEST(group_in_bundles)
{
	PUSH({ 0, 0 }, { 5, 0 }, { 1, 0 }, { 6, 1 }, { 2, 1 }, { 7, 0 }, { 3, 2 });
	if (_i & 1)
		expect("");
	push(4, 0);
	if (_i & 2)
		expect("");
	ck_assert_uint_eq(take_group(&group), 0x1f);
	ck_assert_uint_eq(n_bundles(), 2);
	push(8, 0);
	commit(1);
	expect("6");
	commit(0);
	expect("578");
}
END_TEST

/* All come out of a sealed queue: those of bundles, too, committed or not. */
START_TEST(seal_with_bundles)
{
	PUSH({ 0, 0 }, { 1, 1 }, { 2, 0 });
	if (_i & 1)
		expect("");
	PUSH({ 3, 1 }, { 4, 0 }, { 5, -1 });
	if (_i & 2)
		commit(1);
	seal();
	commit(0);
	ck_assert_uint_eq(take_all(), 0x3f);
	ck_assert(RB_EMPTY_ROOT(&queue.bundles));
}
END_TEST

/*
 * Random portions of random entries of random transactions, some of which are taken out again. What
 * is left of each transaction comes in the order it was pushed.
 */
START_TEST(random_portions)
{
	unsigned long long seed = _i + 1;
	int i, t, value, last = -1, left = 0, tx_of[N_ITEMS];

	for (i = 0; i < N_ITEMS; i++) {
		tx_of[i] = unit_random(&seed, 3);
		push(i, tx_of[i]);
		left |= 1 << i;
		if (!unit_random(&seed, 3))
			ck_assert_int_eq(peek_counted(), -1);
		value = unit_random(&seed, N_ITEMS);
		if (!unit_random(&seed, 3) && cancel(value) == value)
			left &= ~(1 << value);
	}
	ck_assert_int_eq(peek(), -1);
	ck_assert_int_eq(peek_counted(), -1);
	for (t = 0; t < 3; t++)
		ck_assert_uint_le(n_tests[t], 2);
	for (t = 0; t < 3; t++) {
		commit(t);
		for (last = -1; (value = pop()) >= 0; last = value) {
			ck_assert_int_eq(tx_of[value], t);
			ck_assert_int_gt(value, last);
			left &= ~(1 << value);
		}
	}
	ck_assert_int_eq(left, 0);
}
END_TEST

void add_bundles(Suite *suite)
{
	TCase *tcase = queue_case(suite, "bundles");

	tcase_add_test(tcase, one_test_for_each_fetch);
	tcase_add_loop_test(tcase, many_cost_as_one, 0, 2);
	tcase_add_test(tcase, tested_again);
	tcase_add_loop_test(tcase, order_of_bundles, 0, 2);
	tcase_add_loop_test(tcase, order_of_bundles_and_singles, 0, 2);
	tcase_add_loop_test(tcase, cancel_in_ring, 0, 3);
	tcase_add_test(tcase, head_removed);
	tcase_add_loop_test(tcase, last_removed, 0, 3);
	tcase_add_loop_test(tcase, group_in_bundles, 0, 4);
	tcase_add_loop_test(tcase, seal_with_bundles, 0, 4);
	tcase_add_loop_test(tcase, random_portions, 0, 200);
}
