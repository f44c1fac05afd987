/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ref: what bus1 promises, as simply as possible
 *
 * A second implementation of the device, to compare the module with. It is written from the
 * specification, shares nothing with kmod/ but the interface header, and knows no locks, threads or
 * reference counts: lists, linear searches and a single caller.
 *
 * It follows the module: each call is told what the module returned and wrote, checks that this is
 * one of the allowed results, and takes over what the specification leaves open: the values of new
 * IDs (odd and rising), and the order of the notifications of one transaction in one queue. A
 * result that is not allowed ends the program.
 *
 * Where the order of charges matters for the numbers and is not specified, it is this: messages
 * before handles, handles before nodes, a close discards the oldest message first, a command that
 * fails gives back in the order in which it took. A release discards messages from several peers in any order: how much
 * their quota keeps is taken over from the module then, if the claims and sums are right.
 */
#ifndef FUZZ_REF_H
#define FUZZ_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/user.h"

struct ref_object;
struct ref_peer;

/* Kinds of errors; a set of them is what a command may return. */
enum ref_error {
	REF_EFAULT = 1 << 0,
	REF_EINVAL = 1 << 1,
	REF_E2BIG = 1 << 2,
	REF_EMSGSIZE = 1 << 3,
	REF_EBADF = 1 << 4,
	REF_EOPNOTSUPP = 1 << 5,
	REF_EBADRQC = 1 << 6,
	REF_EDQUOT = 1 << 7,
	REF_EAGAIN = 1 << 8,
	REF_ENOTTY = 1 << 9,
	REF_ENOMEM = 1 << 10,
	REF_EINTR = 1 << 11,
};

struct ref_call {
	struct ref_peer *peer;
	unsigned int cmd;
	uint64_t arg;
	bool compat;
	long result;			/* of the module */
	unsigned int injected;		/* the error that was caused on purpose, or 0 */
	struct user_space *space;	/* what the module found there, and what it should leave */
};

/* What a descriptor is: a peer, NULL and true for something else, NULL and false for nothing. */
struct ref_peer *ref_peer_of_fd(uint64_t fd, bool *openp);

void ref_begin(uint64_t max_objects, uint64_t max_bytes);
void ref_end(void);

/* @actor: the number of the peer, 0 if the module refused to open one */
struct ref_peer *ref_open(unsigned int uid, int result, uint64_t actor);
void ref_close(struct ref_peer *peer);
void ref_ioctl(struct ref_call *call);

/* Whether the last command gave back to several peers in an order that is not known. */
bool ref_took_any_order(void);
bool ref_is_readable(const struct ref_peer *peer);
/* Whether something new is in the queue since the last call of this; then pollers are awake. */
bool ref_was_woken(struct ref_peer *peer);
void ref_check_fdinfo(const struct ref_peer *peer, const char *text);

/* For the choice of arguments: the n-th of those the peer has, modulo; 0 if it has none. */
uint64_t ref_pick_handle(const struct ref_peer *peer, unsigned int n);
uint64_t ref_pick_node(const struct ref_peer *peer, unsigned int n);
uint64_t ref_pick_old(const struct ref_peer *peer, unsigned int n);

/* How many bytes a message through this handle may just have. */
uint64_t ref_pick_room(struct ref_peer *peer, uint64_t handle, uint64_t max);

_Noreturn void ref_mismatch(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *ref_alloc(size_t n);

#endif /* FUZZ_REF_H */
