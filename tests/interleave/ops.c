// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "ops.h"

/* more than anybody uses: limits are the subject of tests/unit/acct.c */
#define ACCT_MAX (1ULL << 40)
#define MAX_PINNED 32
/* more than there are steps in a phase */
#define OPS_PHASE 100000

struct peer ops_peers[OPS_PEERS];
unsigned int ops_n_peers;
struct op ops_log[OPS_MAX];
unsigned int ops_n;
struct owned ops_nodes[OPS_MAX];
unsigned int ops_n_nodes;

static refcount_t *pinned[MAX_PINNED];
static unsigned int n_pinned;
static unsigned int n_effects;
static int phase;

void ops_begin(void)
{
	ops_n_peers = ops_n = ops_n_nodes = n_pinned = n_effects = 0;
	phase = 0;
	IL_ASSERT(!b1_node_init_caches());
	b1_acct_set_max(ACCT_MAX, ACCT_MAX);
}

/* The history */

static struct moment now(unsigned int n)
{
	struct moment moment = { .phase = phase, .thread = il_thread() };

	if (moment.thread >= 0) {
		moment.phase = 1;
		moment.n = il_n_events() + n;
	} else {
		moment.n = ops_n;
	}
	return moment;
}

static const char *const op_labels[] = {
	[OP_OPEN] = "open", [OP_SEND] = "send", [OP_RECV] = "recv", [OP_POLL] = "poll",
	[OP_TRANSFER] = "transfer", [OP_RELEASE] = "release", [OP_CLOSE] = "close",
};

static struct op *op_begin(enum op_kind kind, struct peer *peer)
{
	struct op *op;

	if (ops_n == OPS_MAX)
		il_fail("the history is full");
	il_label(op_labels[kind]);
	op = &ops_log[ops_n++];
	op->kind = kind;
	op->peer = peer;
	/* its first event will be the next one */
	op->first = now(1);
	op->step = 0;
	op->ret = 0;
	op->n = op->n_handles = 0;
	op->sent_by = -1;
	return op;
}

/*
 * The moment that decides on the order among the operations of a peer: this one, with the peer
 * locked; or that of the last unlock, right after its queue was. If called again, the last one
 * counts. While setting up and cleaning up nothing happens at the same time.
 */
static void op_effect_at(struct op *op, unsigned int step)
{
	op->step = (il_thread() < 0 ? ++n_effects : step) + phase * OPS_PHASE;
}

static void op_effect(struct op *op)
{
	op_effect_at(op, OPS_PHASE / 2 + il_n_steps());
}

static void op_effect_unlocked(struct op *op)
{
	op_effect_at(op, OPS_PHASE / 2 + il_last_unlock());
}

static int op_end(struct op *op, int ret)
{
	il_drain_stores();
	op->ret = ret;
	op->last = now(0);
	if (!op->step)
		op_effect(op);
	return ret;
}

/* Whether @a comes before @b in each equivalent execution. */
bool moment_is_forced(const struct moment *a, const struct moment *b)
{
	if (a->phase != b->phase)
		return a->phase < b->phase;
	if (a->thread < 0)
		return a->n <= b->n;
	return il_before(a->thread, a->n, b->thread, b->n);
}

/* Setting up */

struct peer *ops_open(const char *name)
{
	struct peer *peer = &ops_peers[ops_n_peers++];
	struct b1_peer *b1;

	IL_ASSERT(ops_n_peers <= OPS_PEERS);
	IL_ASSERT(!b1_peer_new(KUIDT_INIT(OPS_UID), &b1));
	*peer = (struct peer){ .b1 = b1, .name = name };
	il_name(b1, sizeof(*b1), "%s", name);
	il_name(&b1->lock, sizeof(b1->lock), "%s.lock", name);
	il_name(&b1->discard_lock, sizeof(b1->discard_lock), "%s.discard_lock", name);
	il_name(&b1->queue.lock, sizeof(b1->queue.lock), "%s.queue.lock", name);
	il_name(&b1->queue.stack, sizeof(b1->queue.stack), "%s.queue.stack", name);
	il_name(&b1->wq, sizeof(b1->wq), "%s.wq", name);
	return peer;
}

static struct b1_object *find(struct peer *peer, u64 id)
{
	struct rb_node *node = rb_first(&peer->b1->objects);

	while (node && rb_entry(node, struct b1_object, table_link)->id != id)
		node = rb_next(node);
	return rb_entry_safe(node, struct b1_object, table_link);
}

u64 ops_node(struct peer *owner, struct peer *holder, u64 *nodep)
{
	u64 node = 0, handle;
	struct b1_node *b1;

	IL_ASSERT(!op_transfer(owner, holder, 1, &node, &handle));
	b1 = b1_node_from_object(find(owner, node));
	il_name(b1, sizeof(*b1), "%s.node%llu", owner->name, node);
	il_name(&b1->lock, sizeof(b1->lock), "%s.node%llu.lock", owner->name, node);
	il_name(find(holder, handle), sizeof(struct b1_handle), "%s.handle%llu", holder->name,
		handle);
	if (nodep)
		*nodep = node;
	return handle;
}

static void pin(struct b1_tx *tx)
{
	IL_ASSERT(n_pinned < MAX_PINNED);
	pinned[n_pinned++] = &tx->refs;
	tx->refs.refs += IL_PIN;
}

static void unpin_all(void)
{
	unsigned int i;

	for (i = 0; i < n_pinned; i++) {
		if (pinned[i]->refs <= IL_PIN || pinned[i]->refs >= 2 * IL_PIN)
			il_fail("a reference count is %d", pinned[i]->refs - IL_PIN);
		pinned[i]->refs -= IL_PIN;
	}
	n_pinned = 0;
}

void ops_pin_peer(struct peer *peer)
{
	pin(&peer->b1->tx);
}

void ops_pin(struct peer *peer, u64 id)
{
	pin(&find(peer, id)->tx);
}

void ops_pin_node_of(struct peer *peer, u64 handle)
{
	pin(&b1_handle_from_object(find(peer, handle))->node->obj.tx);
}

void ops_prepare_send(struct peer *peer, u64 handle)
{
	mutex_lock(&peer->b1->lock);
	b1_handle_sender(b1_handle_from_object(find(peer, handle)));
	mutex_unlock(&peer->b1->lock);
}

/* Commands */

static int send_locked(struct op *op, struct b1_send *send, const u64 *to,
		       const struct bus1_transfer *transfers)
{
	unsigned int i;
	int ret;

	ret = b1_send_prepare(send, to, op->n, transfers, op->n_handles, sizeof(unsigned int));
	if (ret)
		return ret;
	for (i = 0; i < op->n; i++)
		op->objects[i] = &send->destinations[i].node->obj;
	for (i = 0; i < op->n_handles; i++)
		op->nodes[i] = &send->nodes[i]->obj;
	/* the payload says which operation it is from */
	if (send->data)
		memcpy(send->data, &(unsigned int){ op - ops_log }, sizeof(unsigned int));
	b1_send_commit(send);
	return 0;
}

int op_send(struct peer *peer, unsigned int n, const u64 *to, unsigned int n_handles,
	    const u64 *handles)
{
	struct bus1_transfer transfers[OPS_N];
	struct op *op = op_begin(OP_SEND, peer);
	struct b1_send send;
	unsigned int i;
	int ret;

	for (i = 0; i < n_handles; i++)
		transfers[i] = (struct bus1_transfer){ .id = handles[i] };
	op->n = n;
	op->n_handles = n_handles;
	mutex_lock(&peer->b1->lock);
	op_effect(op);
	b1_send_init(&send, peer->b1);
	ret = send_locked(op, &send, to, transfers);
	b1_send_deinit(&send);
	mutex_unlock(&peer->b1->lock);
	return op_end(op, ret);
}

static int recv_message(struct op *op, struct b1_message *message, bool fails)
{
	unsigned int i;

	b1_message_prepare_install(message);
	if (fails) {
		b1_message_abort_install(message);
		return -EFAULT;
	}
	op->objects[0] = &message->node->obj;
	op->n = 1;
	IL_ASSERT(message->n_data == sizeof(unsigned int));
	memcpy(&op->sent_by, message->data, sizeof(op->sent_by));
	op->n_handles = message->n_handles;
	IL_ASSERT(op->n_handles <= OPS_N);
	for (i = 0; i < op->n_handles; i++) {
		op->handles[i] = &message->handles[i]->obj;
		op->nodes[i] = &message->handles[i]->node->obj;
		op->ids[i] = op->handles[i]->id;
	}
	b1_message_install(message);
	op_effect_unlocked(op);
	b1_message_recycle(message);
	return 0;
}

static int recv_note(struct op *op, struct b1_object *obj)
{
	op->objects[0] = obj;
	op->n = 1;
	op->ids[0] = obj->id;
	mutex_lock(&obj->peer->queue.lock);
	b1_queue_remove(&obj->peer->queue, &obj->note);
	mutex_unlock(&obj->peer->queue.lock);
	op_effect_unlocked(op);
	b1_object_consume_note(obj);
	return 0;
}

/* @error: what happens to a message instead of being received, or 0 */
static int recv_locked(struct op *op, int error)
{
	struct b1_queue_entry *entry;
	struct b1_message *message;

	entry = b1_peer_peek(op->peer->b1);
	op_effect_unlocked(op);
	if (!entry)
		return -EAGAIN;
	op->type = entry->type;
	if (entry->type != BUS1_MESSAGE_TYPE_USER)
		return recv_note(op, container_of(entry, struct b1_object, note));
	message = b1_message_from_entry(entry);
	if (error == -EMSGSIZE) {
		/* it stays, and its sizes can be looked at, because the peer is locked */
		IL_ASSERT(message->n_data == sizeof(unsigned int));
		IL_ASSERT(message->n_handles <= OPS_N);
		IL_ASSERT(message->node->obj.peer == op->peer->b1);
		return error;
	}
	return recv_message(op, message, error == -EFAULT);
}

static int op_recv_with(struct peer *peer, int error, const struct op **opp)
{
	struct op *op = op_begin(OP_RECV, peer);
	int ret;

	mutex_lock(&peer->b1->lock);
	ret = recv_locked(op, error);
	mutex_unlock(&peer->b1->lock);
	if (opp)
		*opp = op;
	return op_end(op, ret);
}

int op_recv(struct peer *peer, const struct op **opp)
{
	return op_recv_with(peer, 0, opp);
}

int op_recv_small(struct peer *peer)
{
	return op_recv_with(peer, -EMSGSIZE, NULL);
}

int op_recv_fault(struct peer *peer)
{
	return op_recv_with(peer, -EFAULT, NULL);
}

bool op_poll(struct peer *peer)
{
	struct op *op = op_begin(OP_POLL, peer);
	bool readable;

	readable = b1_peer_peek(peer->b1);
	op_effect_unlocked(op);
	return op_end(op, readable);
}

static int transfer(struct peer *from, struct peer *to, unsigned int n, u64 *ids, u64 *handles,
		    bool fails)
{
	struct b1_transfer_slot slots[OPS_N] = {};
	struct bus1_transfer transfers[OPS_N];
	struct op *op = op_begin(OP_TRANSFER, to);
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++) {
		transfers[i].flags = ids[i] ? 0 : BUS1_TRANSFER_FLAG_CREATE;
		transfers[i].id = ids[i] ?: BUS1_INVALID;
	}
	mutex_lock(&from->b1->lock);
	ret = b1_transfer_prepare(from->b1, to->b1, transfers, slots, n);
	if (!ret && fails) {
		b1_transfer_abort(slots, n);
		ret = -EFAULT;
	}
	for (i = 0; !ret && i < n; i++) {
		handles[i] = op->ids[i] = slots[i].handle->obj.id;
		op->handles[i] = &slots[i].handle->obj;
		op->nodes[i] = &slots[i].handle->node->obj;
		if (!slots[i].node)
			continue;
		ids[i] = slots[i].node->obj.id;
		IL_ASSERT(ops_n_nodes < OPS_MAX);
		ops_nodes[ops_n_nodes++] = (struct owned){ &slots[i].node->obj, from };
	}
	if (!ret) {
		op->n_handles = n;
		b1_transfer_commit(to->b1, slots, n);
	}
	mutex_unlock(&from->b1->lock);
	return op_end(op, ret);
}

int op_transfer(struct peer *from, struct peer *to, unsigned int n, u64 *ids, u64 *handles)
{
	return transfer(from, to, n, ids, handles, false);
}

int op_transfer_fault(struct peer *from, struct peer *to, unsigned int n, const u64 *ids)
{
	u64 copy[OPS_N];

	memcpy(copy, ids, n * sizeof(*ids));
	return transfer(from, to, n, copy, NULL, true);
}

int op_release(struct peer *peer, unsigned int n, const u64 *ids)
{
	struct op *op = op_begin(OP_RELEASE, peer);
	struct b1_release release;
	struct b1_object *obj;
	int ret;

	mutex_lock(&peer->b1->lock);
	op_effect(op);
	b1_release_init(&release);
	ret = b1_peer_collect(peer->b1, ids, n, &release);
	if (ret) {
		b1_peer_uncollect(&release);
	} else {
		for (obj = release.first; obj; obj = obj->release_next) {
			IL_ASSERT(op->n < OPS_N);
			op->objects[op->n++] = obj;
		}
		b1_peer_release(peer->b1, &release);
	}
	mutex_unlock(&peer->b1->lock);
	return op_end(op, ret);
}

void op_close(struct peer *peer)
{
	struct op *op = op_begin(OP_CLOSE, peer);

	op_effect(op);
	/* nobody else uses it any more */
	peer->closed = true;
	b1_peer_close(peer->b1);
	b1_peer_unref(peer->b1);
	op_end(op, 0);
}

void op_stat(struct peer *peer)
{
	struct b1_peer_stat stat;

	il_label("stat");
	b1_peer_stat(peer->b1, &stat);
}

/* Waiting */

void op_poll_begin(struct peer *peer)
{
	il_label("register");
	peer->polled = true;
	il_wait_add(&peer->b1->wq, &peer->waiter);
}

void op_poll_wait(struct peer *peer)
{
	il_label("wait");
	il_wait(&peer->waiter, "wait");
}

bool op_poll_is_woken(struct peer *peer)
{
	il_label("look");
	return il_is_woken(&peer->waiter, "look");
}

void op_poll_end(struct peer *peer)
{
	il_label("unregister");
	il_wait_remove(&peer->b1->wq, &peer->waiter);
	peer->polled = false;
}

void op_poll_until_readable(struct peer *peer)
{
	op_poll_begin(peer);
	while (!op_poll(peer))
		op_poll_wait(peer);
	op_poll_end(peer);
}

/* Cleaning up */

/* Receives all there is, until nobody gets anything any more. */
void ops_drain(void)
{
	bool received;
	unsigned int i;

	phase = 2;
	unpin_all();
	do {
		received = false;
		for (i = 0; i < ops_n_peers; i++) {
			while (!ops_peers[i].closed && !op_recv(&ops_peers[i], NULL))
				received = true;
		}
	} while (received);
}

void ops_end(void)
{
	unsigned int i;

	history_check();
	for (i = 0; i < ops_n_peers; i++) {
		if (!ops_peers[i].closed)
			op_close(&ops_peers[i]);
	}
	if (!b1_acct_is_idle())
		il_fail("something is still charged");
}

void ops_finish(void)
{
	ops_drain();
	ops_end();
}
