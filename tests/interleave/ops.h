/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ops: the commands of peers as functions, without user memory, and a history of them
 *
 * Each function does what kmod/cdev.c does with numbers that are checked already, and writes down
 * when it began and ended and what came of it. When all threads have ended, ops_finish() receives
 * what is left, compares the history with what is promised, closes all and looks for leftovers.
 * What is promised is written down in history.c.
 *
 * Moments are compared by what must come before what, not by what happened to be first: an
 * execution stands for all that are equivalent to it, and a promise broken in one of them is found
 * in it.
 */
#ifndef OPS_H
#define OPS_H

#include "../../kmod/message.h"
#include "../../kmod/recv.h"
#include "../../kmod/release.h"
#include "../../kmod/send.h"
#include "../../kmod/transfer.h"
#include "il.h"

#define OPS_MAX 512		/* in a history */
#define OPS_PEERS 6
#define OPS_N 4			/* destinations, handles or IDs of one command */
#define OPS_UID 1000

enum op_kind {
	OP_OPEN,
	OP_SEND,
	OP_RECV,
	OP_POLL,
	OP_TRANSFER,
	OP_RELEASE,
	OP_CLOSE,
};

struct peer {
	struct b1_peer *b1;
	const char *name;
	bool closed;
	bool polled;			/* by somebody who wants to be woken */
	size_t n_data;			/* of what it sends */
	struct il_waiter waiter;
};

/* When something was: while setting up (phase 0), by a thread (1), or while cleaning up (2). */
struct moment {
	int phase;
	int thread;
	unsigned int n;			/* of the events of the thread, or of all operations */
};

/* What identifies what was received: the node of a message, or what a notification is about. */
struct op {
	enum op_kind kind;
	struct peer *peer;
	struct moment first, last;
	unsigned int step;		/* when it took effect, among those of the same peer */
	int ret;			/* poll: 1 is readable */
	/* send: destinations; release: objects; recv: what it was about. Not to be looked into. */
	unsigned int n;
	const struct b1_object *objects[OPS_N];
	size_t n_data;			/* send */
	/* send: what is carried; recv, transfer: what was installed, and where that refers to */
	unsigned int n_handles;
	const struct b1_object *handles[OPS_N];
	const struct b1_object *nodes[OPS_N];
	u64 ids[OPS_N];			/* of the handles, or of what a notification is about */
	unsigned int type;		/* recv */
	int sent_by;			/* recv of a message: the operation */
};

/* A node that was created. */
struct owned {
	const struct b1_object *node;
	const struct peer *owner;
};

extern struct peer ops_peers[OPS_PEERS];
extern unsigned int ops_n_peers;
extern struct op ops_log[OPS_MAX];
extern unsigned int ops_n;
extern struct owned ops_nodes[OPS_MAX];
extern unsigned int ops_n_nodes;

#define IL_ASSERT(_cond)								\
	do {										\
		if (!(_cond))								\
			il_fail("%s", IL_AT(#_cond));					\
	} while (0)

void ops_begin(void);
struct peer *ops_open(const char *name);
/* a node of @owner; returns the handle in @holder */
u64 ops_node(struct peer *owner, struct peer *holder, u64 *nodep);
/* The object stays, so nobody has to look at its count. To be used where it does stay. */
void ops_pin_peer(struct peer *peer);
void ops_pin(struct peer *peer, u64 id);
void ops_pin_node_of(struct peer *peer, u64 handle);
/* a trace of the sender, so that the first send does not have to look for one */
void ops_prepare_send(struct peer *peer, u64 handle);

/* the result is that of the command; @op, where it is not NULL, gets a look at the history */
int op_send(struct peer *peer, unsigned int n, const u64 *to, unsigned int n_handles,
	    const u64 *handles);
int op_recv(struct peer *peer, const struct op **opp);
int op_recv_small(struct peer *peer);		/* -EMSGSIZE if it is a message */
int op_recv_fault(struct peer *peer);		/* -EFAULT if it is a message */
bool op_poll(struct peer *peer);
/* @ids[i]: a handle to copy, or 0 to create a node, and then becomes its ID */
int op_transfer(struct peer *from, struct peer *to, unsigned int n, u64 *ids, u64 *handles);
int op_transfer_fault(struct peer *from, struct peer *to, unsigned int n, const u64 *ids);
int op_release(struct peer *peer, unsigned int n, const u64 *ids);
void op_close(struct peer *peer);
/* what fdinfo shows */
void op_stat(struct peer *peer);

/* as epoll: register once; then wait until there was a wakeup since the last one */
void op_poll_begin(struct peer *peer);
void op_poll_wait(struct peer *peer);
/* as epoll_wait(2) without time */
bool op_poll_is_woken(struct peer *peer);
void op_poll_end(struct peer *peer);
/* as poll(2): returns when it is readable */
void op_poll_until_readable(struct peer *peer);

#define SEND(_peer, _to)								\
	IL_ASSERT(!op_send((_peer), 1, (u64[]){ (_to) }, 0, NULL))
#define SEND_HANDLE(_peer, _to, _handle)						\
	IL_ASSERT(!op_send((_peer), 1, (u64[]){ (_to) }, 1, (u64[]){ (_handle) }))
#define RELEASE(_peer, ...)								\
	IL_ASSERT(!op_release((_peer), sizeof((u64[]){ __VA_ARGS__ }) / sizeof(u64),	\
			      (u64[]){ __VA_ARGS__ }))

/* for the history */
bool moment_is_forced(const struct moment *a, const struct moment *b);
void history_check(void);
/* how much is queued for a node: more than 0 if there is anything */
u64 ops_load(const struct b1_node *node);

void ops_finish(void);
/* the steps of ops_finish(), for scenarios that look at something in between */
void ops_drain(void);
void ops_end(void);

#endif /* OPS_H */
