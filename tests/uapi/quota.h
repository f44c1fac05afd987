/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * quota: commands next to a model of the accounts
 *
 * The model is written from the formulas of the documentation and knows nothing of the module's
 * code. Each q_ function runs a command, and tells the model of it; that the kernel grants what the
 * model grants, and nothing else, is asserted every time. q_check() compares all numbers that the
 * kernel shows, in debugfs and in the fdinfo of every peer.
 */
#ifndef B1T_QUOTA_H
#define B1T_QUOTA_H

#include "b1t.h"

enum q_slot { Q_OBJECTS, Q_BYTES, Q_SLOTS };

/* who pays, who claims, and as which actor */
struct q_who {
	uint32_t user, claimant;
	uint64_t actor;
};

/* a node or handle, and what it is charged to */
struct q_object {
	uint64_t id;
	bool is_node;
	struct q_who charged;
};

/* a message in the queue of a peer */
struct q_message {
	struct q_who charged;
	size_t n_handles, n_data;
};

/* All nodes but the inbox are never sent to. */
struct q_peer {
	int fd;
	uint32_t uid;
	uint64_t actor;
	uint64_t inbox;			/* 0: none, or released */
	uint64_t own;			/* its own handle to that */
	size_t n_objects;
	struct q_object *objects;	/* by ID */
	size_t n_messages;
	struct q_message *messages;
};

/* a handle of the sender, and who owns its node, which is the inbox */
struct q_dest {
	struct q_peer *peer;
	uint64_t handle;
};

/* The formulas */
void q_model_init(void);
uint64_t q_max(enum q_slot slot);
uint64_t q_avail(uint32_t user, enum q_slot slot);
bool q_grants(struct q_who who, uint64_t objects, uint64_t bytes);
bool q_charge(struct q_who who, uint64_t objects, uint64_t bytes);
void q_discharge(struct q_who who, uint64_t objects, uint64_t bytes);
uint64_t q_most(struct q_who who, enum q_slot slot);
uint64_t q_claimed(struct q_who who, enum q_slot slot);
char *q_model_text(void);

/* The commands */
void q_setup(void);
void q_teardown(void);
struct q_peer *q_peer(uint32_t uid);
bool q_open(uint32_t uid, struct q_peer **peerp);
void q_close(struct q_peer *peer);
bool q_nodes(struct q_peer *from, struct q_peer *to, size_t n, struct bus1_transfer *nodes);
bool q_copies(struct q_peer *from, struct q_peer *to, uint64_t handle, size_t n);
struct q_dest q_connect(struct q_peer *from, struct q_peer *to);
bool q_send(struct q_peer *from, struct q_dest dest, size_t n_handles, size_t n_data);
bool q_multicast(struct q_peer *from, size_t n, const struct q_dest *dests, size_t n_handles,
		 size_t n_data);
void q_recv(struct q_peer *peer);
void q_release(struct q_peer *peer, uint64_t id);
uint64_t q_last(const struct q_peer *peer);
void q_fill(struct q_peer *peer);

/* Raw, for what is to fail before there is anything to account. */
int q_send_raw(int fd, size_t n, const uint64_t *dests, const void *data, size_t n_data,
	       const uint64_t *handles, size_t n_handles);

char *q_read(const char *path);
char *q_fdinfo(const struct q_peer *peer);
void q_check(void);

static inline struct q_who q_who(const struct q_peer *owner, const struct q_peer *claimant)
{
	return (struct q_who){ owner->uid, claimant->uid, claimant->actor };
}

#endif /* B1T_QUOTA_H */
