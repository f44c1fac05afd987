// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The commands of the reference, step by step in the order of the specification
 */
#include <errno.h>
#include <linux/bus1.h>
#include <string.h>

#include "acct.h"
#include "ref.h"
#include "shim/vfs.h"
#include "state.h"

/* From the specification, not from any header. */
#define REF_N_MAX 65536
#define REF_N_VECS_MAX 1024
#define REF_N_DATA_MAX 0x7ffff000ULL

static unsigned int ref_error_of(long result)
{
	switch (-result) {
	case EFAULT: return REF_EFAULT;
	case EINVAL: return REF_EINVAL;
	case E2BIG: return REF_E2BIG;
	case EMSGSIZE: return REF_EMSGSIZE;
	case EBADF: return REF_EBADF;
	case EOPNOTSUPP: return REF_EOPNOTSUPP;
	case EBADRQC: return REF_EBADRQC;
	case EDQUOT: return REF_EDQUOT;
	case EAGAIN: return REF_EAGAIN;
	case ENOTTY: return REF_ENOTTY;
	case ENOMEM: return REF_ENOMEM;
	case EINTR: return REF_EINTR;
	default: return 0;
	}
}

/* Whether a command fails at this step: with an error of @errors, if there are any. */
static bool ref_fails(const struct ref_call *call, unsigned int errors)
{
	/* a command that was made to fail may have done so before it came to this */
	if (errors && !call->injected && !(errors & ref_error_of(call->result)))
		ref_mismatch("the result is %ld, the reference expects one of %#x", call->result,
			     errors);
	return errors;
}

static bool ref_get(const struct ref_call *call, uint64_t addr, void *to, size_t n)
{
	return user_read(call->space, addr, to, n) == n;
}

static void ref_put(const struct ref_call *call, uint64_t addr, const void *from, size_t n)
{
	user_write(call->space, addr, from, n);
}

static unsigned int ref_when(bool condition, unsigned int error)
{
	return condition ? error : 0;
}

/* An array: the count is known to be in range. */
static unsigned int ref_unreadable(uint64_t addr, uint64_t n, uint64_t size)
{
	return ref_when(!user_can(addr, n * size, USER_READ), REF_EFAULT);
}

static unsigned int ref_unwritable(uint64_t addr, uint64_t n, uint64_t size)
{
	return ref_when(!user_can(addr, n * size, USER_WRITE), REF_EFAULT);
}

/* What may have been written by a command that fails late: taken over as it is. */
static void ref_adopt(const struct ref_call *call, uint64_t addr, uint64_t n)
{
	user_adopt(call->space, &user_space, addr, n);
}

static size_t ref_next_write;

/* What the module wrote to @addr; its first write there that has not been asked for yet. */
static bool ref_learn(uint64_t addr, void *to, size_t n)
{
	const struct user_write *write;
	size_t i;

	while (ref_next_write < n_user_writes && user_writes[ref_next_write].seen)
		ref_next_write++;
	for (i = ref_next_write; i < n_user_writes; i++) {
		write = &user_writes[i];
		if (write->seen || write->addr > addr || write->n < n ||
		    addr - write->addr > write->n - n)
			continue;
		memcpy(to, user_written_bytes + write->at + (addr - write->addr), n);
		user_writes[i].seen = write->addr + write->n == addr + n;
		return true;
	}
	return false;
}

/* The ID that the module stored in a struct bus1_transfer, as that of a new object. */
static void ref_identify(const struct ref_call *call, uint64_t addr, struct ref_object *object)
{
	struct ref_peer *peer = object->peer;
	struct bus1_transfer transfer;

	if (!ref_learn(addr, &transfer, sizeof(transfer)))
		ref_mismatch("no ID is written to %#llx", (unsigned long long)addr);
	if (transfer.flags || !(transfer.id & BUS1_MANAGED) || transfer.id == BUS1_INVALID ||
	    transfer.id <= peer->last_id)
		ref_mismatch("ID %llu, flags %#llx, after ID %llu", transfer.id, transfer.flags,
			     (unsigned long long)peer->last_id);
	peer->last_id = transfer.id;
	object->id = transfer.id;
	ref_put(call, addr, &transfer, sizeof(transfer));
}

/* An ID that a failing command may have shown is used up. */
static void ref_use_up(uint64_t addr, struct ref_peer *peer)
{
	struct bus1_transfer transfer;

	if (ref_learn(addr, &transfer, sizeof(transfer)) && transfer.id > peer->last_id)
		peer->last_id = transfer.id;
}

/* BUS1_CMD_TRANSFER */

struct ref_slot {
	struct bus1_transfer source;
	struct ref_object *copied;	/* handle, or NULL to create a node */
};

static unsigned int ref_bad_sources(const struct ref_slot *slots, uint64_t n)
{
	const struct bus1_transfer *source;
	uint64_t i;

	for (i = 0; i < n; i++) {
		source = &slots[i].source;
		if (source->flags > BUS1_TRANSFER_FLAG_CREATE)
			return REF_EINVAL;
		if (source->flags && source->id != BUS1_INVALID)
			return REF_EINVAL;
	}
	return 0;
}

static unsigned int ref_find_sources(struct ref_peer *from, struct ref_slot *slots, uint64_t n)
{
	unsigned int error = 0;
	uint64_t i;

	for (i = 0; i < n; i++) {
		if (slots[i].source.flags)
			continue;
		slots[i].copied = ref_find_handle(from, slots[i].source.id);
		if (!slots[i].copied)
			error = REF_EBADRQC;
	}
	return error;
}

static void ref_refund_slots(struct ref_peer *from, struct ref_peer *to,
			     const struct ref_slot *slots, uint64_t n_nodes, uint64_t n_handles)
{
	uint64_t i;

	for (i = 0; i < n_nodes; i++) {
		if (i < n_handles)
			acct_discharge(to->own, 1, 0);
		if (!slots[i].copied)
			acct_discharge(from->own, 1, 0);
	}
}

static unsigned int ref_charge_slots(struct ref_peer *from, struct ref_peer *to,
				     const struct ref_slot *slots, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++) {
		if (!slots[i].copied && !acct_charge(from->own, 1, 0)) {
			ref_refund_slots(from, to, slots, i, i);
			return REF_EDQUOT;
		}
		if (!acct_charge(to->own, 1, 0)) {
			ref_refund_slots(from, to, slots, i + 1, i);
			return REF_EDQUOT;
		}
	}
	return 0;
}

static void ref_adopt_slots(const struct ref_call *call, const struct bus1_cmd_transfer *cmd,
			    struct ref_peer *from, struct ref_peer *to)
{
	const uint64_t size = sizeof(struct bus1_transfer);
	uint64_t i;

	for (i = 0; n_user_writes && i < cmd->n_transfers; i++) {
		ref_use_up(cmd->ptr_src + i * size, from);
		ref_use_up(cmd->ptr_dst + i * size, to);
	}
	ref_adopt(call, cmd->ptr_src, cmd->n_transfers * size);
	ref_adopt(call, cmd->ptr_dst, cmd->n_transfers * size);
}

static void ref_commit_slots(const struct ref_call *call, const struct bus1_cmd_transfer *cmd,
			     struct ref_peer *from, struct ref_peer *to,
			     const struct ref_slot *slots)
{
	uint64_t i, group = ref_new_group();
	struct ref_object *node, *handle;

	for (i = 0; i < cmd->n_transfers; i++) {
		if (slots[i].copied) {
			node = slots[i].copied->node;
		} else {
			node = ref_new(from, NULL, from->own);
			ref_identify(call, cmd->ptr_src + i * sizeof(struct bus1_transfer), node);
		}
		handle = ref_new(to, node, to->own);
		ref_identify(call, cmd->ptr_dst + i * sizeof(struct bus1_transfer), handle);
		if (node->released)
			ref_notify(handle, group);
	}
}

static unsigned int ref_slots_unwritable(const struct bus1_cmd_transfer *cmd,
					 const struct ref_slot *slots)
{
	const uint64_t size = sizeof(struct bus1_transfer);
	uint64_t i;

	for (i = 0; i < cmd->n_transfers; i++) {
		if (!slots[i].copied && ref_unwritable(cmd->ptr_src + i * size, 1, size))
			return REF_EFAULT;
	}
	return ref_unwritable(cmd->ptr_dst, cmd->n_transfers, size);
}

static void ref_transfer_slots(struct ref_call *call, const struct bus1_cmd_transfer *cmd,
			       struct ref_peer *to)
{
	struct ref_slot *slots = ref_alloc((cmd->n_transfers + 1) * sizeof(*slots));
	struct ref_peer *from = call->peer;
	uint64_t i;

	if (ref_fails(call, ref_unreadable(cmd->ptr_src, cmd->n_transfers, sizeof(slots->source))))
		return;
	for (i = 0; i < cmd->n_transfers; i++)
		ref_get(call, cmd->ptr_src + i * sizeof(slots->source), &slots[i].source,
			sizeof(slots->source));
	if (ref_fails(call, ref_bad_sources(slots, cmd->n_transfers)) ||
	    ref_fails(call, ref_find_sources(from, slots, cmd->n_transfers)) ||
	    ref_fails(call, ref_charge_slots(from, to, slots, cmd->n_transfers)))
		return;
	if (ref_fails(call, ref_slots_unwritable(cmd, slots))) {
		ref_adopt_slots(call, cmd, from, to);
		ref_refund_slots(from, to, slots, cmd->n_transfers, cmd->n_transfers);
		return;
	}
	if (call->result)
		ref_mismatch("transfer: %ld", call->result);
	ref_commit_slots(call, cmd, from, to, slots);
}

static void ref_transfer(struct ref_call *call)
{
	struct ref_peer *to = call->peer;
	struct bus1_cmd_transfer cmd;
	bool open = true;

	if (ref_fails(call, ref_when(!ref_get(call, call->arg, &cmd, sizeof(cmd)), REF_EFAULT)) ||
	    ref_fails(call, ref_when(cmd.flags, REF_EINVAL)))
		return;
	if (cmd.to != BUS1_INVALID)
		to = ref_peer_of_fd(cmd.to, &open);
	if (ref_fails(call, ref_when(!open, REF_EBADF)) ||
	    ref_fails(call, ref_when(!to, REF_EOPNOTSUPP)) ||
	    ref_fails(call, ref_when(cmd.n_transfers > REF_N_MAX, REF_E2BIG)))
		return;
	if (call->injected)
		ref_adopt_slots(call, &cmd, call->peer, to);
	else
		ref_transfer_slots(call, &cmd, to);
}

/* BUS1_CMD_RELEASE */

/* Looks all IDs up; each object once. */
static unsigned int ref_find_released(struct ref_call *call, const struct bus1_cmd_release *cmd,
				      struct ref_object **objects, uint64_t *np)
{
	unsigned int error = 0;
	struct ref_object *object;
	uint64_t i, id;

	for (i = 0; i < cmd->n_ids; i++) {
		ref_get(call, cmd->ptr_ids + i * sizeof(id), &id, sizeof(id));
		object = ref_find(call->peer, id);
		if (!object) {
			error = REF_EBADRQC;
		} else if (!object->marked) {
			object->marked = true;
			objects[(*np)++] = object;
		}
	}
	for (i = 0; i < *np; i++)
		objects[i]->marked = false;
	return error;
}

static void ref_release_ids(struct ref_call *call)
{
	struct ref_object **objects;
	struct bus1_cmd_release cmd;
	uint64_t n = 0;

	if (ref_fails(call, ref_when(!ref_get(call, call->arg, &cmd, sizeof(cmd)), REF_EFAULT)) ||
	    ref_fails(call, ref_when(cmd.flags, REF_EINVAL)) ||
	    ref_fails(call, ref_when(cmd.n_ids > REF_N_MAX, REF_E2BIG)) ||
	    call->injected ||
	    ref_fails(call, ref_unreadable(cmd.ptr_ids, cmd.n_ids, sizeof(uint64_t))))
		return;
	objects = ref_alloc((cmd.n_ids + 1) * sizeof(struct ref_object *));
	if (ref_fails(call, ref_find_released(call, &cmd, objects, &n)))
		return;
	if (call->result)
		ref_mismatch("release: %ld", call->result);
	ref_release(call->peer, objects, n, false);
}

/* Vectors */

struct ref_vec {
	uint64_t base, len;
};

struct ref_vecs {
	uint64_t n;
	uint64_t sum;
	struct ref_vec *vecs;
};

static bool ref_get_vec(const struct ref_call *call, uint64_t addr, uint64_t i, struct ref_vec *vec)
{
	struct {
		uint32_t base, len;
	} compat;
	bool ok;

	if (!call->compat)
		return ref_get(call, addr + i * sizeof(*vec), vec, sizeof(*vec));
	ok = ref_get(call, addr + i * sizeof(compat), &compat, sizeof(compat));
	vec->base = compat.base;
	vec->len = (uint64_t)(int64_t)(int32_t)compat.len;
	return ok;
}

/* Which errors there may be is returned; which one there is depends on the kernel. */
static unsigned int ref_get_vecs(const struct ref_call *call, uint64_t addr, uint64_t n,
				 struct ref_vecs *vecs)
{
	unsigned int errors = 0;
	struct ref_vec *vec;
	uint64_t i;

	*vecs = (struct ref_vecs){ .n = n, .vecs = ref_alloc((n + 1) * sizeof(*vec)) };
	for (i = 0; i < n; i++) {
		vec = &vecs->vecs[i];
		if (!ref_get_vec(call, addr, i, vec)) {
			errors |= REF_EFAULT;
			break;
		}
		if ((int64_t)vec->len < 0)
			errors |= REF_EINVAL;
		/* of a single one no more than the maximum is looked at */
		else if (!user_is_below_limit(vec->base, n == 1 && vec->len > REF_N_DATA_MAX ?
							 REF_N_DATA_MAX : vec->len))
			errors |= REF_EFAULT;
		if (vec->len > REF_N_DATA_MAX - vecs->sum)
			vec->len = REF_N_DATA_MAX - vecs->sum;
		vecs->sum += vec->len;
	}
	return errors;
}

static bool ref_can_use_vecs(const struct ref_vecs *vecs, uint64_t n, unsigned int access)
{
	uint64_t i, part;

	for (i = 0; n && i < vecs->n; i++, n -= part) {
		part = vecs->vecs[i].len < n ? vecs->vecs[i].len : n;
		if (!user_can(vecs->vecs[i].base, part, access))
			return false;
	}
	return true;
}

static void ref_gather(const struct ref_call *call, const struct ref_vecs *vecs, uint8_t *data,
		       uint64_t n)
{
	uint64_t i, part;

	for (i = 0; n && i < vecs->n; i++, n -= part, data += part) {
		part = vecs->vecs[i].len < n ? vecs->vecs[i].len : n;
		ref_get(call, vecs->vecs[i].base, data, part);
	}
}

static void ref_scatter(const struct ref_call *call, const struct ref_vecs *vecs,
			const uint8_t *data, uint64_t n)
{
	uint64_t i, part;

	for (i = 0; n && i < vecs->n; i++, n -= part, data += part) {
		part = vecs->vecs[i].len < n ? vecs->vecs[i].len : n;
		ref_put(call, vecs->vecs[i].base, data, part);
	}
}

/* BUS1_CMD_SEND */

struct ref_send {
	struct bus1_cmd_send cmd;
	struct bus1_message message;
	struct ref_vecs vecs;
	struct bus1_transfer *transfers;
	struct ref_object **carried;
	struct ref_object **destinations;
	struct acct_trace **traces;	/* NULL: the destination is gone */
	uint64_t n_live;
};

static unsigned int ref_check_message(const struct ref_send *send)
{
	unsigned int errors = 0;

	if (send->message.flags || send->message.type != BUS1_MESSAGE_TYPE_USER)
		return REF_EINVAL;
	if (send->cmd.n_destinations > REF_N_MAX || send->message.n_transfers > REF_N_MAX)
		errors |= REF_E2BIG;
	if (send->message.n_data > REF_N_DATA_MAX)
		errors |= REF_EMSGSIZE;
	if (send->message.n_data_vecs > REF_N_VECS_MAX)
		errors |= REF_EINVAL;
	return errors;
}

static unsigned int ref_get_send(const struct ref_call *call, struct ref_send *send)
{
	const struct bus1_message *message = &send->message;
	unsigned int errors;

	errors = ref_unreadable(message->ptr_transfers, message->n_transfers,
				sizeof(*send->transfers)) |
		 ref_unreadable(send->cmd.ptr_destinations, send->cmd.n_destinations,
				sizeof(uint64_t)) |
		 ref_get_vecs(call, message->ptr_data_vecs, message->n_data_vecs, &send->vecs);
	if (send->vecs.sum < message->n_data)
		errors |= REF_EMSGSIZE;
	if (errors)
		return errors;
	send->transfers = ref_alloc((message->n_transfers + 1) * sizeof(*send->transfers));
	ref_get(call, message->ptr_transfers, send->transfers,
		message->n_transfers * sizeof(*send->transfers));
	return 0;
}

static unsigned int ref_check_flags(const struct ref_send *send)
{
	uint64_t i;

	for (i = 0; i < send->message.n_transfers; i++) {
		if (send->transfers[i].flags)
			return REF_EINVAL;
	}
	return 0;
}

static unsigned int ref_find_send(const struct ref_call *call, struct ref_send *send)
{
	unsigned int error = 0;
	uint64_t i, id;

	send->carried = ref_alloc((send->message.n_transfers + 1) * sizeof(struct ref_object *));
	send->destinations = ref_alloc((send->cmd.n_destinations + 1) *
				       sizeof(struct ref_object *));
	for (i = 0; i < send->message.n_transfers; i++) {
		send->carried[i] = ref_find_handle(call->peer, send->transfers[i].id);
		if (!send->carried[i])
			error = REF_EBADRQC;
	}
	for (i = 0; i < send->cmd.n_destinations; i++) {
		ref_get(call, send->cmd.ptr_destinations + i * sizeof(id), &id, sizeof(id));
		send->destinations[i] = ref_find_handle(call->peer, id);
		if (!send->destinations[i])
			error = REF_EBADRQC;
	}
	return error;
}

static void ref_refund_send(struct ref_send *send, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++) {
		if (send->traces[i])
			acct_discharge(send->traces[i], 1 + send->message.n_transfers,
				       send->message.n_data);
	}
}

static unsigned int ref_charge_send(const struct ref_call *call, struct ref_send *send)
{
	struct acct_trace *trace;
	struct ref_object *node;
	uint64_t i;

	send->traces = ref_alloc((send->cmd.n_destinations + 1) * sizeof(struct acct_trace *));
	for (i = 0; i < send->cmd.n_destinations; i++) {
		node = send->destinations[i]->node;
		if (node->released)
			continue;
		trace = acct_trace(node->peer->uid, call->peer->uid, call->peer->actor);
		if (!acct_charge(trace, 1 + send->message.n_transfers, send->message.n_data)) {
			ref_refund_send(send, i);
			return REF_EDQUOT;
		}
		send->traces[i] = trace;
		send->n_live++;
	}
	return 0;
}

/* Returns whether the call fails because of what it cannot read or write. */
static bool ref_send_faults(struct ref_call *call, struct ref_send *send)
{
	bool payload = ref_can_use_vecs(&send->vecs, send->message.n_data, USER_READ);
	unsigned int errors = 0;

	if (send->cmd.ptr_errors)
		errors |= ref_unwritable(send->cmd.ptr_errors, send->cmd.n_destinations,
					 sizeof(int32_t));
	if (!payload && (send->n_live || call->result))
		errors |= REF_EFAULT;
	if (!ref_fails(call, errors))
		return false;
	if (send->cmd.ptr_errors)
		ref_adopt(call, send->cmd.ptr_errors, send->cmd.n_destinations * sizeof(int32_t));
	ref_refund_send(send, send->cmd.n_destinations);
	return true;
}

static void ref_deliver(struct ref_call *call, struct ref_send *send, uint64_t i)
{
	struct ref_object *node = send->destinations[i]->node, *handle;
	struct ref_entry *entry;
	uint64_t k;

	entry = ref_entry(BUS1_MESSAGE_TYPE_USER, node, ref_new_group());
	entry->account = call->peer->uid;
	entry->trace = send->traces[i];
	entry->n_data = send->message.n_data;
	entry->data = ref_alloc(entry->n_data + 1);
	ref_gather(call, &send->vecs, entry->data, entry->n_data);
	entry->n_handles = send->message.n_transfers;
	entry->handles = ref_alloc((entry->n_handles + 1) * sizeof(handle));
	for (k = 0; k < entry->n_handles; k++) {
		handle = ref_new(node->peer, send->carried[k]->node, NULL);
		handle->held = handle->node->released;
		entry->handles[k] = handle;
	}
	ref_append(node->peer, entry);
}

static void ref_commit_send(struct ref_call *call, struct ref_send *send)
{
	int32_t zero = 0;
	uint64_t i;

	for (i = 0; i < send->cmd.n_destinations; i++) {
		if (send->traces[i])
			ref_deliver(call, send, i);
	}
	for (i = 0; send->cmd.ptr_errors && i < send->cmd.n_destinations; i++)
		ref_put(call, send->cmd.ptr_errors + i * sizeof(zero), &zero, sizeof(zero));
}

static void ref_send(struct ref_call *call)
{
	struct ref_send *send = ref_alloc(sizeof(*send));
	struct bus1_cmd_send *cmd = &send->cmd;

	if (ref_fails(call, ref_when(!ref_get(call, call->arg, cmd, sizeof(*cmd)), REF_EFAULT)) ||
	    ref_fails(call, ref_when(cmd->flags, REF_EINVAL)) ||
	    ref_fails(call, ref_when(!ref_get(call, cmd->ptr_message, &send->message,
					      sizeof(send->message)), REF_EFAULT)) ||
	    ref_fails(call, ref_check_message(send)))
		return;
	if (call->injected) {
		if (call->injected == REF_EFAULT && cmd->ptr_errors)
			ref_adopt(call, cmd->ptr_errors, cmd->n_destinations * sizeof(int32_t));
		return;
	}
	if (ref_fails(call, ref_get_send(call, send)) ||
	    ref_fails(call, ref_check_flags(send)) ||
	    ref_fails(call, ref_find_send(call, send)) ||
	    ref_fails(call, ref_charge_send(call, send)) ||
	    ref_send_faults(call, send))
		return;
	if (call->result)
		ref_mismatch("send: %ld", call->result);
	ref_commit_send(call, send);
}

/* BUS1_CMD_RECV */

struct ref_recv {
	struct bus1_cmd_recv cmd;
	struct bus1_message message;
	struct ref_vecs vecs;
	struct bus1_metadata metadata;
};

#define REF_FIELD(_recv, _field)							\
	((_recv)->cmd.ptr_message + offsetof(struct bus1_message, _field))

static void ref_put_field(const struct ref_call *call, uint64_t addr, uint64_t value)
{
	ref_put(call, addr, &value, sizeof(value));
}

static unsigned int ref_sizes_unwritable(const struct ref_recv *recv)
{
	return ref_unwritable(REF_FIELD(recv, n_transfers), 1, sizeof(uint64_t)) |
	       ref_unwritable(REF_FIELD(recv, n_data), 1, sizeof(uint64_t));
}

static void ref_adopt_sizes(const struct ref_call *call, const struct ref_recv *recv)
{
	ref_adopt(call, REF_FIELD(recv, n_transfers), sizeof(uint64_t));
	ref_adopt(call, REF_FIELD(recv, n_data), sizeof(uint64_t));
}

static unsigned int ref_metadata_unwritable(const struct ref_recv *recv)
{
	return ref_unwritable(recv->cmd.ptr_metadata, 1, sizeof(recv->metadata));
}

static void ref_adopt_metadata(const struct ref_call *call, const struct ref_recv *recv)
{
	ref_adopt(call, recv->cmd.ptr_metadata, sizeof(recv->metadata));
}

/* What a message says of itself; a notification has room everywhere. */
static void ref_describe(struct ref_recv *recv, const struct ref_entry *message)
{
	unsigned int uid = vfs_map_uid(message->account);

	recv->metadata = (struct bus1_metadata){
		.id = message->object->id,
		.account = uid == (unsigned int)-1 ? BUS1_INVALID : uid,
	};
}

/* Whether there is too little room, and then what is said about that: metadata first, then sizes. */
static bool ref_too_small(struct ref_call *call, struct ref_recv *recv,
			  const struct ref_entry *entry)
{
	if (entry->n_handles <= recv->message.n_transfers &&
	    entry->n_data <= recv->message.n_data && entry->n_data <= recv->vecs.sum)
		return false;
	if (ref_fails(call, ref_metadata_unwritable(recv))) {
		ref_adopt_metadata(call, recv);
		return true;
	}
	ref_describe(recv, entry);
	ref_put(call, recv->cmd.ptr_metadata, &recv->metadata, sizeof(recv->metadata));
	if (ref_fails(call, ref_sizes_unwritable(recv))) {
		ref_adopt_sizes(call, recv);
		return true;
	}
	ref_fails(call, REF_EMSGSIZE);
	ref_put_field(call, REF_FIELD(recv, n_transfers), entry->n_handles);
	ref_put_field(call, REF_FIELD(recv, n_data), entry->n_data);
	return true;
}

static void ref_adopt_recv(const struct ref_call *call, const struct ref_recv *recv,
			   const struct ref_entry *entry)
{
	uint64_t i, left = entry->n_data;
	const struct ref_vec *vec;

	for (i = 0; n_user_writes && i < entry->n_handles; i++)
		ref_use_up(recv->message.ptr_transfers + i * sizeof(struct bus1_transfer),
			   call->peer);
	ref_adopt(call, recv->message.ptr_transfers,
		  entry->n_handles * sizeof(struct bus1_transfer));
	for (i = 0; left && i < recv->vecs.n; i++) {
		vec = &recv->vecs.vecs[i];
		ref_adopt(call, vec->base, vec->len < left ? vec->len : left);
		left -= vec->len < left ? vec->len : left;
	}
	ref_adopt_metadata(call, recv);
	ref_adopt(call, REF_FIELD(recv, type), sizeof(uint64_t));
	ref_adopt_sizes(call, recv);
}

static unsigned int ref_recv_unwritable(const struct ref_recv *recv, const struct ref_entry *entry)
{
	return ref_unwritable(recv->message.ptr_transfers, entry->n_handles,
			      sizeof(struct bus1_transfer)) |
	       ref_when(!ref_can_use_vecs(&recv->vecs, entry->n_data, USER_WRITE), REF_EFAULT) |
	       ref_metadata_unwritable(recv) |
	       ref_unwritable(REF_FIELD(recv, type), 1, sizeof(uint64_t)) |
	       ref_sizes_unwritable(recv);
}

static void ref_put_recv(const struct ref_call *call, const struct ref_recv *recv,
			 const struct ref_entry *entry)
{
	uint64_t i;

	for (i = 0; i < entry->n_handles; i++)
		ref_identify(call, recv->message.ptr_transfers + i * sizeof(struct bus1_transfer),
			     entry->handles[i]);
	ref_scatter(call, &recv->vecs, entry->data, entry->n_data);
	ref_put(call, recv->cmd.ptr_metadata, &recv->metadata, sizeof(recv->metadata));
	ref_put_field(call, REF_FIELD(recv, type), entry->type);
	ref_put_field(call, REF_FIELD(recv, n_transfers), entry->n_handles);
	ref_put_field(call, REF_FIELD(recv, n_data), entry->n_data);
}

/* The notifications that wait for the handles of a message come directly behind it. */
static void ref_put_held(struct ref_peer *peer, const struct ref_entry *message)
{
	uint64_t i, group = ref_new_group();
	struct ref_object *handle;
	struct ref_entry *entry;

	for (i = message->n_handles; i; i--) {
		handle = message->handles[i - 1];
		if (!handle->held)
			continue;
		handle->held = false;
		entry = ref_entry(BUS1_MESSAGE_TYPE_NODE_RELEASE, handle, group);
		entry->next = peer->queue;
		peer->queue = entry;
	}
}

static void ref_recv_message(struct ref_call *call, struct ref_recv *recv, struct ref_entry *entry)
{
	struct ref_peer *peer = call->peer;
	uint64_t i;

	ref_describe(recv, entry);
	ref_put_recv(call, recv, entry);
	ref_remove(peer, entry);
	acct_discharge(entry->trace, 1, entry->n_data);
	for (i = 0; i < entry->n_handles; i++) {
		entry->handles[i]->trace = entry->trace;
		if (!acct_charge(peer->own, 1, 0))
			continue;
		entry->handles[i]->trace = peer->own;
		acct_discharge(entry->trace, 1, 0);
	}
	ref_put_held(peer, entry);
}

/* Of the notifications of one transaction any may be the next one. */
static struct ref_entry *ref_find_note(struct ref_entry *first, uint64_t id)
{
	struct ref_entry *entry;

	for (entry = first; entry && entry->group == first->group; entry = entry->next) {
		if (entry->object->id == id)
			return entry;
	}
	ref_mismatch("a notification about %llu is received, which is not what is next",
		     (unsigned long long)id);
}

static void ref_recv_note(struct ref_call *call, struct ref_recv *recv, struct ref_entry *first)
{
	struct ref_entry *entry;

	if (!ref_learn(recv->cmd.ptr_metadata, &recv->metadata, sizeof(recv->metadata)))
		ref_mismatch("no metadata is written");
	entry = ref_find_note(first, recv->metadata.id);
	recv->metadata = (struct bus1_metadata){ 0, entry->object->id, BUS1_INVALID };
	ref_put_recv(call, recv, entry);
	ref_remove(call->peer, entry);
}

static void ref_recv_entry(struct ref_call *call, struct ref_recv *recv)
{
	struct ref_entry *entry = call->peer->queue;

	if (ref_fails(call, ref_when(!entry, REF_EAGAIN)))
		return;
	if (call->injected) {
		/* the vectors may be unreadable, then nothing can have been stored there */
		if (!ref_get_vecs(call, recv->message.ptr_data_vecs, recv->message.n_data_vecs,
				  &recv->vecs))
			ref_adopt_recv(call, recv, entry);
		return;
	}
	if (ref_fails(call, ref_get_vecs(call, recv->message.ptr_data_vecs,
					 recv->message.n_data_vecs, &recv->vecs)) ||
	    ref_too_small(call, recv, entry))
		return;
	if (ref_fails(call, ref_recv_unwritable(recv, entry))) {
		ref_adopt_recv(call, recv, entry);
		return;
	}
	if (call->result)
		ref_mismatch("recv: %ld", call->result);
	if (entry->type == BUS1_MESSAGE_TYPE_USER)
		ref_recv_message(call, recv, entry);
	else
		ref_recv_note(call, recv, entry);
}

static void ref_recv(struct ref_call *call)
{
	struct ref_recv *recv = ref_alloc(sizeof(*recv));
	struct bus1_message *message = &recv->message;

	if (ref_fails(call, ref_when(!ref_get(call, call->arg, &recv->cmd, sizeof(recv->cmd)),
				     REF_EFAULT)) ||
	    ref_fails(call, ref_when(recv->cmd.flags, REF_EINVAL)) ||
	    ref_fails(call, ref_when(!ref_get(call, recv->cmd.ptr_message, message,
					      sizeof(*message)), REF_EFAULT)) ||
	    ref_fails(call, ref_when(message->flags || message->type != BUS1_INVALID ||
				     message->n_data_vecs > REF_N_VECS_MAX, REF_EINVAL)))
		return;
	ref_recv_entry(call, recv);
}

/*
 * Two things may go wrong unnoticed, so that the command has to do all that it promises: a receiver
 * may get no memory for its next message, and who releases may be killed when it cannot fail any more.
 */
static bool ref_was_unnoticed(const struct ref_call *call)
{
	return !call->result && ((call->cmd == BUS1_CMD_RECV && call->injected == REF_ENOMEM) ||
				 (call->cmd == BUS1_CMD_RELEASE && call->injected == REF_EINTR));
}

/**
 * ref_ioctl() - do what the module has just done
 * @call:	what it was called with, and what it returned
 */
void ref_ioctl(struct ref_call *call)
{
	ref_next_write = 0;
	if (call->compat)
		call->arg = (uint32_t)call->arg;
	if (ref_was_unnoticed(call))
		call->injected = 0;
	if (call->injected && ref_error_of(call->result) != call->injected)
		ref_mismatch("the result is %ld, though error %#x was made", call->result,
			     call->injected);
	switch (call->cmd) {
	case BUS1_CMD_TRANSFER:
		ref_transfer(call);
		break;
	case BUS1_CMD_RELEASE:
		ref_release_ids(call);
		break;
	case BUS1_CMD_SEND:
		ref_send(call);
		break;
	case BUS1_CMD_RECV:
		ref_recv(call);
		break;
	default:
		ref_fails(call, REF_ENOTTY);
		break;
	}
}
