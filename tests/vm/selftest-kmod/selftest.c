// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that breaks the kernel on demand, to see that tests/vm/run notices
 *
 * What is written to /dev/b1_selftest says how: warn, pin (the module can never be unloaded),
 * leak (memory), overflow (a write behind an object), free (a write to a freed object), cache (an
 * object of a slab cache that is then destroyed), oops, panic, taint.
 *
 * For debug kernels: inversion (two locks in both orders), atomic (sleeping with a spinlock held),
 * shift (undefined behaviour), timer (a freed object with an active timer), list (a corrupted one).
 * By two writers at the same time: race (plain accesses), barrier (plain accesses that are handed
 * over without ordering).
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

static void selftest_leak(void)
{
	unsigned int i;

	/* many, as one may survive by a stale pointer on some stack */
	for (i = 0; i < 32; i++)
		memset(kmalloc(100, GFP_KERNEL | __GFP_NOFAIL), 0x55, 100);
}

/* A write behind an object, or into a freed one */
static void selftest_corrupt(bool freed)
{
	char *p = kmalloc(128, GFP_KERNEL | __GFP_NOFAIL);

	OPTIMIZER_HIDE_VAR(p);
	if (!freed)
		p[128] = 1;
	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	if (freed)
		p[50] = 1;
}

static void selftest_cache(void)
{
	struct kmem_cache *cache = kmem_cache_create("b1_selftest", 100, 0, 0, NULL);

	if (!cache)
		return;
	kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_destroy(cache);
}

static void selftest_inversion(void)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);

	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
}

static void selftest_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void selftest_shift(void)
{
	unsigned int by = 33;

	OPTIMIZER_HIDE_VAR(by);
	pr_info("selftest: %d\n", 1 << by);
}

static void selftest_timer_expired(struct timer_list *timer)
{
}

static void selftest_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL | __GFP_NOFAIL);

	timer_setup(timer, selftest_timer_expired, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
}

static void selftest_list(void)
{
	struct list_head head, entry;

	INIT_LIST_HEAD(&head);
	list_add(&entry, &head);
	head.next = &head;
	list_del(&entry);
}

/* How long two writers have to meet */
#define SELFTEST_TIME (8 * HZ)

static void selftest_race(void)
{
	unsigned long end = jiffies + SELFTEST_TIME;
	static unsigned long counter;

	while (time_before(jiffies, end)) {
		counter++;
		barrier();
		cond_resched();
	}
}

/*
 * Two take turns to change the data. The one who hands over makes sure of nothing: its write to the
 * data may come after the write to the turn. Here it does not, so only a checker that knows of weak
 * memory can tell.
 */
static void selftest_barrier(void)
{
	static atomic_t last = ATOMIC_INIT(-1);
	unsigned long end = jiffies + SELFTEST_TIME;
	int me = atomic_inc_return(&last) % 2;
	static unsigned long data;
	static int turn;

	while (time_before(jiffies, end)) {
		if (smp_load_acquire(&turn) == me) {
			data++;
			WRITE_ONCE(turn, !me);
		}
		cond_resched();
	}
}

/* A task that never ends, whatever it is sent. */
static void selftest_stuck(void)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
	}
}

/* What is busy for long when its last file is closed, as with many objects to be freed. */
static int selftest_release(struct inode *inode, struct file *file)
{
	unsigned long end = jiffies + 12 * HZ;

	while (file->private_data && time_before(jiffies, end))
		cond_resched();
	return 0;
}

static ssize_t selftest_write(struct file *file, const char __user *data, size_t n, loff_t *pos)
{
	char word[16] = "";

	if (n >= sizeof(word) || copy_from_user(word, data, n))
		return -EINVAL;
	strim(word);
	if (!strcmp(word, "warn"))
		WARN_ON(1);
	else if (!strcmp(word, "pin"))
		__module_get(THIS_MODULE);
	else if (!strcmp(word, "leak"))
		selftest_leak();
	else if (!strcmp(word, "overflow"))
		selftest_corrupt(false);
	else if (!strcmp(word, "free"))
		selftest_corrupt(true);
	else if (!strcmp(word, "cache"))
		selftest_cache();
	else if (!strcmp(word, "inversion"))
		selftest_inversion();
	else if (!strcmp(word, "atomic"))
		selftest_atomic();
	else if (!strcmp(word, "shift"))
		selftest_shift();
	else if (!strcmp(word, "timer"))
		selftest_timer();
	else if (!strcmp(word, "list"))
		selftest_list();
	else if (!strcmp(word, "race"))
		selftest_race();
	else if (!strcmp(word, "barrier"))
		selftest_barrier();
	else if (!strcmp(word, "oops"))
		BUG();
	else if (!strcmp(word, "panic"))
		panic("selftest");
	else if (!strcmp(word, "stuck"))
		selftest_stuck();
	else if (!strcmp(word, "linger"))
		file->private_data = file;
	else if (!strcmp(word, "taint"))
		add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	else
		return -EINVAL;
	return n;
}

static const struct file_operations selftest_fops = {
	.owner = THIS_MODULE,
	.write = selftest_write,
	.release = selftest_release,
};

static struct miscdevice selftest_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "b1_selftest",
	.fops = &selftest_fops,
	.mode = 0666,
};

module_misc_device(selftest_device);
MODULE_DESCRIPTION("Breaks the kernel to test a test runner");
MODULE_LICENSE("GPL");
