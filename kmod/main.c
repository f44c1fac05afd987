// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module entry, and the order of locks
 *
 *	lock			kind		whose	protects			inside
 *	b1_peer.lock		mutex		own	commands of one peer		nothing of bus1
 *	mmap_lock		(kernel)		page faults on user memory	b1_peer.lock
 *	b1_queue.lock		mutex		own	ready and busy entries		b1_peer.lock
 *	b1_table.lock		raw spinlock	shared	table of one peer		b1_queue.lock
 *	b1_node.lock		raw spinlock	shared	a node and its handles		b1_queue.lock
 *	b1_acct_user.lock	raw spinlock	shared	amounts of one user		b1_queue.lock
 *	b1_acct_lock		raw spinlock	shared	which accounts there are	b1_queue.lock
 *	wait queue of b1_peer	(kernel)	shared	sleepers			b1_peer.lock
 *
 * A peer's own locks are taken by commands on that peer, its poll and its close, and by nobody else:
 * not by a send or a transfer to it, not by whoever reads its fdinfo. They may be held for as long as
 * its queue is deep, b1_peer.lock also over page faults, and are waited for killably wherever the caller can
 * return. Shared locks are needed by strangers. They are raw spinlocks, so that no holder of one is
 * preempted, even on kernels with PREEMPT_RT, and none is held over anything that sleeps,
 * allocates, frees or touches user memory, nor for more than B1_RELAX_BATCH steps. So nobody waits for
 * a stranger's thread that is preempted, stopped, throttled, or stuck in a page fault.
 *
 * Two locks of one kind are never held together, nor are two raw spinlocks. A command takes the own
 * locks of the peer it is called on and of no other.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bug.h>
#include <linux/kstrtox.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>

#include "acct.h"
#include "cdev.h"
#include "debug.h"
#include "node.h"

#ifndef CONFIG_64BIT
#error "bus1 supports 64-bit kernels only: b1_table.last_id and others are 64 bit"
#endif

/* A maximum above this is refused: it limits nothing, and leaves no room for arithmetic. */
#define B1_MAIN_MAX_MAX (1UL << 48)

/*
 * Default maxima. A user must not be able to fill the memory of a small machine, so what is charged to
 * one is no more than an eighth of it in each slot. For objects, 512 bytes are a safe guess: nodes,
 * handles and messages take less, a peer takes more.
 */
#define B1_MAIN_MAX_OBJECTS (1UL << 20)
#define B1_MAIN_MAX_BYTES (1UL << 30)
#define B1_MAIN_MEMORY_SHARE 8
#define B1_MAIN_OBJECT_SIZE 512

/*
 * The range is checked while the parameter is read: 0 tells b1_main_init() that none was given, so
 * it must not be possible to give it.
 */
static int b1_main_set_max(const char *text, const struct kernel_param *param)
{
	unsigned long max;
	int ret;

	ret = kstrtoul(text, 0, &max);
	if (ret)
		return ret;
	if (!max || max > B1_MAIN_MAX_MAX) {
		pr_err("%s must be 1 to %lu\n", param->name, B1_MAIN_MAX_MAX);
		return -EINVAL;
	}
	*(unsigned long *)param->arg = max;
	return 0;
}

static const struct kernel_param_ops b1_main_max_ops = {
	.set = b1_main_set_max,
	.get = param_get_ulong,
};

static unsigned long b1_main_max_objects;
module_param_cb(max_objects, &b1_main_max_ops, &b1_main_max_objects, 0444);
__MODULE_PARM_TYPE(max_objects, "ulong");
MODULE_PARM_DESC(max_objects,
		 "Peers, nodes, handles and messages of each user, 1 to 2^48 (default 1048576, or one for each 4096 bytes of memory if that is less)");

static unsigned long b1_main_max_bytes;
module_param_cb(max_bytes, &b1_main_max_ops, &b1_main_max_bytes, 0444);
__MODULE_PARM_TYPE(max_bytes, "ulong");
MODULE_PARM_DESC(max_bytes,
		 "Bytes queued at each user, 1 to 2^48 (default 1073741824, or an eighth of the memory if that is less)");

/* What was not given is set to its default, for sysfs to show what is in force. */
static void __init b1_main_set_defaults(void)
{
	unsigned long share = (totalram_pages() << PAGE_SHIFT) / B1_MAIN_MEMORY_SHARE;

	if (!b1_main_max_objects)
		b1_main_max_objects = min(share / B1_MAIN_OBJECT_SIZE, B1_MAIN_MAX_OBJECTS);
	if (!b1_main_max_bytes)
		b1_main_max_bytes = min(share, B1_MAIN_MAX_BYTES);
}

static int __init b1_main_init(void)
{
	int ret;

	b1_main_set_defaults();
	ret = b1_acct_set_max(b1_main_max_objects, b1_main_max_bytes);
	if (ret)
		return ret;
	ret = b1_node_init_caches();
	if (ret)
		return ret;
	ret = b1_cdev_init();
	if (ret) {
		b1_node_exit_caches();
		return ret;
	}
	b1_debug_init();
	return 0;
}

static void __exit b1_main_exit(void)
{
	b1_debug_exit();
	b1_cdev_exit();
	b1_node_exit_caches();
	WARN_ON_ONCE(!b1_acct_is_idle());
}

module_init(b1_main_init);
module_exit(b1_main_exit);

MODULE_DESCRIPTION("capability-based IPC");
MODULE_VERSION(B1_VERSION);
MODULE_LICENSE("GPL");
