/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state: what the reference knows of the bus, and what its commands have in common
 */
#ifndef FUZZ_STATE_H
#define FUZZ_STATE_H

#include "acct.h"
#include "ref.h"

/* A node or a handle, from its creation to its release. */
struct ref_object {
	struct ref_object *next;	/* of the same peer */
	struct ref_object **place;	/* what points to this one */
	struct ref_peer *peer;
	struct ref_object *node;	/* NULL: this is a node */
	uint64_t id;			/* 0: a handle in a message that has not been received */
	bool released;
	bool told;			/* node: there was a HANDLE_RELEASE */
	bool held;			/* handle: NODE_RELEASE comes behind its message */
	bool marked;			/* scratch */
	struct acct_trace *trace;
};

struct ref_entry {
	struct ref_entry *next;
	unsigned int type;
	uint64_t group;			/* entries of one group may come in any order */
	struct ref_object *object;	/* what a notification is about, or the node of a message */
	unsigned int account;
	struct acct_trace *trace;
	uint64_t n_data;
	uint8_t *data;
	uint64_t n_handles;
	struct ref_object **handles;
};

struct ref_peer {
	struct ref_peer *next;
	unsigned int uid;
	uint64_t actor;
	bool open;
	bool woken;
	uint64_t last_id;
	struct ref_object *objects;
	struct ref_object **end;	/* where the next one goes; there are many at times */
	struct ref_entry *queue;
	struct acct_trace *own;
};

struct ref_object *ref_new(struct ref_peer *peer, struct ref_object *node, struct acct_trace *trace);
struct ref_object *ref_find(struct ref_peer *peer, uint64_t id);
struct ref_object *ref_find_handle(struct ref_peer *peer, uint64_t id);

/* Entries of one group may be received in any order. */
uint64_t ref_new_group(void);
struct ref_entry *ref_entry(unsigned int type, struct ref_object *object, uint64_t group);
void ref_append(struct ref_peer *peer, struct ref_entry *entry);
void ref_remove(struct ref_peer *peer, struct ref_entry *entry);
/* NODE_RELEASE or HANDLE_RELEASE, if there is still somebody to tell */
void ref_notify(struct ref_object *object, uint64_t group);

/* @objects are all that @peer has, if it is being closed. */
void ref_release(struct ref_peer *peer, struct ref_object **objects, uint64_t n, bool close);

#endif /* FUZZ_STATE_H */
