// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The mistakes of an earlier draft of this design, by their number: each has a test that fails if
 * it comes back. Most rules have more tests in the other files.
 *
 * Not here: the quota part of 16, and 19, are with the tests of accounting; the wait queue of 12
 * and the lock part of 17 are also watched by stress tests under KASAN and lockdep, the memory
 * order of 18 under KCSAN.
 */
#define _GNU_SOURCE
#include "b1t.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { N = 5, ROUNDS = 3000 };

static bool tainted_by_warning(void)
{
	char text[32] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	return strtoull(text, NULL, 10) & (1 << 9);
}

/* 1: arrays were indexed by one byte per element */
START_TEST(regress_01_arrays_of_several_elements)
{
	int a = b1t_peer(), b = b1t_peer();
	struct bus1_transfer src[N], dst[N];
	uint64_t nodes[N], handles[N], got[N];
	size_t n, i;

	for (n = 2; n <= N; n++) {
		for (i = 0; i < n; i++)
			src[i] = (struct bus1_transfer){ BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID };
		ck_assert_int_eq(b1t_transfer(a, b, n, src, dst), 0);
		for (i = 0; i < n; i++) {
			nodes[i] = src[i].id;
			handles[i] = dst[i].id;
		}
		ck_assert_int_eq(b1t_send(b, n, handles, "x", 1, handles, n), 0);
		for (i = 0; i < n; i++) {
			b1t_expect_handles(a, nodes[i], "x", n, got);
			b1t_send_ok(a, got[n - 1], "last", 0, NULL);
			ck_assert_int_eq(b1t_release(a, n, got), 0);
		}
		for (i = 0; i < n; i++)
			b1t_expect_text(a, nodes[n - 1], "last");
		ck_assert_int_eq(b1t_release(b, n, handles), 0);
		b1t_expect_handle_releases(a, n, nodes);
	}
}
END_TEST

/* 2: a failing send freed an error pointer, with the peer locked */
START_TEST(regress_02_failing_send)
{
	int a = b1t_peer();
	uint64_t node, handle, bad[N];
	size_t i, k;

	b1t_node_ok(a, -1, &node, &handle);
	for (k = 0; k < N; k++) {
		for (i = 0; i < N; i++)
			bad[i] = i == k ? node : handle;
		ck_assert_int_eq(b1t_send(a, N, bad, "x", 1, NULL, 0), -EBADRQC);
		ck_assert_int_eq(b1t_send(a, 1, &handle, "x", 1, bad, N), -EBADRQC);
		ck_assert_int_eq(b1t_send(a, 2, (uint64_t[]){ handle, handle }, (void *)8, 1, NULL,
					  0), -EFAULT);
		b1t_expect_empty(a);
	}
	b1t_send_ok(a, handle, "fine", 0, NULL);
	b1t_expect_text(a, node, "fine");
}
END_TEST

/* 3: one ID twice in a release corrupted a list */
START_TEST(regress_03_repeated_id)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, copy;

	b1t_node_ok(a, b, &node, &handle);
	copy = b1t_copy_ok(b, -1, handle);
	ck_assert_int_eq(B1T_RELEASE(b, handle, copy, handle, handle, copy), 0);
	b1t_expect_handle_release(a, node);
	ck_assert_int_eq(B1T_RELEASE(a, node, node), 0);
	b1t_expect_empty(a);
	ck_assert_int_eq(B1T_RELEASE(a, node, node), -EBADRQC);
}
END_TEST

/* 4: recv wrote more transfers than there was room; errors were eight bytes each */
START_TEST(regress_04_room_is_respected)
{
	int a = b1t_peer(), b = b1t_peer();
	struct bus1_transfer room[4];
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_transfers = 2,
		.ptr_transfers = BUS1_FROM_PTR(room),
	}, send = { .type = BUS1_MESSAGE_TYPE_USER };
	struct bus1_metadata metadata;
	struct bus1_cmd_recv recv_cmd = { 0, BUS1_FROM_PTR(&metadata), BUS1_FROM_PTR(&message) };
	int32_t errors[4] = { 9, 9, 9, 9 };
	uint64_t node, h, dests[2];
	struct bus1_cmd_send send_cmd = {
		.n_destinations = 2,
		.ptr_destinations = BUS1_FROM_PTR(dests),
		.ptr_errors = BUS1_FROM_PTR(errors + 1),
		.ptr_message = BUS1_FROM_PTR(&send),
	};
	size_t i;

	b1t_node_ok(a, b, &node, &h);
	b1t_send_ok(b, h, "", 3, (uint64_t[]){ h, h, h });
	memset(room, 0x77, sizeof(room));
	ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_RECV, &recv_cmd), -EMSGSIZE);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(room[i].id, 0x7777777777777777ULL);
	ck_assert_uint_eq(message.n_transfers, 3);
	ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_RECV, &recv_cmd), 0);
	ck_assert_uint_eq(room[3].id, 0x7777777777777777ULL);

	dests[0] = dests[1] = h;
	ck_assert_int_eq(b1t_ioctl(b, BUS1_CMD_SEND, &send_cmd), 0);
	ck_assert_int_eq(errors[0], 9);
	ck_assert_int_eq(errors[1], 0);
	ck_assert_int_eq(errors[2], 0);
	ck_assert_int_eq(errors[3], 9);
}
END_TEST

/* 5: release swallowed its error, recv returned 1, EMSGSIZE told no sizes */
START_TEST(regress_05_results)
{
	int a = b1t_peer(), b = b1t_peer();
	struct bus1_message message = { .type = BUS1_INVALID };
	struct bus1_metadata metadata;
	struct bus1_cmd_recv cmd = { 0, BUS1_FROM_PTR(&metadata), BUS1_FROM_PTR(&message) };
	struct bus1_cmd_release release = { .n_ids = 1, .ptr_ids = BUS1_FROM_PTR(&metadata.id) };
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	metadata.id = handle + 2;
	ck_assert_int_eq(ioctl(b, BUS1_CMD_RELEASE, &release), -1);
	ck_assert_int_eq(errno, EBADRQC);
	b1t_send_ok(b, handle, "", 0, NULL);
	b1t_send_ok(b, handle, "four", 1, &handle);
	ck_assert_int_eq(ioctl(a, BUS1_CMD_RECV, &cmd), 0);
	message.type = BUS1_INVALID;
	ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_RECV, &cmd), -EMSGSIZE);
	ck_assert_uint_eq(message.n_data, 4);
	ck_assert_uint_eq(message.n_transfers, 1);
	ck_assert_uint_eq(message.type, BUS1_INVALID);
}
END_TEST

/* 6: all bytes of the iovecs travelled, not the first n_data */
START_TEST(regress_06_only_n_data_bytes)
{
	int a = b1t_peer(), b = b1t_peer();
	char data[] = "public-secret";
	struct iovec vecs[2] = { { data, 13 }, { data, 13 } };
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_data = 6,
		.n_data_vecs = 2,
		.ptr_data_vecs = BUS1_FROM_PTR(vecs),
	};
	uint64_t node, dest;
	struct bus1_cmd_send cmd = {
		.n_destinations = 1,
		.ptr_destinations = BUS1_FROM_PTR(&dest),
		.ptr_message = BUS1_FROM_PTR(&message),
	};

	b1t_node_ok(a, b, &node, &dest);
	ck_assert_int_eq(b1t_ioctl(b, BUS1_CMD_SEND, &cmd), 0);
	/* the canaries of b1t_recv() would show more bytes */
	b1t_expect_text(a, node, "public");
}
END_TEST

/* 7: readable for ever after the first message (that multicasts are atomic: see order.c) */
START_TEST(regress_07_readable_only_while_it_is)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, extra;
	size_t i;

	b1t_node_ok(a, b, &node, &handle);
	for (i = 0; i < N; i++) {
		b1t_expect_empty(a);
		b1t_send_ok(b, handle, "x", 0, NULL);
		b1t_expect_text(a, node, "x");
		b1t_expect_empty(a);
		b1t_node_ok(b, a, &extra, &handle);
		ck_assert_int_eq(b1t_release1(b, extra), 0);
		b1t_expect_node_release(a, handle);
		handle = b1t_copy_ok(a, -1, handle);
		b1t_expect_node_release(a, handle);
		b1t_expect_empty(a);
		b1t_node_ok(a, b, &node, &handle);
	}
}
END_TEST

/* 8: HANDLE_RELEASE came for every handle, and reading it destroyed the node */
START_TEST(regress_08_last_handle_only)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, ids[N];
	size_t i;

	b1t_node_ok(a, b, &node, &ids[0]);
	for (i = 1; i < N; i++)
		ids[i] = b1t_copy_ok(b, -1, ids[0]);
	for (i = 0; i < N; i++) {
		b1t_expect_empty(a);
		ck_assert_int_eq(b1t_release1(b, ids[i]), 0);
	}
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
	ck_assert_int_eq(b1t_release1(a, node), 0);
}
END_TEST

/* 9: handles installed after the node's release, or in flight at it, were never notified */
START_TEST(regress_09_late_handles)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t node, handle, inbox, to_b, got, late, sent;

	b1t_node_ok(a, c, &node, &handle);
	b1t_node_ok(b, c, &inbox, &to_b);
	b1t_send_ok(c, to_b, "before", 1, &handle);
	ck_assert_int_eq(b1t_release1(a, node), 0);
	b1t_send_ok(c, to_b, "after", 1, &handle);
	late = b1t_copy_ok(c, b, handle);
	got = b1t_expect_handle(b, inbox, "before");
	b1t_expect_node_release(b, got);
	sent = b1t_expect_handle(b, inbox, "after");
	b1t_expect_node_release(b, sent);
	b1t_expect_node_release(b, late);
	b1t_expect_empty(b);
	b1t_expect_node_release(c, handle);
	b1t_expect_empty(c);
}
END_TEST

struct pair {
	int sender, owner;
	uint64_t dest;
};

/* Sends a fresh node's only handles and lets go of its own at once. */
static void *run_gifts(void *arg)
{
	const struct pair *pair = arg;
	uint64_t handle;
	size_t i;

	for (i = 0; i < ROUNDS; i++) {
		b1t_node_ok(pair->owner, pair->sender, NULL, &handle);
		ck_assert_int_eq(b1t_send(pair->sender, 1, &pair->dest, "gift", 4,
					  (uint64_t[]){ handle, handle }, 2), 0);
		ck_assert_int_eq(b1t_release1(pair->sender, handle), 0);
	}
	return NULL;
}

/* 10: handles linked after the commit left ghosts when the receiver was faster */
START_TEST(regress_10_fast_receiver)
{
	int b = b1t_peer();
	struct pair pair = { .sender = b1t_peer(), .owner = b1t_peer() };
	struct b1t_received r;
	pthread_t thread;
	uint64_t inbox;
	size_t i;

	b1t_node_ok(b, pair.sender, &inbox, &pair.dest);
	ck_assert(!pthread_create(&thread, NULL, run_gifts, &pair));
	for (i = 0; i < ROUNDS; i++) {
		b1t_recv_wait(b, &r);
		ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_USER);
		ck_assert_uint_eq(r.message.n_transfers, 2);
		ck_assert_int_eq(B1T_RELEASE(b, r.transfers[0].id, r.transfers[1].id), 0);
	}
	ck_assert(!pthread_join(thread, NULL));
	/* all are gone: one HANDLE_RELEASE per node, in the order of the nodes or another */
	for (i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(b1t_recv(pair.owner, &r), 0);
		ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_HANDLE_RELEASE);
		ck_assert_int_eq(b1t_release1(pair.owner, r.metadata.id), 0);
	}
	b1t_expect_empty(pair.owner);
	b1t_expect_empty(b);
}
END_TEST

/* 11: dropped messages, for a dead node or unread at close, leaked their handles */
START_TEST(regress_11_dropped_messages)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t inbox[2], to_b[2], nodes[3], handles[3];
	size_t i;

	for (i = 0; i < 2; i++)
		b1t_node_ok(b, c, &inbox[i], &to_b[i]);
	for (i = 0; i < 3; i++)
		b1t_node_ok(a, c, &nodes[i], &handles[i]);
	b1t_send_ok(c, to_b[0], "queued", 1, &handles[0]);
	b1t_send_ok(c, to_b[1], "unread", 1, &handles[1]);
	ck_assert_int_eq(b1t_release1(b, inbox[0]), 0);
	b1t_send_ok(c, to_b[0], "late", 1, &handles[2]);
	ck_assert_int_eq(b1t_release(c, 3, handles), 0);
	b1t_expect_handle_releases(a, 2, (uint64_t[]){ nodes[0], nodes[2] });
	b1t_expect_empty(a);
	close(b);
	b1t_expect_handle_release(a, nodes[1]);
	b1t_expect_empty(a);
}
END_TEST

struct waker {
	int fd;
	uint64_t dest;
	pthread_barrier_t begin;
};

static void *run_waker(void *arg)
{
	struct waker *w = arg;
	size_t i;

	pthread_barrier_wait(&w->begin);
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(b1t_send(w->fd, 1, &w->dest, "x", 1, NULL, 0), 0);
	return NULL;
}

/* 12: the wait queue outlived its memory: watched peers close while messages wake them */
START_TEST(regress_12_close_while_woken)
{
	struct epoll_event ev, want = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC), fd;
	pthread_t thread;
	size_t i, k;

	for (i = 0; i < 200; i++) {
		struct waker w = { .fd = b1t_peer() };

		fd = b1t_peer();
		b1t_node_ok(fd, w.fd, NULL, &w.dest);
		pthread_barrier_init(&w.begin, NULL, 2);
		ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &want), 0);
		ck_assert(!pthread_create(&thread, NULL, run_waker, &w));
		pthread_barrier_wait(&w.begin);
		for (k = 0; k < i % 30; k++)
			epoll_wait(ep, &ev, 1, 0);
		close(fd);
		ck_assert(!pthread_join(thread, NULL));
		ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 0);
		b1t_expect_node_release(w.fd, w.dest);
		close(w.fd);
	}
}
END_TEST

/* 13: the kernel warned of ordinary events */
START_TEST(regress_13_no_warnings)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	bool before = tainted_by_warning();
	uint64_t an, ah, bn, bh, cn, ch;

	b1t_node_ok(a, c, &an, &ah);
	b1t_node_ok(b, c, &bn, &bh);
	b1t_node_ok(c, a, &cn, &ch);
	b1t_send_ok(c, ah, "unread", 2, (uint64_t[]){ ah, bh });
	ck_assert_int_eq(b1t_release1(b, bn), 0);
	b1t_send_ok(c, bh, "released node", 1, &bh);
	close(a);
	b1t_send_ok(c, ah, "closed peer", 2, (uint64_t[]){ ah, bh });
	b1t_copy_ok(c, b, ah);
	ck_assert_int_eq(B1T_RELEASE(c, ah, bh, cn), 0);
	close(b);
	close(c);
	ck_assert(before == tainted_by_warning());
}
END_TEST

/* 14: close was three transactions: a message could get between what one close causes */
START_TEST(regress_14_close_is_one_transaction)
{
	int b = b1t_peer(), c = b1t_peer(), peer;
	uint64_t nodes[2], handles[2], held;
	size_t i;

	for (i = 0; i < 200; i++) {
		peer = b1t_peer();
		b1t_node_ok(b, peer, &nodes[0], &held);
		b1t_node_ok(c, peer, &nodes[1], &held);
		b1t_node_ok(peer, b, NULL, &handles[0]);
		b1t_node_ok(peer, c, NULL, &handles[1]);
		close(peer);
		ck_assert(b1t_readable(b));
		ck_assert(b1t_readable(c));
		ck_assert_int_eq(B1T_RELEASE(b, nodes[0], handles[0]), 0);
		ck_assert_int_eq(B1T_RELEASE(c, nodes[1], handles[1]), 0);
		b1t_expect_empty(b);
		b1t_expect_empty(c);
	}
}
END_TEST

/* 15: the search went wrong from three entries on */
START_TEST(regress_15_lookup)
{
	enum { COUNT = 300 };
	int a = b1t_peer(), b = b1t_peer();
	uint64_t nodes[COUNT], handles[COUNT];
	size_t i, k;

	for (i = 0; i < COUNT; i++)
		b1t_node_ok(a, b, &nodes[i], &handles[i]);
	/* 7 and COUNT have no common divisor: all of them, in an order of no kind */
	for (i = 0, k = 3; i < COUNT; i++, k = (k + 7) % COUNT) {
		b1t_send_ok(b, handles[k], "x", 0, NULL);
		b1t_expect_text(a, nodes[k], "x");
		if (i % 2) {
			ck_assert_int_eq(b1t_release1(b, handles[k]), 0);
			b1t_expect_handle_release(a, nodes[k]);
		} else {
			ck_assert_int_eq(b1t_release1(a, nodes[k]), 0);
		}
	}
	/* of each pair one is left, and nothing is left behind the last of them */
	for (i = 0; i < COUNT; i++) {
		ck_assert_int_eq(b1t_send_text(b, handles[COUNT - 1] + 2 * i + 2, "x"), -EBADRQC);
		if (!b1t_release1(b, handles[i]))
			ck_assert_int_eq(b1t_release1(a, nodes[i]), -EBADRQC);
		else
			ck_assert_int_eq(b1t_release1(a, nodes[i]), 0);
	}
}
END_TEST

/* 16: sizes and counts came from the user without limit; no attempt may take long or succeed */
START_TEST(regress_16_absurd_sizes)
{
	static const uint64_t sizes[] = { 65537, 1ULL << 31, 1ULL << 32, (1ULL << 32) + 1,
					  1ULL << 60, 1ULL << 63, UINT64_MAX };
	int a = b1t_peer();
	uint64_t node, handle;
	size_t i;

	b1t_node_ok(a, -1, &node, &handle);
	for (i = 0; i < B1T_N(sizes); i++) {
		struct bus1_cmd_transfer transfer = { .to = BUS1_INVALID, .n_transfers = sizes[i] };
		struct bus1_cmd_release release = { .n_ids = sizes[i] };
		struct bus1_message message = { .type = BUS1_MESSAGE_TYPE_USER };
		struct bus1_cmd_send send = {
			.n_destinations = sizes[i],
			.ptr_destinations = BUS1_FROM_PTR(&handle),
			.ptr_message = BUS1_FROM_PTR(&message),
		};

		ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_TRANSFER, &transfer), -E2BIG);
		ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_RELEASE, &release), -E2BIG);
		ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_SEND, &send), -E2BIG);
		send.n_destinations = 1;
		message.n_transfers = sizes[i];
		ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_SEND, &send), -E2BIG);
		message.n_transfers = 0;
		message.n_data_vecs = sizes[i];
		ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_SEND, &send), -EINVAL);
		message.n_data_vecs = 0;
		message.n_data = sizes[i];
		ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_SEND, &send), -EMSGSIZE);
	}
	b1t_expect_empty(a);
}
END_TEST

/*
 * 17: user memory was touched while other peers' locks were held. Here one command is stopped in a
 * page fault for as long as the test likes; SIGALRM ends the test if another command waits for it.
 */
struct slow {
	int uffd;
	char *page;
	pthread_t thread;
	int fd, ret;
	unsigned long request;
	void *arg;
};

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* A page that whoever touches it waits for. */
static void slow_init(struct slow *s)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ck_assert_msg(s->uffd >= 0, "this test needs userfaultfd: %s", strerror(errno));
	s->page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	ck_assert_ptr_ne(s->page, MAP_FAILED);
	reg.range.start = BUS1_FROM_PTR(s->page);
	reg.range.len = page_size();
	ck_assert_int_eq(ioctl(s->uffd, UFFDIO_API, &api), 0);
	ck_assert_int_eq(ioctl(s->uffd, UFFDIO_REGISTER, &reg), 0);
}

static void *run_slow(void *arg)
{
	struct slow *s = arg;

	s->ret = b1t_ioctl(s->fd, s->request, s->arg);
	return NULL;
}

/* Starts a command that touches the page; returns when it is stuck there. */
static void slow_start(struct slow *s, int fd, unsigned long request, void *arg)
{
	struct pollfd p = { .fd = s->uffd, .events = POLLIN };
	struct uffd_msg msg;

	s->fd = fd;
	s->request = request;
	s->arg = arg;
	s->ret = -1;
	alarm(10);
	ck_assert(!pthread_create(&s->thread, NULL, run_slow, s));
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert_int_eq(read(s->uffd, &msg, sizeof(msg)), sizeof(msg));
	ck_assert_int_eq(msg.event, UFFD_EVENT_PAGEFAULT);
	alarm(5);
}

/* Lets the command go on; returns its result. */
static int slow_finish(struct slow *s)
{
	struct uffdio_zeropage zero = { .range = { BUS1_FROM_PTR(s->page), page_size() } };

	ck_assert_int_eq(s->ret, -1);
	ck_assert_int_eq(ioctl(s->uffd, UFFDIO_ZEROPAGE, &zero), 0);
	ck_assert(!pthread_join(s->thread, NULL));
	alarm(0);
	return s->ret;
}

/* A receive of @n bytes into the page. */
struct slow_recv {
	struct iovec vec;
	struct bus1_message message;
	struct bus1_metadata metadata;
	struct bus1_cmd_recv cmd;
};

static void slow_recv_init(struct slow_recv *r, const struct slow *s, size_t n)
{
	*r = (struct slow_recv){
		.vec = { s->page, n },
		.message = {
			.type = BUS1_INVALID,
			.n_data = n,
			.n_data_vecs = 1,
			.ptr_data_vecs = BUS1_FROM_PTR(&r->vec),
		},
		.cmd = { 0, BUS1_FROM_PTR(&r->metadata), BUS1_FROM_PTR(&r->message) },
	};
}

/* 17: a recv that waits for memory stops nobody who sends, transfers, releases, polls, closes */
START_TEST(regress_17_slow_recv)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	struct slow_recv recv;
	struct bus1_transfer got;
	uint64_t inbox, to_b, an, hb[2], copy, cn, ch;
	struct slow slow;

	slow_init(&slow);
	slow_recv_init(&recv, &slow, 5);
	recv.message.n_transfers = 1;
	recv.message.ptr_transfers = BUS1_FROM_PTR(&got);
	b1t_node_ok(b, a, &inbox, &to_b);
	b1t_node_ok(a, b, &an, &hb[0]);
	b1t_node_ok(c, b, &cn, &ch);
	b1t_send_ok(a, to_b, "first", 1, &to_b);
	slow_start(&slow, b, BUS1_CMD_RECV, &recv.cmd);

	b1t_send_ok(a, to_b, "second", 0, NULL);
	copy = b1t_copy_ok(a, b, to_b);
	ck_assert(b1t_readable(b));
	ck_assert_int_eq(b1t_release1(a, an), 0);
	close(c);
	ck_assert_int_eq(b1t_release1(a, to_b), 0);

	ck_assert_int_eq(slow_finish(&slow), 0);
	ck_assert_mem_eq(slow.page, "first", 5);
	b1t_expect_text(b, inbox, "second");
	b1t_expect_node_release(b, hb[0]);
	b1t_expect_node_release(b, ch);
	b1t_expect_empty(b);
	b1t_send_ok(b, copy, "copy", 0, NULL);
	b1t_send_ok(b, got.id, "got", 0, NULL);
	b1t_expect_text(b, inbox, "copy");
	b1t_expect_text(b, inbox, "got");
}
END_TEST

/* 17: the same where a send waits for its payload: its receivers and others go on */
START_TEST(regress_17_slow_send)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	struct iovec vec;
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_data = 2,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	uint64_t bn, cn, dests[2], c_to_b, bh, an, ah;
	struct bus1_cmd_send cmd = {
		.n_destinations = 2,
		.ptr_destinations = BUS1_FROM_PTR(dests),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	struct slow slow;

	slow_init(&slow);
	vec = (struct iovec){ slow.page, 2 };
	b1t_node_ok(b, a, &bn, &dests[0]);
	b1t_node_ok(c, a, &cn, &dests[1]);
	c_to_b = b1t_copy_ok(a, c, dests[0]);
	b1t_node_ok(a, b, &an, &ah);
	slow_start(&slow, a, BUS1_CMD_SEND, &cmd);

	b1t_expect_empty(b);
	b1t_send_ok(c, c_to_b, "x", 0, NULL);
	b1t_expect_text(b, bn, "x");
	b1t_send_ok(b, ah, "to the slow one", 0, NULL);
	ck_assert(b1t_readable(a));
	b1t_node_ok(b, a, NULL, &bh);
	b1t_copy_ok(b, c, ah);
	/* a destination that goes meanwhile is discarded */
	ck_assert_int_eq(b1t_release1(c, cn), 0);

	ck_assert_int_eq(slow_finish(&slow), 0);
	ck_assert(b1t_readable(b));
	b1t_expect_empty(c);
	b1t_expect_text(a, an, "to the slow one");
	b1t_expect_node_release(a, dests[1]);
}
END_TEST

/* 17: the same for a transfer that waits to store its results: the peer it gives to goes on */
START_TEST(regress_17_slow_transfer)
{
	int a = b1t_peer(), b = b1t_peer();
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, *dst;
	struct bus1_cmd_transfer cmd = {
		.to = b,
		.n_transfers = 1,
		.ptr_src = BUS1_FROM_PTR(&src),
	};
	uint64_t own_node, own, inbox, to_b, handle;
	struct slow slow;

	slow_init(&slow);
	dst = (struct bus1_transfer *)slow.page;
	cmd.ptr_dst = BUS1_FROM_PTR(dst);
	b1t_node_ok(b, -1, &own_node, &own);
	b1t_node_ok(b, a, &inbox, &to_b);
	slow_start(&slow, a, BUS1_CMD_TRANSFER, &cmd);

	b1t_send_ok(b, own, "busy", 0, NULL);
	b1t_expect_text(b, own_node, "busy");
	b1t_node_ok(b, a, NULL, &handle);
	ck_assert_int_eq(B1T_RELEASE(b, own, own_node), 0);
	b1t_expect_empty(b);

	ck_assert_int_eq(slow_finish(&slow), 0);
	b1t_send_ok(b, dst->id, "made it", 0, NULL);
	b1t_expect_text(a, src.id, "made it");
}
END_TEST

static char process_state(pid_t pid)
{
	char path[64], line[256], *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	fclose(file);
	state = strrchr(line, ')');
	ck_assert_ptr_nonnull(state);
	return state[2];
}

/* 17: who waits for a peer whose command hangs can be killed, and is gone while that still hangs */
START_TEST(regress_17_killed_while_waiting)
{
	int a = b1t_peer(), b = b1t_peer(), status;
	struct slow_recv recv;
	struct b1t_received r;
	uint64_t inbox, to_b;
	struct slow slow;
	pid_t pid;

	slow_init(&slow);
	slow_recv_init(&recv, &slow, 5);
	b1t_node_ok(b, a, &inbox, &to_b);
	b1t_send_ok(a, to_b, "first", 0, NULL);
	b1t_send_ok(a, to_b, "second", 0, NULL);
	slow_start(&slow, b, BUS1_CMD_RECV, &recv.cmd);

	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(b1t_recv(b, &r) != 0);
	/* D: it sleeps, and signals with a handler would not end that */
	while (process_state(pid) != 'D')
		usleep(1000);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	ck_assert_int_eq(slow_finish(&slow), 0);
	ck_assert_mem_eq(slow.page, "first", 5);
	b1t_expect_text(b, inbox, "second");
}
END_TEST

/* 18: account was never filled in (the flag's memory order: see the head of this file) */
START_TEST(regress_18_account)
{
	int a = b1t_peer(), b;
	struct b1t_received r;
	uint64_t node, handle;

	ck_assert_int_eq(seteuid(4321), 0);
	b = b1t_peer();
	ck_assert_int_eq(seteuid(0), 0);
	b1t_node_ok(a, b, &node, &handle);
	b1t_send_ok(b, handle, "", 0, NULL);
	ck_assert_int_eq(b1t_recv(a, &r), 0);
	ck_assert_uint_eq(r.metadata.account, 4321);
}
END_TEST

TCase *b1t_tcase_regress(void)
{
	TCase *tc = tcase_create("regress");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, regress_01_arrays_of_several_elements);
	tcase_add_test(tc, regress_02_failing_send);
	tcase_add_test(tc, regress_03_repeated_id);
	tcase_add_test(tc, regress_04_room_is_respected);
	tcase_add_test(tc, regress_05_results);
	tcase_add_test(tc, regress_06_only_n_data_bytes);
	tcase_add_test(tc, regress_07_readable_only_while_it_is);
	tcase_add_test(tc, regress_08_last_handle_only);
	tcase_add_test(tc, regress_09_late_handles);
	tcase_add_test(tc, regress_10_fast_receiver);
	tcase_add_test(tc, regress_11_dropped_messages);
	tcase_add_test(tc, regress_12_close_while_woken);
	tcase_add_test(tc, regress_13_no_warnings);
	tcase_add_test(tc, regress_14_close_is_one_transaction);
	tcase_add_test(tc, regress_15_lookup);
	tcase_add_test(tc, regress_16_absurd_sizes);
	tcase_add_test(tc, regress_17_slow_recv);
	tcase_add_test(tc, regress_17_slow_send);
	tcase_add_test(tc, regress_17_slow_transfer);
	tcase_add_test(tc, regress_17_killed_while_waiting);
	tcase_add_test(tc, regress_18_account);
	return tc;
}
