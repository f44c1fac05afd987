/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * churn: peers that do everything at random, and the books kept about it
 *
 * Every node gets a number of its own (uid) which every message that carries a handle to it spells
 * out in its payload; so each peer knows what its handles refer to, and at rest the books of all
 * peers together say which notifications each of them must have had.
 *
 * The world lies in shared memory, also for processes that get killed; it has no locks. A peer is
 * driven by one thread. Others may install handles in it (bus1_cmd_transfer), under its lock, which
 * they hold until the handle is in the books; so does the thread when it changes the books. It is
 * not held in recv, so that the kernel sees both at once; a notification that was received is
 * looked up under the lock.
 */
#ifndef STRESS_CHURN_H
#define STRESS_CHURN_H

#include "stress.h"

#define CHURN_MAX_PEERS 16
#define CHURN_MAX_HANDLES 2048
#define CHURN_MAX_NODES 128
#define CHURN_MAX_UIDS (1U << 18)
#define CHURN_MAX_OWNERS (1U << 16)

enum churn_flag {
	CHURN_RELEASING = 1,	/* set before the owner releases the node */
	CHURN_UNREACHABLE = 2,	/* its owner received HANDLE_RELEASE */
};

struct churn_uid {
	uint32_t owner;
	atomic_uint flags;
};

/* An owner is one incarnation of a peer, from open to close or kill. */
struct churn_world {
	atomic_uint n_uids;
	atomic_uint n_owners;
	struct churn_uid uids[CHURN_MAX_UIDS];
	atomic_bool gone[CHURN_MAX_OWNERS];		/* set before the close or kill */
	atomic_uint outstanding[CHURN_MAX_OWNERS];	/* roughly: reset when the queue is empty */
};

struct churn_handle {
	uint64_t id;
	uint32_t uid;
	bool notified;
};

struct churn_node {
	uint64_t id;
	uint32_t uid;
	bool notified;
};

/* How often a peer does what, relative to each other. */
enum churn_action {
	CHURN_RECV,
	CHURN_SEND,
	CHURN_CREATE,
	CHURN_COPY,
	CHURN_ACQUIRE,
	CHURN_RELEASE,
	CHURN_CLOSE,
	CHURN_POLL,
	_CHURN_ACTION_N,
};

/* The first node and the first handle of a peer are its inbox, which lives as long as it. */
struct churn_peer {
	struct st_run *run;
	struct churn_world *world;
	struct churn_peer *others;	/* array that this one may exchange handles with */
	unsigned int n_others;
	const uint8_t *weights;		/* [_CHURN_ACTION_N] */
	int epoll;			/* set that is to contain the current descriptor, or -1 */
	bool alien;			/* in a process of its own: cannot install in others */

	pthread_mutex_t lock;
	atomic_int fd;
	uint32_t owner;
	unsigned int n_handles, n_nodes;
	struct churn_handle handles[CHURN_MAX_HANDLES];
	struct churn_node nodes[CHURN_MAX_NODES];

	struct st_rng rng;
	pthread_t thread;
};

/* churn.c: what peers do */
uint32_t churn_owner_new(struct churn_world *w);
void churn_peer_open(struct churn_peer *p, uint32_t owner);
bool churn_peer_step(struct churn_peer *p);
bool churn_peer_recv(struct churn_peer *p);

/* books.c: what they must see */
int churn_book_handle(struct churn_peer *p, uint64_t id, uint32_t uid);
void churn_book_node(struct churn_peer *p, uint64_t id, uint32_t uid);
void churn_check_held(struct churn_peer *p, const struct churn_handle *h);
void churn_check_message(struct churn_peer *p, const struct st_msg *msg);
void churn_check_rest(struct churn_peer *peers, unsigned int n);
void churn_finish(struct churn_peer *peers, unsigned int n);

/* What a message of this engine says. */
struct churn_payload {
	uint32_t n_dests;
	uint32_t n_handles;
	uint32_t dests[ST_MAX_DESTINATIONS];
	uint32_t handles[ST_MAX_TRANSFERS];
};

#endif /* STRESS_CHURN_H */
