/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The character device
 *
 * Purpose: file operations and decoding of commands. The only file that touches user memory, with the
 * means of user.h: what is behind it deals with checked numbers and kernel memory.
 *
 * Objects: one misc device. The private data of an open file is its struct b1_peer.
 *
 * Lifetime: from module init to module exit; open files pin the module.
 *
 * Locking: takes b1_peer.lock of the peer that a command is called on, and of no other.
 *
 * Context: may sleep and fault, even with b1_peer.lock held, never with another lock.
 *
 * Ordering: b1_cdev_poll() registers for wakeups before it looks at the queue; it finds nothing there
 * only after an xchg(), which pairs with the barriers between a commit and the look for sleepers in
 * b1_peer_wake().
 */
#ifndef B1_CDEV_H
#define B1_CDEV_H

int b1_cdev_init(void);
void b1_cdev_exit(void);

#endif /* B1_CDEV_H */
