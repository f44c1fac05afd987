// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Quotas: what is charged to whom, until when, and what a refusal looks like
 *
 * For a module with small maxima, which are read from its parameters. The numbers come from the
 * model in quota_model.c; where the documentation has a fraction, that is asserted as well.
 */
#define _GNU_SOURCE
#include "quota.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* UIDs: of the peers that are sent to, and of those that send */
#define A 1000
#define B 1001
#define C 1002

/* A message of as many objects (itself and its handles) or bytes as are granted, not one more. */
static uint64_t send_most(struct q_peer *from, struct q_dest dest, enum q_slot slot)
{
	uint64_t most = q_most(q_who(dest.peer, from), slot);

	if (slot == Q_OBJECTS) {
		ck_assert(!q_send(from, dest, most, 0));
		if (most)
			ck_assert(q_send(from, dest, most - 1, 0));
	} else {
		ck_assert(!q_send(from, dest, 0, most + 1));
		ck_assert(q_send(from, dest, 0, most));
	}
	return most;
}

/* Users and their actors, each of which sends as much as it may in one message. */
START_TEST(quota_of_others)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B), *b2 = q_peer(B), *c = q_peer(C);
	struct q_peer *c2 = q_peer(C), *senders[] = { b, b2, c, c2 };
	struct q_dest dests[4];
	uint64_t most[4];
	size_t i;

	for (i = 0; i < 4; i++)
		dests[i] = q_connect(senders[i], a);
	for (i = 0; i < 4; i++)
		most[i] = send_most(senders[i], dests[i], _i);
	/* the owner is a user of its own, by its open peer: so these are the second and the third */
	if (_i == Q_BYTES) {
		ck_assert_uint_eq(most[0], q_max(Q_BYTES) / 9 / 2);
		ck_assert_uint_eq(most[1], most[0] / 2);
		ck_assert_uint_eq(most[2], (q_max(Q_BYTES) - 2 * most[0]) / 12 / 2);
		ck_assert_uint_eq(most[3], most[2] / 2);
	}
	q_check();
	/* the last one can be had again */
	while (a->n_messages > 3)
		q_recv(a);
	q_check();
	while (a->n_messages)
		q_recv(a);
}
END_TEST

START_TEST(quota_of_self)
{
	struct q_peer *a = q_peer(A), *a2 = q_peer(A), *b = q_peer(B);
	struct q_dest self = q_connect(a, a), sibling = q_connect(a2, a), other = q_connect(b, a);
	uint64_t quarter = q_max(Q_BYTES) / 4;

	ck_assert(q_send(a, self, 0, quarter));
	ck_assert(!q_send(a, self, 0, quarter + 1));
	ck_assert(q_send(a, self, 0, quarter));
	ck_assert(!q_send(a, self, 0, 1));
	ck_assert(!q_send(b, other, 0, 1));
	q_check();
	/* drop one, and take it again */
	q_recv(a);
	q_check();
	ck_assert(!q_send(a, self, 0, quarter + 1));
	ck_assert(q_send(a, self, 0, quarter));
	ck_assert(!q_send(b, other, 0, 1));
	while (a->n_messages)
		q_recv(a);
	/* all of its half at once, and half of that for the sibling */
	ck_assert(!q_send(a, self, 0, 2 * quarter + 1));
	ck_assert(q_send(a, self, 0, 2 * quarter));
	ck_assert(!q_send(a2, sibling, 0, quarter + 1));
	ck_assert(q_send(a2, sibling, 0, quarter));
	q_check();
}
END_TEST

/* open: a user with all its objects in use gets no more peers, but others do */
START_TEST(quota_open)
{
	struct q_peer *first = q_peer(A), *peer;
	size_t n = 1;

	q_fill(first);
	while (q_open(A, &peer)) {
		q_fill(peer);
		n++;
	}
	ck_assert_uint_gt(n, 3);
	q_check();
	q_close(q_peer(B));
	/* it takes as much as the peer, and as much again for its siblings */
	q_release(first, q_last(first));
	q_release(first, q_last(first));
	ck_assert(q_open(A, &peer));
	q_check();
	while (q_open(A, &peer))
		n++;
	ck_assert_uint_lt(n, 100);
	q_check();
}
END_TEST

/* node: charged to who creates it, until it is released */
START_TEST(quota_nodes)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B), *c = q_peer(C);
	size_t n, total = 0;

	/* the handles go to others, who have room for all of them */
	for (n = 1024; n;) {
		if (q_nodes(a, total > q_max(Q_OBJECTS) / 4 ? b : c, n, NULL))
			total += n;
		else
			n /= 2;
	}
	/* half of all, the peer itself being one */
	ck_assert_uint_eq(total, q_max(Q_OBJECTS) / 2 - 1);
	q_check();
	/* all or nothing */
	q_release(a, a->objects[0].id);
	q_release(a, a->objects[0].id);
	ck_assert(!q_nodes(a, b, 3, NULL));
	q_check();
	ck_assert(q_nodes(a, b, 2, NULL));
	ck_assert(!q_nodes(a, b, 1, NULL));
	/* not charged to the holder of the handle */
	ck_assert(q_nodes(b, b, 10, NULL));
	q_check();
}
END_TEST

/* handle by transfer: charged to who gets it, until it is released, whoever calls */
START_TEST(quota_handles)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B);
	uint64_t handle, total = 0;
	size_t n;

	ck_assert(q_nodes(b, b, 1, NULL));
	handle = q_last(b);
	for (n = 2048; n;) {
		if (q_copies(b, a, handle, n))
			total += n;
		else
			n /= 2;
	}
	ck_assert_uint_eq(total, q_max(Q_OBJECTS) / 2 - 1);
	q_check();
	ck_assert(!q_nodes(b, a, 1, NULL));
	q_check();
	ck_assert(q_copies(b, b, handle, 100));
	q_release(a, q_last(a));
	q_release(a, q_last(a));
	ck_assert(!q_copies(b, a, handle, 3));
	ck_assert(q_copies(b, a, handle, 2));
	ck_assert(!q_copies(b, a, handle, 1));
	q_check();
}
END_TEST

/* recv: the message is given back, its handles become charges of the receiver */
START_TEST(quota_recv_moves_handles)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B);
	struct q_dest dest = q_connect(b, a);
	struct q_who other = q_who(a, b), own = q_who(a, a);
	uint64_t before = q_claimed(own, Q_OBJECTS);

	ck_assert(q_send(b, dest, 20, 500));
	ck_assert(q_send(b, dest, 0, 0));
	ck_assert_uint_eq(q_claimed(other, Q_OBJECTS), 22);
	q_check();
	q_recv(a);
	ck_assert_uint_eq(q_claimed(other, Q_OBJECTS), 1);
	ck_assert_uint_eq(q_claimed(other, Q_BYTES), 0);
	ck_assert_uint_eq(q_claimed(own, Q_OBJECTS), before + 20);
	q_check();
	q_recv(a);
	q_release(a, q_last(a));
	ck_assert_uint_eq(q_claimed(own, Q_OBJECTS), before + 19);
	q_check();
}
END_TEST

/* recv never fails for quota: handles that the receiver may not have stay with the sender */
START_TEST(quota_recv_never_fails)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B);
	struct q_dest dest = q_connect(b, a);
	uint64_t most = q_most(q_who(a, b), Q_OBJECTS);
	size_t i, kept = 0;

	ck_assert(q_send(b, dest, most - 1, 0));
	q_fill(a);
	for (i = 0; i < 3; i++)
		q_fill(q_peer(A));
	q_check();
	/* also if the sender is gone by then */
	if (_i)
		q_close(b);
	q_recv(a);
	for (i = 0; i < a->n_objects; i++)
		kept += a->objects[i].charged.claimant == B;
	ck_assert_uint_gt(kept, 0);
	q_check();
	/* each goes back to who was charged for it */
	while (kept > 1) {
		kept -= a->objects[a->n_objects - 1].charged.claimant == B;
		q_release(a, q_last(a));
	}
	q_check();
}
END_TEST

/* a multicast is all or nothing: one receiver is full, so that no other gets anything */
START_TEST(quota_multicast)
{
	struct q_peer *b = q_peer(B), *full = q_peer(A), *free1 = q_peer(C), *free2 = q_peer(C);
	struct q_dest to_full = q_connect(b, full), to1 = q_connect(b, free1);
	struct q_dest to2 = q_connect(b, free2);
	struct q_dest orders[][3] = { { to_full, to1, to2 }, { to1, to_full, to2 },
				      { to1, to2, to_full } };
	size_t i;

	send_most(b, to_full, _i);
	for (i = 0; i < 3; i++)
		ck_assert(!q_multicast(b, 3, orders[i], 3, q_max(Q_BYTES) / 60));
	q_check();
	ck_assert(!b1t_readable(free1->fd));
	ck_assert(!b1t_readable(free2->fd));
	ck_assert_uint_eq(full->n_messages, 1);
	ck_assert(q_multicast(b, 2, orders[2], 3, q_max(Q_BYTES) / 60));
	q_check();
	/* the same receiver twice is charged twice */
	q_recv(free1);
	q_recv(free2);
	to2 = to1;
	i = q_most(q_who(free1, b), Q_BYTES);
	ck_assert(!q_multicast(b, 2, (struct q_dest[]){ to1, to2 }, 0, i));
	q_check();
	ck_assert(q_multicast(b, 2, (struct q_dest[]){ to1, to2 }, 0, i / 2));
	q_check();
}
END_TEST

/* who never reads is refused more, and harms nobody else that the sender talks to */
START_TEST(quota_of_one_that_never_reads)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B), *c = q_peer(C);
	struct q_dest dest = q_connect(b, a), other = q_connect(b, c);
	size_t i, sent = 0;

	while (q_send(b, dest, 0, 100))
		sent++;
	ck_assert_uint_gt(sent, 10);
	for (i = 0; i < 100; i++) {
		ck_assert(!q_send(b, dest, 0, 100));
		ck_assert(q_send(b, other, 1, 100));
		q_recv(c);
		q_release(c, q_last(c));
	}
	ck_assert(q_nodes(b, b, 10, NULL));
	q_check();
	q_close(a);
	q_check();
	/* what goes nowhere is not charged */
	ck_assert_int_eq(b1t_send(b->fd, 1, &dest.handle, "x", 1, NULL, 0), 0);
	q_check();
}
END_TEST

/* Checks that come before, and those that come after */
START_TEST(quota_order_of_checks)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B);
	struct q_dest dest = q_connect(b, a);
	uint64_t ids[] = { dest.handle, dest.handle + 2 }, most = q_most(q_who(a, b), Q_BYTES);
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID };
	struct bus1_transfer unknown = { .id = dest.handle + 2 };
	/* with nothing there, and room for a large array behind */
	void *bad = (void *)4096;
	char byte = 0;

	/* a payload that cannot be read: over the quota that does not matter, below it does */
	ck_assert_int_eq(q_send_raw(b->fd, 1, ids, bad, most + 1, NULL, 0), -EDQUOT);
	ck_assert_int_eq(q_send_raw(b->fd, 1, ids, bad, 0x7ffff000, NULL, 0), -EDQUOT);
	q_check();
	ck_assert_int_eq(q_send_raw(b->fd, 1, ids, bad, most, NULL, 0), -EFAULT);
	q_check();
	ck_assert_int_eq(q_send_raw(b->fd, 1, ids, bad, 0x7ffff001, NULL, 0), -EMSGSIZE);
	/* an ID that is unknown, behind one that is full */
	ck_assert(q_send(b, dest, 0, most));
	ck_assert_int_eq(q_send_raw(b->fd, 1, ids, &byte, 1, NULL, 0), -EDQUOT);
	ck_assert_int_eq(q_send_raw(b->fd, 2, ids, &byte, 1, NULL, 0), -EBADRQC);
	ck_assert_int_eq(q_send_raw(b->fd, 1, ids, &byte, 1, &ids[1], 1), -EBADRQC);
	q_check();
	q_fill(a);
	ck_assert_int_eq(b1t_transfer(a->fd, -1, 1, &src, bad), -EDQUOT);
	ck_assert_int_eq(b1t_transfer(b->fd, a->fd, 1, &unknown, bad), -EBADRQC);
	q_check();
}
END_TEST

/* who receives shows in nothing that the sender can look at: not its user, nor that it does so */
START_TEST(quota_fdinfo_hides_receivers)
{
	struct q_peer *a = q_peer(A), *a2 = q_peer(A), *b = q_peer(B);
	struct q_dest dests[] = { q_connect(a, a2), q_connect(a, b) };
	char *before = q_fdinfo(a), *now;
	size_t i;

	for (i = 0; i < B1T_N(dests); i++) {
		ck_assert(q_send(a, dests[i], 1, 100));
		now = q_fdinfo(a);
		ck_assert_str_eq(now, before);
		free(now);
		q_recv(dests[i].peer);
		now = q_fdinfo(a);
		ck_assert_str_eq(now, before);
		free(now);
	}
	q_check();
	free(before);
}
END_TEST

/* within the quota, what fails later gives back what was charged */
START_TEST(quota_of_failures)
{
	struct bus1_transfer src[3], *edge;
	struct q_peer *a = q_peer(A);
	struct q_dest dest = q_connect(a, a);
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(mprotect(map + 4096, 4096, PROT_NONE), 0);
	edge = (struct bus1_transfer *)(map + 4096) - 2;
	for (i = 0; i < 2000; i++) {
		src[0] = src[1] = src[2] = (struct bus1_transfer){ .id = dest.handle };
		ck_assert_int_eq(b1t_transfer(a->fd, -1, 3, src, edge), -EFAULT);
		ck_assert_int_eq(q_send_raw(a->fd, 1, &dest.handle, map + 4000, 200, &dest.handle,
					    5), -EFAULT);
	}
	q_check();
	munmap(map, 8192);
}
END_TEST

/* with all bytes used up, messages without any still arrive */
START_TEST(quota_without_bytes)
{
	struct q_peer *a = q_peer(A), *a2 = q_peer(A), *b = q_peer(B);
	struct q_dest self = q_connect(a, a), sibling = q_connect(a2, a), other = q_connect(b, a);

	if (_i) {
		/* all that the other may have, and the sibling half of it */
		send_most(b, other, Q_BYTES);
		sibling = q_connect(a2 = q_peer(B), a);
		send_most(a2, sibling, Q_BYTES);
	} else {
		send_most(a, self, Q_BYTES);
		send_most(a2, sibling, Q_BYTES);
		ck_assert_uint_eq(q_avail(A, Q_BYTES), 0);
		ck_assert(!q_send(a, self, 0, 1));
	}
	ck_assert(!q_send(b, other, 0, 1));
	ck_assert(q_send(b, other, 0, 0));
	ck_assert(q_send(a, self, 0, 0));
	ck_assert(q_send(a2, sibling, 2, 0));
	q_check();
	while (a->n_messages)
		q_recv(a);
	q_check();
}
END_TEST

/* What is not received is given back: the inbox goes, or the peer. */
START_TEST(quota_of_dropped_messages)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B), *c = q_peer(C);
	struct q_dest from_b = q_connect(b, a), from_c = q_connect(c, a);
	size_t i;

	for (i = 0; i < 10; i++) {
		ck_assert(q_send(b, from_b, i, 10 * i));
		ck_assert(q_send(c, from_c, i, 10 * i));
	}
	q_check();
	q_release(a, a->inbox);
	q_check();
	ck_assert_uint_eq(q_claimed(q_who(a, b), Q_OBJECTS), 0);
	/* nothing is charged where nothing arrives */
	ck_assert(q_send(b, from_b, 5, q_max(Q_BYTES)));
	q_check();
	from_c = q_connect(c, a);
	for (i = 0; i < 10; i++)
		ck_assert(q_send(c, from_c, i, 10 * i));
	/* the charges outlive the sender, but not the receiver */
	q_close(c);
	q_check();
	q_close(a);
	q_check();
	ck_assert_uint_eq(q_avail(A, Q_OBJECTS), q_max(Q_OBJECTS));
	ck_assert_uint_eq(q_avail(A, Q_BYTES), q_max(Q_BYTES));
}
END_TEST

/* nothing grows with the number of messages, or of notifications */
START_TEST(quota_of_many_messages)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B);
	struct q_dest dest = q_connect(b, a);
	char *before, *after;
	size_t i;

	ck_assert(q_send(b, dest, 0, 1));
	q_recv(a);
	before = q_read("/sys/kernel/debug/bus1/accounts");
	for (i = 0; i < 5000; i++) {
		ck_assert_int_eq(q_send_raw(b->fd, 1, &dest.handle, "x", 1, NULL, 0), 0);
		ck_assert_int_eq(q_send_raw(b->fd, 1, &dest.handle, "x", 1, NULL, 0), 0);
		b1t_expect_text(a->fd, a->inbox, "x");
		b1t_expect_text(a->fd, a->inbox, "x");
		if (i % 50)
			continue;
		ck_assert(q_nodes(a, b, 1, NULL));
		q_release(b, q_last(b));
		b1t_expect_handle_release(a->fd, q_last(a));
		q_release(a, q_last(a));
	}
	after = q_read("/sys/kernel/debug/bus1/accounts");
	ck_assert_str_eq(before, after);
	q_check();
	free(before);
	free(after);
}
END_TEST

/* notifications cost nothing, and are not refused */
START_TEST(quota_of_notifications)
{
	struct q_peer *a = q_peer(A), *b = q_peer(B);
	struct bus1_transfer nodes[100];
	struct b1t_received r;
	size_t i;

	ck_assert(q_nodes(a, b, 100, nodes));
	q_fill(b);
	q_check();
	for (i = 0; i < 100; i++)
		q_release(a, nodes[i].id);
	q_check();
	for (i = 0; i < 100; i++) {
		ck_assert_int_eq(b1t_recv(b->fd, &r), 0);
		ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_NODE_RELEASE);
	}
	q_check();
}
END_TEST

/* Processes that belong to users: each fills a receiver, for which @fd has a handle. */
static void flood_as(uint32_t uid, int fd, uint64_t handle)
{
	uint64_t sent = 0;
	int own, ret;

	ck_assert_int_eq(setresuid(uid, uid, uid), 0);
	own = b1t_peer();
	handle = b1t_copy_ok(fd, own, handle);
	while (!(ret = b1t_send(own, 1, &handle, "0123456789", 10, &handle, 1)))
		sent++;
	if (ret != -EDQUOT || !sent)
		_exit(1);
	_exit(0);
}

START_TEST(quota_of_processes)
{
	int service = b1t_peer(), fd = b1t_peer(), status;
	uint64_t node, handle;
	struct b1t_received r;
	size_t i, n = 0;
	pid_t pids[3];

	b1t_node_ok(service, fd, &node, &handle);
	for (i = 0; i < 3; i++) {
		pids[i] = fork();
		ck_assert_int_ge(pids[i], 0);
		if (!pids[i])
			flood_as(A + i, fd, handle);
	}
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	/* the senders are gone, and all that they sent is here */
	while (!b1t_recv(service, &r)) {
		ck_assert_uint_eq(r.message.n_transfers, 1);
		ck_assert_int_eq(b1t_release1(service, r.transfers[0].id), 0);
		n++;
	}
	ck_assert_uint_gt(n, 30);
	close(service);
	close(fd);
}
END_TEST

/* What administrators see */

START_TEST(quota_debugfs)
{
	struct q_peer *b = q_peer(B), *a = q_peer(A);
	struct q_dest dest = q_connect(b, a);
	unsigned long long max[] = { q_max(Q_OBJECTS), q_max(Q_BYTES) };
	char expected[512], *text;
	struct stat st;

	ck_assert(q_send(b, dest, 2, 100));
	/* a: the peer, its inbox, the handle to that; the three of b, at a; the two that b has */
	snprintf(expected, sizeof(expected),
		 "user 1000: objects %llu of %llu available, bytes %llu of %llu available\n"
		 "  by user 1000: objects 6, 3 of them unused, bytes 0, 0 unused\n"
		 "    by peer %llu: objects 3, bytes 0\n"
		 "  by user 1001: objects 6, 3 of them unused, bytes 200, 100 unused\n"
		 "    by peer %llu: objects 3, bytes 100\n"
		 "user 1001: objects %llu of %llu available, bytes %llu of %llu available\n"
		 "  by user 1001: objects 4, 2 of them unused, bytes 0, 0 unused\n"
		 "    by peer %llu: objects 2, bytes 0\n",
		 max[0] - 12, max[0], max[1] - 200, max[1], (unsigned long long)a->actor,
		 (unsigned long long)b->actor, max[0] - 4, max[0], max[1], max[1],
		 (unsigned long long)b->actor);
	text = q_read("/sys/kernel/debug/bus1/accounts");
	ck_assert_str_eq(text, expected);
	free(text);
	q_check();
	/* for root only */
	ck_assert_int_eq(stat("/sys/kernel/debug/bus1/accounts", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0400);
	ck_assert_uint_eq(st.st_uid, 0);
	ck_assert_int_eq(setresuid(-1, A, -1), 0);
	ck_assert_int_eq(open("/sys/kernel/debug/bus1/accounts", O_RDONLY), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(setresuid(-1, 0, -1), 0);
	ck_assert_int_eq(chmod("/sys/kernel/debug", 0755), 0);
	ck_assert_int_eq(setresuid(-1, A, -1), 0);
	ck_assert_int_eq(open("/sys/kernel/debug/bus1/accounts", O_RDONLY), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(setresuid(-1, 0, -1), 0);
	ck_assert_int_eq(chmod("/sys/kernel/debug", 0700), 0);
}
END_TEST

/* Reads a file from @offset on, with a buffer of this size. */
static void read_pieces(int fd, off_t offset, size_t size, char *text)
{
	ssize_t n;

	ck_assert_int_eq(lseek(fd, offset, SEEK_SET), offset);
	while ((n = read(fd, text, size)) > 0)
		text += n;
	ck_assert_int_eq(n, 0);
	*text = 0;
}

/* the accounts are the same however they are read, also if users go in the middle of it */
START_TEST(quota_debugfs_in_pieces)
{
	static const size_t sizes[] = { 1, 97, 4096, 65536 };
	struct q_peer *many[900];
	char *whole, *text;
	size_t i, length;
	int fd;

	for (i = 0; i < B1T_N(many); i++)
		many[i] = q_peer(i < 300 ? A : i < 600 ? B : C);
	whole = q_read("/sys/kernel/debug/bus1/accounts");
	length = strlen(whole);
	ck_assert_uint_gt(length, 8 * 4096);
	text = malloc(2 * length);
	ck_assert_ptr_nonnull(text);
	fd = open("/sys/kernel/debug/bus1/accounts", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	for (i = 0; i < B1T_N(sizes); i++) {
		read_pieces(fd, 0, sizes[i], text);
		ck_assert_str_eq(text, whole);
		read_pieces(fd, length / 2 + i, sizes[i], text);
		ck_assert_str_eq(text, whole + length / 2 + i);
		read_pieces(fd, length + i, sizes[i], text);
		ck_assert_str_eq(text, "");
	}
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_gt(read(fd, text, 4096), 0);
	for (i = 0; i < B1T_N(many); i++)
		q_close(many[i]);
	/* the trace that the file has come to, and what the first buffer had more */
	ck_assert_int_gt(read(fd, text, 4096), 0);
	while (read(fd, text, 4096) > 0)
		;
	read_pieces(fd, 0, 4096, text);
	ck_assert_str_eq(text, "");
	/* a file may be closed before its end */
	q_peer(A);
	q_peer(A);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(read(fd, text, 10), 10);
	close(fd);
	free(text);
	free(whole);
}
END_TEST

/* What the end of a line says about those that were left out before it. */
static unsigned long count_left_out(const char *end)
{
	unsigned long n = 0;
	char newline;

	if (strcmp(end, "\n")) {
		ck_assert_int_eq(sscanf(end, " (%lu earlier refusals were not logged)%c", &n, &newline), 2);
		ck_assert_uint_gt(n, 0);
	}
	return n;
}

/*
 * What is logged since the last call: how many lines begin like this. Adds what they say was left
 * out. The kernel's own words for that name a function, at a level that shows on the console.
 */
static size_t count_log(int log, const char *line, unsigned long *left_outp)
{
	char text[8192], *message;
	ssize_t n, found = 0;

	while ((n = read(log, text, sizeof(text) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		text[n] = 0;
		ck_assert_msg(!strstr(text, "callbacks suppressed"), "%s", text);
		message = strchr(text, ';');
		if (!message || strncmp(message + 1, line, strlen(line)))
			continue;
		found++;
		*left_outp += count_left_out(message + 1 + strlen(line));
	}
	ck_assert_int_eq(errno, EAGAIN);
	return found;
}

static const struct timespec tenth = { 0, 100000000 };

/* a refusal is logged with both users and what there is too little of, but not each of many */
START_TEST(quota_log)
{
	static const char * const lines[] = {
		"bus1: UID 1001 is refused objects of UID 1000: quota exceeded",
		"bus1: UID 1001 is refused bytes of UID 1000: quota exceeded",
	};
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	struct q_peer *a = q_peer(A), *b = q_peer(B);
	struct q_dest dest = q_connect(b, a);
	unsigned long left_out = 0;
	size_t i, n = 0;

	ck_assert_int_ge(log, 0);
	ck_assert_int_ge(lseek(log, 0, SEEK_END), 0);
	ck_assert(q_send(b, dest, 0, 1));
	ck_assert_uint_eq(count_log(log, "bus1: UID", &left_out), 0);
	/* other refusals may have used up what is logged in some seconds */
	for (i = 0; i < 300 && !n; i++) {
		ck_assert(!q_send(b, dest, _i ? 0 : q_max(Q_OBJECTS), _i ? q_max(Q_BYTES) : 0));
		n = count_log(log, lines[_i], &left_out);
		nanosleep(&tenth, NULL);
	}
	ck_assert_uint_eq(n, 1);
	for (i = 0; i < 2000; i++)
		ck_assert_int_eq(q_send_raw(b->fd, 1, &dest.handle, NULL, 0x7ffff000, NULL, 0),
				 -EDQUOT);
	ck_assert_uint_lt(count_log(log, lines[1], &left_out), 200);
	close(log);
}
END_TEST

/* Is it lost how many there were? The lines that get through say what was left out before them. */
START_TEST(quota_log_flood)
{
	static const char line[] = "bus1: UID 1001 is refused bytes of UID 1000: quota exceeded";
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	struct q_peer *a = q_peer(A), *b = q_peer(B);
	struct q_dest dest = q_connect(b, a);
	size_t i, n, n_refused = 0, n_logged = 0;
	unsigned long left_out = 0;

	ck_assert_int_ge(log, 0);
	ck_assert_int_ge(lseek(log, 0, SEEK_END), 0);
	/* the first line tells what other tests have caused */
	for (i = n = 0; i < 300 && !n; i++) {
		nanosleep(&tenth, NULL);
		ck_assert(!q_send(b, dest, 0, q_max(Q_BYTES)));
		n = count_log(log, line, &left_out);
	}
	ck_assert_uint_eq(n, 1);
	left_out = 0;
	for (i = 0; i < 1000; i++, n_refused++)
		ck_assert(!q_send(b, dest, 0, q_max(Q_BYTES)));
	n_logged = count_log(log, line, &left_out);
	ck_assert_uint_lt(n_logged, 200);
	/* and the next one, what this has caused */
	for (i = n = 0; i < 300 && !n; i++, n_refused++) {
		nanosleep(&tenth, NULL);
		ck_assert(!q_send(b, dest, 0, q_max(Q_BYTES)));
		n = count_log(log, line, &left_out);
	}
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_gt(left_out, 800);
	ck_assert_uint_eq(n_logged + 1 + left_out, n_refused);
	close(log);
}
END_TEST

/* The parameters */

START_TEST(quota_parameters)
{
	static const char * const paths[] = {
		"/sys/module/bus1/parameters/max_objects",
		"/sys/module/bus1/parameters/max_bytes",
	};
	struct stat st;

	ck_assert_int_eq(stat(paths[_i], &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0444);
	ck_assert_int_eq(open(paths[_i], O_WRONLY), -1);
}
END_TEST

/* 0 or a negative errno value */
static int load(const char *format, ...)
{
	int fd = open("/modules/bus1.ko", O_RDONLY | O_CLOEXEC), ret;
	char parameters[128];
	va_list ap;

	ck_assert_int_ge(fd, 0);
	va_start(ap, format);
	vsnprintf(parameters, sizeof(parameters), format, ap);
	va_end(ap);
	ret = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return ret;
}

static void unload(void)
{
	ck_assert_int_eq(syscall(SYS_delete_module, "bus1", O_NONBLOCK), 0);
}

static void expect_maxima(uint64_t objects, uint64_t bytes)
{
	char *text;

	text = q_read("/sys/module/bus1/parameters/max_objects");
	ck_assert_uint_eq(strtoull(text, NULL, 10), objects);
	free(text);
	text = q_read("/sys/module/bus1/parameters/max_bytes");
	ck_assert_uint_eq(strtoull(text, NULL, 10), bytes);
	free(text);
}

static uint64_t total_memory(void)
{
	char *text = q_read("/proc/meminfo"), *line = strstr(text, "MemTotal:");
	uint64_t total;

	ck_assert_ptr_nonnull(line);
	total = strtoull(line + strlen("MemTotal:"), NULL, 10) << 10;
	ck_assert_uint_gt(total, 0);
	free(text);
	return total;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Could one user pin all memory of a small machine? Each default is an eighth of it at most. */
static void expect_default_maxima(void)
{
	uint64_t share = total_memory() / 8;

	expect_maxima(smaller(1 << 20, share / 512), smaller(1 << 30, share));
}

/* values that make no sense are refused; the module is what it was afterwards */
START_TEST(quota_parameters_out_of_range)
{
	static const char * const refused[] = {
		"max_objects=0", "max_bytes=0", "max_objects=1152921504606846976",
		"max_bytes=1152921504606846976", "max_objects=281474976710657",
		"max_bytes=281474976710657", "max_objects=18446744073709551615",
		"max_objects=1 max_bytes=0", "max_objects=", "max_objects=many",
	};
	unsigned long long objects, bytes;
	size_t i;

	q_model_init();
	objects = q_max(Q_OBJECTS);
	bytes = q_max(Q_BYTES);
	unload();
	for (i = 0; i < B1T_N(refused); i++) {
		ck_assert_int_eq(load("%s", refused[i]), -EINVAL);
		ck_assert_int_eq(access("/dev/bus1", F_OK), -1);
		ck_assert_int_eq(access("/sys/kernel/debug/bus1", F_OK), -1);
	}
	ck_assert_int_eq(load("max_objects=-1"), -EINVAL);
	ck_assert_int_eq(load("max_objects=281474976710656 max_bytes=281474976710656"), 0);
	expect_maxima(1ULL << 48, 1ULL << 48);
	close(b1t_peer());
	unload();
	ck_assert_int_eq(load(""), 0);
	expect_default_maxima();
	unload();
	/* one that is given is taken as it is, and leaves the other at its default */
	ck_assert_int_eq(load("max_objects=1048577"), 0);
	expect_maxima((1 << 20) + 1, smaller(1 << 30, total_memory() / 8));
	unload();
	ck_assert_int_eq(load("max_bytes=1073741825"), 0);
	expect_maxima(smaller(1 << 20, total_memory() / 8 / 512), (1 << 30) + 1);
	unload();
	/* valid, but of no use: an actor may have half of what there is */
	ck_assert_int_eq(load("max_objects=1 max_bytes=1"), 0);
	ck_assert_int_eq(open("/dev/bus1", O_RDWR), -1);
	ck_assert_int_eq(errno, EDQUOT);
	unload();
	ck_assert_int_eq(load("max_objects=%llu max_bytes=%llu", objects, bytes), 0);
	expect_maxima(objects, bytes);
}
END_TEST

static void add_model_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, q_setup, q_teardown);
	tcase_add_loop_test(tc, quota_of_others, 0, Q_SLOTS);
	tcase_add_test(tc, quota_of_self);
	tcase_add_test(tc, quota_open);
	tcase_add_test(tc, quota_nodes);
	tcase_add_test(tc, quota_handles);
	tcase_add_test(tc, quota_recv_moves_handles);
	tcase_add_loop_test(tc, quota_recv_never_fails, 0, 2);
	tcase_add_loop_test(tc, quota_multicast, 0, Q_SLOTS);
	tcase_add_test(tc, quota_of_one_that_never_reads);
	tcase_add_test(tc, quota_order_of_checks);
	tcase_add_test(tc, quota_fdinfo_hides_receivers);
	tcase_add_test(tc, quota_of_failures);
	tcase_add_loop_test(tc, quota_without_bytes, 0, 2);
	tcase_add_test(tc, quota_of_dropped_messages);
	tcase_add_test(tc, quota_of_many_messages);
	tcase_add_test(tc, quota_of_notifications);
	tcase_add_test(tc, quota_of_processes);
	tcase_add_test(tc, quota_debugfs);
	tcase_add_test(tc, quota_debugfs_in_pieces);
	tcase_add_loop_test(tc, quota_log, 0, Q_SLOTS);
	tcase_add_test(tc, quota_log_flood);
	tcase_add_loop_test(tc, quota_parameters, 0, Q_SLOTS);
}

TCase *b1t_tcase_quota(void)
{
	TCase *tc = tcase_create("quota");

	tcase_set_timeout(tc, 120);
	add_model_tests(tc);
	return tc;
}

/* in a case of its own, as the module must not be in use */
TCase *b1t_tcase_parameters(void)
{
	TCase *tc = tcase_create("parameters");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, quota_parameters_out_of_range);
	return tc;
}
