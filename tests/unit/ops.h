/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands of a peer as functions, without the copying from and to user memory: what
 * kmod/cdev.c does with numbers that are checked already. The expect_ functions abort the test.
 */
#ifndef OPS_H
#define OPS_H

#include <stdio.h>
#include <string.h>

#include "../../kmod/recv.h"
#include "../../kmod/relax.h"
#include "../../kmod/release.h"
#include "../../kmod/send.h"
#include "../../kmod/transfer.h"
#include "unit.h"

/* more than are dealt with at once anywhere */
#define OPS_MAX 130
#define OPS_UID 1000
/* more than anybody uses: limits are the subject of acct.c */
#define OPS_ACCT_MAX (1ULL << 40)

struct received {
	unsigned int type;
	u64 id;
	size_t n;
	u64 handles[OPS_MAX];
	size_t n_data;
	char data[64];
};

/* What the module does when it is loaded: once, by main(). */
static inline void op_load(void)
{
	if (b1_node_init_caches())
		abort();
}

static inline struct b1_peer *op_open(void)
{
	struct b1_peer *peer;

	/* not while there are peers */
	b1_acct_set_max(OPS_ACCT_MAX, OPS_ACCT_MAX);
	ck_assert_int_eq(b1_peer_new(KUIDT_INIT(OPS_UID), &peer), 0);
	/* somebody always polls */
	peer->wq.n_sleepers = 1;
	return peer;
}

static inline void op_close(struct b1_peer *peer)
{
	b1_release_close(peer);
	b1_peer_unref(peer);
}

/* One transfer; @ids[i] is a handle to copy, or 0 to create a node, and then becomes its ID. */
static inline int op_transfer(struct b1_peer *from, struct b1_peer *to, size_t n, u64 *ids,
			      u64 *handles)
{
	struct b1_transfer_slot slots[OPS_MAX] = {};
	struct bus1_transfer transfers[OPS_MAX];
	size_t i;
	int ret;

	for (i = 0; i < n; i++) {
		transfers[i].flags = ids[i] ? 0 : BUS1_TRANSFER_FLAG_CREATE;
		transfers[i].id = ids[i] ?: BUS1_INVALID;
	}
	mutex_lock(&from->lock);
	ret = b1_transfer_prepare(from, to, transfers, slots, n);
	for (i = 0; !ret && i < n; i++) {
		handles[i] = slots[i].handle->obj.id;
		if (slots[i].node)
			ids[i] = slots[i].node->obj.id;
	}
	if (!ret)
		b1_transfer_commit(to, slots, n);
	mutex_unlock(&from->lock);
	return ret;
}

/* A new node of @owner; returns the handle in @holder. */
static inline u64 op_node(struct b1_peer *owner, struct b1_peer *holder, u64 *nodep)
{
	u64 node = 0, handle = 0;

	ck_assert_int_eq(op_transfer(owner, holder, 1, &node, &handle), 0);
	ck_assert(node & BUS1_MANAGED);
	ck_assert(handle & BUS1_MANAGED);
	if (nodep)
		*nodep = node;
	return handle;
}

static inline u64 op_copy(struct b1_peer *from, struct b1_peer *to, u64 handle)
{
	u64 copy = 0;

	ck_assert_int_eq(op_transfer(from, to, 1, &handle, &copy), 0);
	return copy;
}

/* IDs are collected some at a time, as many as may be. */
static inline int op_collect(struct b1_release *release, size_t n, const u64 *ids)
{
	size_t i, some;
	int ret = 0;

	for (i = 0; !ret && i < n; i += some) {
		some = n - i < B1_RELAX_BATCH ? n - i : B1_RELAX_BATCH;
		ret = b1_release_collect(release, ids + i, some);
	}
	return ret;
}

static inline int op_release(struct b1_peer *peer, size_t n, const u64 *ids)
{
	struct b1_release release;
	int ret;

	mutex_lock(&peer->lock);
	b1_release_init(&release, peer);
	ret = op_collect(&release, n, ids) ?: b1_release_prepare(&release);
	if (ret)
		b1_release_abort(&release);
	else
		b1_release_commit(&release);
	mutex_unlock(&peer->lock);
	return ret;
}

#define RELEASE(_peer, ...)								\
	ck_assert_int_eq(op_release((_peer), UNIT_N(((u64[]){ __VA_ARGS__ })),		\
				    (u64[]){ __VA_ARGS__ }), 0)

static inline int op_multicast(struct b1_peer *peer, size_t n_destinations,
			       const u64 *destinations, const char *text, size_t n,
			       const u64 *handles)
{
	struct bus1_transfer transfers[OPS_MAX];
	struct b1_send_request request = {
		.destinations = destinations,
		.cmd.n_destinations = n_destinations,
		.transfers = transfers,
		.message.n_transfers = n,
		.message.n_data = strlen(text),
	};
	struct b1_send send;
	size_t i;
	int ret;

	for (i = 0; i < n; i++)
		transfers[i] = (struct bus1_transfer){ .id = handles[i] };
	mutex_lock(&peer->lock);
	b1_send_init(&send, peer);
	ret = b1_send_prepare(&send, &request);
	if (!ret) {
		if (send.data)
			memcpy(send.data, text, request.message.n_data);
		b1_send_commit(&send);
	}
	b1_send_deinit(&send);
	mutex_unlock(&peer->lock);
	return ret;
}

static inline void op_send(struct b1_peer *peer, u64 destination, const char *text)
{
	ck_assert_int_eq(op_multicast(peer, 1, &destination, text, 0, NULL), 0);
}

static inline void op_send_handle(struct b1_peer *peer, u64 destination, const char *text,
				  u64 handle)
{
	ck_assert_int_eq(op_multicast(peer, 1, &destination, text, 1, &handle), 0);
}

/* What cdev.c tells of a prepared receive. */
static inline void op_tell(const struct b1_recv *recv, struct received *r)
{
	size_t i;

	r->type = recv->entry->type;
	r->id = recv->id;
	r->n = recv->n_handles;
	r->n_data = recv->n_data;
	ck_assert_uint_le(r->n, OPS_MAX);
	ck_assert_uint_lt(r->n_data, sizeof(r->data));
	if (!recv->message)
		return;
	for (i = 0; i < r->n; i++)
		r->handles[i] = recv->message->handles[i]->obj.id;
	memcpy(r->data, recv->message->data, r->n_data);
	ck_assert_uint_eq(recv->message->account.val, OPS_UID);
}

static inline int op_recv(struct b1_peer *peer, struct received *r)
{
	struct b1_recv recv;
	int ret;

	memset(r, 0, sizeof(*r));
	mutex_lock(&peer->lock);
	ret = b1_recv_peek(&recv, peer);
	if (!ret) {
		b1_recv_prepare(&recv);
		op_tell(&recv, r);
		ret = b1_recv_commit(&recv);
		if (ret)
			b1_recv_abort(&recv);
	}
	mutex_unlock(&peer->lock);
	return ret;
}

/* A look as by poll. */
static inline bool op_poll(struct b1_peer *peer)
{
	int ret = b1_recv_ready(peer);

	ck_assert_int_ge(ret, 0);
	return ret;
}

static inline void expect_empty(struct b1_peer *peer)
{
	struct received r;

	ck_assert_int_eq(op_recv(peer, &r), -EAGAIN);
}

/* A message to @node with @text and @n handles is next. */
static inline void expect_handles(struct b1_peer *peer, u64 node, const char *text, size_t n,
				  u64 *handles)
{
	struct received r;

	ck_assert_int_eq(op_recv(peer, &r), 0);
	ck_assert_uint_eq(r.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_str_eq(r.data, text);
	ck_assert_uint_eq(r.id, node);
	ck_assert_uint_eq(r.n, n);
	if (n)
		memcpy(handles, r.handles, n * sizeof(*handles));
}

static inline void expect_text(struct b1_peer *peer, u64 node, const char *text)
{
	expect_handles(peer, node, text, 0, NULL);
}

static inline u64 expect_handle(struct b1_peer *peer, u64 node, const char *text)
{
	u64 handle;

	expect_handles(peer, node, text, 1, &handle);
	return handle;
}

static inline void expect_note(struct b1_peer *peer, unsigned int type, u64 id)
{
	struct received r;

	ck_assert_int_eq(op_recv(peer, &r), 0);
	ck_assert_uint_eq(r.type, type);
	ck_assert_uint_eq(r.id, id);
}

static inline void expect_node_release(struct b1_peer *peer, u64 handle)
{
	expect_note(peer, BUS1_MESSAGE_TYPE_NODE_RELEASE, handle);
}

static inline void expect_handle_release(struct b1_peer *peer, u64 node)
{
	expect_note(peer, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, node);
}

/* An object of a peer that nobody else uses, or NULL. */
static inline struct b1_object *op_object(struct b1_peer *peer, u64 id)
{
	struct rb_node *node = rb_first(&peer->table.objects);

	while (node && b1_table_entry(node)->id != id)
		node = rb_next(node);
	return b1_table_entry(node);
}

/* The node that a handle of a peer refers to, to look into. */
static inline struct b1_handle *op_handle(struct b1_peer *peer, u64 handle)
{
	struct b1_handle *found;

	mutex_lock(&peer->lock);
	found = b1_handle_find(peer, handle);
	mutex_unlock(&peer->lock);
	ck_assert_ptr_nonnull(found);
	return found;
}

static inline struct b1_node *op_node_of(struct b1_peer *peer, u64 handle)
{
	return op_handle(peer, handle)->node;
}

static inline unsigned int op_wakes(struct b1_peer *peer)
{
	return __atomic_exchange_n(&peer->wq.n_wakes, 0, __ATOMIC_RELAXED);
}

/* With all peers closed: no memory, no lock, no charge. */
static inline void expect_nothing_left(void)
{
	ck_assert(b1_acct_is_idle());
	ck_assert_int_eq(shim_n_live(), 0);
	ck_assert_int_eq(shim_n_locked(), 0);
}

#endif /* OPS_H */
