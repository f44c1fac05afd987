// SPDX-License-Identifier: LGPL-2.1-or-later
/* Commands next to the model, and the comparison of both. */
#define _GNU_SOURCE
#include "quota.h"

#include <sys/resource.h>

#define MAX_PEERS 1024
#define MAX_N 65536
#define ACCOUNTS "/sys/kernel/debug/bus1/accounts"

static struct q_peer *peers[MAX_PEERS];
static size_t n_peers;
static struct bus1_transfer sources[MAX_N], results[MAX_N];
static uint8_t *payload;

/* The text of a file, to be freed. */
char *q_read(const char *path)
{
	size_t n, size = 0, room = 4096;
	char *text = malloc(room);
	FILE *file = fopen(path, "r");

	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	while ((n = fread(text + size, 1, room - size - 1, file)) > 0) {
		size += n;
		if (size == room - 1)
			text = realloc(text, room *= 2);
		ck_assert_ptr_nonnull(text);
	}
	fclose(file);
	text[size] = 0;
	return text;
}

/* Takes out what has no claims, as there may be traces that are kept for later. */
static char *without_idle(const char *text)
{
	const char *line, *end, *user = NULL;
	char *left = malloc(strlen(text) + 1), *at = left;

	for (line = text; *line; line = end) {
		end = strchr(line, '\n') + 1;
		if (line[0] == 'u') {
			user = line;
			continue;
		}
		if (memmem(line, end - line, ": objects 0, bytes 0\n", 21) ||
		    memmem(line, end - line, ": objects 0, 0 of them unused, bytes 0, 0 unused\n", 49))
			continue;
		if (user)
			at = mempcpy(at, user, strchr(user, '\n') + 1 - user);
		user = NULL;
		at = mempcpy(at, line, end - line);
	}
	*at = 0;
	return left;
}

/* Our lines of it, to be freed. */
char *q_fdinfo(const struct q_peer *peer)
{
	char path[64], *text, *ours;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", peer->fd);
	text = q_read(path);
	ours = strstr(text, "bus1-peer:");
	ck_assert_ptr_nonnull(ours);
	memmove(text, ours, strlen(ours) + 1);
	return text;
}

static void check_fdinfo(const struct q_peer *peer)
{
	unsigned long long n_nodes = 0, n_bytes = 0, n_charged = 1 + peer->n_objects;
	char expected[512], *text;
	size_t i;

	for (i = 0; i < peer->n_objects; i++)
		n_nodes += peer->objects[i].is_node;
	for (i = 0; i < peer->n_messages; i++) {
		n_charged += 1 + peer->messages[i].n_handles;
		n_bytes += peer->messages[i].n_data;
	}
	snprintf(expected, sizeof(expected),
		 "bus1-peer:\t%llu\nbus1-account:\t%u\nbus1-nodes:\t%llu\nbus1-handles:\t%llu\n"
		 "bus1-messages:\t%zu\nbus1-message-bytes:\t%llu\n"
		 "bus1-charged-objects:\t%llu\nbus1-charged-bytes:\t%llu\n",
		 (unsigned long long)peer->actor, peer->uid, n_nodes, peer->n_objects - n_nodes,
		 peer->n_messages, n_bytes, n_charged, n_bytes);
	text = q_fdinfo(peer);
	ck_assert_str_eq(text, expected);
	free(text);
}

/* The kernel shows the numbers of the model. */
void q_check(void)
{
	char *text = q_read(ACCOUNTS), *real = without_idle(text), *model = q_model_text();
	size_t i;

	ck_assert_str_eq(real, model);
	free(model);
	free(real);
	free(text);
	for (i = 0; i < n_peers; i++)
		check_fdinfo(peers[i]);
}

/* The accounts are looked at with nothing open: what an earlier test left would show. */
void q_setup(void)
{
	struct rlimit limit = { 2 * MAX_PEERS, 2 * MAX_PEERS };
	char *text = q_read(ACCOUNTS);

	ck_assert_str_eq(text, "");
	free(text);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	q_model_init();
	payload = calloc(1, q_max(Q_BYTES));
	ck_assert_ptr_nonnull(payload);
}

void q_teardown(void)
{
	char *text;

	q_check();
	while (n_peers)
		q_close(peers[0]);
	q_check();
	text = q_read(ACCOUNTS);
	ck_assert_str_eq(text, "");
	free(text);
	free(payload);
}

static void add_object(struct q_peer *peer, uint64_t id, bool is_node, struct q_who charged)
{
	peer->objects = realloc(peer->objects, (peer->n_objects + 1) * sizeof(*peer->objects));
	ck_assert_ptr_nonnull(peer->objects);
	peer->objects[peer->n_objects++] = (struct q_object){ id, is_node, charged };
}

static void add_message(struct q_peer *peer, struct q_message message)
{
	peer->messages = realloc(peer->messages,
				 (peer->n_messages + 1) * sizeof(*peer->messages));
	ck_assert_ptr_nonnull(peer->messages);
	peer->messages[peer->n_messages++] = message;
}

static void drop_message(const struct q_message *message)
{
	q_discharge(message->charged, 1 + message->n_handles, message->n_data);
}

/* As whom open(2) is called; the rest does not matter. */
static int open_as(uint32_t uid)
{
	int fd;

	ck_assert_int_eq(setresuid(-1, uid, -1), 0);
	fd = b1t_open("/dev/bus1");
	ck_assert_int_eq(setresuid(-1, 0, -1), 0);
	return fd;
}

bool q_open(uint32_t uid, struct q_peer **peerp)
{
	struct q_peer *peer = calloc(1, sizeof(*peer));
	/* a new peer is a new actor: any number that was not used serves to ask */
	bool granted = q_grants((struct q_who){ uid, uid, UINT64_MAX }, 1, 0);
	char *text;

	peer->uid = uid;
	peer->fd = open_as(uid);
	if (!granted) {
		ck_assert_int_eq(peer->fd, -EDQUOT);
		free(peer);
		return false;
	}
	ck_assert_int_ge(peer->fd, 0);
	text = q_fdinfo(peer);
	ck_assert_int_eq(sscanf(text, "bus1-peer:\t%lu\n", (unsigned long *)&peer->actor), 1);
	free(text);
	ck_assert(q_charge(q_who(peer, peer), 1, 0));
	ck_assert_uint_lt(n_peers, MAX_PEERS);
	peers[n_peers++] = peer;
	*peerp = peer;
	return true;
}

struct q_peer *q_peer(uint32_t uid)
{
	struct q_peer *peer;

	ck_assert(q_open(uid, &peer));
	return peer;
}

/* First the queue, then the objects by their ID, and the peer last. */
void q_close(struct q_peer *peer)
{
	size_t i;

	close(peer->fd);
	for (i = 0; i < peer->n_messages; i++)
		drop_message(&peer->messages[i]);
	for (i = 0; i < peer->n_objects; i++)
		q_discharge(peer->objects[i].charged, 1, 0);
	q_discharge(q_who(peer, peer), 1, 0);
	for (i = 0; peers[i] != peer; i++)
		;
	memmove(&peers[i], &peers[i + 1], (--n_peers - i) * sizeof(*peers));
	free(peer->objects);
	free(peer->messages);
	free(peer);
}

/* Charges one element after the other; what was charged for a transfer that fails is given back. */
static bool charge_transfer(const struct q_peer *from, const struct q_peer *to, size_t n,
			    bool create)
{
	size_t i, j;

	for (i = 0; i < n; i++) {
		if (create && !q_charge(q_who(from, from), 1, 0))
			break;
		if (q_charge(q_who(to, to), 1, 0))
			continue;
		for (j = 0; create && j < i; j++) {
			q_discharge(q_who(to, to), 1, 0);
			q_discharge(q_who(from, from), 1, 0);
		}
		for (; j < i; j++)
			q_discharge(q_who(to, to), 1, 0);
		if (create)
			q_discharge(q_who(from, from), 1, 0);
		return false;
	}
	if (i == n)
		return true;
	for (j = 0; j < i; j++) {
		q_discharge(q_who(to, to), 1, 0);
		q_discharge(q_who(from, from), 1, 0);
	}
	return false;
}

static bool run_transfer(struct q_peer *from, struct q_peer *to, size_t n, bool create)
{
	bool granted = charge_transfer(from, to, n, create);
	size_t i;
	int ret;

	ck_assert_uint_le(n, MAX_N);
	ret = b1t_transfer(from->fd, to->fd, n, sources, results);
	ck_assert_msg(ret == (granted ? 0 : -EDQUOT), "transfer of %zu: %d, granted: %d", n, ret,
		      granted);
	for (i = 0; granted && i < n; i++) {
		if (create)
			add_object(from, sources[i].id, true, q_who(from, from));
		add_object(to, results[i].id, false, q_who(to, to));
	}
	return granted;
}

/* New nodes of @from with a handle each in @to; returns the IDs of the nodes. */
bool q_nodes(struct q_peer *from, struct q_peer *to, size_t n, struct bus1_transfer *nodes)
{
	size_t i;

	for (i = 0; i < n; i++)
		sources[i] = (struct bus1_transfer){ BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID };
	if (!run_transfer(from, to, n, true))
		return false;
	if (nodes)
		memcpy(nodes, sources, n * sizeof(*nodes));
	return true;
}

bool q_copies(struct q_peer *from, struct q_peer *to, uint64_t handle, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		sources[i] = (struct bus1_transfer){ .id = handle };
	return run_transfer(from, to, n, false);
}

/* The object that @peer got last. */
uint64_t q_last(const struct q_peer *peer)
{
	return peer->objects[peer->n_objects - 1].id;
}

/* A handle of @from to the inbox of @to, which gets one if it has none. */
struct q_dest q_connect(struct q_peer *from, struct q_peer *to)
{
	struct bus1_transfer node;

	if (!to->inbox) {
		ck_assert(q_nodes(to, to, 1, &node));
		to->inbox = node.id;
		to->own = q_last(to);
	}
	ck_assert(q_copies(to, from, to->own, 1));
	return (struct q_dest){ to, q_last(from) };
}

int q_send_raw(int fd, size_t n, const uint64_t *dests, const void *data, size_t n_data,
	       const uint64_t *handles, size_t n_handles)
{
	struct iovec vec = { .iov_base = (void *)data, .iov_len = n_data };
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = n_handles,
		.ptr_transfers = BUS1_FROM_PTR(sources),
		.n_data = n_data,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_cmd_send cmd = {
		.n_destinations = n,
		.ptr_destinations = BUS1_FROM_PTR(dests),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	size_t i;

	ck_assert_uint_le(n_handles, MAX_N);
	/* one handle as often as wanted */
	for (i = 0; i < n_handles; i++)
		sources[i] = (struct bus1_transfer){ .id = *handles };
	return b1t_ioctl(fd, BUS1_CMD_SEND, &cmd);
}

static bool charge_send(const struct q_peer *from, size_t n, const struct q_dest *dests,
			size_t n_handles, size_t n_data)
{
	size_t i, j;

	for (i = 0; i < n; i++) {
		if (!dests[i].peer->inbox)
			continue;
		if (q_charge(q_who(dests[i].peer, from), 1 + n_handles, n_data))
			continue;
		for (j = 0; j < i; j++)
			if (dests[j].peer->inbox)
				q_discharge(q_who(dests[j].peer, from), 1 + n_handles, n_data);
		return false;
	}
	return true;
}

/* Sends copies of the first destination's handle. */
bool q_multicast(struct q_peer *from, size_t n, const struct q_dest *dests, size_t n_handles,
		 size_t n_data)
{
	bool granted = charge_send(from, n, dests, n_handles, n_data);
	uint64_t ids[16];
	size_t i;
	int ret;

	ck_assert_uint_le(n, B1T_N(ids));
	for (i = 0; i < n; i++)
		ids[i] = dests[i].handle;
	ret = q_send_raw(from->fd, n, ids, payload, n_data, ids, n_handles);
	ck_assert_msg(ret == (granted ? 0 : -EDQUOT), "send of %zu, %zu: %d, granted: %d",
		      n_handles, n_data, ret, granted);
	for (i = 0; granted && i < n; i++)
		if (dests[i].peer->inbox)
			add_message(dests[i].peer, (struct q_message){
				q_who(dests[i].peer, from), n_handles, n_data });
	return granted;
}

bool q_send(struct q_peer *from, struct q_dest dest, size_t n_handles, size_t n_data)
{
	return q_multicast(from, 1, &dest, n_handles, n_data);
}

/* Receives the next message into @message; there may be notifications before it. */
static void recv_message(struct q_peer *peer, struct bus1_message *message,
			 struct bus1_metadata *metadata)
{
	struct iovec vec = { payload, q_max(Q_BYTES) };
	struct bus1_cmd_recv cmd = { 0, BUS1_FROM_PTR(metadata), BUS1_FROM_PTR(message) };

	do {
		*message = (struct bus1_message){
			.type = BUS1_INVALID,
			.n_transfers = MAX_N,
			.ptr_transfers = BUS1_FROM_PTR(results),
			.n_data = vec.iov_len,
			.n_data_vecs = 1,
			.ptr_data_vecs = BUS1_FROM_PTR(&vec),
		};
		ck_assert_int_eq(b1t_ioctl(peer->fd, BUS1_CMD_RECV, &cmd), 0);
	} while (message->type != BUS1_MESSAGE_TYPE_USER);
}

/* Receives a message; the handles become charges of @peer, as far as it may have them. */
void q_recv(struct q_peer *peer)
{
	struct q_message sent = peer->messages[0];
	struct q_who own = q_who(peer, peer), charged;
	struct bus1_metadata metadata;
	struct bus1_message message;
	size_t i;

	ck_assert_uint_gt(peer->n_messages, 0);
	memmove(peer->messages, peer->messages + 1, --peer->n_messages * sizeof(*peer->messages));
	recv_message(peer, &message, &metadata);
	ck_assert_uint_eq(message.n_transfers, sent.n_handles);
	ck_assert_uint_eq(message.n_data, sent.n_data);
	ck_assert_uint_eq(metadata.account, sent.charged.claimant);
	q_discharge(sent.charged, 1, sent.n_data);
	for (i = 0; i < sent.n_handles; i++) {
		charged = own;
		if (q_charge(own, 1, 0))
			q_discharge(sent.charged, 1, 0);
		else
			charged = sent.charged;
		add_object(peer, results[i].id, false, charged);
	}
}

/* Messages to a released inbox are discarded, the newest first. */
void q_release(struct q_peer *peer, uint64_t id)
{
	size_t i;

	ck_assert_int_eq(b1t_release1(peer->fd, id), 0);
	if (id == peer->inbox) {
		peer->inbox = 0;
		while (peer->n_messages)
			drop_message(&peer->messages[--peer->n_messages]);
	}
	for (i = 0; i < peer->n_objects && peer->objects[i].id != id; i++)
		;
	ck_assert_uint_lt(i, peer->n_objects);
	q_discharge(peer->objects[i].charged, 1, 0);
	memmove(&peer->objects[i], &peer->objects[i + 1],
		(--peer->n_objects - i) * sizeof(*peer->objects));
}

/* Creates nodes with handles of its own until the peer may have no more. */
void q_fill(struct q_peer *peer)
{
	size_t n;

	for (n = 2048; n > 0;)
		if (!q_nodes(peer, peer, n, NULL))
			n /= 2;
}
