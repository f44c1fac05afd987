/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib_c: every function of the library from C, against the module
 *
 * What the kernel does with each command is the business of tests/uapi. Here it is whether the
 * library hands every argument on, returns what it promises and keeps errno in step.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "lib.h"

#define N_MAX 65536

START_TEST(test_peer_new)
{
	int a = peer_ok(), b = peer_ok();

	ck_assert_int_ne(a, b);
	ck_assert_int_eq(fcntl(a, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(a, F_GETFL) & O_ACCMODE, O_RDWR);
	ck_assert_int_eq(fcntl(a, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(close(a), 0);
	ck_assert_int_eq(close(b), 0);
}
END_TEST

START_TEST(test_peer_new_no_descriptors)
{
	struct rlimit limit, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	expect_error(EMFILE, bus1_peer_new());
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

START_TEST(test_transfer)
{
	int a = peer_ok(), b = peer_ok();
	struct bus1_transfer src[2], dst[2];
	uint64_t node, handle;

	/* -1 and the descriptor itself both mean the same peer */
	node_ok(a, -1, &node, &handle);
	expect_ok(send_text(a, handle, "to myself"));
	expect_text(a, node, "to myself");
	node_ok(a, a, &node, &handle);
	expect_ok(send_text(a, handle, "by number"));
	expect_text(a, node, "by number");

	/* a copy of a handle and a new node, to another peer, in one call */
	src[0] = (struct bus1_transfer){ .flags = 0, .id = handle };
	src[1] = (struct bus1_transfer){ .flags = BUS1_TRANSFER_FLAG_CREATE, .id = BUS1_INVALID };
	expect_ok(bus1_cmd_transfer(0, a, b, 2, src, dst));
	ck_assert_uint_eq(src[0].id, handle);
	ck_assert_uint_eq(src[1].flags, 0);
	expect_ok(send_text(b, dst[0].id, "first"));
	expect_ok(send_text(b, dst[1].id, "second"));
	expect_text(a, node, "first");
	expect_text(a, src[1].id, "second");
	expect_empty(a);
	expect_empty(b);

	expect_ok(bus1_cmd_transfer(0, a, b, 0, NULL, NULL));
	expect_ok(bus1_cmd_transfer(0, a, -1, 0, NULL, NULL));
	close(a);
	close(b);
}
END_TEST

START_TEST(test_transfer_errors)
{
	int a = peer_ok(), null = open("/dev/null", O_RDWR | O_CLOEXEC), closed = dup(0);
	struct bus1_transfer src = { .flags = BUS1_TRANSFER_FLAG_CREATE, .id = BUS1_INVALID };
	struct bus1_transfer dst, bad;
	uint64_t node, handle;

	close(closed);
	node_ok(a, -1, &node, &handle);
	expect_error(EBADF, bus1_cmd_transfer(0, closed, -1, 1, &src, &dst));
	expect_error(EBADF, bus1_cmd_transfer(0, -1, a, 1, &src, &dst));
	expect_error(ENOTTY, bus1_cmd_transfer(0, null, a, 1, &src, &dst));
	expect_error(EINVAL, bus1_cmd_transfer(1, a, -1, 1, &src, &dst));
	expect_error(EINVAL, bus1_cmd_transfer(1ULL << 63, a, -1, 1, &src, &dst));
	expect_error(EBADF, bus1_cmd_transfer(0, a, closed, 1, &src, &dst));
	expect_error(EBADF, bus1_cmd_transfer(0, a, -2, 1, &src, &dst));
	expect_error(EBADF, bus1_cmd_transfer(0, a, INT_MIN, 1, &src, &dst));
	expect_error(EBADF, bus1_cmd_transfer(0, a, INT_MAX, 0, NULL, NULL));
	expect_error(EOPNOTSUPP, bus1_cmd_transfer(0, a, null, 1, &src, &dst));
	expect_error(EOPNOTSUPP, bus1_cmd_transfer(0, a, null, 0, NULL, NULL));
	expect_error(E2BIG, bus1_cmd_transfer(0, a, -1, N_MAX + 1, &src, &dst));
	expect_error(E2BIG, bus1_cmd_transfer(0, a, -1, SIZE_MAX, &src, &dst));
	expect_error(EFAULT, bus1_cmd_transfer(0, a, -1, 1, NULL, &dst));
	expect_error(EFAULT, bus1_cmd_transfer(0, a, -1, 1, &src, NULL));
	src = (struct bus1_transfer){ .flags = BUS1_TRANSFER_FLAG_CREATE, .id = handle };
	expect_error(EINVAL, bus1_cmd_transfer(0, a, -1, 1, &src, &dst));
	bad = (struct bus1_transfer){ .flags = 2, .id = handle };
	expect_error(EINVAL, bus1_cmd_transfer(0, a, -1, 1, &bad, &dst));
	bad = (struct bus1_transfer){ .flags = 0, .id = node };
	expect_error(EBADRQC, bus1_cmd_transfer(0, a, -1, 1, &bad, &dst));
	bad = (struct bus1_transfer){ .flags = 0, .id = BUS1_INVALID };
	expect_error(EBADRQC, bus1_cmd_transfer(0, a, -1, 1, &bad, &dst));

	/* none of it did anything: one handle, and its release is the last one */
	expect_empty(a);
	expect_ok(bus1_cmd_release(a, 1, &handle));
	expect_note(a, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, node);
	expect_empty(a);
	close(null);
	close(a);
}
END_TEST

START_TEST(test_release)
{
	int a = peer_ok(), b = peer_ok();
	uint64_t node, handle, ids[3];

	expect_ok(bus1_cmd_release(a, 0, NULL));

	node_ok(a, b, &node, &handle);
	expect_ok(bus1_cmd_release(b, 1, &handle));
	expect_note(a, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, node);
	expect_error(EBADRQC, bus1_cmd_release(b, 1, &handle));
	expect_ok(bus1_cmd_release(a, 1, &node));

	node_ok(a, b, &ids[0], &handle);
	node_ok(a, -1, &ids[1], &ids[2]);
	expect_ok(bus1_cmd_release(a, 3, ids));
	expect_empty(a);
	expect_note(b, BUS1_MESSAGE_TYPE_NODE_RELEASE, handle);
	expect_empty(b);
	close(a);
	close(b);
}
END_TEST

START_TEST(test_release_errors)
{
	int a = peer_ok(), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	uint64_t ids[3], unknown[] = { 0, 2, BUS1_INVALID, 1ULL << 40 | 1 };
	size_t i;

	node_ok(a, -1, &ids[0], &ids[1]);
	expect_error(EBADF, bus1_cmd_release(-1, 1, ids));
	expect_error(ENOTTY, bus1_cmd_release(null, 1, ids));
	expect_error(EFAULT, bus1_cmd_release(a, 1, NULL));
	expect_error(E2BIG, bus1_cmd_release(a, N_MAX + 1, ids));
	expect_error(E2BIG, bus1_cmd_release(a, SIZE_MAX, ids));
	for (i = 0; i < N_ELEMENTS(unknown); i++) {
		ids[2] = unknown[i];
		expect_error(EBADRQC, bus1_cmd_release(a, 3, ids));
	}

	expect_ok(send_text(a, ids[1], "still here"));
	expect_text(a, ids[0], "still here");
	expect_ok(bus1_cmd_release(a, 2, ids));
	expect_error(EBADRQC, bus1_cmd_release(a, 2, ids));
	expect_empty(a);
	close(null);
	close(a);
}
END_TEST

/* A message with a handle goes out, and the answer comes back over it. */
START_TEST(test_roundtrip)
{
	int service = peer_ok(), client = peer_ok();
	uint64_t service_node, service_handle, reply_node, reply_handle, received;
	struct bus1_transfer transfer;
	struct bus1_metadata metadata;
	struct letter l;
	char data[64];

	node_ok(service, client, &service_node, &service_handle);
	node_ok(client, -1, &reply_node, &reply_handle);
	transfer = (struct bus1_transfer){ .flags = 0, .id = reply_handle };
	letter_out(&l, "question", 8, &transfer, 1);
	expect_ok(bus1_cmd_send(client, 1, &service_handle, NULL, &l.message));
	ck_assert_uint_eq(transfer.id, reply_handle);

	memset(data, 'x', sizeof(data));
	transfer = (struct bus1_transfer){ .flags = 17, .id = 17 };
	letter_in(&l, data, sizeof(data), &transfer, 1);
	expect_ok(bus1_cmd_recv(service, &metadata, &l.message));
	ck_assert_uint_eq(metadata.flags, 0);
	ck_assert_uint_eq(metadata.id, service_node);
	ck_assert_uint_eq(metadata.account, geteuid());
	ck_assert_uint_eq(l.message.flags, 0);
	ck_assert_uint_eq(l.message.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_uint_eq(l.message.n_transfers, 1);
	ck_assert_uint_eq(l.message.ptr_transfers, BUS1_FROM_PTR(&transfer));
	ck_assert_uint_eq(l.message.n_data, 8);
	ck_assert_uint_eq(l.message.n_data_vecs, 1);
	ck_assert_uint_eq(l.message.ptr_data_vecs, BUS1_FROM_PTR(&l.vec));
	ck_assert_mem_eq(data, "questionx", 9);
	ck_assert_uint_eq(transfer.flags, 0);

	received = transfer.id;
	expect_ok(send_text(service, received, "answer"));
	expect_ok(bus1_cmd_release(service, 1, &received));
	expect_text(client, reply_node, "answer");
	expect_empty(client);
	expect_ok(bus1_cmd_release(client, 1, &reply_handle));
	expect_note(client, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, reply_node);
	close(client);
	expect_note(service, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, service_node);
	expect_empty(service);
	close(service);
}
END_TEST

START_TEST(test_multicast)
{
	enum { N = 5 };
	int sender = peer_ok(), peers[N];
	uint64_t nodes[N], handles[N + 1];
	int32_t errors[N + 2];
	struct letter l;
	int i;

	for (i = 0; i < N; i++) {
		peers[i] = peer_ok();
		node_ok(peers[i], sender, &nodes[i], &handles[i]);
	}
	/* one destination twice, one whose peer is gone */
	handles[N] = handles[1];
	close(peers[0]);
	for (i = 0; i < N + 2; i++)
		errors[i] = 17;
	letter_out(&l, "all", 3, NULL, 0);
	expect_ok(bus1_cmd_send(sender, N + 1, handles, errors, &l.message));
	for (i = 0; i < N + 1; i++)
		ck_assert_int_eq(errors[i], 0);
	ck_assert_int_eq(errors[N + 1], 17);
	for (i = 1; i < N; i++) {
		expect_text(peers[i], nodes[i], "all");
		if (i == 1)
			expect_text(peers[i], nodes[i], "all");
		expect_empty(peers[i]);
		close(peers[i]);
	}
	expect_ok(bus1_cmd_send(sender, 0, NULL, NULL, &l.message));
	close(sender);
}
END_TEST

START_TEST(test_send_errors)
{
	int a = peer_ok(), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int32_t errors[2] = { 17, 17 };
	struct bus1_transfer transfer;
	uint64_t node, handle, two[2];
	struct letter l, good;

	node_ok(a, -1, &node, &handle);
	two[0] = handle;
	two[1] = node;
	transfer = (struct bus1_transfer){ .flags = 0, .id = handle };
	letter_out(&good, "text", 4, &transfer, 1);
	expect_error(EBADF, bus1_cmd_send(-1, 1, &handle, errors, &good.message));
	expect_error(ENOTTY, bus1_cmd_send(null, 1, &handle, errors, &good.message));
	expect_error(EFAULT, bus1_cmd_send(a, 1, &handle, errors, NULL));
	expect_error(EFAULT, bus1_cmd_send(a, 1, NULL, errors, &good.message));
	expect_error(EFAULT, bus1_cmd_send(a, 1, &handle, (int32_t *)8, &good.message));
	expect_error(E2BIG, bus1_cmd_send(a, N_MAX + 1, &handle, errors, &good.message));
	expect_error(E2BIG, bus1_cmd_send(a, SIZE_MAX, &handle, errors, &good.message));
	expect_error(EBADRQC, bus1_cmd_send(a, 1, &node, errors, &good.message));
	expect_error(EBADRQC, bus1_cmd_send(a, 2, two, errors, &good.message));

	l = good;
	l.message.flags = 1;
	expect_error(EINVAL, bus1_cmd_send(a, 1, &handle, errors, &l.message));
	l = good;
	l.message.type = BUS1_INVALID;
	expect_error(EINVAL, bus1_cmd_send(a, 1, &handle, errors, &l.message));
	l = good;
	l.message.n_transfers = N_MAX + 1;
	expect_error(E2BIG, bus1_cmd_send(a, 1, &handle, errors, &l.message));
	l = good;
	l.message.n_data_vecs = 1025;
	expect_error(EINVAL, bus1_cmd_send(a, 1, &handle, errors, &l.message));
	l = good;
	l.message.ptr_data_vecs = 0;
	expect_error(EFAULT, bus1_cmd_send(a, 1, &handle, errors, &l.message));
	l = good;
	l.message.n_data = 5;
	expect_error(EMSGSIZE, bus1_cmd_send(a, 1, &handle, errors, &l.message));
	transfer.flags = BUS1_TRANSFER_FLAG_CREATE;
	transfer.id = BUS1_INVALID;
	expect_error(EINVAL, bus1_cmd_send(a, 1, &handle, errors, &good.message));
	transfer.flags = 0;
	transfer.id = node;
	expect_error(EBADRQC, bus1_cmd_send(a, 1, &handle, errors, &good.message));

	ck_assert_int_eq(errors[0], 17);
	ck_assert_int_eq(errors[1], 17);
	expect_empty(a);
	close(null);
	close(a);
}
END_TEST

/* Too little room: the call says how much is needed, and can be repeated with the same struct. */
START_TEST(test_emsgsize)
{
	int a = peer_ok();
	struct bus1_transfer out[2], in[2] = { { 17, 17 }, { 17, 17 } };
	struct bus1_metadata metadata = { 17, 17, 17 };
	uint64_t node, handle;
	struct letter l;
	char data[16];

	node_ok(a, -1, &node, &handle);
	out[0] = out[1] = (struct bus1_transfer){ .flags = 0, .id = handle };
	letter_out(&l, "0123456789", 10, out, 2);
	expect_ok(bus1_cmd_send(a, 1, &handle, NULL, &l.message));

	/* ask for the sizes, without any room */
	memset(data, 'x', sizeof(data));
	letter_in(&l, data, sizeof(data), in, 2);
	l.message.n_transfers = 0;
	l.message.n_data = 0;
	expect_error(EMSGSIZE, bus1_cmd_recv(a, &metadata, &l.message));
	ck_assert_uint_eq(l.message.type, BUS1_INVALID);
	ck_assert_uint_eq(l.message.n_transfers, 2);
	ck_assert_uint_eq(l.message.n_data, 10);
	ck_assert_uint_eq(metadata.id, node);
	ck_assert_int_eq(data[0], 'x');
	ck_assert_uint_eq(in[0].id, 17);

	/* one thing short, each in turn */
	l.message.n_data = 9;
	expect_error(EMSGSIZE, bus1_cmd_recv(a, &metadata, &l.message));
	ck_assert_uint_eq(l.message.n_data, 10);
	l.message.n_transfers = 1;
	expect_error(EMSGSIZE, bus1_cmd_recv(a, &metadata, &l.message));
	ck_assert_uint_eq(l.message.n_transfers, 2);
	l.vec.iov_len = 9;
	expect_error(EMSGSIZE, bus1_cmd_recv(a, &metadata, &l.message));
	l.vec.iov_len = sizeof(data);

	/* the struct as the failed calls left it */
	expect_ok(bus1_cmd_recv(a, &metadata, &l.message));
	ck_assert_uint_eq(l.message.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_uint_eq(metadata.id, node);
	ck_assert_mem_eq(data, "0123456789x", 11);
	ck_assert_uint_ne(in[0].id, in[1].id);
	expect_empty(a);
	close(a);
}
END_TEST

START_TEST(test_recv_errors)
{
	int a = peer_ok(), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct bus1_metadata metadata;
	uint64_t node, handle;
	struct letter l, good;
	char data[16];

	letter_in(&good, data, sizeof(data), NULL, 0);
	expect_error(EAGAIN, bus1_cmd_recv(a, &metadata, &good.message));
	node_ok(a, -1, &node, &handle);
	expect_ok(send_text(a, handle, "stays"));
	expect_error(EBADF, bus1_cmd_recv(-1, &metadata, &good.message));
	expect_error(ENOTTY, bus1_cmd_recv(null, &metadata, &good.message));
	expect_error(EFAULT, bus1_cmd_recv(a, &metadata, NULL));
	expect_error(EFAULT, bus1_cmd_recv(a, NULL, &good.message));
	l = good;
	l.message.flags = 1;
	expect_error(EINVAL, bus1_cmd_recv(a, &metadata, &l.message));
	l = good;
	l.message.type = BUS1_MESSAGE_TYPE_USER;
	expect_error(EINVAL, bus1_cmd_recv(a, &metadata, &l.message));
	l = good;
	l.message.n_data_vecs = 1025;
	expect_error(EINVAL, bus1_cmd_recv(a, &metadata, &l.message));
	l = good;
	l.message.ptr_data_vecs = 8;
	expect_error(EFAULT, bus1_cmd_recv(a, &metadata, &l.message));
	l = good;
	l.vec.iov_base = (void *)8;
	l.message.ptr_data_vecs = BUS1_FROM_PTR(&l.vec);
	expect_error(EFAULT, bus1_cmd_recv(a, &metadata, &l.message));
	expect_text(a, node, "stays");
	expect_empty(a);
	close(null);
	close(a);
}
END_TEST

/* Readable exactly while there is something to receive. */
START_TEST(test_poll)
{
	struct pollfd p = { .fd = peer_ok(), .events = POLLIN | POLLOUT };
	uint64_t node, handle;
	int i;

	node_ok(p.fd, -1, &node, &handle);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(poll(&p, 1, 0), 1);
		ck_assert_int_eq(p.revents, POLLOUT);
		expect_ok(send_text(p.fd, handle, "wake up"));
		ck_assert_int_eq(poll(&p, 1, 0), 1);
		ck_assert_int_eq(p.revents, POLLIN | POLLOUT);
		expect_text(p.fd, node, "wake up");
	}
	close(p.fd);
}
END_TEST

#define N_THREADS 6
#define N_ROUNDS 300

struct worker {
	pthread_t thread;
	int number;
	int shared;
	uint64_t destination;
	const char *failed;
};

/* As expect_error(), in a thread: libcheck's assertions belong to the main one. */
static bool thread_error(int error, int ret)
{
	return errno == error && ret == -error;
}

static const char *work_round(struct worker *w, int own, uint32_t round)
{
	const uint32_t text[2] = { (uint32_t)w->number, round };
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, dst;
	struct bus1_metadata metadata;
	uint32_t data[2] = { 0, 0 };
	uint64_t unknown = 2, node, handle;
	struct letter l;

	/* each thread makes its own kind of mistake: errno must not come from another one */
	if (w->number % 3 == 0 && !thread_error(EBADRQC, bus1_cmd_release(own, 1, &unknown)))
		return "EBADRQC";
	if (w->number % 3 == 1 && !thread_error(EBADF, bus1_cmd_release(-1, 0, NULL)))
		return "EBADF";
	if (w->number % 3 == 2 && !thread_error(E2BIG, bus1_cmd_release(own, SIZE_MAX, NULL)))
		return "E2BIG";

	/* a node of the shared peer, that only this thread knows, and a word to it */
	if (bus1_cmd_transfer(0, w->shared, own, 1, &src, &dst) < 0)
		return "transfer from the shared peer";
	node = src.id;
	handle = dst.id;
	letter_out(&l, text, sizeof(text), NULL, 0);
	if (bus1_cmd_send(own, 1, &handle, NULL, &l.message) < 0 ||
	    bus1_cmd_release(w->shared, 1, &node) < 0)
		return "private node";
	letter_in(&l, data, sizeof(data), NULL, 0);
	if (bus1_cmd_recv(own, &metadata, &l.message) < 0 || metadata.id != handle ||
	    l.message.type != BUS1_MESSAGE_TYPE_NODE_RELEASE)
		return "its notification";
	if (bus1_cmd_release(own, 1, &handle) < 0)
		return "release of the handle";

	/* to the node that the main thread reads: from the shared peer itself */
	letter_out(&l, text, sizeof(text), NULL, 0);
	if (bus1_cmd_send(w->shared, 1, &w->destination, NULL, &l.message) < 0)
		return "send on the shared peer";
	return NULL;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int own = bus1_peer_new();
	uint32_t i;

	if (own < 0)
		w->failed = "bus1_peer_new";
	for (i = 0; i < N_ROUNDS && !w->failed; i++)
		w->failed = work_round(w, own, i);
	if (own >= 0)
		close(own);
	return NULL;
}

START_TEST(test_threads)
{
	struct worker workers[N_THREADS];
	struct pollfd p = { .events = POLLIN };
	uint32_t next[N_THREADS] = { 0 }, data[2];
	int shared = peer_ok(), target = peer_ok(), i, n;
	struct bus1_metadata metadata;
	uint64_t node, handle;
	struct letter l;

	p.fd = target;
	node_ok(target, shared, &node, &handle);
	for (i = 0; i < N_THREADS; i++) {
		workers[i] = (struct worker){
			.number = i,
			.shared = shared,
			.destination = handle,
		};
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (n = 0; n < N_THREADS * N_ROUNDS; n++) {
		ck_assert_msg(poll(&p, 1, 20000) == 1, "%d messages, then none", n);
		letter_in(&l, data, sizeof(data), NULL, 0);
		expect_ok(bus1_cmd_recv(target, &metadata, &l.message));
		ck_assert_uint_eq(l.message.type, BUS1_MESSAGE_TYPE_USER);
		ck_assert_uint_eq(metadata.id, node);
		ck_assert_uint_lt(data[0], N_THREADS);
		ck_assert_uint_eq(data[1], next[data[0]]);
		next[data[0]]++;
	}
	for (i = 0; i < N_THREADS; i++) {
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
		ck_assert_msg(!workers[i].failed, "thread %d: %s", i, workers[i].failed);
		ck_assert_uint_eq(next[i], N_ROUNDS);
	}
	expect_empty(target);
	expect_empty(shared);
	close(shared);
	close(target);
}
END_TEST

static int signal_peer;
static uint64_t signal_handle;
static volatile sig_atomic_t signal_sent, signal_failed;

static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	if (send_text(signal_peer, signal_handle, "signal") == 0)
		signal_sent++;
	else
		signal_failed++;
	errno = saved;
}

/* A signal handler sends while the thread it interrupts uses the same peer. */
START_TEST(test_signal_handler)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action;
	uint64_t node, other, other_handle;
	int received = 0;

	signal_peer = peer_ok();
	node_ok(signal_peer, -1, &node, &signal_handle);
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	while (received < 20) {
		struct bus1_metadata metadata;
		struct letter l;
		char data[16];
		int ret;

		/* no call may be cut short by the signal */
		node_ok(signal_peer, -1, &other, &other_handle);
		expect_ok(bus1_cmd_release(signal_peer, 1, &other));
		expect_ok(bus1_cmd_release(signal_peer, 1, &other_handle));
		letter_in(&l, data, sizeof(data), NULL, 0);
		ret = bus1_cmd_recv(signal_peer, &metadata, &l.message);
		if (ret == 0 && l.message.type == BUS1_MESSAGE_TYPE_USER) {
			ck_assert_uint_eq(metadata.id, node);
			ck_assert_mem_eq(data, "signal", 6);
			received++;
		} else if (ret < 0) {
			ck_assert_int_eq(ret, -EAGAIN);
		}
	}
	ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
	ck_assert_int_eq(signal_failed, 0);
	for (; received < signal_sent; received++)
		expect_text(signal_peer, node, "signal");
	expect_empty(signal_peer);
	close(signal_peer);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_peer_new, test_peer_new_no_descriptors,
		test_transfer, test_transfer_errors,
		test_release, test_release_errors,
		test_roundtrip, test_multicast, test_send_errors,
		test_emsgsize, test_recv_errors, test_poll,
		test_threads, test_signal_handler,
	};
	Suite *suite = suite_create("lib_c");
	TCase *tc = tcase_create("library");
	SRunner *runner;
	int n_failed;
	size_t i;

	tcase_set_timeout(tc, 60);
	for (i = 0; i < N_ELEMENTS(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
