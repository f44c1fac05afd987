// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Large numbers: chains of 100,000 closed peers must not be freed by recursion, and a peer with a
 * million handles works as one with three
 */
#include "b1t.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { LINKS = 100000, HANDLES = 1000000, CHUNK = 50000 };

static void raise_fd_limit(void)
{
	struct rlimit limit = { LINKS + 1000, LINKS + 1000 };
	int fd = open("/proc/sys/fs/file-max", O_WRONLY);

	/* only for the case that the default is small, where memory is */
	if (fd >= 0) {
		ck_assert_int_gt(write(fd, "1000000", 7), 0);
		close(fd);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/*
 * LINKS peers; the queue of each has a message with the only handle to the node of the next, that
 * of the last one has @last of the peer @maker. With no other handle left, what becomes of a peer
 * depends on the one before it.
 */
static int *make_chain(int maker, uint64_t last)
{
	int *fds = calloc(LINKS, sizeof(*fds));
	uint64_t handle, next = last;
	size_t i;

	ck_assert_ptr_nonnull(fds);
	for (i = LINKS; i-- > 0;) {
		fds[i] = open("/dev/bus1", O_RDWR | O_CLOEXEC);
		ck_assert_msg(fds[i] >= 0, "peer %zu: %s", i, strerror(errno));
		b1t_node_ok(fds[i], maker, NULL, &handle);
		ck_assert_int_eq(b1t_send(maker, 1, &handle, "link", 4, &next, 1), 0);
		ck_assert_int_eq(b1t_release1(maker, next), 0);
		next = handle;
	}
	ck_assert_int_eq(b1t_release1(maker, next), 0);
	return fds;
}

/* closed from the first to the last: each close frees the handle that holds the next */
START_TEST(scale_chain_closed_from_the_head)
{
	int owner = b1t_peer(), maker = b1t_peer();
	uint64_t node, last;
	size_t i;
	int *fds;

	raise_fd_limit();
	b1t_node_ok(owner, maker, &node, &last);
	fds = make_chain(maker, last);
	b1t_expect_empty(owner);
	for (i = 0; i < LINKS; i++)
		close(fds[i]);
	b1t_expect_handle_release(owner, node);
	b1t_expect_empty(owner);
	b1t_expect_empty(maker);
	free(fds);
}
END_TEST

/* closed from the last to the first: each closed peer is held by a handle in a queue */
START_TEST(scale_chain_closed_from_the_tail)
{
	int owner = b1t_peer(), maker = b1t_peer();
	uint64_t node, last;
	size_t i;
	int *fds;

	raise_fd_limit();
	b1t_node_ok(owner, maker, &node, &last);
	fds = make_chain(maker, last);
	for (i = LINKS; i-- > 1;)
		close(fds[i]);
	b1t_expect_handle_release(owner, node);
	ck_assert(b1t_readable(fds[0]));
	close(fds[0]);
	b1t_expect_empty(owner);
	b1t_expect_empty(maker);
	free(fds);
}
END_TEST

/* all gone at once, with the process */
START_TEST(scale_chain_of_a_killed_process)
{
	int owner = b1t_peer(), maker = b1t_peer(), ready[2], status;
	uint64_t node, last;
	pid_t pid;
	char c;

	raise_fd_limit();
	b1t_node_ok(owner, maker, &node, &last);
	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		make_chain(maker, last);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	b1t_expect_empty(owner);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	b1t_expect_handle_release(owner, node);
	b1t_expect_empty(owner);
	b1t_expect_empty(maker);
}
END_TEST

static struct bus1_transfer slots[CHUNK], results[CHUNK];

static int transfer_chunk(int fd, uint64_t handle, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		slots[i] = (struct bus1_transfer){ .id = handle };
	return b1t_transfer(fd, -1, n, slots, results);
}

/* The same by way of a message from @from, whose copy of the handle is @handle. */
static int send_chunk(int from, uint64_t dest, uint64_t handle, int to, size_t n)
{
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = n,
		.ptr_transfers = BUS1_FROM_PTR(slots),
	};
	struct bus1_metadata metadata;
	struct bus1_cmd_send send = {
		.n_destinations = 1,
		.ptr_destinations = BUS1_FROM_PTR(&dest),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	struct bus1_cmd_recv recv = { 0, BUS1_FROM_PTR(&metadata), BUS1_FROM_PTR(&message) };
	size_t i;
	int ret;

	for (i = 0; i < n; i++)
		slots[i] = (struct bus1_transfer){ .id = handle };
	ret = b1t_ioctl(from, BUS1_CMD_SEND, &send);
	if (ret)
		return ret;
	message.type = BUS1_INVALID;
	message.ptr_transfers = BUS1_FROM_PTR(results);
	ck_assert_int_eq(b1t_ioctl(to, BUS1_CMD_RECV, &recv), 0);
	ck_assert_uint_eq(message.n_transfers, n);
	return 0;
}

/*
 * Gives @fd copies of @handle until it has HANDLES of them; returns the last. No peer may claim
 * more than half of what is left to a user, so that it takes helpers where there are quotas.
 */
static uint64_t fill(int fd, uint64_t handle)
{
	uint64_t inbox, own, dest = 0, copy = 0, last = handle;
	size_t n, total = 1;
	int helper = -1, ret;

	b1t_node_ok(fd, -1, &inbox, &own);
	for (n = CHUNK; total < HANDLES;) {
		if (n > HANDLES - total)
			n = HANDLES - total;
		ret = helper < 0 ? transfer_chunk(fd, handle, n)
				 : send_chunk(helper, dest, copy, fd, n);
		if (!ret) {
			total += n;
			last = results[n - 1].id;
			continue;
		}
		ck_assert_int_eq(ret, -EDQUOT);
		n /= 2;
		if (n > 500)
			continue;
		helper = b1t_peer();
		copy = b1t_copy_ok(fd, helper, handle);
		dest = b1t_copy_ok(fd, helper, own);
		n = CHUNK;
	}
	return last;
}

/* a million handles in one peer: the first and the last work, close frees them all */
START_TEST(scale_million_handles)
{
	int owner = b1t_peer(), fd = b1t_peer();
	uint64_t node, first, last;

	b1t_node_ok(owner, fd, &node, &first);
	last = fill(fd, first);
	ck_assert_int_eq(b1t_send(fd, 2, (uint64_t[]){ first, last }, "x", 1, &last, 1), 0);
	ck_assert_int_eq(b1t_release1(owner, b1t_expect_handle(owner, node, "x")), 0);
	ck_assert_int_eq(b1t_release1(owner, b1t_expect_handle(owner, node, "x")), 0);
	ck_assert_int_eq(B1T_RELEASE(fd, first, last), 0);
	b1t_expect_unknown(fd, first);
	b1t_expect_unknown(fd, last);
	b1t_expect_empty(owner);
	close(fd);
	ck_assert(b1t_readable(owner));
}
END_TEST

/* a node with a million handles goes: a million notifications, none of them lost */
START_TEST(scale_million_notifications)
{
	int owner = b1t_peer(), fd = b1t_peer();
	uint64_t node, first;
	struct b1t_received r;
	size_t n = 0;

	b1t_node_ok(owner, fd, &node, &first);
	fill(fd, first);
	ck_assert_int_eq(b1t_release1(owner, node), 0);
	for (; n < HANDLES / 20; n++) {
		ck_assert_int_eq(b1t_recv(fd, &r), 0);
		ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_NODE_RELEASE);
	}
	ck_assert(b1t_readable(fd));
	/* the others go unread */
	close(fd);
	b1t_expect_empty(owner);
}
END_TEST

TCase *b1t_tcase_scale(void)
{
	TCase *tc = tcase_create("scale");

	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, scale_chain_closed_from_the_head);
	tcase_add_test(tc, scale_chain_closed_from_the_tail);
	tcase_add_test(tc, scale_chain_of_a_killed_process);
	tcase_add_test(tc, scale_million_handles);
	tcase_add_test(tc, scale_million_notifications);
	return tc;
}
