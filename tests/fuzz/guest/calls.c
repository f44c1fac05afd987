// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "guest.h"

#define N_MAX 40

/* Corrupts a value now and then. */
static uint64_t odd(struct guest_thread *thread, uint64_t value)
{
	struct guest_rng *rng = &thread->rng;

	if (!guest_once(rng, 100))
		return value;
	switch (guest_rand(rng, 4)) {
	case 0: return value ^ 1ULL << guest_rand(rng, 64);
	case 1: return guest_rand(rng, 70000);
	case 2: return BUS1_INVALID;
	default: return value + 1;
	}
}

static uint32_t some(struct guest_thread *thread)
{
	if (!guest_once(&thread->rng, 20))
		return guest_rand(&thread->rng, 4);
	return guest_rand(&thread->rng, N_MAX + 1);
}

/* One with a descriptor, if there are enough of them. */
struct guest_slot *guest_pick_slot(struct guest_thread *thread)
{
	struct guest_slot *slot;
	unsigned int try;

	for (try = 0; try < 4; try++) {
		slot = &guest_slots[guest_rand(&thread->rng, GUEST_N_SLOTS)];
		if (slot->fd >= 0)
			break;
	}
	return slot;
}

static struct guest_ident *ident_of(const struct guest_slot *slot)
{
	return &guest->idents[slot->ident % GUEST_N_IDENTS];
}

static uint64_t pick(struct guest_thread *thread, _Atomic uint64_t *ids)
{
	unsigned int i, at = guest_rand(&thread->rng, GUEST_N_IDS);
	uint64_t id;

	for (i = 0; i < GUEST_N_IDS; i++) {
		id = ids[(at + i) % GUEST_N_IDS];
		if (id)
			return odd(thread, id);
	}
	return guest_rand(&thread->rng, 20) * 2 + 1;
}

static void remember(struct guest_thread *thread, _Atomic uint64_t *ids, uint64_t id)
{
	ids[guest_rand(&thread->rng, GUEST_N_IDS)] = id;
}

static void forget(struct guest_ident *ident, uint64_t id)
{
	unsigned int i;

	for (i = 0; i < GUEST_N_IDS; i++) {
		if (ident->handles[i] == id)
			ident->handles[i] = 0;
		if (ident->nodes[i] == id)
			ident->nodes[i] = 0;
	}
}

/* One of them has been wrong: which is not known. */
static void suspect(struct guest_thread *thread, struct guest_ident *ident, const uint64_t *ids,
		    size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (n == 1 || guest_once(&thread->rng, 2))
			forget(ident, ids[i]);
	}
}

static int command(struct guest_thread *thread, const struct guest_slot *slot,
		   enum guest_call call, unsigned long number, const void *cmd, size_t size)
{
	uint64_t arg = guest_place(thread, cmd, size);
	int ret = ioctl(slot->fd, number, (void *)(uintptr_t)arg);

	return guest_count(call, ret < 0 ? errno : 0);
}

void guest_transfer(struct guest_thread *thread)
{
	struct guest_slot *from = guest_pick_slot(thread), *to = guest_pick_slot(thread);
	struct bus1_transfer src[N_MAX], *result;
	uint32_t i, n = some(thread);
	struct bus1_cmd_transfer cmd;
	bool create = guest_once(&thread->rng, 2);
	int ret;

	thread->n_good = 0;
	if (guest_once(&thread->rng, 4))
		to = from;
	for (i = 0; i < n; i++) {
		src[i].flags = odd(thread, create ? BUS1_TRANSFER_FLAG_CREATE : 0);
		src[i].id = create ? odd(thread, BUS1_INVALID) :
				     pick(thread, ident_of(from)->handles);
	}
	cmd = (struct bus1_cmd_transfer){
		.flags = odd(thread, 0),
		.to = odd(thread, to == from ? BUS1_INVALID : (uint64_t)to->fd),
		.n_transfers = odd(thread, n),
		.ptr_src = guest_place(thread, src, n * sizeof(*src)),
		.ptr_dst = guest_place(thread, NULL, n * sizeof(*src)),
	};
	ret = command(thread, from, GUEST_TRANSFER, BUS1_CMD_TRANSFER, &cmd, sizeof(cmd));
	for (i = 0; ret == EBADRQC && i < n; i++)
		forget(ident_of(from), src[i].id);
	if (ret)
		return;
	result = BUS1_TO_PTR(cmd.ptr_src);
	for (i = 0; create && i < n && guest_is_good(thread, cmd.ptr_src); i++)
		remember(thread, ident_of(from)->nodes, result[i].id);
	result = BUS1_TO_PTR(cmd.ptr_dst);
	for (i = 0; i < n && guest_is_good(thread, cmd.ptr_dst); i++)
		remember(thread, ident_of(to)->handles, result[i].id);
}

void guest_release(struct guest_thread *thread)
{
	struct guest_slot *slot = guest_pick_slot(thread);
	struct guest_ident *ident = ident_of(slot);
	uint32_t i, n = 1 + some(thread) / 2;
	struct bus1_cmd_release cmd;
	uint64_t ids[N_MAX];

	thread->n_good = 0;
	for (i = 0; i < n; i++)
		ids[i] = pick(thread, guest_once(&thread->rng, 3) ? ident->nodes : ident->handles);
	cmd = (struct bus1_cmd_release){
		.flags = odd(thread, 0),
		.n_ids = odd(thread, n),
		.ptr_ids = guest_place(thread, ids, n * sizeof(*ids)),
	};
	switch (command(thread, slot, GUEST_RELEASE, BUS1_CMD_RELEASE, &cmd, sizeof(cmd))) {
	case 0:
		for (i = 0; i < n; i++)
			forget(ident, ids[i]);
		break;
	case EBADRQC:
		suspect(thread, ident, ids, n);
		break;
	}
}

static uint64_t place_vecs(struct guest_thread *thread, uint32_t *np, size_t *sizep)
{
	struct iovec vecs[N_MAX];
	size_t n_data = 0;
	uint32_t i, n;

	n = guest_once(&thread->rng, 8) ? guest_rand(&thread->rng, N_MAX) : 1;
	for (i = 0; i < n; i++) {
		vecs[i].iov_len = guest_once(&thread->rng, 20) ? guest_rand(&thread->rng, 9000) :
								 guest_rand(&thread->rng, 100);
		vecs[i].iov_base = BUS1_TO_PTR(guest_place(thread, NULL, vecs[i].iov_len));
		n_data += vecs[i].iov_len;
	}
	*np = n;
	*sizep = n_data;
	return guest_place(thread, vecs, n * sizeof(*vecs));
}

void guest_send(struct guest_thread *thread)
{
	struct guest_slot *slot = guest_pick_slot(thread);
	uint32_t i, n = some(thread), n_transfers = guest_once(&thread->rng, 2) ? some(thread) : 0;
	struct bus1_transfer transfers[N_MAX];
	struct bus1_message message;
	struct bus1_cmd_send cmd;
	uint64_t ids[N_MAX];
	uint32_t n_vecs;
	size_t n_data;

	thread->n_good = 0;
	for (i = 0; i < n; i++)
		ids[i] = pick(thread, ident_of(slot)->handles);
	for (i = 0; i < n_transfers; i++)
		transfers[i] = (struct bus1_transfer){
			odd(thread, 0), pick(thread, ident_of(slot)->handles)
		};
	message = (struct bus1_message){
		.flags = odd(thread, 0),
		.type = odd(thread, BUS1_MESSAGE_TYPE_USER),
		.n_transfers = odd(thread, n_transfers),
		.ptr_transfers = guest_place(thread, transfers, n_transfers * sizeof(*transfers)),
		.ptr_data_vecs = place_vecs(thread, &n_vecs, &n_data),
	};
	message.n_data = odd(thread, n_data);
	message.n_data_vecs = odd(thread, n_vecs);
	cmd = (struct bus1_cmd_send){
		.flags = odd(thread, 0),
		.n_destinations = odd(thread, n),
		.ptr_destinations = guest_place(thread, ids, n * sizeof(*ids)),
		.ptr_errors = guest_once(&thread->rng, 2) ? 0 : guest_place(thread, NULL, n * 4),
		.ptr_message = guest_place(thread, &message, sizeof(message)),
	};
	if (command(thread, slot, GUEST_SEND, BUS1_CMD_SEND, &cmd, sizeof(cmd)) != EBADRQC)
		return;
	suspect(thread, ident_of(slot), ids, n);
	for (i = 0; i < n_transfers; i++)
		ids[i] = transfers[i].id;
	suspect(thread, ident_of(slot), ids, n_transfers);
}

static void learn(struct guest_thread *thread, struct guest_ident *ident,
		  const struct bus1_cmd_recv *cmd, const struct bus1_message *request)
{
	const struct bus1_message *message = BUS1_TO_PTR(cmd->ptr_message);
	const struct bus1_transfer *transfers = BUS1_TO_PTR(request->ptr_transfers);
	uint64_t i;

	if (!guest_is_good(thread, cmd->ptr_message))
		return;
	if (message->type != BUS1_MESSAGE_TYPE_USER)
		guest->n_notes++;
	if (!guest_is_good(thread, request->ptr_transfers))
		return;
	guest->n_carried += message->n_transfers;
	for (i = 0; i < message->n_transfers; i++)
		remember(thread, ident->handles, transfers[i].id);
}

void guest_recv(struct guest_thread *thread)
{
	struct guest_slot *slot = guest_pick_slot(thread);
	bool ample = !guest_once(&thread->rng, 8);
	struct bus1_message message;
	struct bus1_cmd_recv cmd;
	struct iovec vec;
	uint32_t n_vecs = 1;
	size_t n_data;

	thread->n_good = 0;
	if (ample) {
		n_data = 100000;
		vec = (struct iovec){ BUS1_TO_PTR(guest_place(thread, NULL, n_data)), n_data };
	}
	message = (struct bus1_message){
		.flags = odd(thread, 0),
		.type = odd(thread, BUS1_INVALID),
		.n_transfers = odd(thread, ample ? N_MAX : some(thread)),
		.ptr_transfers = guest_place(thread, NULL, N_MAX * sizeof(struct bus1_transfer)),
		.ptr_data_vecs = ample ? guest_place(thread, &vec, sizeof(vec)) :
					 place_vecs(thread, &n_vecs, &n_data),
	};
	message.n_data = odd(thread, n_data);
	message.n_data_vecs = odd(thread, n_vecs);
	cmd = (struct bus1_cmd_recv){
		.flags = odd(thread, 0),
		.ptr_metadata = guest_place(thread, NULL, sizeof(struct bus1_metadata)),
		.ptr_message = guest_place(thread, &message, sizeof(message)),
	};
	if (!command(thread, slot, GUEST_RECV, BUS1_CMD_RECV, &cmd, sizeof(cmd)))
		learn(thread, ident_of(slot), &cmd, &message);
}

/* Any number, any pointer. */
void guest_nonsense(struct guest_thread *thread)
{
	static const unsigned long numbers[] = {
		BUS1_CMD_TRANSFER, BUS1_CMD_RELEASE, BUS1_CMD_SEND, BUS1_CMD_RECV,
	};
	struct guest_rng *rng = &thread->rng;
	unsigned long number = numbers[guest_rand(rng, GUEST_N(numbers))];
	uint64_t words[8];
	unsigned int i;

	thread->n_good = 0;
	for (i = 0; i < GUEST_N(words); i++)
		words[i] = guest_once(rng, 3) ? guest_place(thread, NULL, 64) : guest_rand(rng, 4);
	if (guest_once(rng, 2))
		number ^= 1u << guest_rand(rng, 32);
	command(thread, guest_pick_slot(thread), GUEST_NONSENSE, number, words, sizeof(words));
}
