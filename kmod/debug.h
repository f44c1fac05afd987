/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Diagnosis
 *
 * Purpose: shows what there is, and who is charged for it: to who has a peer what is in that, in fdinfo;
 * to administrators all, in /sys/kernel/debug/bus1. Nothing depends on it, and the formats are no
 * interface for programs.
 *
 * Objects, Lifetime: the directory in debugfs, from module init to module exit. An open file of it
 * keeps the module, and one trace that it has come to.
 *
 * Locking: takes no lock that is a peer's own: whoever reads must not stop a service, and a peer whose
 * command hangs in a page fault can still be looked at. Takes the lock of the table of a peer for
 * B1_RELAX_BATCH objects at a time, and b1_acct_lock for a moment for each line of the accounts.
 *
 * Context: may sleep.
 *
 * Ordering: none. The numbers of one peer, and those of several lines, are not from one instant.
 */
#ifndef B1_DEBUG_H
#define B1_DEBUG_H

#include <linux/seq_file.h>

struct b1_peer;

void b1_debug_init(void);
void b1_debug_exit(void);
void b1_debug_show_peer(struct seq_file *seq, struct b1_peer *peer);

#endif /* B1_DEBUG_H */
