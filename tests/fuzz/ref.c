// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <linux/bus1.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acct.h"
#include "ref.h"
#include "state.h"
#include "shim/vfs.h"

struct ref_chunk {
	struct ref_chunk *next;
	char data[] __attribute__((aligned(16)));
};

static struct ref_chunk *ref_chunks;
static struct ref_peer *ref_peers;
static uint64_t ref_last_group;
static bool ref_any_order;

uint64_t ref_new_group(void)
{
	return ++ref_last_group;
}

void ref_mismatch(const char *format, ...)
{
	va_list args;

	fputs("MISMATCH: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* Zeroed memory for the rest of the run. */
void *ref_alloc(size_t n)
{
	struct ref_chunk *chunk = calloc(1, sizeof(*chunk) + n);

	if (!chunk)
		abort();
	chunk->next = ref_chunks;
	ref_chunks = chunk;
	return chunk->data;
}

void ref_begin(uint64_t max_objects, uint64_t max_bytes)
{
	ref_peers = NULL;
	acct_begin(max_objects, max_bytes);
}

void ref_end(void)
{
	struct ref_chunk *next;

	for (; ref_chunks; ref_chunks = next) {
		next = ref_chunks->next;
		free(ref_chunks);
	}
}

/* Objects */

struct ref_object *ref_new(struct ref_peer *peer, struct ref_object *node, struct acct_trace *trace)
{
	struct ref_object *object = ref_alloc(sizeof(*object));

	object->peer = peer;
	object->node = node;
	object->trace = trace;
	object->place = peer->end;
	*object->place = object;
	peer->end = &object->next;
	return object;
}

static void ref_forget(struct ref_object *object)
{
	*object->place = object->next;
	if (object->next)
		object->next->place = object->place;
	else
		object->peer->end = object->place;
}

struct ref_object *ref_find(struct ref_peer *peer, uint64_t id)
{
	struct ref_object *object;

	if (!id)
		return NULL;
	for (object = peer->objects; object; object = object->next) {
		if (object->id == id)
			return object;
	}
	return NULL;
}

struct ref_object *ref_find_handle(struct ref_peer *peer, uint64_t id)
{
	struct ref_object *object = ref_find(peer, id);

	return object && object->node ? object : NULL;
}

static bool ref_has_handles(const struct ref_object *node)
{
	struct ref_object *object;
	struct ref_peer *peer;

	for (peer = ref_peers; peer; peer = peer->next) {
		for (object = peer->objects; object; object = object->next) {
			if (object->node == node)
				return true;
		}
	}
	return false;
}

/* Queues */

struct ref_entry *ref_entry(unsigned int type, struct ref_object *object, uint64_t group)
{
	struct ref_entry *entry = ref_alloc(sizeof(*entry));

	entry->type = type;
	entry->object = object;
	entry->group = group;
	return entry;
}

void ref_append(struct ref_peer *peer, struct ref_entry *entry)
{
	struct ref_entry **end = &peer->queue;

	while (*end)
		end = &(*end)->next;
	*end = entry;
	peer->woken = true;
}

void ref_notify(struct ref_object *object, uint64_t group)
{
	unsigned int type = object->node ? BUS1_MESSAGE_TYPE_NODE_RELEASE :
					   BUS1_MESSAGE_TYPE_HANDLE_RELEASE;

	if (object->peer->open)
		ref_append(object->peer, ref_entry(type, object, group));
}

void ref_remove(struct ref_peer *peer, struct ref_entry *entry)
{
	struct ref_entry **place = &peer->queue;

	while (*place != entry)
		place = &(*place)->next;
	*place = entry->next;
}

/* What ends is not notified of any more. */
static void ref_cancel(struct ref_object *object)
{
	struct ref_entry *entry, *next;

	for (entry = object->peer->queue; entry; entry = next) {
		next = entry->next;
		if (entry->type != BUS1_MESSAGE_TYPE_USER && entry->object == object)
			ref_remove(object->peer, entry);
	}
}

/* Releases */

/* A handle is gone; who owns the node is told in the end, see ref_tell_owners(). */
static void ref_end_handle(struct ref_object *handle)
{
	ref_cancel(handle);
	ref_forget(handle);
	handle->released = true;
}

static void ref_tell_owner(struct ref_object *node, uint64_t group)
{
	if (node->released || node->told || ref_has_handles(node))
		return;
	node->told = true;
	ref_notify(node, group);
}

static void ref_tell_holders(struct ref_object *node, uint64_t group)
{
	struct ref_object *object;
	struct ref_peer *peer;

	for (peer = ref_peers; peer; peer = peer->next) {
		for (object = peer->objects; object; object = object->next) {
			if (object->node == node)
				ref_notify(object, group);
		}
	}
}

/* A message that nobody receives: its handles end. */
static void ref_discard(struct ref_entry *message)
{
	uint64_t i;

	for (i = 0; i < message->n_handles; i++)
		ref_end_handle(message->handles[i]);
	acct_discharge(message->trace, 1 + message->n_handles, message->n_data);
}

/* Takes messages to @node, or to all nodes if it is NULL, out of a queue, in reverse. */
static struct ref_entry *ref_take_messages(struct ref_peer *peer, const struct ref_object *node)
{
	struct ref_entry *entry, *next, *taken = NULL;

	for (entry = peer->queue; entry; entry = next) {
		next = entry->next;
		if (entry->type != BUS1_MESSAGE_TYPE_USER || (node && entry->object != node))
			continue;
		ref_remove(peer, entry);
		entry->next = taken;
		taken = entry;
	}
	return taken;
}

static void ref_discard_for(struct ref_peer *peer, const struct ref_object *node, uint64_t group,
			    const struct acct_trace **tracep)
{
	struct ref_entry *message, *messages = ref_take_messages(peer, node);
	uint64_t i;

	for (message = messages; message; message = message->next) {
		ref_any_order |= *tracep && message->trace != *tracep;
		*tracep = message->trace;
		ref_discard(message);
	}
	for (message = messages; message; message = message->next) {
		for (i = 0; i < message->n_handles; i++)
			ref_tell_owner(message->handles[i]->node, group);
	}
}

static void ref_discard_all(struct ref_peer *peer, uint64_t group)
{
	struct ref_entry *message, *last = NULL, *messages = ref_take_messages(peer, NULL);

	/* the first one first */
	while (messages) {
		message = messages;
		messages = message->next;
		message->next = last;
		last = message;
	}
	for (message = last; message; message = message->next)
		ref_discard(message);
	for (message = last; message; message = message->next) {
		for (uint64_t i = 0; i < message->n_handles; i++)
			ref_tell_owner(message->handles[i]->node, group);
	}
}

void ref_release(struct ref_peer *peer, struct ref_object **objects, uint64_t n, bool close)
{
	const struct acct_trace *trace = NULL;
	uint64_t i, group = ref_new_group();

	for (i = 0; i < n; i++) {
		ref_cancel(objects[i]);
		ref_forget(objects[i]);
		objects[i]->released = true;
	}
	for (i = 0; i < n; i++) {
		if (!objects[i]->node && !close)
			ref_discard_for(peer, objects[i], group, &trace);
	}
	if (close)
		ref_discard_all(peer, group);
	for (i = 0; i < n; i++) {
		if (objects[i]->node)
			ref_tell_owner(objects[i]->node, group);
		else
			ref_tell_holders(objects[i], group);
	}
	for (i = 0; i < n; i++) {
		if (objects[i]->node)
			acct_discharge(objects[i]->trace, 1, 0);
	}
	for (i = 0; i < n; i++) {
		if (!objects[i]->node)
			acct_discharge(objects[i]->trace, 1, 0);
	}
}

/* Open and close */

struct ref_peer *ref_open(unsigned int uid, int result, uint64_t actor)
{
	struct acct_trace *own = acct_trace(uid, uid, actor);
	struct ref_peer *peer;
	bool granted;

	if (result == -ENOMEM && !actor)
		return NULL;
	granted = acct_charge(own, 1, 0);
	if (granted != !result || (result && result != -EDQUOT))
		ref_mismatch("open: %d, the reference says it is %sgranted", result,
			     granted ? "" : "not ");
	if (result)
		return NULL;
	peer = ref_alloc(sizeof(*peer));
	peer->end = &peer->objects;
	peer->uid = uid;
	peer->actor = actor;
	peer->open = true;
	peer->own = own;
	peer->next = ref_peers;
	ref_peers = peer;
	return peer;
}

static int ref_by_id(const void *a, const void *b)
{
	const struct ref_object *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

/*
 * What a close gives back is given back in the order of the IDs, handles first. (It matters if the handles of others
 * are a charge of their sender: what is kept depends on how many claim something.)
 */
void ref_close(struct ref_peer *peer)
{
	struct ref_object **objects, *object;
	uint64_t n = 0;

	for (object = peer->objects; object; object = object->next)
		n++;
	objects = ref_alloc((n + 1) * sizeof(object));
	n = 0;
	for (object = peer->objects; object; object = object->next) {
		if (object->id)
			objects[n++] = object;
	}
	qsort(objects, n, sizeof(*objects), ref_by_id);
	peer->open = false;
	ref_release(peer, objects, n, true);
	acct_discharge(peer->own, 1, 0);
}

bool ref_took_any_order(void)
{
	bool any_order = ref_any_order;

	ref_any_order = false;
	return any_order;
}

bool ref_is_readable(const struct ref_peer *peer)
{
	return peer->queue;
}

bool ref_was_woken(struct ref_peer *peer)
{
	bool woken = peer->woken && peer->queue;

	peer->woken = false;
	return woken;
}

static void ref_expect_line(const char *text, const char *name, uint64_t expected)
{
	const char *line = strstr(text, name);
	uint64_t found;

	found = line ? strtoull(line + strlen(name), NULL, 10) : 0;
	if (!line || found != expected)
		ref_mismatch("fdinfo: %s %llu, expected %llu", name, (unsigned long long)found,
			     (unsigned long long)expected);
}

void ref_check_fdinfo(const struct ref_peer *peer, const char *text)
{
	uint64_t n_nodes = 0, n_handles = 0, n_messages = 0, n_carried = 0, n_bytes = 0;
	const struct ref_object *object;
	const struct ref_entry *entry;
	unsigned int uid = vfs_map_uid(peer->uid);

	for (object = peer->objects; object; object = object->next) {
		n_nodes += !object->node;
		n_handles += object->node && object->id;
	}
	for (entry = peer->queue; entry; entry = entry->next) {
		n_messages += entry->type == BUS1_MESSAGE_TYPE_USER;
		n_carried += entry->n_handles;
		n_bytes += entry->n_data;
	}
	ref_expect_line(text, "bus1-peer:", peer->actor);
	ref_expect_line(text, "bus1-account:", uid == (unsigned int)-1 ? 65534 : uid);
	ref_expect_line(text, "bus1-nodes:", n_nodes);
	ref_expect_line(text, "bus1-handles:", n_handles);
	ref_expect_line(text, "bus1-messages:", n_messages);
	ref_expect_line(text, "bus1-message-bytes:", n_bytes);
	ref_expect_line(text, "bus1-charged-objects:",
			1 + n_nodes + n_handles + n_messages + n_carried);
	ref_expect_line(text, "bus1-charged-bytes:", n_bytes);
}

/* Choices */

static uint64_t ref_pick(const struct ref_peer *peer, unsigned int n, bool node)
{
	const struct ref_object *object;
	unsigned int n_objects = 0;

	for (object = peer->objects; object; object = object->next)
		n_objects += object->id && !object->node == node;
	if (!n_objects)
		return 0;
	n %= n_objects;
	for (object = peer->objects; object; object = object->next) {
		if (object->id && !object->node == node && !n--)
			return object->id;
	}
	return 0;
}

uint64_t ref_pick_handle(const struct ref_peer *peer, unsigned int n)
{
	return ref_pick(peer, n, false);
}

uint64_t ref_pick_node(const struct ref_peer *peer, unsigned int n)
{
	return ref_pick(peer, n, true);
}

uint64_t ref_pick_old(const struct ref_peer *peer, unsigned int n)
{
	return peer->last_id ? (n % (peer->last_id / 2 + 1)) * 2 + 1 : 0;
}

uint64_t ref_pick_room(struct ref_peer *peer, uint64_t id, uint64_t max)
{
	struct ref_object *handle = ref_find_handle(peer, id);

	if (!handle || handle->node->released)
		return 0;
	return acct_room(acct_trace(handle->node->peer->uid, peer->uid, peer->actor), max);
}
