// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "guest.h"

#define N_MAX 100
#define N_VECS_MAX 40

static void begin(struct guest_thread *thread)
{
	thread->n_good = 0;
	thread->hostile = guest_once(&thread->rng, 3);
}

/* Corrupts a value of a hostile command now and then. */
static uint64_t odd(struct guest_thread *thread, uint64_t value)
{
	struct guest_rng *rng = &thread->rng;

	if (!thread->hostile || !guest_once(rng, 40))
		return value;
	switch (guest_rand(rng, 4)) {
	case 0: return value ^ 1ULL << guest_rand(rng, 64);
	case 1: return guest_rand(rng, 70000);
	case 2: return BUS1_INVALID;
	default: return value + 1;
	}
}

/* Few mostly, now and then many. */
static uint32_t some(struct guest_thread *thread)
{
	if (!guest_once(&thread->rng, 20))
		return guest_rand(&thread->rng, 4);
	return guest_rand(&thread->rng, guest_once(&thread->rng, 10) ? N_MAX : 20);
}

static uint32_t one_or_more(struct guest_thread *thread)
{
	uint32_t n = some(thread);

	return n || guest_once(&thread->rng, 4) ? n : 1;
}

/*
 * Friendly commands meet at the peers that all processes have. Hostile ones seldom do, as who waits
 * for a page keeps others waiting for the peer.
 */
static struct guest_peer pick_peer(struct guest_thread *thread)
{
	struct guest_rng *rng = &thread->rng;
	struct guest_slot *slot = guest_pick_slot(thread);
	unsigned int serial = slot->serial, i;
	struct guest_ident *ident = guest_ident_of(serial);
	int fd = slot->fd;

	if (thread->hostile ? !guest_once(rng, 8) : guest_once(rng, 3)) {
		if (thread->hostile || (fd >= 0 && ident->serial == serial))
			return (struct guest_peer){ fd, ident, slot };
	}
	i = guest_rand(rng, GUEST_N_SHARED);
	return (struct guest_peer){
		guest_shared_fds[i], guest_ident_of(guest_shared_serials[i]), NULL
	};
}

/* If the descriptor of it is closed, somebody else has had the number, too. */
static void check_peer(const struct guest_peer *peer)
{
	int fd = peer->fd;

	if (peer->slot && fd >= 0 && fcntl(fd, F_GETFD) < 0)
		atomic_compare_exchange_strong(&peer->slot->fd, &fd, -1);
}

static int command(struct guest_thread *thread, const struct guest_peer *peer,
		   enum guest_call call, unsigned long number, const void *cmd, size_t size)
{
	uint64_t arg = guest_place(thread, cmd, size);
	int error = ioctl(peer->fd, number, (void *)(uintptr_t)arg) < 0 ? errno : 0;

	if (error == EBADF)
		check_peer(peer);
	return guest_count_command(thread, call, error);
}

/* An ID to be used, and maybe used by others at the same time. */
static uint64_t find(struct guest_thread *thread, _Atomic uint64_t *ids)
{
	uint64_t id = guest_find(thread, ids);

	return odd(thread, id ?: guest_rand(&thread->rng, 20) * 2 + 1);
}

static void suspect(struct guest_thread *thread, const struct guest_peer *peer, uint64_t id)
{
	if (guest_once(&thread->rng, 4))
		guest_forget(peer->ident, id);
}

/* Releases IDs that nobody knows any more; one by one if there are wrong ones among them. */
static int drop(struct guest_thread *thread, const struct guest_peer *peer, enum guest_call call,
		const uint64_t *ids, uint32_t n)
{
	struct bus1_cmd_release cmd = {
		.flags = odd(thread, 0),
		.n_ids = odd(thread, n),
		.ptr_ids = guest_place(thread, ids, n * sizeof(*ids)),
	};
	int error = command(thread, peer, call, BUS1_CMD_RELEASE, &cmd, sizeof(cmd));
	uint32_t i;

	thread->hostile = false;
	for (i = 0; error == EBADRQC && n > 1 && i < n; i++)
		drop(thread, peer, call, &ids[i], 1);
	return error;
}

static void drop_one(struct guest_thread *thread, const struct guest_peer *peer,
		     enum guest_call call, uint64_t id)
{
	thread->hostile = false;
	drop(thread, peer, call, &id, 1);
}

static void remember(struct guest_thread *thread, const struct guest_peer *peer, bool node,
		     uint64_t id)
{
	struct guest_ident *ident = peer->ident;

	id = guest_remember(thread, node ? ident->nodes : ident->handles, id);
	if (id)
		drop_one(thread, peer, node ? GUEST_RELEASE_NODES : GUEST_RELEASE_HANDLES, id);
}

/* What a command has written, unless it is where it could be something else by now. */
static void remember_all(struct guest_thread *thread, const struct guest_peer *peer, bool node,
			 uint64_t transfers, uint64_t n)
{
	struct bus1_transfer copy[N_MAX];
	uint64_t i;

	if (n > N_MAX || !guest_is_good(thread, transfers, n * sizeof(*copy)))
		return;
	memcpy(copy, BUS1_TO_PTR(transfers), n * sizeof(*copy));
	for (i = 0; i < n; i++)
		remember(thread, peer, node, copy[i].id);
}

static void transfer(struct guest_thread *thread, const struct guest_peer *from,
		     const struct guest_peer *to, bool create)
{
	struct bus1_transfer src[N_MAX];
	uint32_t i, n = one_or_more(thread);
	struct bus1_cmd_transfer cmd;
	int error;

	for (i = 0; i < n; i++) {
		src[i].flags = odd(thread, create ? BUS1_TRANSFER_FLAG_CREATE : 0);
		src[i].id = create ? odd(thread, BUS1_INVALID) : find(thread, from->ident->handles);
	}
	cmd = (struct bus1_cmd_transfer){
		.flags = odd(thread, 0),
		.to = odd(thread, to->fd == from->fd ? BUS1_INVALID : (uint64_t)to->fd),
		.n_transfers = odd(thread, n),
		.ptr_src = guest_place(thread, src, n * sizeof(*src)),
		.ptr_dst = guest_place(thread, NULL, n * sizeof(*src)),
	};
	error = command(thread, from, create ? GUEST_CREATE : GUEST_COPY, BUS1_CMD_TRANSFER, &cmd,
			sizeof(cmd));
	if (error == EBADF)
		check_peer(to);
	for (i = 0; error == EBADRQC && i < n; i++)
		suspect(thread, from, src[i].id);
	if (error)
		return;
	if (create)
		remember_all(thread, from, true, cmd.ptr_src, n);
	remember_all(thread, to, false, cmd.ptr_dst, n);
}

void guest_transfer(struct guest_thread *thread)
{
	struct guest_peer from, to;
	bool create;

	begin(thread);
	from = pick_peer(thread);
	to = guest_once(&thread->rng, 4) ? from : pick_peer(thread);
	create = guest_once(&thread->rng, 3) || !guest_find(thread, from.ident->handles);
	transfer(thread, &from, &to, create);
}

/* Who has no handle to use gets one. */
static void get_handles(struct guest_thread *thread, const struct guest_peer *peer)
{
	struct guest_peer owner = pick_peer(thread);

	transfer(thread, &owner, peer, true);
}

void guest_release(struct guest_thread *thread)
{
	static const enum guest_call calls[] = {
		GUEST_RELEASE_HANDLES, GUEST_RELEASE_HANDLES, GUEST_RELEASE_NODES, GUEST_RELEASE_BOTH,
	};
	enum guest_call call = calls[guest_rand(&thread->rng, GUEST_N(calls))];
	uint32_t i, n_wanted = 1 + some(thread), n = 0;
	uint64_t ids[N_MAX + 1], known[N_MAX];
	struct guest_peer peer;
	bool nodes[N_MAX], n_same;
	int error;

	begin(thread);
	peer = pick_peer(thread);
	for (i = 0; i < n_wanted; i++) {
		nodes[n] = call == GUEST_RELEASE_NODES ||
			   (call == GUEST_RELEASE_BOTH && guest_once(&thread->rng, 2));
		known[n] = guest_take(thread, nodes[n] ? peer.ident->nodes : peer.ident->handles);
		if (!known[n] && !thread->hostile)
			continue;
		ids[n] = odd(thread, known[n] ?: guest_rand(&thread->rng, 20) * 2 + 1);
		n++;
	}
	if (!n) {
		get_handles(thread, &peer);
		return;
	}
	/* the same once more is fine */
	n_same = guest_once(&thread->rng, 8);
	if (n_same)
		ids[n] = ids[0];
	error = drop(thread, &peer, call, ids, n + n_same);
	for (i = 0; i < n; i++) {
		/* an error of one is no error of all; what was not named is still there */
		if (known[i] && (ids[i] != known[i] || (error && error != EBADRQC)))
			remember(thread, &peer, nodes[i], known[i]);
	}
}

/* Where the payload comes from, or goes to: mostly one piece. */
static uint64_t place_vecs(struct guest_thread *thread, uint32_t *np, size_t *sizep)
{
	struct guest_rng *rng = &thread->rng;
	struct iovec vecs[N_VECS_MAX];
	size_t n_data = 0;
	uint32_t i, n;

	n = guest_once(rng, 8) ? guest_rand(rng, N_VECS_MAX) : 1;
	for (i = 0; i < n; i++) {
		vecs[i].iov_len = guest_rand(rng, guest_once(rng, 20) ? 9000 : 100);
		vecs[i].iov_base = BUS1_TO_PTR(guest_place_slow(thread, vecs[i].iov_len));
		n_data += vecs[i].iov_len;
	}
	*np = n;
	*sizep = n_data;
	return guest_place(thread, vecs, n * sizeof(*vecs));
}

static enum guest_call send_kind(uint32_t n, uint32_t n_transfers)
{
	if (!n)
		return GUEST_SEND_NONE;
	if (n_transfers)
		return GUEST_SEND_HANDLES;
	return n == 1 ? GUEST_SEND_ONE : GUEST_SEND_MANY;
}

void guest_send(struct guest_thread *thread)
{
	uint32_t i, n = one_or_more(thread), n_transfers = 0, n_vecs;
	struct bus1_transfer transfers[N_MAX];
	struct bus1_message message;
	struct bus1_cmd_send cmd;
	struct guest_peer peer;
	uint64_t ids[N_MAX];
	size_t n_data;
	int error;

	begin(thread);
	peer = pick_peer(thread);
	if (!guest_find(thread, peer.ident->handles)) {
		get_handles(thread, &peer);
		return;
	}
	if (guest_once(&thread->rng, 2))
		n_transfers = some(thread);
	for (i = 0; i < n; i++)
		ids[i] = find(thread, peer.ident->handles);
	for (i = 0; i < n_transfers; i++)
		transfers[i] = (struct bus1_transfer){
			odd(thread, 0), find(thread, peer.ident->handles)
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
		.ptr_errors = guest_once(&thread->rng, 2) ? 0 : guest_place_slow(thread, n * 4),
		.ptr_message = guest_place(thread, &message, sizeof(message)),
	};
	error = command(thread, &peer, send_kind(n, n_transfers), BUS1_CMD_SEND, &cmd, sizeof(cmd));
	for (i = 0; error == EBADRQC && i < n; i++)
		suspect(thread, &peer, ids[i]);
	for (i = 0; error == EBADRQC && i < n_transfers; i++)
		suspect(thread, &peer, transfers[i].id);
	/* queues are full, by whoever sends faster than others receive */
	for (i = 0; error == EDQUOT && i < 4; i++)
		guest_recv(thread);
}

/* A friendly receive is for a peer that has something to receive, if one is found. */
static struct guest_peer pick_readable(struct guest_thread *thread)
{
	struct guest_peer peers[6];
	struct pollfd pollfds[GUEST_N(peers)];
	unsigned int i;

	for (i = 0; i < GUEST_N(peers); i++) {
		peers[i] = pick_peer(thread);
		pollfds[i] = (struct pollfd){ .fd = peers[i].fd, .events = POLLIN };
	}
	if (thread->hostile || guest_once(&thread->rng, 8) ||
	    poll(pollfds, GUEST_N(pollfds), 0) <= 0)
		return peers[0];
	for (i = 0; i < GUEST_N(peers) - 1 && pollfds[i].revents != POLLIN; i++)
		;
	return peers[i];
}

/* What has come. An ID of which the other side is gone is released mostly, as it is of no use. */
static void learn(struct guest_thread *thread, const struct guest_peer *peer,
		  const struct bus1_cmd_recv *cmd, const struct bus1_message *request)
{
	struct bus1_metadata metadata;
	struct bus1_message message;
	bool node;

	if (!guest_is_good(thread, cmd->ptr_message, sizeof(message)) ||
	    !guest_is_good(thread, cmd->ptr_metadata, sizeof(metadata)))
		return;
	memcpy(&message, BUS1_TO_PTR(cmd->ptr_message), sizeof(message));
	memcpy(&metadata, BUS1_TO_PTR(cmd->ptr_metadata), sizeof(metadata));
	if (message.type == BUS1_MESSAGE_TYPE_USER) {
		guest->news[message.n_transfers ? GUEST_HANDLES : GUEST_DATA]++;
		guest->n_carried += message.n_transfers;
		remember_all(thread, peer, false, request->ptr_transfers, message.n_transfers);
		return;
	}
	node = message.type == BUS1_MESSAGE_TYPE_HANDLE_RELEASE;
	guest->news[node ? GUEST_HANDLE_RELEASE : GUEST_NODE_RELEASE]++;
	if (guest_once(&thread->rng, 4))
		return;
	guest_forget(peer->ident, metadata.id);
	drop_one(thread, peer, node ? GUEST_RELEASE_NODES : GUEST_RELEASE_HANDLES, metadata.id);
}

/* Receives with this much room; returns how much is needed if that is too little. */
static int receive(struct guest_thread *thread, const struct guest_peer *peer, bool ample,
		   uint64_t *n_datap, uint64_t *n_transfersp)
{
	struct iovec vec = { .iov_len = *n_datap };
	struct bus1_message message;
	struct bus1_cmd_recv cmd;
	uint32_t n_vecs = 1;
	size_t n_data = vec.iov_len;
	int error;

	message = (struct bus1_message){
		.flags = odd(thread, 0),
		.type = odd(thread, BUS1_INVALID),
		.n_transfers = odd(thread, *n_transfersp),
		.ptr_transfers = guest_place(thread, NULL, N_MAX * sizeof(struct bus1_transfer)),
	};
	if (ample) {
		vec.iov_base = BUS1_TO_PTR(guest_place_slow(thread, vec.iov_len));
		message.ptr_data_vecs = guest_place(thread, &vec, sizeof(vec));
	} else {
		message.ptr_data_vecs = place_vecs(thread, &n_vecs, &n_data);
	}
	message.n_data = odd(thread, n_data);
	message.n_data_vecs = odd(thread, n_vecs);
	cmd = (struct bus1_cmd_recv){
		.flags = odd(thread, 0),
		.ptr_metadata = guest_place(thread, NULL, sizeof(struct bus1_metadata)),
		.ptr_message = guest_place(thread, &message, sizeof(message)),
	};
	error = command(thread, peer, GUEST_RECV, BUS1_CMD_RECV, &cmd, sizeof(cmd));
	if (!error)
		learn(thread, peer, &cmd, &message);
	if (error != EMSGSIZE || !guest_is_good(thread, cmd.ptr_message, sizeof(message)))
		return error;
	memcpy(&message, BUS1_TO_PTR(cmd.ptr_message), sizeof(message));
	*n_datap = message.n_data;
	*n_transfersp = message.n_transfers;
	return error;
}

void guest_recv(struct guest_thread *thread)
{
	uint64_t n_data = guest_once(&thread->rng, 4) ? 10000 : 3000, n_transfers = 20;
	struct guest_peer peer;
	bool ample;

	begin(thread);
	peer = pick_readable(thread);
	ample = !guest_once(&thread->rng, 8);
	if (!ample)
		n_transfers = some(thread);
	if (receive(thread, &peer, ample, &n_data, &n_transfers) != EMSGSIZE || thread->hostile)
		return;
	/* as it says how much it needs; another one may be first by now */
	thread->n_good = 0;
	if (n_data < GUEST_GOOD_SIZE / 2 && n_transfers <= N_MAX)
		receive(thread, &peer, true, &n_data, &n_transfers);
}

/* Any number, any pointer. */
void guest_nonsense(struct guest_thread *thread)
{
	static const unsigned long numbers[] = {
		BUS1_CMD_TRANSFER, BUS1_CMD_RELEASE, BUS1_CMD_SEND, BUS1_CMD_RECV,
	};
	struct guest_rng *rng = &thread->rng;
	unsigned long number = numbers[guest_rand(rng, GUEST_N(numbers))];
	struct guest_peer peer;
	uint64_t words[8];
	unsigned int i;

	thread->n_good = 0;
	thread->hostile = true;
	peer = pick_peer(thread);
	for (i = 0; i < GUEST_N(words); i++)
		words[i] = guest_once(rng, 3) ? guest_place(thread, NULL, 64) : guest_rand(rng, 4);
	if (guest_once(rng, 2))
		number ^= 1u << guest_rand(rng, 32);
	command(thread, &peer, GUEST_NONSENSE, number, words, sizeof(words));
}
