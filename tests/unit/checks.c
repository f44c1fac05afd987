// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The checks that the shim makes, and that other tests rely on when they pass: each misuse ends the
 * program.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <signal.h>

#include "unit.h"

static struct mutex mutexes[2], other_mutex;
static raw_spinlock_t spinlocks[2], other_spinlock;
static void *memory;

static void setup(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		mutex_init(&mutexes[i]);
		raw_spin_lock_init(&spinlocks[i]);
	}
	mutex_init(&other_mutex);
	raw_spin_lock_init(&other_spinlock);
	memory = kmalloc(8, GFP_KERNEL_ACCOUNT);
}

static void teardown(void)
{
	kfree(memory);
}

static void sleep_under_spinlock(void)
{
	raw_spin_lock(&spinlocks[0]);
	cond_resched();
}

static void step_under_spinlock(void)
{
	raw_spin_lock(&spinlocks[0]);
	__might_sleep(__FILE__, __LINE__);
}

static void mutex_under_spinlock(void)
{
	raw_spin_lock(&spinlocks[0]);
	mutex_lock(&mutexes[0]);
}

static void killable_under_spinlock(void)
{
	/* even if it would not get it */
	shim_killed = true;
	raw_spin_lock(&spinlocks[0]);
	mutex_lock_killable(&mutexes[0]);
}

static void alloc_under_spinlock(void)
{
	raw_spin_lock(&spinlocks[0]);
	/* also what would not sleep */
	memory = kmalloc(8, __GFP_ACCOUNT);
}

static void free_under_spinlock(void)
{
	raw_spin_lock(&spinlocks[0]);
	kfree(memory);
}

static void free_nothing_under_spinlock(void)
{
	raw_spin_lock(&spinlocks[0]);
	kvfree(NULL);
}

static void two_spinlocks(void)
{
	raw_spin_lock(&spinlocks[0]);
	raw_spin_lock(&other_spinlock);
}

static void two_of_one_class(void)
{
	mutex_lock(&mutexes[0]);
	mutex_lock(&mutexes[1]);
}

static void both_orders(void)
{
	mutex_lock(&mutexes[0]);
	mutex_lock(&other_mutex);
	mutex_unlock(&other_mutex);
	mutex_unlock(&mutexes[0]);
	mutex_lock(&other_mutex);
	mutex_lock(&mutexes[0]);
}

static void not_held(void)
{
	mutex_lock(&mutexes[0]);
	mutex_unlock(&mutexes[0]);
	lockdep_assert_held(&mutexes[0]);
}

static void not_accounted(void)
{
	memory = kmalloc(8, GFP_KERNEL);
}

static refcount_t refs;

static void count_from_zero(void)
{
	refcount_set(&refs, 0);
	refcount_inc(&refs);
}

static void drop_below_zero(void)
{
	refcount_set(&refs, 0);
	refcount_dec_not_one(&refs);
}

static struct list_head list, entry;

static void delete_twice(void)
{
	INIT_LIST_HEAD(&list);
	list_add(&entry, &list);
	list_del(&entry);
	list_del(&entry);
}

static void replace_what_is_in_no_list(void)
{
	INIT_LIST_HEAD(&list);
	list_replace(&list, &entry);
}

static struct rb_root tree, other_tree;
static struct rb_node nodes[2];

static bool less(struct rb_node *node, const struct rb_node *other)
{
	return node < other;
}

static void link_twice(void)
{
	rb_add(&nodes[0], &tree, less);
	rb_add(&nodes[0], &other_tree, less);
}

static void erase_from_another_tree(void)
{
	rb_add(&nodes[0], &tree, less);
	rb_erase(&nodes[0], &other_tree);
}

static void replace_in_another_tree(void)
{
	rb_add(&nodes[0], &tree, less);
	rb_replace_node(&nodes[0], &nodes[1], &other_tree);
}

static void hook_that_waits(void)
{
	mutex_lock(&mutexes[0]);
}

static void wait_in_hook(void)
{
	unit_arm(SHIM_UNLOCK, &spinlocks[0], 1, hook_that_waits);
	mutex_lock(&mutexes[0]);
	raw_spin_lock(&spinlocks[0]);
	raw_spin_unlock(&spinlocks[0]);
}

static void (*const misuses[])(void) = {
	sleep_under_spinlock,
	step_under_spinlock,
	mutex_under_spinlock,
	killable_under_spinlock,
	alloc_under_spinlock,
	free_under_spinlock,
	free_nothing_under_spinlock,
	two_spinlocks,
	two_of_one_class,
	both_orders,
	not_held,
	not_accounted,
	count_from_zero,
	drop_below_zero,
	delete_twice,
	replace_what_is_in_no_list,
	link_twice,
	erase_from_another_tree,
	replace_in_another_tree,
	wait_in_hook,
};

START_TEST(misuse)
{
	misuses[_i]();
}
END_TEST

static unsigned int n_hooked;

/* A thread of its own: it has none of the locks that are held. */
static void hooked(void)
{
	n_hooked++;
	raw_spin_lock(&spinlocks[1]);
	raw_spin_unlock(&spinlocks[1]);
	cond_resched();
	mutex_lock(&other_mutex);
	mutex_unlock(&other_mutex);
}

/* what is allowed */
START_TEST(use)
{
	mutex_lock(&mutexes[0]);
	cond_resched();
	mutex_lock(&other_mutex);
	raw_spin_lock(&spinlocks[0]);
	lockdep_assert_held(&mutexes[0]);
	lockdep_assert_held(&spinlocks[0]);
	raw_spin_unlock(&spinlocks[0]);
	raw_spin_lock(&other_spinlock);
	raw_spin_unlock(&other_spinlock);
	mutex_unlock(&other_mutex);
	unit_arm(SHIM_LOCK, &spinlocks[0], 1, hooked);
	raw_spin_lock(&spinlocks[0]);
	unit_disarm();
	raw_spin_unlock(&spinlocks[0]);
	ck_assert_uint_eq(n_hooked, 1);
	shim_killed = true;
	ck_assert_int_eq(mutex_lock_killable(&other_mutex), -EINTR);
	shim_killed = false;
	ck_assert_int_eq(mutex_lock_killable(&other_mutex), 0);
	mutex_unlock(&other_mutex);
	mutex_unlock(&mutexes[0]);
	ck_assert_int_eq(shim_n_locked(), 0);
}
END_TEST

/* an erased node is not empty before it is cleared, and one that was replaced is erased */
START_TEST(trees)
{
	rb_add(&nodes[0], &tree, less);
	rb_replace_node(&nodes[0], &nodes[1], &tree);
	ck_assert_ptr_eq(rb_first(&tree), &nodes[1]);
	ck_assert(!RB_EMPTY_NODE(&nodes[0]));
	rb_add(&nodes[0], &tree, less);
	ck_assert_ptr_eq(rb_next(&nodes[0]), &nodes[1]);
	rb_erase(&nodes[1], &tree);
	ck_assert(!RB_EMPTY_NODE(&nodes[1]));
	RB_CLEAR_NODE(&nodes[1]);
	ck_assert(RB_EMPTY_NODE(&nodes[1]));
	rb_erase(&nodes[0], &tree);
	ck_assert(RB_EMPTY_ROOT(&tree));
}
END_TEST

static unsigned int depth(const struct rb_node *node)
{
	unsigned int left, right;

	if (!node)
		return 0;
	left = depth(node->rb_left);
	right = depth(node->rb_right);
	return 1 + (left > right ? left : right);
}

/* no list, even if nodes come in order: whoever searches in it must turn to both sides */
START_TEST(trees_are_flat)
{
	struct rb_node many[100] = {};
	size_t i;

	for (i = 0; i < UNIT_N(many); i++)
		rb_add(&many[i], &tree, less);
	ck_assert_uint_lt(depth(tree.rb_node), 25);
}
END_TEST

START_TEST(references)
{
	refcount_set(&refs, 2);
	ck_assert(refcount_dec_not_one(&refs));
	ck_assert(!refcount_dec_not_one(&refs));
	ck_assert_uint_eq(refcount_read(&refs), 1);
	ck_assert(refcount_dec_and_test(&refs));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("checks");
	TCase *tcase = tcase_create("checks");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test_raise_signal(tcase, misuse, SIGABRT, 0, UNIT_N(misuses));
	tcase_add_test(tcase, use);
	tcase_add_test(tcase, trees);
	tcase_add_test(tcase, trees_are_flat);
	tcase_add_test(tcase, references);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
