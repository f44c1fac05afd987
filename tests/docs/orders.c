/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders: does what the examples of ordering in bus1(7) say
 *
 * Each example is a list of steps, one on each line, in a language of a few words:
 *
 *	A sends M1 [with n] to B, C, n
 *	A receives M1, NODE_RELEASE of n, HANDLE_RELEASE of n, nothing
 *	A creates n [for B]
 *	A releases n
 *	A tells B ...
 *
 * A capital letter is a peer, and the node of it that all others have a handle to. A small letter
 * is another node, and the handle to it in each peer that has one. Whoever has created a node
 * releases the node, others release their handle.
 */
#include <bus1.h>
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define N_ELEMENTS(_array) (sizeof(_array) / sizeof((_array)[0]))
#define N_PEERS 4
#define N_LETTERS 26

static const struct order {
	const char *name;
	const char *text;
} orders[] = {
#define ORDER(_name, _text) { #_name, _text },
#include "orders.h"
#undef ORDER
};

struct peer {
	int fd;
	uint64_t node;			/* named after the peer */
	uint64_t handles[N_PEERS];	/* to the nodes named after peers */
	uint64_t own[N_LETTERS];	/* nodes with small letters, 0: none */
	uint64_t others[N_LETTERS];	/* handles to such nodes, 0: none */
};

struct world {
	struct peer peers[N_PEERS];
	const char *line;		/* for messages */
};

/* Where in a line the interpreter is. */
struct cursor {
	struct world *w;
	const char *at;
};

#define expect(_w, _what, _format, ...) \
	ck_assert_msg(_what, _format ", in the line \"%.*s\"", ##__VA_ARGS__, \
		      (int)strcspn((_w)->line, "\n"), (_w)->line)

static void create(struct peer *owner, struct peer *holder, uint64_t *node, uint64_t *handle)
{
	struct bus1_transfer src = { .flags = BUS1_TRANSFER_FLAG_CREATE, .id = BUS1_INVALID }, dst;

	ck_assert_int_eq(bus1_cmd_transfer(0, owner->fd, holder->fd, 1, &src, &dst), 0);
	*node = src.id;
	*handle = dst.id;
}

static void world_init(struct world *w)
{
	struct bus1_transfer src, dst;
	size_t i, j;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < N_PEERS; i++)
		ck_assert_int_ge(w->peers[i].fd = bus1_peer_new(), 0);
	for (i = 0; i < N_PEERS; i++) {
		create(&w->peers[i], &w->peers[i], &w->peers[i].node, &w->peers[i].handles[i]);
		for (j = 0; j < N_PEERS; j++) {
			if (i == j)
				continue;
			src = (struct bus1_transfer){ .id = w->peers[i].handles[i] };
			ck_assert_int_eq(bus1_cmd_transfer(0, w->peers[i].fd, w->peers[j].fd, 1,
							   &src, &dst), 0);
			w->peers[j].handles[i] = dst.id;
		}
	}
}

static void world_deinit(struct world *w)
{
	size_t i;

	for (i = 0; i < N_PEERS; i++)
		close(w->peers[i].fd);
}

/* Whether the next words are @words; skips them if so. */
static bool skip(struct cursor *c, const char *words)
{
	size_t n = strlen(words);

	if (strncmp(c->at, words, n))
		return false;
	c->at += n;
	return true;
}

static struct peer *read_peer(struct cursor *c)
{
	expect(c->w, *c->at >= 'A' && *c->at < 'A' + N_PEERS, "no peer at \"%.8s\"", c->at);
	return &c->w->peers[*c->at++ - 'A'];
}

/* The small letter of a node, as an index. */
static size_t read_letter(struct cursor *c)
{
	expect(c->w, *c->at >= 'a' && *c->at <= 'z', "no node at \"%.8s\"", c->at);
	return *c->at++ - 'a';
}

/* A word of the text of a message; returns its length, and where it is. */
static size_t read_word(struct cursor *c, const char **wordp)
{
	size_t n = strcspn(c->at, " ,\n");

	expect(c->w, n, "no word");
	*wordp = c->at;
	c->at += n;
	return n;
}

static uint64_t known(struct cursor *c, uint64_t id)
{
	expect(c->w, id, "this peer has no such node or handle");
	return id;
}

static void do_send(struct cursor *c, struct peer *peer)
{
	struct bus1_transfer transfer = { .flags = 0 };
	struct iovec vec;
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.ptr_transfers = BUS1_FROM_PTR(&transfer),
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	uint64_t destinations[16];
	const char *word;
	size_t n = 0;

	message.n_data = read_word(c, &word);
	vec = (struct iovec){ .iov_base = (void *)word, .iov_len = message.n_data };
	if (skip(c, " with ")) {
		transfer.id = known(c, peer->others[read_letter(c)]);
		message.n_transfers = 1;
	}
	expect(c->w, skip(c, " to "), "no destination");
	do {
		ck_assert_uint_lt(n, N_ELEMENTS(destinations));
		if (*c->at >= 'a')
			destinations[n++] = known(c, peer->others[read_letter(c)]);
		else
			destinations[n++] = peer->handles[read_peer(c) - c->w->peers];
	} while (skip(c, ", "));
	ck_assert_int_eq(bus1_cmd_send(peer->fd, n, destinations, NULL, &message), 0);
}

struct received {
	struct bus1_metadata metadata;
	struct bus1_message message;
	struct bus1_transfer transfer;
	char text[16];
};

static int receive(struct peer *peer, struct received *r)
{
	struct iovec vec = { .iov_base = r->text, .iov_len = sizeof(r->text) - 1 };
	int ret;

	memset(r, 0, sizeof(*r));
	r->message = (struct bus1_message){
		.type = BUS1_INVALID,
		.n_transfers = 1,
		.ptr_transfers = BUS1_FROM_PTR(&r->transfer),
		.n_data = sizeof(r->text) - 1,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	ret = bus1_cmd_recv(peer->fd, &r->metadata, &r->message);
	r->message.ptr_data_vecs = 0;
	return ret;
}

/* A handle that came in a message is the one that the latest "with" named. */
static void expect_one(struct cursor *c, struct peer *peer, size_t *withp)
{
	struct received r;
	const char *word;
	size_t n, letter;
	int ret = receive(peer, &r);

	if (skip(c, "nothing")) {
		expect(c->w, ret == -EAGAIN, "there is something to receive");
		return;
	}
	expect(c->w, !ret, "nothing to receive: %s", strerror(-ret));
	if (skip(c, "NODE_RELEASE of ")) {
		letter = read_letter(c);
		expect(c->w, r.message.type == BUS1_MESSAGE_TYPE_NODE_RELEASE &&
		       r.metadata.id == known(c, peer->others[letter]), "no NODE_RELEASE");
	} else if (skip(c, "HANDLE_RELEASE of ")) {
		letter = read_letter(c);
		expect(c->w, r.message.type == BUS1_MESSAGE_TYPE_HANDLE_RELEASE &&
		       r.metadata.id == known(c, peer->own[letter]), "no HANDLE_RELEASE");
	} else {
		n = read_word(c, &word);
		expect(c->w, r.message.type == BUS1_MESSAGE_TYPE_USER && n == r.message.n_data &&
		       !memcmp(word, r.text, n), "it is not %.*s, but type %d, \"%s\"", (int)n,
		       word, (int)r.message.type, r.text);
		if (r.message.n_transfers)
			peer->others[*withp] = r.transfer.id;
	}
}

static void do_create(struct cursor *c, struct peer *peer)
{
	size_t letter = read_letter(c);
	struct peer *holder = skip(c, " for ") ? read_peer(c) : peer;

	create(peer, holder, &peer->own[letter], &holder->others[letter]);
}

static void do_release(struct cursor *c, struct peer *peer)
{
	size_t letter = read_letter(c);
	uint64_t *id = peer->own[letter] ? &peer->own[letter] : &peer->others[letter];

	known(c, *id);
	ck_assert_int_eq(bus1_cmd_release(peer->fd, 1, id), 0);
	*id = 0;
}

/* One step. @withp: the letter of the latest "with". */
static void do_line(struct world *w, const char *line, size_t *withp)
{
	struct cursor c = { .w = w, .at = line };
	const char *with = strstr(line, " with ");
	struct peer *peer;

	w->line = line;
	if (with && with < line + strcspn(line, "\n"))
		*withp = with[6] - 'a';
	peer = read_peer(&c);
	if (skip(&c, " sends ")) {
		do_send(&c, peer);
	} else if (skip(&c, " receives ")) {
		do {
			expect_one(&c, peer, withp);
		} while (skip(&c, ", "));
	} else if (skip(&c, " creates ")) {
		do_create(&c, peer);
	} else if (skip(&c, " releases ")) {
		do_release(&c, peer);
	} else {
		expect(w, skip(&c, " tells "), "no such verb");
		c.at += strcspn(c.at, "\n");
	}
	expect(w, *c.at == '\n', "not understood from \"%.8s\" on", c.at);
}

START_TEST(order)
{
	const char *line = orders[_i].text;
	struct world w;
	size_t with = 0;

	printf("%s:\n%s", orders[_i].name, line);
	world_init(&w);
	for (; *line; line += strcspn(line, "\n") + 1)
		do_line(&w, line, &with);
	world_deinit(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("orders");
	TCase *tc = tcase_create("orders");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, order, 0, N_ELEMENTS(orders));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
