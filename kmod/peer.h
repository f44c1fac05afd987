/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Peers
 *
 * Purpose: what an open file of /dev/bus1 stands for: a table of nodes and handles by ID, a queue,
 * and the account that pays. Releasing objects, one call's worth or all of them, is here because it
 * is one transaction over the table and the queue. Decoding of commands is in cdev.c, sending in
 * send.c, creating and copying handles in transfer.c.
 *
 * Objects: struct b1_peer. account, actor and own are constant while it is open.
 *
 * Lifetime: created by open, closed by the last close of the file, freed when the last reference is
 * dropped. Each object of the peer, in whatever table, queue or message, holds a reference, so that
 * senders can push to the queue and wake without looking back; a closed peer that is still pinned
 * holds no objects, no entries and nothing but its own memory.
 *
 * Locking:
 *	b1_peer.lock (mutex, outermost, never two): serialises the commands of a peer. Live objects leave
 *		the table, and are collected for a release, only under it; recent. May be held while the
 *		user memory of the command is touched, because no command of another peer takes it.
 *	b1_peer.discard_lock (mutex): held by who discards messages that may have come too late for a node
 *		of the peer, see b1_message_discard_rest(); nothing is written under it only.
 *	b1_peer.objects_lock (spinlock): the table, last_id and newest, because BUS1_CMD_TRANSFER of
 *		another peer inserts. Who has several objects takes it once, see b1_relax_lock().
 *
 * Context: may sleep, but for what is called with the table locked, b1_peer_ref(), b1_peer_unref()
 * and b1_peer_wake().
 *
 * Ordering: see tx.h for b1_peer_wake(), node.h for b1_peer_find().
 */
#ifndef B1_PEER_H
#define B1_PEER_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include "acct.h"
#include "node.h"
#include "queue.h"
#include "tx.h"

struct b1_message;

struct b1_peer {
	struct b1_tx tx;		/* reference count, and the transaction of the close */
	kuid_t account;
	u64 actor;			/* tells it from all other peers, past ones as well */
	wait_queue_head_t wq;
	struct b1_message *spare;	/* memory for the next message to here, or NULL; xchg() */

	/* senders use what is above and the stack of the queue; the rest is for the peer itself */
	struct b1_queue queue ____cacheline_aligned_in_smp;

	struct mutex lock ____cacheline_aligned_in_smp;
	spinlock_t objects_lock;
	struct rb_root objects;		/* struct b1_object by ID */
	struct b1_object *newest;	/* the last one there; NULL: none */
	/*
	 * The live handle that was sent through last, or NULL; needs the lock of the peer only. Most
	 * sends go where the one before went, and save the search and the lock of the table.
	 */
	struct b1_handle *recent;
	u64 last_id;
	struct b1_acct_trace *own;	/* what it claims from its own user; counted */
	struct mutex discard_lock;	/* taken by senders, too, if a node has just been released */
};

/*
 * Objects to be released in one call, in order. A list of its own: list.h checks its lists in many
 * kernels, which takes 50 instructions for each object.
 */
struct b1_release {
	struct b1_object *first;
	struct b1_object **end;
	size_t n_nodes;
	struct b1_handle_batch freed;
};

static inline void b1_release_init(struct b1_release *release)
{
	release->first = NULL;
	release->end = &release->first;
	release->n_nodes = 0;
	release->freed.n = 0;
}

static inline struct b1_peer *b1_peer_ref(struct b1_peer *peer)
{
	b1_tx_ref(&peer->tx);
	return peer;
}

static inline void b1_peer_unref(struct b1_peer *peer)
{
	b1_tx_unref(&peer->tx);
}

/**
 * b1_peer_wake() - wake whoever polls a peer
 * @peer:	peer; something has been committed to its queue
 */
static inline void b1_peer_wake(struct b1_peer *peer)
{
	/* full barrier inside; pairs with the one in b1_cdev_poll() */
	if (wq_has_sleeper(&peer->wq))
		wake_up_interruptible_poll(&peer->wq, EPOLLIN | EPOLLRDNORM);
}

int b1_peer_new(kuid_t account, struct b1_peer **peerp);
void b1_peer_close(struct b1_peer *peer);

struct b1_acct_trace *b1_peer_claim_from(struct b1_peer *claimant, struct b1_peer *peer);
void b1_peer_log_refusal(struct b1_acct_trace *trace, enum b1_acct_slot slot);

/**
 * b1_peer_charge() - charge, and tell the administrator of a refusal
 * @trace:	who claims from whom; borrowed
 * @objects:	number of objects
 * @bytes:	number of bytes
 *
 * Return: 0, or -EDQUOT; then nothing has changed.
 */
static inline int b1_peer_charge(struct b1_acct_trace *trace, u64 objects, u64 bytes)
{
	enum b1_acct_slot slot;
	int ret;

	ret = b1_acct_charge(trace, objects, bytes, &slot);
	if (ret)
		b1_peer_log_refusal(trace, slot);
	return ret;
}

void b1_peer_insert(struct b1_peer *peer, struct b1_object *obj);
void b1_peer_erase(struct b1_peer *peer, struct b1_object *obj);
struct b1_handle *b1_peer_find_handle(struct b1_peer *peer, u64 id);

static inline struct b1_object *b1_peer_entry(const struct rb_node *node)
{
	return rb_entry_safe(node, struct b1_object, table_link);
}

/* Finds a live object; borrowed until the peer is unlocked. */
static inline struct b1_object *b1_peer_find(struct b1_peer *peer, u64 id)
{
	struct rb_node *node = peer->objects.rb_node;
	struct b1_object *obj;

	lockdep_assert_held(&peer->lock);
	lockdep_assert_held(&peer->objects_lock);

	while (node) {
		obj = b1_peer_entry(node);
		if (id == obj->id)
			break;
		node = id < obj->id ? node->rb_left : node->rb_right;
	}
	/*
	 * Only this peer, locked by us, takes live objects out. Those that are not live may belong
	 * to a transfer of another peer, which may take them out and free them after the unlock of
	 * the table. Pairs with the store in b1_object_publish().
	 */
	return node && smp_load_acquire(&obj->live) ? obj : NULL;
}

/**
 * b1_peer_find_handle_locked() - look a handle up
 * @peer:	peer, locked, and its table as well
 * @id:		any number
 *
 * Return: the handle, borrowed until the peer is unlocked, whoever locks its table meanwhile; NULL
 * if @id names none.
 */
static inline struct b1_handle *b1_peer_find_handle_locked(struct b1_peer *peer, u64 id)
{
	struct b1_object *obj = b1_peer_find(peer, id);

	return obj && !b1_object_is_node(obj) ? b1_handle_from_object(obj) : NULL;
}

/**
 * b1_peer_insert_locked() - give an object an ID and put it in the table
 * @peer:	peer of the object; its table is locked, the rest needs not be
 * @obj:	object that is not live; nobody finds it before b1_object_publish()
 *
 * The table does not take a reference yet: the caller publishes the object and leaves its own to
 * the table, or takes the object out with b1_peer_erase(). The ID is used up either way.
 */
static inline void b1_peer_insert_locked(struct b1_peer *peer, struct b1_object *obj)
{
	struct rb_node *parent = peer->newest ? &peer->newest->table_link : NULL;

	lockdep_assert_held(&peer->objects_lock);

	/* IDs only rise: each object is the last one of the tree when it comes */
	peer->last_id += 2;
	obj->id = peer->last_id;
	rb_link_node(&obj->table_link, parent,
		     parent ? &parent->rb_right : &peer->objects.rb_node);
	rb_insert_color(&obj->table_link, &peer->objects);
	peer->newest = obj;
}

int b1_peer_collect(struct b1_peer *peer, const u64 *ids, size_t n, struct b1_release *release);
void b1_peer_uncollect(struct b1_release *release);
void b1_peer_release(struct b1_peer *peer, struct b1_release *release);

struct b1_queue_entry *b1_peer_peek(struct b1_peer *peer);

/* what a peer has, for diagnosis */
struct b1_peer_stat {
	u64 n_nodes;
	u64 n_handles;
	u64 n_messages;			/* in the queue, without notifications */
	u64 n_carried;			/* handles in them */
	u64 n_bytes;			/* of their payload */
};

void b1_peer_stat(struct b1_peer *peer, struct b1_peer_stat *stat);

#endif /* B1_PEER_H */
