// SPDX-License-Identifier: GPL-2.0-only
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "acct.h"
#include "debug.h"
#include "peer.h"

static struct dentry *b1_debug_dir;

/**
 * b1_debug_show_peer() - describe a peer, for /proc/PID/fdinfo/FD
 * @seq:	where to
 * @peer:	open peer
 */
void b1_debug_show_peer(struct seq_file *seq, struct b1_peer *peer)
{
	struct b1_peer_stat stat;
	struct b1_acct_amounts own;

	b1_peer_stat(peer, &stat);
	b1_acct_trace_claimed(peer->own, &own);
	seq_printf(seq, "bus1-peer:\t%llu\n", peer->actor);
	seq_printf(seq, "bus1-account:\t%u\n",
		   from_kuid_munged(seq_user_ns(seq), peer->account));
	seq_printf(seq, "bus1-nodes:\t%llu\n", stat.n_nodes);
	seq_printf(seq, "bus1-handles:\t%llu\n", stat.n_handles);
	seq_printf(seq, "bus1-messages:\t%llu\n", stat.n_messages);
	seq_printf(seq, "bus1-message-bytes:\t%llu\n", stat.n_bytes);
	seq_printf(seq, "bus1-charged-objects:\t%llu\n", own.slots[B1_ACCT_OBJECTS]);
	seq_printf(seq, "bus1-charged-bytes:\t%llu\n", own.slots[B1_ACCT_BYTES]);
}

static void b1_debug_show_user(void *data, u32 uid, const struct b1_acct_amounts *max,
			       const struct b1_acct_amounts *avail)
{
	seq_printf(data, "user %u: objects %llu of %llu available, bytes %llu of %llu available\n",
		   uid, avail->slots[B1_ACCT_OBJECTS], max->slots[B1_ACCT_OBJECTS],
		   avail->slots[B1_ACCT_BYTES], max->slots[B1_ACCT_BYTES]);
}

static void b1_debug_show_quota(void *data, u32 uid, const struct b1_acct_amounts *claimed,
				const struct b1_acct_amounts *avail)
{
	seq_printf(data, "  by user %u: objects %llu, %llu of them unused, bytes %llu, %llu unused\n",
		   uid, claimed->slots[B1_ACCT_OBJECTS], avail->slots[B1_ACCT_OBJECTS],
		   claimed->slots[B1_ACCT_BYTES], avail->slots[B1_ACCT_BYTES]);
}

static void b1_debug_show_trace(void *data, u64 actor, const struct b1_acct_amounts *claimed)
{
	seq_printf(data, "    by peer %llu: objects %llu, bytes %llu\n", actor,
		   claimed->slots[B1_ACCT_OBJECTS], claimed->slots[B1_ACCT_BYTES]);
}

static int b1_debug_accounts_show(struct seq_file *seq, void *unused)
{
	static const struct b1_acct_visitor visitor = {
		.user = b1_debug_show_user,
		.quota = b1_debug_show_quota,
		.trace = b1_debug_show_trace,
	};

	b1_acct_visit(&visitor, seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(b1_debug_accounts);

/**
 * b1_debug_init() - create the directory in debugfs
 *
 * Without debugfs there is none; that is not an error.
 */
void b1_debug_init(void)
{
	b1_debug_dir = debugfs_create_dir("bus1", NULL);
	debugfs_create_file("accounts", 0400, b1_debug_dir, NULL, &b1_debug_accounts_fops);
}

/**
 * b1_debug_exit() - remove the directory
 */
void b1_debug_exit(void)
{
	debugfs_remove_recursive(b1_debug_dir);
}
