// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module entry, and the order of locks
 *
 *	lock			kind		protects			taken inside
 *	b1_peer.lock		mutex		commands of one peer		nothing of bus1
 *	mmap_lock		(kernel)	page faults on user memory	b1_peer.lock
 *	b1_queue.lock		mutex		ready and busy entries		b1_peer.lock
 *	b1_node.lock		spinlock	handles of one node		b1_queue.lock
 *	xarray of b1_peer	spinlock	table of one peer		b1_peer.lock
 *	wait queue of b1_peer	spinlock	sleepers			b1_peer.lock
 *
 * Two locks of one kind are never held together. User memory is touched with b1_peer.lock at most.
 * A command takes b1_peer.lock of the peer it is called on and no other; it may take b1_queue.lock
 * of another peer for a moment to take something back (a notification about a handle that it
 * unlinks, a message to a node that was released meanwhile) or to hand a handle out
 * (BUS1_CMD_TRANSFER), but not to send.
 */
#include <linux/bug.h>
#include <linux/module.h>

#include "cdev.h"

#ifndef CONFIG_64BIT
#error "bus1 supports 64-bit kernels only: IDs are 64 bit, and index a table"
#endif

static int __init b1_main_init(void)
{
	return b1_cdev_init();
}

static void __exit b1_main_exit(void)
{
	b1_cdev_exit();
}

module_init(b1_main_init);
module_exit(b1_main_exit);

MODULE_DESCRIPTION("capability-based IPC");
MODULE_VERSION(B1_VERSION);
MODULE_LICENSE("GPL");
