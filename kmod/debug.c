// SPDX-License-Identifier: GPL-2.0-only
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "acct.h"
#include "debug.h"
#include "node.h"
#include "relax.h"

static struct dentry *b1_debug_dir;

/* what a peer has */
struct b1_debug_stat {
	u64 n_nodes;
	u64 n_handles;
	struct b1_node_load queued;	/* without notifications; committed or not */
};

static void b1_debug_count(struct b1_debug_stat *stat, struct b1_object *obj)
{
	struct b1_node_load load;

	/* it may be about to go live, for a transfer */
	if (!smp_load_acquire(&obj->live))
		return;
	if (!b1_object_is_node(obj)) {
		stat->n_handles++;
		return;
	}
	stat->n_nodes++;
	b1_node_load(b1_node_from_object(obj), &load);
	stat->queued.messages += load.messages;
	stat->queued.handles += load.handles;
	stat->queued.bytes += load.bytes;
}

/*
 * Goes through the table, a few objects at a time, with no lock that a command holds for longer; what
 * comes and goes meanwhile is counted or not.
 */
static void b1_debug_stat(struct b1_peer *peer, struct b1_debug_stat *stat)
{
	struct b1_object *obj;
	u64 id = 0;
	size_t i;

	*stat = (struct b1_debug_stat){};
	do {
		raw_spin_lock(&peer->table.lock);
		obj = b1_table_next_locked(&peer->table, id);
		for (i = 0; obj && i < B1_RELAX_BATCH; i++) {
			b1_debug_count(stat, obj);
			id = obj->id + 1;
			obj = b1_table_entry(rb_next(&obj->table_link));
		}
		raw_spin_unlock(&peer->table.lock);
		cond_resched();
	} while (obj && !fatal_signal_pending(current));
}

/**
 * b1_debug_show_peer() - describe a peer, for /proc/PID/fdinfo/FD
 * @seq:	where to
 * @peer:	open peer
 *
 * What is charged is that for what is kept in the peer, whoever has caused it: all of that the peer
 * knows. What it causes at others would tell it whether their user is its own, and when they receive.
 */
void b1_debug_show_peer(struct seq_file *seq, struct b1_peer *peer)
{
	struct b1_debug_stat stat;

	b1_debug_stat(peer, &stat);
	seq_printf(seq, "bus1-peer:\t%llu\n", peer->actor);
	seq_printf(seq, "bus1-account:\t%u\n",
		   from_kuid_munged(seq_user_ns(seq), peer->account));
	seq_printf(seq, "bus1-nodes:\t%llu\n", stat.n_nodes);
	seq_printf(seq, "bus1-handles:\t%llu\n", stat.n_handles);
	seq_printf(seq, "bus1-messages:\t%llu\n", stat.queued.messages);
	seq_printf(seq, "bus1-message-bytes:\t%llu\n", stat.queued.bytes);
	seq_printf(seq, "bus1-charged-objects:\t%llu\n",
		   1 + stat.n_nodes + stat.n_handles + stat.queued.messages + stat.queued.handles);
	seq_printf(seq, "bus1-charged-bytes:\t%llu\n", stat.queued.bytes);
}

/*
 * The accounts: a record for each trace, with the user and quota in front if it is their first. A
 * file that is being read keeps a reference to the next trace, not a lock.
 */
struct b1_debug_cursor {
	struct b1_acct_trace *trace;	/* counted; NULL: at the end, or before the start */
	bool new_user;
	bool new_quota;
};

static void b1_debug_show_user(struct seq_file *seq, u64 uid, const struct b1_acct_stat *stat)
{
	seq_printf(seq, "user %llu: objects %llu of %llu available, bytes %llu of %llu available\n",
		   uid, stat->user_avail.slots[B1_ACCT_OBJECTS],
		   stat->user_max.slots[B1_ACCT_OBJECTS], stat->user_avail.slots[B1_ACCT_BYTES],
		   stat->user_max.slots[B1_ACCT_BYTES]);
}

static void b1_debug_show_quota(struct seq_file *seq, u64 uid, const struct b1_acct_stat *stat)
{
	seq_printf(seq, "  by user %llu: objects %llu, %llu of them unused, bytes %llu, %llu unused\n",
		   uid, stat->quota_claimed.slots[B1_ACCT_OBJECTS],
		   stat->quota_avail.slots[B1_ACCT_OBJECTS],
		   stat->quota_claimed.slots[B1_ACCT_BYTES],
		   stat->quota_avail.slots[B1_ACCT_BYTES]);
}

static int b1_debug_accounts_show(struct seq_file *seq, void *record)
{
	const struct b1_debug_cursor *cursor = seq->private;
	struct b1_acct_trace *trace = record;
	struct b1_acct_stat stat;

	b1_acct_trace_stat(trace, &stat);
	if (cursor->new_user)
		b1_debug_show_user(seq, trace->quota->user->item.id, &stat);
	if (cursor->new_quota)
		b1_debug_show_quota(seq, trace->quota->item.id, &stat);
	seq_printf(seq, "    by peer %llu: objects %llu, bytes %llu\n", trace->item.id,
		   stat.claimed.slots[B1_ACCT_OBJECTS], stat.claimed.slots[B1_ACCT_BYTES]);
	return 0;
}

/* Consumes the reference of the cursor. The next trace is there before the last one may go. */
static struct b1_acct_trace *b1_debug_advance(struct b1_debug_cursor *cursor)
{
	struct b1_acct_quota *quota = cursor->trace->quota;
	struct b1_acct_user *user = quota->user;

	cursor->trace = b1_acct_trace_next(cursor->trace);
	if (cursor->trace) {
		/* only compared: they may be gone */
		cursor->new_quota = cursor->trace->quota != quota;
		cursor->new_user = cursor->trace->quota->user != user;
	}
	return cursor->trace;
}

/* Either from the beginning or where the last read stopped, see seq_read(). */
static void *b1_debug_accounts_start(struct seq_file *seq, loff_t *pos)
{
	struct b1_debug_cursor *cursor = seq->private;

	if (*pos)
		return cursor->trace;
	b1_acct_trace_put(cursor->trace);
	*cursor = (struct b1_debug_cursor){
		.trace = b1_acct_trace_next(NULL),
		.new_user = true,
		.new_quota = true,
	};
	return cursor->trace;
}

static void *b1_debug_accounts_next(struct seq_file *seq, void *record, loff_t *pos)
{
	++*pos;
	return b1_debug_advance(seq->private);
}

static void b1_debug_accounts_stop(struct seq_file *seq, void *record)
{
}

static int b1_debug_accounts_open(struct inode *inode, struct file *file)
{
	static const struct seq_operations ops = {
		.start = b1_debug_accounts_start,
		.next = b1_debug_accounts_next,
		.stop = b1_debug_accounts_stop,
		.show = b1_debug_accounts_show,
	};

	return seq_open_private(file, &ops, sizeof(struct b1_debug_cursor));
}

static int b1_debug_accounts_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;
	struct b1_debug_cursor *cursor = seq->private;

	b1_acct_trace_put(cursor->trace);
	return seq_release_private(inode, file);
}

static const struct file_operations b1_debug_accounts_fops = {
	.owner = THIS_MODULE,
	.open = b1_debug_accounts_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = b1_debug_accounts_release,
};

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
