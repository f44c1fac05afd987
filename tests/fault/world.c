// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * world: describes a bus
 *
 * world_look() changes nothing: two of its texts, from before and after a call that failed, are
 * equal if the call did nothing. world_end() takes the bus apart, to see what cannot be seen
 * otherwise: what is in the queues, which node each handle refers to, when notifications come. Its
 * texts of two buses that were built the same way are equal, too: IDs that a failed call used up
 * do not show, because IDs are given as their rank among those that were seen.
 */
#include <stdarg.h>

#include "fault.h"

/* a line more of the text */
struct text {
	char *chars;
	size_t size;
	FILE *file;
};

static void text_open(struct text *text)
{
	text->file = open_memstream(&text->chars, &text->size);
	ck_assert_ptr_nonnull(text->file);
}

/* Received into by all that is received here. */
static uint8_t got_data[WORLD_DATA];
static struct bus1_transfer got_transfers[WORLD_TRANSFERS];

/* An ID in a text, until its rank is known; and the IDs of each peer that were seen */
#define ID_FORMAT "<%zu:%016llx>"
#define ID_LENGTH 20

struct seen {
	size_t n;
	uint64_t ids[4 * WORLD_TRANSFERS];
};

static struct seen seen[WORLD_PEERS];

static void put_id(struct text *text, size_t peer, uint64_t id)
{
	/* no assertion, here and below: libcheck writes to its pipe each time one is passed */
	if (seen[peer].n == B1T_N(seen[peer].ids))
		ck_abort_msg("too many IDs");
	seen[peer].ids[seen[peer].n++] = id;
	fprintf(text->file, ID_FORMAT, peer, (unsigned long long)id);
}

static int compare_ids(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t rank(size_t peer, uint64_t id)
{
	size_t i, n = 0;

	for (i = 0; i < seen[peer].n && seen[peer].ids[i] < id; i++)
		n += !i || seen[peer].ids[i] != seen[peer].ids[i - 1];
	return n;
}

/* Puts ranks where IDs are. */
static void rank_ids(char *text)
{
	unsigned long long id;
	size_t i, peer;
	char *p, c;

	for (i = 0; i < WORLD_PEERS; i++)
		qsort(seen[i].ids, seen[i].n, sizeof(seen[i].ids[0]), compare_ids);
	for (p = text; (p = strchr(p, '<')); p += ID_LENGTH) {
		if (sscanf(p, "<%zu:%llx>", &peer, &id) != 2)
			ck_abort_msg("no ID: %s", p);
		c = p[ID_LENGTH];
		snprintf(p, ID_LENGTH + 1, "<%zu:%-*zu>", peer, ID_LENGTH - 4, rank(peer, id));
		p[ID_LENGTH] = c;
	}
}

/* Peers */

/* What the kernel counts. */
struct info {
	uint64_t actor, n_nodes, n_handles;
};

static struct info read_fdinfo(int fd, struct text *text)
{
	struct info info = {};
	unsigned long long value;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "bus1-peer: %llu", &value) == 1) {
			info.actor = value;
			continue;
		}
		if (sscanf(line, "bus1-nodes: %llu", &value) == 1)
			info.n_nodes = value;
		else if (sscanf(line, "bus1-handles: %llu", &value) == 1)
			info.n_handles = value;
		if (text && !strncmp(line, "bus1-", 5))
			fprintf(text->file, "  %s", line);
	}
	fclose(file);
	ck_assert_uint_ne(info.actor, 0);
	return info;
}

void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
}

/* Adds a peer that was opened. */
void world_add(struct world *w, int fd)
{
	ck_assert_uint_lt(w->n_peers, WORLD_PEERS);
	w->actors[w->n_peers] = read_fdinfo(fd, NULL).actor;
	w->peers[w->n_peers++] = fd;
}

/* Opens a peer that is accounted to @uid; returns its index. */
int world_peer(struct world *w, uid_t uid)
{
	ck_assert_int_eq(seteuid(uid), 0);
	world_add(w, b1t_peer());
	ck_assert_int_eq(seteuid(0), 0);
	return w->n_peers - 1;
}

/* Two slots: objects and bytes */
struct amounts {
	unsigned long long objects, bytes;
};

static void put_actor(const struct world *w, struct text *text, uint64_t actor,
		      struct amounts claimed)
{
	size_t i;

	for (i = 0; i < w->n_peers && w->actors[i] != actor; i++)
		;
	if (i < w->n_peers)
		fprintf(text->file, "  peer %zu", i);
	else
		fprintf(text->file, "  an unknown peer");
	fprintf(text->file, ": objects %llu, bytes %llu\n", claimed.objects, claimed.bytes);
}

/* What was taken for a user or a quota, and what the parts of it add up to */
struct account {
	const char *what;
	unsigned int uid;
	struct amounts taken, sum;
};

/* If they differ, there is a leak somewhere. */
static void account_end(const struct account *account)
{
	const struct amounts *taken = &account->taken, *sum = &account->sum;

	if (taken->objects != sum->objects || taken->bytes != sum->bytes)
		ck_abort_msg("%s %u: %llu objects and %llu bytes taken, %llu and %llu claimed",
			     account->what, account->uid, taken->objects, taken->bytes,
			     sum->objects, sum->bytes);
}

static void account_begin(struct account *account, unsigned int uid, struct amounts all,
			  struct amounts free)
{
	account_end(account);
	account->uid = uid;
	account->taken.objects = all.objects - free.objects;
	account->taken.bytes = all.bytes - free.bytes;
	account->sum = (struct amounts){};
}

static void account_add(struct account *account, struct amounts part)
{
	account->sum.objects += part.objects;
	account->sum.bytes += part.bytes;
}

/*
 * The claims of each peer. What a user or a quota has in reserve is left out: it grows with claims,
 * and shrinks when they are given back, but not to the same; it has to add up, though. Where
 * nothing is claimed there may be a trace all the same: a handle keeps the one that was looked up
 * when it was first used to send. It counts for nothing, and is left out, too.
 */
static void put_accounts(const struct world *w, struct text *text)
{
	static const char user_format[] =
		"user %u: objects %llu of %llu available, bytes %llu of %llu";
	static const char quota_format[] =
		"  by user %u: objects %llu, %llu of them unused, bytes %llu, %llu";
	static const char peer_format[] = "    by peer %llu: objects %llu, bytes %llu";
	struct account user = { .what = "user" }, quota = { .what = "quota of user" };
	unsigned long long actor;
	struct amounts all, free;
	unsigned int uid;
	char line[160];
	FILE *file;

	file = fopen("/sys/kernel/debug/bus1/accounts", "re");
	ck_assert_msg(file != NULL, "bus1/accounts: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, user_format, &uid, &free.objects, &all.objects, &free.bytes,
			   &all.bytes) == 5) {
			account_begin(&user, uid, all, free);
			fprintf(text->file, "user %u\n", uid);
		} else if (sscanf(line, quota_format, &uid, &all.objects, &free.objects, &all.bytes,
				  &free.bytes) == 5) {
			account_begin(&quota, uid, all, free);
			account_add(&user, all);
		} else if (sscanf(line, peer_format, &actor, &all.objects, &all.bytes) == 3) {
			account_add(&quota, all);
			if (all.objects || all.bytes)
				put_actor(w, text, actor, all);
		} else {
			ck_abort_msg("accounts: %s", line);
		}
	}
	fclose(file);
	account_end(&quota);
	account_end(&user);
}

/* Whether @id names a handle: to nobody, a message is checked and not sent. */
static bool is_handle(int fd, uint64_t id)
{
	struct bus1_transfer transfer = { .id = id };
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = 1,
		.ptr_transfers = BUS1_FROM_PTR(&transfer),
	};
	struct bus1_cmd_send cmd = { .ptr_message = BUS1_FROM_PTR(&message) };
	int ret = b1t_ioctl(fd, BUS1_CMD_SEND, &cmd);

	if (ret && ret != -EBADRQC)
		ck_abort_msg("looking for a handle: %d", ret);
	return !ret;
}

/*
 * The handles of a peer. There are as many as the kernel counts, so that the search knows where to
 * end; a wrong number is found by that.
 */
static size_t find_handles(const struct world *w, size_t peer, uint64_t *ids)
{
	size_t n = 0, n_all = read_fdinfo(w->peers[peer], NULL).n_handles;
	uint64_t id;

	if (n_all > WORLD_TRANSFERS)
		ck_abort_msg("too many handles");
	for (id = BUS1_MANAGED; n < n_all && id < WORLD_IDS; id += 2)
		if (is_handle(w->peers[peer], id))
			ids[n++] = id;
	if (n < n_all)
		ck_abort_msg("peer %zu has %zu handles, found are %zu", peer, n_all, n);
	return n;
}

static void put_peers(const struct world *w, struct text *text, bool handles)
{
	static uint64_t ids[WORLD_TRANSFERS];
	size_t i, j, n;

	for (i = 0; i < w->n_peers; i++) {
		if (w->peers[i] < 0) {
			fprintf(text->file, "peer %zu: closed\n", i);
			continue;
		}
		fprintf(text->file, "peer %zu: %s\n", i,
			b1t_readable(w->peers[i]) ? "readable" : "not readable");
		read_fdinfo(w->peers[i], text);
		if (!handles)
			continue;
		n = find_handles(w, i, ids);
		for (j = 0; j < n; j++)
			fprintf(text->file, "  handle %llu\n", (unsigned long long)ids[j]);
	}
	put_accounts(w, text);
}

/* What is to be seen without a change. To be freed. */
char *world_look(struct world *w)
{
	struct text text;

	text_open(&text);
	put_peers(w, &text, true);
	fclose(text.file);
	return text.chars;
}

/* Taking apart */

static unsigned int checksum(const uint8_t *data, size_t n)
{
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum = sum * 31 + data[i];
	return sum;
}

/* Receives one entry; false if there is none. */
static bool put_entry(const struct world *w, struct text *text, size_t peer)
{
	struct iovec vec = { .iov_base = got_data, .iov_len = sizeof(got_data) };
	struct bus1_metadata metadata;
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_transfers = B1T_N(got_transfers),
		.ptr_transfers = BUS1_FROM_PTR(got_transfers),
		.n_data = sizeof(got_data),
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	int ret = b1t_ioctl(w->peers[peer], BUS1_CMD_RECV, &cmd);
	size_t i;

	if (ret == -EAGAIN)
		return false;
	if (ret)
		ck_abort_msg("receiving: %d", ret);
	fprintf(text->file, "peer %zu: type %llu, on ", peer, (unsigned long long)message.type);
	put_id(text, peer, metadata.id);
	fprintf(text->file, ", account %lld, %llu bytes, checksum %u, handles",
		(long long)metadata.account, (unsigned long long)message.n_data,
		checksum(got_data, message.n_data));
	for (i = 0; i < message.n_transfers; i++) {
		fputc(' ', text->file);
		put_id(text, peer, got_transfers[i].id);
	}
	fputc('\n', text->file);
	return true;
}

/* Receives all there is, of each peer in turn. */
static void put_queues(const struct world *w, struct text *text)
{
	struct pollfd polls[WORLD_PEERS];
	size_t i;

	for (i = 0; i < w->n_peers; i++)
		polls[i] = (struct pollfd){ .fd = w->peers[i], .events = POLLIN };
	/* discarding a message may be what notifies somebody */
	while (poll(polls, w->n_peers, 0) > 0)
		for (i = 0; i < w->n_peers; i++)
			while (polls[i].revents && put_entry(w, text, i))
				;
}

/* Where each handle leads to, and who is told when it is released. */
static void put_handles(const struct world *w, struct text *text, size_t peer)
{
	static uint64_t ids[WORLD_TRANSFERS];
	size_t i, n = find_handles(w, peer, ids);

	for (i = 0; i < n; i++) {
		fprintf(text->file, "send to ");
		put_id(text, peer, ids[i]);
		fputc('\n', text->file);
		if (b1t_send_text(w->peers[peer], ids[i], "?"))
			ck_abort_msg("a handle does not send");
	}
	put_queues(w, text);
	for (i = 0; i < n; i++) {
		fprintf(text->file, "release handle ");
		put_id(text, peer, ids[i]);
		fputc('\n', text->file);
		if (b1t_release1(w->peers[peer], ids[i]))
			ck_abort_msg("a handle is not released");
		put_queues(w, text);
	}
}

/* What is left are nodes, as many as the kernel counts. */
static void put_nodes(const struct world *w, struct text *text, size_t peer)
{
	size_t n = 0, n_all = read_fdinfo(w->peers[peer], NULL).n_nodes;
	uint64_t id;
	int ret;

	for (id = BUS1_MANAGED; n < n_all && id < WORLD_IDS; id += 2) {
		ret = b1t_release1(w->peers[peer], id);
		if (ret == -EBADRQC)
			continue;
		if (ret)
			ck_abort_msg("releasing: %d", ret);
		n++;
		fprintf(text->file, "release node ");
		put_id(text, peer, id);
		fputc('\n', text->file);
	}
	if (n < n_all)
		ck_abort_msg("peer %zu has %zu nodes, found are %zu", peer, n_all, n);
	put_queues(w, text);
}

/* Closes all peers; nobody has claims then. */
void world_close(struct world *w)
{
	struct text text;
	size_t i;

	for (i = 0; i < w->n_peers; i++)
		if (w->peers[i] >= 0)
			close(w->peers[i]);
	text_open(&text);
	put_accounts(w, &text);
	fclose(text.file);
	ck_assert_msg(!text.size, "left when all peers are closed:\n%s", text.chars);
	free(text.chars);
}

/* Takes the bus apart, and tells all about it. To be freed. */
char *world_end(struct world *w)
{
	struct text text;
	size_t i;

	memset(seen, 0, sizeof(seen));
	text_open(&text);
	put_peers(w, &text, false);
	put_queues(w, &text);
	put_peers(w, &text, false);
	for (i = 0; i < w->n_peers; i++)
		if (w->peers[i] >= 0)
			put_handles(w, &text, i);
	for (i = 0; i < w->n_peers; i++)
		if (w->peers[i] >= 0)
			put_nodes(w, &text, i);
	put_peers(w, &text, false);
	world_close(w);
	fclose(text.file);
	rank_ids(text.chars);
	return text.chars;
}
