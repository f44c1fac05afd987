// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The last close of a peer: section "Last close" of the contract
 */
#include "b1t.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { N = 5 };

/* all nodes go: every holder of a handle is told */
START_TEST(close_releases_nodes)
{
	int a = b1t_peer(), peers[N];
	uint64_t handles[N][2];
	size_t i;

	for (i = 0; i < N; i++) {
		peers[i] = b1t_peer();
		b1t_node_ok(a, peers[i], NULL, &handles[i][0]);
		handles[i][1] = b1t_copy_ok(peers[i], -1, handles[i][0]);
	}
	close(a);
	for (i = 0; i < N; i++)
		ck_assert(b1t_readable(peers[i]));
	for (i = 0; i < N; i++) {
		b1t_expect_node_releases(peers[i], 2, handles[i]);
		b1t_expect_empty(peers[i]);
		ck_assert_int_eq(b1t_send_text(peers[i], handles[i][0], "to nobody"), 0);
		ck_assert_int_eq(b1t_release(peers[i], 2, handles[i]), 0);
	}
}
END_TEST

/* all handles go: every owner of a node whose last one it was is told */
START_TEST(close_releases_handles)
{
	int b = b1t_peer(), c = b1t_peer(), peers[N];
	uint64_t nodes[N], kept[N], handle;
	size_t i;

	for (i = 0; i < N; i++) {
		peers[i] = b1t_peer();
		b1t_node_ok(peers[i], b, &nodes[i], &handle);
		b1t_node_ok(peers[i], b, &kept[i], &handle);
		b1t_copy_ok(b, c, handle);
		b1t_copy_ok(b, -1, handle);
	}
	close(b);
	for (i = 0; i < N; i++)
		ck_assert(b1t_readable(peers[i]));
	for (i = 0; i < N; i++) {
		b1t_expect_handle_release(peers[i], nodes[i]);
		b1t_expect_empty(peers[i]);
	}
	close(c);
	for (i = 0; i < N; i++)
		b1t_expect_handle_release(peers[i], kept[i]);
}
END_TEST

/* the queue is drained: the handles in it are released, before close returns */
START_TEST(close_releases_handles_in_the_queue)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t inbox, to_b, inbox2, to_b2, nodes[N], handles[N];
	size_t i;

	b1t_node_ok(b, c, &inbox, &to_b);
	b1t_node_ok(b, c, &inbox2, &to_b2);
	for (i = 0; i < N; i++)
		b1t_node_ok(a, c, &nodes[i], &handles[i]);
	b1t_send_ok(c, to_b, "m1", 2, handles);
	b1t_send_ok(c, to_b2, "m2", 3, handles + 2);
	b1t_send_ok(c, to_b, "m3", 5, handles);
	ck_assert_int_eq(b1t_release(c, N, handles), 0);
	b1t_expect_empty(a);
	close(b);
	b1t_expect_handle_releases(a, N, nodes);
	b1t_expect_empty(a);
	b1t_expect_node_releases(c, 2, (uint64_t[]){ to_b, to_b2 });
	b1t_expect_empty(c);
}
END_TEST

/* the same for messages that recv had looked at already (EMSGSIZE) */
START_TEST(close_releases_handles_of_refused_messages)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	struct bus1_message message = { .type = BUS1_INVALID };
	struct bus1_metadata metadata;
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	uint64_t inbox, to_b, node, handle;

	b1t_node_ok(b, c, &inbox, &to_b);
	b1t_node_ok(a, c, &node, &handle);
	b1t_send_ok(c, to_b, "m1", 1, &handle);
	b1t_send_ok(c, to_b, "m2", 1, &handle);
	ck_assert_int_eq(b1t_ioctl(b, BUS1_CMD_RECV, &cmd), -EMSGSIZE);
	ck_assert_int_eq(b1t_release1(c, handle), 0);
	b1t_expect_empty(a);
	close(b);
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
}
END_TEST

/* messages the peer sent stay deliverable, with the handles in them */
START_TEST(close_keeps_sent_messages)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t node, handle, cn, ch, got[2];
	struct b1t_received r;

	b1t_node_ok(a, b, &node, &handle);
	b1t_node_ok(c, b, &cn, &ch);
	b1t_send_ok(b, handle, "m1", 2, (uint64_t[]){ ch, ch });
	b1t_send_ok(b, handle, "m2", 0, NULL);
	close(b);
	b1t_expect_empty(c);
	b1t_expect_handles(a, node, "m1", 2, got);
	ck_assert_int_eq(b1t_recv(a, &r), 0);
	ck_assert_uint_eq(r.message.n_data, 2);
	ck_assert_mem_eq(r.data, "m2", 2);
	ck_assert_uint_eq(r.metadata.account, geteuid());
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
	b1t_send_ok(a, got[1], "through", 0, NULL);
	b1t_expect_text(c, cn, "through");
	ck_assert_int_eq(b1t_release(a, 2, got), 0);
	b1t_expect_handle_release(c, cn);
}
END_TEST

/* a handle to a node of the closing peer, in flight elsewhere, dies at the place of the close */
START_TEST(close_kills_handles_in_flight)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t inbox, to_b, node, handle, got;

	b1t_node_ok(b, c, &inbox, &to_b);
	b1t_node_ok(a, c, &node, &handle);
	b1t_send_ok(c, to_b, "M1", 1, &handle);
	b1t_send_ok(c, to_b, "M0", 0, NULL);
	close(a);
	b1t_send_ok(c, to_b, "M3", 0, NULL);
	got = b1t_expect_handle(b, inbox, "M1");
	b1t_expect_text(b, inbox, "M0");
	b1t_expect_node_release(b, got);
	b1t_expect_text(b, inbox, "M3");
	b1t_expect_empty(b);
}
END_TEST

/* one transaction: nodes and handles together, each other peer hears of all at its place */
START_TEST(close_is_ordered)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t bn, bh, an, ah, cn, ch, b2, to_b2;

	b1t_node_ok(b, a, &bn, &bh);
	b1t_node_ok(a, c, &an, &ah);
	b1t_node_ok(c, a, &cn, &ch);
	b1t_node_ok(b, c, &b2, &to_b2);
	b1t_send_ok(a, bh, "last words", 0, NULL);
	b1t_send_ok(c, to_b2, "before", 0, NULL);
	close(a);
	b1t_send_ok(c, to_b2, "after", 0, NULL);
	b1t_expect_text(b, bn, "last words");
	b1t_expect_text(b, b2, "before");
	b1t_expect_handle_release(b, bn);
	b1t_expect_text(b, b2, "after");
	b1t_expect_empty(b);
	ck_assert(b1t_readable(c));
}
END_TEST

/* only the last close counts: dup and fork share the peer */
START_TEST(close_of_one_of_several_descriptors)
{
	int a = b1t_peer(), b = b1t_peer(), b2 = dup(b), status, pipe_fd[2];
	uint64_t node, handle;
	pid_t pid;

	b1t_node_ok(a, b, &node, &handle);
	close(b);
	b1t_expect_empty(a);
	ck_assert_int_eq(b1t_send_text(b2, handle, "dup"), 0);
	b1t_expect_text(a, node, "dup");
	ck_assert_int_eq(pipe(pipe_fd), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		char c;

		close(pipe_fd[1]);
		_exit(read(pipe_fd[0], &c, 1) || b1t_send_text(b2, handle, "child"));
	}
	close(b2);
	b1t_expect_empty(a);
	close(pipe_fd[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	b1t_expect_text(a, node, "child");
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
}
END_TEST

/* a killed process closes its peers as any other */
START_TEST(close_by_kill)
{
	int a = b1t_peer(), b = b1t_peer(), status;
	uint64_t node, handle, bn, bh;
	pid_t pid;

	b1t_node_ok(a, b, &node, &handle);
	b1t_node_ok(b, a, &bn, &bh);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		for (;;)
			pause();
	close(b);
	b1t_expect_empty(a);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert(b1t_readable(a));
	ck_assert_int_eq(B1T_RELEASE(a, node, bh), 0);
	b1t_expect_empty(a);
}
END_TEST

/* peers that hold each other, in queues and IDs, and a peer that holds itself, can go */
START_TEST(close_of_cycles)
{
	int a = b1t_peer(), b = b1t_peer(), w = b1t_peer();
	uint64_t an, ah, bn, bh, self, wn, wh;

	b1t_node_ok(a, b, &an, &ah);
	b1t_node_ok(b, a, &bn, &bh);
	b1t_node_ok(a, -1, NULL, &self);
	b1t_node_ok(w, a, &wn, &wh);
	b1t_send_ok(a, bh, "", 3, (uint64_t[]){ bh, self, wh });
	b1t_send_ok(b, ah, "", 2, (uint64_t[]){ ah, ah });
	b1t_send_ok(a, self, "", 3, (uint64_t[]){ self, bh, wh });
	close(a);
	b1t_expect_empty(w);
	close(b);
	b1t_expect_handle_release(w, wn);
	b1t_expect_empty(w);
}
END_TEST

/* unread notifications go with the peer and hold nobody up */
START_TEST(close_with_unread_notifications)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t nodes[N], handles[N], dead[N], dh[N];
	size_t i;

	for (i = 0; i < N; i++) {
		b1t_node_ok(b, a, &nodes[i], &handles[i]);
		b1t_node_ok(a, b, &dead[i], &dh[i]);
	}
	ck_assert_int_eq(b1t_release(a, N, handles), 0);
	ck_assert_int_eq(b1t_release(a, N, dead), 0);
	ck_assert(b1t_readable(b));
	close(b);
	b1t_expect_empty(a);
}
END_TEST

/* a node that was released does not make its late holders tell a closed owner anything */
START_TEST(close_then_release)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t node, handle, copy;

	b1t_node_ok(a, b, &node, &handle);
	close(a);
	copy = b1t_copy_ok(b, c, handle);
	b1t_expect_node_release(b, handle);
	b1t_expect_node_release(c, copy);
	ck_assert_int_eq(b1t_release1(b, handle), 0);
	ck_assert_int_eq(b1t_send_text(c, copy, "x"), 0);
	close(c);
	b1t_expect_empty(b);
}
END_TEST

/* What the sending thread of the race does: until told to stop, to whoever is there. */
struct flood {
	int fd;
	uint64_t handle, carried;
	int stop;
};

static void *flood_run(void *arg)
{
	struct flood *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE))
		ck_assert_int_eq(b1t_send(f->fd, 1, &f->handle, "flood", 5, &f->carried, 1), 0);
	return NULL;
}

/* a peer may close while others send to it: no error for them, no carried handle is lost */
START_TEST(close_against_senders)
{
	enum { ROUNDS = 100 };
	int a = b1t_peer(), b;
	uint64_t inbox, node;
	pthread_t thread;
	size_t i, k;

	for (i = 0; i < ROUNDS; i++) {
		struct flood f = { .fd = b1t_peer() };

		b = b1t_peer();
		b1t_node_ok(b, f.fd, &inbox, &f.handle);
		b1t_node_ok(a, f.fd, &node, &f.carried);
		ck_assert(!pthread_create(&thread, NULL, flood_run, &f));
		for (k = 0; k < 1000 && !b1t_readable(b); k++)
			;
		close(b);
		__atomic_store_n(&f.stop, 1, __ATOMIC_RELEASE);
		ck_assert(!pthread_join(thread, NULL));
		b1t_expect_empty(a);
		b1t_expect_node_release(f.fd, f.handle);
		ck_assert_int_eq(b1t_release1(f.fd, f.carried), 0);
		b1t_expect_handle_release(a, node);
		b1t_expect_empty(f.fd);
		close(f.fd);
	}
	b1t_expect_empty(a);
}
END_TEST

TCase *b1t_tcase_close(void)
{
	TCase *tc = tcase_create("close");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, close_releases_nodes);
	tcase_add_test(tc, close_releases_handles);
	tcase_add_test(tc, close_releases_handles_in_the_queue);
	tcase_add_test(tc, close_releases_handles_of_refused_messages);
	tcase_add_test(tc, close_keeps_sent_messages);
	tcase_add_test(tc, close_kills_handles_in_flight);
	tcase_add_test(tc, close_is_ordered);
	tcase_add_test(tc, close_of_one_of_several_descriptors);
	tcase_add_test(tc, close_by_kill);
	tcase_add_test(tc, close_of_cycles);
	tcase_add_test(tc, close_with_unread_notifications);
	tcase_add_test(tc, close_then_release);
	tcase_add_test(tc, close_against_senders);
	return tc;
}
