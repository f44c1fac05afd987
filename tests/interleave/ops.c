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
	il_own(peer->b1);
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
	il_own(NULL);
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
	*peer = (struct peer){ .b1 = b1, .name = name, .n_data = sizeof(unsigned int) };
	il_name(b1, sizeof(*b1), "%s", name);
	il_name(&b1->lock, sizeof(b1->lock), "%s.lock", name);
	il_name(&b1->table.lock, sizeof(b1->table.lock), "%s.table.lock", name);
	il_name(&b1->queue.lock, sizeof(b1->queue.lock), "%s.queue.lock", name);
	il_name(&b1->queue.stack, sizeof(b1->queue.stack), "%s.queue.stack", name);
	il_name(&b1->wq, sizeof(b1->wq), "%s.wq", name);
	return peer;
}

static struct b1_object *find(struct peer *peer, u64 id)
{
	struct rb_node *node = rb_first(&peer->b1->table.objects);

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
	pinned[n_pinned++] = &tx->ref.refs;
	tx->ref.refs.refs += IL_PIN;
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

static int send_locked(struct op *op, struct b1_send *send, const struct b1_send_request *request)
{
	unsigned int i;
	int ret;

	ret = b1_send_prepare(send, request);
	if (ret)
		return ret;
	for (i = 0; i < op->n; i++)
		op->objects[i] = &send->destinations[i].node->obj;
	for (i = 0; i < op->n_handles; i++)
		op->nodes[i] = &send->parts.nodes[i]->obj;
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
	const struct b1_send_request request = {
		.destinations = to,
		.cmd.n_destinations = n,
		.transfers = transfers,
		.message.n_transfers = n_handles,
		.message.n_data = peer->n_data,
	};
	struct b1_send send;
	unsigned int i;
	int ret;

	for (i = 0; i < n_handles; i++)
		transfers[i] = (struct bus1_transfer){ .id = handles[i] };
	op->n = n;
	op->n_data = peer->n_data;
	op->n_handles = n_handles;
	ret = mutex_lock_killable(&peer->b1->lock);
	if (ret)
		return op_end(op, ret);
	op_effect(op);
	b1_send_init(&send, peer->b1);
	ret = send_locked(op, &send, &request);
	b1_send_deinit(&send);
	mutex_unlock(&peer->b1->lock);
	return op_end(op, ret);
}

/* What a receive writes to user memory before it is committed. */
static void recv_look(struct op *op, const struct b1_recv *recv)
{
	const struct b1_message *message = recv->message;
	unsigned int i;

	op->n = 1;
	if (!message) {
		op->objects[0] = b1_object_from_note(recv->entry);
		op->ids[0] = recv->id;
		return;
	}
	op->objects[0] = &message->node->obj;
	memcpy(&op->sent_by, message->data, sizeof(op->sent_by));
	IL_ASSERT(recv->n_data == ops_log[op->sent_by].n_data && recv->n_handles <= OPS_N);
	op->n_handles = recv->n_handles;
	for (i = 0; i < op->n_handles; i++) {
		op->handles[i] = &message->handles[i]->obj;
		op->nodes[i] = &message->handles[i]->node->obj;
		op->ids[i] = op->handles[i]->id;
	}
}

/* What a receiver keeps for the next message was allocated by itself. */
static void check_spare(const struct peer *peer)
{
	const struct b1_message *spare = peer->b1->spare;

	if (!spare)
		return;
	IL_ASSERT(!spare->foreign && il_allocated_for(spare) == peer->b1);
	IL_ASSERT(!spare->buffer || il_allocated_for(spare->buffer) == peer->b1);
}

/* @error: what happens to a message instead of being received, or 0 */
static int recv_locked(struct op *op, int error)
{
	struct b1_recv recv = {};
	int ret;

	ret = b1_recv_peek(&recv, op->peer->b1);
	op_effect_unlocked(op);
	if (ret)
		return ret;
	op->type = recv.entry->type;
	if (error == -EMSGSIZE && recv.message) {
		/* it stays, and its sizes can be looked at, because the peer is locked */
		IL_ASSERT(recv.n_data && recv.n_handles <= OPS_N);
		IL_ASSERT(recv.message->node->obj.peer == op->peer->b1);
		return error;
	}
	b1_recv_prepare(&recv);
	recv_look(op, &recv);
	ret = error == -EFAULT && recv.message ? error : b1_recv_commit(&recv);
	if (ret) {
		b1_recv_abort(&recv);
		return ret;
	}
	op_effect_unlocked(op);
	check_spare(op->peer);
	return 0;
}

static int op_recv_with(struct peer *peer, int error, const struct op **opp)
{
	struct op *op = op_begin(OP_RECV, peer);
	int ret;

	ret = mutex_lock_killable(&peer->b1->lock);
	if (!ret) {
		ret = recv_locked(op, error);
		mutex_unlock(&peer->b1->lock);
	}
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
	int ret;

	ret = b1_recv_ready(peer->b1);
	op_effect_unlocked(op);
	/* who is being killed reports what may be there */
	return op_end(op, ret);
}

static int transfer(struct peer *from, struct peer *to, unsigned int n, u64 *ids, u64 *handles,
		    bool fails)
{
	struct b1_transfer_slot slots[OPS_N] = {};
	struct bus1_transfer transfers[OPS_N];
	struct op *op = op_begin(OP_TRANSFER, to);
	unsigned int i;
	int ret;

	il_own(from->b1);
	for (i = 0; i < n; i++) {
		transfers[i].flags = ids[i] ? 0 : BUS1_TRANSFER_FLAG_CREATE;
		transfers[i].id = ids[i] ?: BUS1_INVALID;
	}
	ret = mutex_lock_killable(&from->b1->lock);
	if (ret)
		return op_end(op, ret);
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

static void release_look(struct op *op, const struct b1_object *obj)
{
	for (; obj; obj = obj->release_next) {
		IL_ASSERT(op->n < OPS_N);
		op->objects[op->n++] = obj;
	}
}

static bool is_about(const struct op *op, const struct b1_queue_entry *entry)
{
	unsigned int i;

	for (i = 0; i < op->n; i++) {
		if (entry && entry == &op->objects[i]->note)
			return true;
	}
	return false;
}

/*
 * What is released is gone from the table, and so are the notifications about it from the queue, unless
 * another thread of the peer sorts that at the moment.
 */
static void check_released(const struct op *op, struct peer *peer, const u64 *ids, unsigned int n)
{
	struct b1_queue *queue = &peer->b1->queue;
	struct b1_queue_entry *entry, *other;
	unsigned int i;

	for (i = 0; i < n; i++)
		IL_ASSERT(!find(peer, ids[i]));
	if (queue->lock.il.busy || il_is_killed())
		return;
	IL_ASSERT(!is_about(op, queue->next));
	for (entry = queue->stack; entry && entry != B1_QUEUE_SEALED; entry = entry->next)
		IL_ASSERT(!is_about(op, entry));
	list_for_each_entry(entry, &queue->ready, link)
		IL_ASSERT(!is_about(op, entry));
	list_for_each_entry(entry, &queue->busy, bundle_link) {
		IL_ASSERT(!is_about(op, entry));
		list_for_each_entry(other, &entry->link, link)
			IL_ASSERT(!is_about(op, other));
	}
}

int op_release(struct peer *peer, unsigned int n, const u64 *ids)
{
	struct op *op = op_begin(OP_RELEASE, peer);
	struct b1_release release;
	int ret;

	ret = mutex_lock_killable(&peer->b1->lock);
	if (ret)
		return op_end(op, ret);
	op_effect(op);
	b1_release_init(&release, peer->b1);
	ret = b1_release_collect(&release, ids, n) ?: b1_release_prepare(&release);
	if (ret) {
		b1_release_abort(&release);
	} else {
		release_look(op, release.nodes.first);
		release_look(op, release.handles.first);
		b1_release_commit(&release);
		check_released(op, peer, ids, n);
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
	b1_release_close(peer->b1);
	b1_peer_unref(peer->b1);
	op_end(op, 0);
}

/* What is queued for a node can be looked at any time, and never is less than nothing. */
u64 ops_load(const struct b1_node *node)
{
	struct b1_node_load load;

	b1_node_load(node, &load);
	if (load.messages > OPS_MAX || load.handles > OPS_MAX * OPS_N ||
	    load.bytes > OPS_MAX * 4096)
		il_fail("stat: %lld messages, %lld handles, %lld bytes", (long long)load.messages,
			(long long)load.handles, (long long)load.bytes);
	return load.messages + load.handles + load.bytes;
}

/* As b1_debug_stat() does it, which needs more of the kernel than there is here. */
void op_stat(struct peer *peer)
{
	struct b1_table *table = &peer->b1->table;
	struct b1_object *obj;
	unsigned int i;
	u64 id = 0;

	il_label("stat");
	il_own(IL_OWN_NOTHING);
	do {
		raw_spin_lock(&table->lock);
		obj = b1_table_next_locked(table, id);
		for (i = 0; obj && i < 64; i++) {
			if (smp_load_acquire(&obj->live) && b1_object_is_node(obj))
				ops_load(b1_node_from_object(obj));
			id = obj->id + 1;
			obj = b1_table_entry(rb_next(&obj->table_link));
		}
		raw_spin_unlock(&table->lock);
	} while (obj);
	il_own(NULL);
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

/* With all received, what is charged is for peers and what is in their tables. */
static void check_charges(void)
{
	struct b1_acct_trace *trace = NULL;
	struct b1_acct_stat stat;
	u64 n = 0, charged = 0;
	struct rb_node *node;
	unsigned int i;

	for (i = 0; i < ops_n_peers; i++) {
		if (ops_peers[i].closed)
			continue;
		n++;
		for (node = rb_first(&ops_peers[i].b1->table.objects); node; node = rb_next(node))
			n++;
	}
	while ((trace = b1_acct_trace_next(trace))) {
		b1_acct_trace_stat(trace, &stat);
		charged += stat.claimed.slots[B1_ACCT_OBJECTS];
		if (stat.claimed.slots[B1_ACCT_BYTES])
			il_fail("bytes are still charged");
	}
	if (n != charged)
		il_fail("%llu objects, but %llu are charged", n, charged);
}

void ops_end(void)
{
	unsigned int i;

	history_check();
	check_charges();
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
