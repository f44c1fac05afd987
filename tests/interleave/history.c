// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is promised, as questions to a history
 *
 * Whatever is received (here: an entry) is caused by operations, mostly by one: a message by the
 * send, a NODE_RELEASE by the release of the node and by what brought the handle, a HANDLE_RELEASE
 * by the ends of all handles. An entry cannot be there before all of these have begun, and it is
 * there once all of them are visible. An operation is visible when it has returned, and also as soon
 * as anybody has received anything that it caused: it is atomic. A handle in a message that nobody
 * receives ends as part of the release of the destination, or, if the message came too late for
 * that, by itself before the send returns: so it takes both, and the send must have returned.
 *
 *	order:	 an entry that was there before something that another one needs had begun is received
 *		 before that other one. This is the order of each sender, and of cause and effect.
 *	empty:	 a queue is not found empty, by recv or poll, while an entry is there.
 *	place:	 a NODE_RELEASE comes after what brought the handle, and if the node was gone before
 *		 that was sent, directly after it.
 *	once:	 each message to a node that is not released is received, once; each handle and node
 *		 that is not released has had its notification, once, if its node is released or its
 *		 last handle is gone, and otherwise none.
 *	gone:	 nothing is received about what the receiver has released.
 *	counts:	 a node counts the handles there are, and what is queued for it.
 */
#include <errno.h>

#include "ops.h"

#define MAX_CAUSES 24
#define MAX_WITNESSES 16

struct entry {
	const struct op *recv;
	/* operations: the first ones must have begun; if all are visible, the entry is there */
	unsigned int n_needs, n_causes;
	unsigned int causes[MAX_CAUSES];
	bool behind[MAX_CAUSES];	/* there when the cause has returned, not as part of it */
	bool fuzzy;			/* there are more causes than that */
};

static struct entry entries[OPS_MAX];	/* by peer, in the order in which they were received */
static unsigned int n_entries;

/* Moments from which on an operation is known to be visible. */
static struct {
	unsigned int n;
	const struct moment *moments[MAX_WITNESSES];
} witnesses[OPS_MAX];

static bool contains(const struct b1_object *const *objects, unsigned int n,
		     const struct b1_object *object)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (objects[i] == object)
			return true;
	}
	return false;
}

static bool has_ended(const struct op *op)
{
	return op->kind == OP_CLOSE || op->kind == OP_RELEASE;
}

/* The operation that ended an object of @peer, or -1. */
static int ended_by(const struct peer *peer, const struct b1_object *object)
{
	const struct op *op;
	unsigned int i;

	for (i = 0; i < ops_n; i++) {
		op = &ops_log[i];
		if (!has_ended(op) || op->peer != peer || op->ret)
			continue;
		if (op->kind == OP_CLOSE || contains(op->objects, op->n, object))
			return i;
	}
	return -1;
}

static const struct peer *owner_of(const struct b1_object *node)
{
	unsigned int i;

	for (i = 0; i < ops_n_nodes; i++) {
		if (ops_nodes[i].node == node)
			return ops_nodes[i].owner;
	}
	il_fail("a node that nobody has created");
}

/* The operation that installed a handle, and which of its handles it is. */
static const struct op *installed_by(const struct b1_object *handle, unsigned int *ip)
{
	const struct op *op;
	unsigned int i;

	for (op = ops_log; op < ops_log + ops_n; op++) {
		if (op->ret || (op->kind != OP_TRANSFER && op->kind != OP_RECV))
			continue;
		for (i = 0; i < op->n_handles; i++) {
			if (op->handles[i] == handle) {
				*ip = i;
				return op;
			}
		}
	}
	il_fail("NODE_RELEASE for a handle that was not received");
}

static void add_cause(struct entry *entry, int op, bool behind)
{
	unsigned int i;

	if (op < 0)
		il_fail("received, but nobody has caused it");
	for (i = 0; i < entry->n_causes; i++) {
		if (entry->causes[i] == (unsigned int)op) {
			entry->behind[i] |= behind;
			return;
		}
	}
	if (entry->n_causes == MAX_CAUSES) {
		entry->fuzzy = true;
		return;
	}
	entry->behind[entry->n_causes] = behind;
	entry->causes[entry->n_causes++] = op;
}

static void add_need(struct entry *entry, int op)
{
	add_cause(entry, op, false);
	entry->n_needs = entry->n_causes;
}

static unsigned int n_received(const struct peer *peer, const struct b1_object *object,
			       int sent_by);

/* What ended the handles of a send that nobody received. */
static void add_discards(struct entry *entry, unsigned int send)
{
	const struct op *op = &ops_log[send];
	const struct peer *owner;
	unsigned int i, j, n;

	for (i = 0; i < op->n; i++) {
		owner = owner_of(op->objects[i]);
		for (n = 0, j = 0; j < op->n; j++)
			n += op->objects[j] == op->objects[i];
		if (n_received(owner, op->objects[i], send) == n)
			continue;
		add_cause(entry, send, true);
		add_cause(entry, ended_by(owner, op->objects[i]), false);
	}
}

static void find_needs_of_handle_release(struct entry *entry, const struct b1_object *node)
{
	const struct op *op;
	unsigned int i;
	int end;

	for (op = ops_log; op < ops_log + ops_n; op++) {
		if (op->ret || (op->kind != OP_TRANSFER && op->kind != OP_RECV))
			continue;
		for (i = 0; i < op->n_handles; i++) {
			if (op->nodes[i] != node)
				continue;
			end = ended_by(op->peer, op->handles[i]);
			if (end < 0)
				il_fail("HANDLE_RELEASE, but there is a handle");
			add_need(entry, end);
		}
	}
	for (op = ops_log; op < ops_log + ops_n; op++) {
		if (op->kind == OP_SEND && !op->ret && contains(op->nodes, op->n_handles, node))
			add_discards(entry, op - ops_log);
	}
}

static void find_needs(struct entry *entry)
{
	const struct op *recv = entry->recv, *install;
	unsigned int i;

	entry->n_needs = entry->n_causes = 0;
	entry->fuzzy = false;
	switch (recv->type) {
	case BUS1_MESSAGE_TYPE_USER:
		add_need(entry, recv->sent_by);
		break;
	case BUS1_MESSAGE_TYPE_NODE_RELEASE:
		install = installed_by(recv->objects[0], &i);
		if (install->peer != recv->peer || install->ids[i] != recv->ids[0])
			il_fail("NODE_RELEASE with the wrong ID, or at the wrong peer");
		add_need(entry, ended_by(owner_of(install->nodes[i]), install->nodes[i]));
		add_need(entry, install->kind == OP_RECV ? install->sent_by
			 : (int)(install - ops_log));
		break;
	default:
		if (owner_of(recv->objects[0]) != recv->peer)
			il_fail("HANDLE_RELEASE at the wrong peer");
		find_needs_of_handle_release(entry, recv->objects[0]);
	}
}

static void collect_entries(void)
{
	const struct op *op;
	unsigned int i, p;

	n_entries = 0;
	for (p = 0; p < ops_n_peers; p++) {
		unsigned int first = n_entries;

		for (op = ops_log; op < ops_log + ops_n; op++) {
			if (op->kind != OP_RECV || op->ret || op->peer != &ops_peers[p])
				continue;
			i = n_entries++;
			for (; i > first && entries[i - 1].recv->step > op->step; i--)
				entries[i] = entries[i - 1];
			entries[i].recv = op;
		}
	}
	for (i = 0; i < n_entries; i++)
		find_needs(&entries[i]);
}

/* The first one of each is its return. */
static void add_witness(unsigned int op, const struct moment *moment)
{
	if (witnesses[op].n < MAX_WITNESSES)
		witnesses[op].moments[witnesses[op].n++] = moment;
}

/* Whether a HANDLE_RELEASE is part of one of its causes: the others had ended before that began. */
static bool is_part_of(const struct entry *entry, unsigned int cause)
{
	unsigned int i;

	/* a handle that ends with a send is no part of it */
	if (entry->fuzzy || entry->behind[cause])
		return false;
	for (i = 0; i < entry->n_causes; i++) {
		if (i != cause && !moment_is_forced(&ops_log[entry->causes[i]].last,
						    &ops_log[entry->causes[cause]].first))
			return false;
	}
	return true;
}

static void collect_witnesses(void)
{
	const struct entry *entry;
	unsigned int i;

	for (i = 0; i < ops_n; i++) {
		witnesses[i].n = 0;
		add_witness(i, &ops_log[i].last);
	}
	for (entry = entries; entry < entries + n_entries; entry++) {
		/* of the causes of a NODE_RELEASE the first is the release */
		if (entry->recv->type != BUS1_MESSAGE_TYPE_HANDLE_RELEASE)
			add_witness(entry->causes[0], &entry->recv->last);
		for (i = 0; entry->recv->type == BUS1_MESSAGE_TYPE_HANDLE_RELEASE &&
			    i < entry->n_causes; i++) {
			if (is_part_of(entry, i))
				add_witness(entry->causes[i], &entry->recv->last);
		}
	}
}

/*
 * Whether there is an equivalent execution in which @entry is there before @moment: for each of its
 * causes there is a moment at which it is visible, and that need not be later.
 */
static bool may_be_there_before(const struct entry *entry, const struct moment *moment)
{
	unsigned int i, w, n, op;

	if (entry->fuzzy)
		return false;
	for (i = 0; i < entry->n_causes; i++) {
		op = entry->causes[i];
		n = entry->behind[i] ? 1 : witnesses[op].n;
		for (w = 0; w < n; w++) {
			if (!moment_is_forced(moment, witnesses[op].moments[w]))
				break;
		}
		if (w == n)
			return false;
	}
	return true;
}

static const char *describe(const struct entry *entry)
{
	static const char *const types[] = { "a message", "NODE_RELEASE", "HANDLE_RELEASE" };

	return types[entry->recv->type];
}

/* @later was received after @entry at the same peer. */
static void check_order(const struct entry *entry, const struct entry *later)
{
	unsigned int i;

	for (i = 0; i < entry->n_needs; i++) {
		if (may_be_there_before(later, &ops_log[entry->causes[i]].first))
			il_fail("order: %s got %s (operation %u) before %s (operation %u), which had been there first",
				entry->recv->peer->name, describe(entry), entry->causes[0],
				describe(later), later->causes[0]);
	}
}

static void check_twice(const struct entry *entry, const struct entry *later)
{
	if (entry->recv->type == BUS1_MESSAGE_TYPE_USER || entry->recv->type != later->recv->type)
		return;
	if (entry->recv->objects[0] == later->recv->objects[0])
		il_fail("once: %s got %s twice", entry->recv->peer->name, describe(entry));
}

static void check_orders(void)
{
	const struct entry *entry, *later, *end = entries + n_entries;

	for (entry = entries; entry < end; entry++) {
		for (later = entry + 1; later < end; later++) {
			if (later->recv->peer != entry->recv->peer)
				break;
			check_order(entry, later);
			check_twice(entry, later);
		}
	}
}

/* Did somebody release something of this peer between, or at the same time as, these two? */
static bool was_released_meanwhile(const struct op *a, const struct op *b)
{
	const struct op *op;

	for (op = ops_log; op < ops_log + ops_n; op++) {
		if (!has_ended(op) || op->peer != a->peer)
			continue;
		if (!moment_is_forced(&op->last, &a->first) &&
		    !moment_is_forced(&b->last, &op->first))
			return true;
	}
	return false;
}

/* @op has found the queue empty. */
static void check_empty(const struct op *op)
{
	const struct entry *entry;

	for (entry = entries; entry < entries + n_entries; entry++) {
		if (entry->recv->peer != op->peer || entry->recv->step < op->step)
			continue;
		if (may_be_there_before(entry, &op->first))
			il_fail("empty: %s finds nothing, though %s (operation %u) is there",
				op->peer->name, describe(entry), entry->causes[0]);
	}
}

/* @poll has found the queue readable: so must the next recv. */
static void check_readable(const struct op *poll)
{
	const struct op *op, *next = NULL;

	for (op = ops_log; op < ops_log + ops_n; op++) {
		if (op->kind == OP_RECV && op->peer == poll->peer && op->step > poll->step &&
		    (!next || op->step < next->step))
			next = op;
	}
	if (next && next->ret == -EAGAIN && !was_released_meanwhile(poll, next))
		il_fail("empty: %s is readable, but there is nothing", poll->peer->name);
}

static void check_looks(void)
{
	const struct op *op;

	for (op = ops_log; op < ops_log + ops_n; op++) {
		if ((op->kind == OP_RECV && op->ret == -EAGAIN) ||
		    (op->kind == OP_POLL && !op->ret))
			check_empty(op);
		else if (op->kind == OP_POLL && op->ret > 0)
			check_readable(op);
	}
}

/* Nothing is received about what the receiver has released. */
static void check_gone(void)
{
	const struct entry *entry;
	int end;

	for (entry = entries; entry < entries + n_entries; entry++) {
		end = ended_by(entry->recv->peer, entry->recv->objects[0]);
		if (end >= 0 && ops_log[end].step < entry->recv->step)
			il_fail("gone: %s got %s about what it has released",
				entry->recv->peer->name, describe(entry));
	}
}

static void check_places(void)
{
	const struct entry *entry, *before;
	const struct op *install, *send;
	const struct op *release;
	unsigned int i;

	for (entry = entries; entry < entries + n_entries; entry++) {
		if (entry->recv->type != BUS1_MESSAGE_TYPE_NODE_RELEASE)
			continue;
		install = installed_by(entry->recv->objects[0], &i);
		if (install->kind != OP_RECV)
			continue;
		if (install->step > entry->recv->step)
			il_fail("place: %s got NODE_RELEASE before the message with the handle",
				entry->recv->peer->name);
		send = &ops_log[install->sent_by];
		release = &ops_log[entry->causes[0]];
		if (!moment_is_forced(&release->last, &send->first))
			continue;
		/* only notifications about other handles of the message come in between */
		for (before = entry - 1; before->recv != install; before--) {
			if (before->recv->type != BUS1_MESSAGE_TYPE_NODE_RELEASE ||
			    installed_by(before->recv->objects[0], &i) != install)
				il_fail("place: %s got NODE_RELEASE, but not behind the message with the handle",
					entry->recv->peer->name);
		}
	}
}

/*
 * How often @peer has received something about @object: messages sent by @sent_by, or
 * notifications.
 */
static unsigned int n_received(const struct peer *peer, const struct b1_object *object, int sent_by)
{
	const struct entry *entry;
	unsigned int n = 0;

	for (entry = entries; entry < entries + n_entries; entry++) {
		/* -1 for a notification */
		if (entry->recv->peer == peer && entry->recv->objects[0] == object &&
		    entry->recv->sent_by == sent_by)
			n++;
	}
	return n;
}

/* Messages of one send that go to one peer come in the order of the destinations. */
static void check_destinations(unsigned int send)
{
	const struct op *op = &ops_log[send];
	const struct entry *entry;
	unsigned int p, next;

	for (p = 0; p < ops_n_peers; p++) {
		next = 0;
		for (entry = entries; entry < entries + n_entries; entry++) {
			if (entry->recv->peer != &ops_peers[p] ||
			    entry->recv->sent_by != (int)send)
				continue;
			while (next < op->n && op->objects[next] != entry->recv->objects[0])
				next++;
			if (next++ == op->n)
				il_fail("order: destinations of operation %u", send);
		}
	}
}

static void check_messages(void)
{
	const struct peer *owner;
	unsigned int i, j, k, n;
	const struct op *op;

	for (i = 0; i < ops_n; i++) {
		op = &ops_log[i];
		if (op->kind != OP_SEND || op->ret)
			continue;
		for (j = 0; j < op->n; j++) {
			owner = owner_of(op->objects[j]);
			for (n = 0, k = 0; k < op->n; k++)
				n += op->objects[k] == op->objects[j];
			k = n_received(owner, op->objects[j], i);
			if (k > n || (k < n && ended_by(owner, op->objects[j]) < 0))
				il_fail("once: operation %u sent %u messages to a node of %s, received were %u",
					i, n, owner->name, k);
		}
		check_destinations(i);
	}
}

static unsigned int n_held(const struct b1_object *node)
{
	const struct b1_object *obj;
	struct rb_node *link;
	unsigned int n = 0, i;

	for (i = 0; i < ops_n_peers; i++) {
		if (ops_peers[i].closed)
			continue;
		for (link = rb_first(&ops_peers[i].b1->table.objects); link; link = rb_next(link)) {
			obj = rb_entry(link, struct b1_object, table_link);
			n += !b1_object_is_node(obj) &&
			     &b1_handle_from_object((void *)obj)->node->obj == node;
		}
	}
	return n;
}

static void check_object(const struct peer *peer, struct b1_object *obj)
{
	unsigned int n = n_received(peer, obj, -1);
	const struct b1_node *node;

	if (!obj->live)
		il_fail("an object is in the table, but not live");
	if (!b1_object_is_node(obj)) {
		if (n != b1_handle_from_object(obj)->node->released)
			il_fail("once: %s got %u NODE_RELEASE for a handle whose node is%s released",
				peer->name, n, n ? " not" : "");
		return;
	}
	node = b1_node_from_object(obj);
	if (node->n_handles != n_held(obj))
		il_fail("counts: %u handles, but %llu are counted", n_held(obj), node->n_handles);
	if (ops_load(node))
		il_fail("counts: something is queued for a node of %s, but nothing is there",
			peer->name);
	if (n != !node->n_handles)
		il_fail("once: %s got %u HANDLE_RELEASE for a node with %llu handles", peer->name, n,
			node->n_handles);
}

static void check_objects(void)
{
	struct rb_node *link;
	unsigned int i;

	for (i = 0; i < ops_n_peers; i++) {
		if (ops_peers[i].closed)
			continue;
		for (link = rb_first(&ops_peers[i].b1->table.objects); link; link = rb_next(link))
			check_object(&ops_peers[i],
				     rb_entry(link, struct b1_object, table_link));
	}
}

/* To be called when all queues have been emptied, and before anything is cleaned up. */
void history_check(void)
{
	collect_entries();
	collect_witnesses();
	check_places();
	check_gone();
	check_messages();
	check_objects();
	check_looks();
	check_orders();
}
