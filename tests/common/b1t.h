/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * b1t: what the tests of the kernel interface share
 *
 * Raw ioctls, so that the library cannot hide anything, and one-line helpers for what most tests
 * need. All raw calls return 0 or a negative errno value. The helpers whose name ends in _ok abort
 * the test when the call fails.
 */
#ifndef B1T_H
#define B1T_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bus1.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define B1T_N(_array) (sizeof(_array) / sizeof((_array)[0]))

/* A received message with room for what tests need; data and transfers have canaries behind. */
#define B1T_MAX_DATA 256
#define B1T_MAX_TRANSFERS 16
#define B1T_CANARY 0xc5

struct b1t_received {
	struct bus1_metadata metadata;
	struct bus1_message message;
	uint8_t data[B1T_MAX_DATA + 16];
	struct bus1_transfer transfers[B1T_MAX_TRANSFERS + 2];
};

/*
 * Which errors of which command have been asserted, for tests/docs/errors to compare with the
 * manual pages. b1t_result() keeps the latest result of a command; the assertion that this is an
 * error makes an entry in the table, if the program has one. What a test merely sees does not
 * count.
 */
enum b1t_command {
	B1T_TRANSFER,
	B1T_RELEASE,
	B1T_SEND,
	B1T_RECV,
	B1T_OPEN,
	B1T_N_COMMANDS,
};

#define B1T_N_ERRNOS 134

__attribute__((weak)) bool (*b1t_asserted)[B1T_N_ERRNOS];
__attribute__((weak)) __thread enum b1t_command b1t_latest_command;
__attribute__((weak)) __thread int b1t_latest_result;

static inline int b1t_result(enum b1t_command command, int result)
{
	b1t_latest_command = command;
	b1t_latest_result = result;
	return result;
}

static inline intmax_t b1t_expected(intmax_t result)
{
	if (b1t_asserted && result == b1t_latest_result && result < 0 && result > -B1T_N_ERRNOS)
		b1t_asserted[b1t_latest_command][-result] = true;
	return result;
}

/* The call comes first, so that b1t_expected() knows its result. */
#undef ck_assert_int_eq
#define ck_assert_int_eq(_x, _y) do {						\
	intmax_t _b1t_x = (_x), _b1t_y = b1t_expected(_y);			\
										\
	ck_assert_msg(_b1t_x == _b1t_y, "%s is %jd, expected %s, which is %jd",	\
		      #_x, _b1t_x, #_y, _b1t_y);				\
} while (0)

static inline int b1t_ioctl(int fd, unsigned long cmd, void *arg)
{
	int result = ioctl(fd, cmd, arg) < 0 ? -errno : 0;

	switch (cmd) {
	case BUS1_CMD_TRANSFER:
		return b1t_result(B1T_TRANSFER, result);
	case BUS1_CMD_RELEASE:
		return b1t_result(B1T_RELEASE, result);
	case BUS1_CMD_SEND:
		return b1t_result(B1T_SEND, result);
	case BUS1_CMD_RECV:
		return b1t_result(B1T_RECV, result);
	default:
		b1t_latest_result = 0;
		return result;
	}
}

/* A file descriptor, or a negative errno value. */
static inline int b1t_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return b1t_result(B1T_OPEN, fd < 0 ? -errno : fd);
}

/* A new peer. */
static inline int b1t_peer(void)
{
	int fd = open("/dev/bus1", O_RDWR | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "open /dev/bus1: %s", strerror(errno));
	return fd;
}

static inline int b1t_transfer(int from, int to, size_t n, struct bus1_transfer *src,
			       struct bus1_transfer *dst)
{
	struct bus1_cmd_transfer cmd = {
		.to = to < 0 ? BUS1_INVALID : (uint64_t)to,
		.n_transfers = n,
		.ptr_src = BUS1_FROM_PTR(src),
		.ptr_dst = BUS1_FROM_PTR(dst),
	};

	return b1t_ioctl(from, BUS1_CMD_TRANSFER, &cmd);
}

/* Creates a node in @from and a handle to it in @to (-1: in @from as well). */
static inline void b1t_node_ok(int from, int to, uint64_t *nodep, uint64_t *handlep)
{
	struct bus1_transfer src = { .flags = BUS1_TRANSFER_FLAG_CREATE, .id = BUS1_INVALID };
	struct bus1_transfer dst = { .flags = ~0ULL, .id = 0 };

	ck_assert_int_eq(b1t_transfer(from, to, 1, &src, &dst), 0);
	ck_assert_uint_eq(src.flags, 0);
	ck_assert_uint_eq(dst.flags, 0);
	ck_assert(src.id & BUS1_MANAGED);
	ck_assert(dst.id & BUS1_MANAGED);
	ck_assert(src.id != BUS1_INVALID && dst.id != BUS1_INVALID);
	if (nodep)
		*nodep = src.id;
	*handlep = dst.id;
}

/* Copies @handle of @from into @to (-1: into @from), returns the ID of the copy. */
static inline uint64_t b1t_copy_ok(int from, int to, uint64_t handle)
{
	struct bus1_transfer src = { .id = handle }, dst = { .flags = ~0ULL };

	ck_assert_int_eq(b1t_transfer(from, to, 1, &src, &dst), 0);
	ck_assert_uint_eq(dst.flags, 0);
	return dst.id;
}

static inline int b1t_release(int fd, size_t n, const uint64_t *ids)
{
	struct bus1_cmd_release cmd = { .n_ids = n, .ptr_ids = BUS1_FROM_PTR(ids) };

	return b1t_ioctl(fd, BUS1_CMD_RELEASE, &cmd);
}

static inline int b1t_release1(int fd, uint64_t id)
{
	return b1t_release(fd, 1, &id);
}

/* Sends @n_data bytes and copies of the handles @handles to all of @dests. */
static inline int b1t_send(int fd, size_t n_dests, const uint64_t *dests, const void *data,
			   size_t n_data, const uint64_t *handles, size_t n_handles)
{
	struct bus1_transfer transfers[B1T_MAX_TRANSFERS];
	struct iovec vec = { .iov_base = (void *)data, .iov_len = n_data };
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = n_handles,
		.ptr_transfers = BUS1_FROM_PTR(transfers),
		.n_data = n_data,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_cmd_send cmd = {
		.n_destinations = n_dests,
		.ptr_destinations = BUS1_FROM_PTR(dests),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	size_t i;

	ck_assert_uint_le(n_handles, B1T_MAX_TRANSFERS);
	for (i = 0; i < n_handles; i++)
		transfers[i] = (struct bus1_transfer){ .id = handles[i] };
	return b1t_ioctl(fd, BUS1_CMD_SEND, &cmd);
}

/* Sends the string @text (without its NUL) to one destination. */
static inline int b1t_send_text(int fd, uint64_t dest, const char *text)
{
	return b1t_send(fd, 1, &dest, text, strlen(text), NULL, 0);
}

/*
 * Nothing was written to @bytes from @start on. One assertion for all of them: libcheck writes to
 * its pipe each time one is passed.
 */
static inline void b1t_expect_canary(const uint8_t *bytes, size_t start, size_t end)
{
	size_t i;

	for (i = start; i < end && bytes[i] == B1T_CANARY; i++)
		;
	ck_assert_msg(i == end, "written at byte %zu, expected no more than %zu", i, start);
}

/* Receives into @r with all the room it has; checks that no canary was touched. */
static inline int b1t_recv(int fd, struct b1t_received *r)
{
	struct iovec vec = { .iov_base = r->data, .iov_len = B1T_MAX_DATA };
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(&r->metadata),
		.ptr_message = BUS1_FROM_PTR(&r->message),
	};
	size_t i, used_data, used_transfers;
	int ret;

	memset(r, B1T_CANARY, sizeof(*r));
	r->message = (struct bus1_message){
		.type = BUS1_INVALID,
		.n_transfers = B1T_MAX_TRANSFERS,
		.ptr_transfers = BUS1_FROM_PTR(r->transfers),
		.n_data = B1T_MAX_DATA,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	ret = b1t_ioctl(fd, BUS1_CMD_RECV, &cmd);
	used_data = ret ? 0 : r->message.n_data;
	used_transfers = ret ? 0 : r->message.n_transfers;
	ck_assert_uint_le(used_data, B1T_MAX_DATA);
	ck_assert_uint_le(used_transfers, B1T_MAX_TRANSFERS);
	b1t_expect_canary(r->data, used_data, sizeof(r->data));
	b1t_expect_canary((const uint8_t *)r->transfers, used_transfers * sizeof(r->transfers[0]),
			  sizeof(r->transfers));
	if (!ret) {
		ck_assert_uint_eq(r->metadata.flags, 0);
		ck_assert_uint_eq(r->message.flags, 0);
		for (i = 0; i < used_transfers; i++) {
			ck_assert_uint_eq(r->transfers[i].flags, 0);
			ck_assert(r->transfers[i].id & BUS1_MANAGED);
		}
	}
	return ret;
}

static inline bool b1t_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	ck_assert_int_eq(poll(&p, 1, 0), 1);
	ck_assert(p.revents & POLLOUT);
	ck_assert(!(p.revents & (POLLHUP | POLLERR | POLLNVAL)));
	return p.revents & POLLIN;
}

/*
 * As b1t_recv(), but waits for something to arrive: first by asking again, as tests of races want
 * the receiver awake, then asleep, as they must end also where there are few CPUs.
 */
static inline void b1t_recv_wait(int fd, struct b1t_received *r)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int i, ret;

	for (i = 0; (ret = b1t_recv(fd, r)) == -EAGAIN; i++)
		if (i >= 20)
			ck_assert_int_eq(poll(&p, 1, 20000), 1);
	ck_assert_int_eq(ret, 0);
}

/* The queue is empty, says recv, and poll agrees. */
static inline void b1t_expect_empty(int fd)
{
	struct b1t_received r;

	ck_assert(!b1t_readable(fd));
	ck_assert_int_eq(b1t_recv(fd, &r), -EAGAIN);
}

/* The next thing in the queue is this; poll announces it. */
static inline void b1t_expect_text(int fd, uint64_t node, const char *text)
{
	struct b1t_received r;

	ck_assert(b1t_readable(fd));
	ck_assert_int_eq(b1t_recv(fd, &r), 0);
	ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_uint_eq(r.metadata.id, node);
	ck_assert_uint_eq(r.message.n_transfers, 0);
	ck_assert_uint_eq(r.message.n_data, strlen(text));
	ck_assert_mem_eq(r.data, text, strlen(text));
}

/* As b1t_expect_text(), for a message with handles; returns their IDs. */
static inline void b1t_expect_handles(int fd, uint64_t node, const char *text, size_t n,
				      uint64_t *handles)
{
	struct b1t_received r;
	size_t i;

	ck_assert(b1t_readable(fd));
	ck_assert_int_eq(b1t_recv(fd, &r), 0);
	ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_uint_eq(r.metadata.id, node);
	ck_assert_uint_eq(r.message.n_data, strlen(text));
	ck_assert_mem_eq(r.data, text, strlen(text));
	ck_assert_uint_eq(r.message.n_transfers, n);
	for (i = 0; i < n; i++)
		handles[i] = r.transfers[i].id;
}

/* @type is one of the two notifications, @id the node or handle it is about. */
static inline void b1t_expect_note(int fd, uint64_t type, uint64_t id)
{
	struct b1t_received r;

	ck_assert(b1t_readable(fd));
	ck_assert_int_eq(b1t_recv(fd, &r), 0);
	ck_assert_uint_eq(r.message.type, type);
	ck_assert_uint_eq(r.metadata.id, id);
	ck_assert_uint_eq(r.metadata.account, BUS1_INVALID);
	ck_assert_uint_eq(r.message.n_transfers, 0);
	ck_assert_uint_eq(r.message.n_data, 0);
}

static inline void b1t_expect_node_release(int fd, uint64_t handle)
{
	b1t_expect_note(fd, BUS1_MESSAGE_TYPE_NODE_RELEASE, handle);
}

static inline void b1t_expect_handle_release(int fd, uint64_t node)
{
	b1t_expect_note(fd, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, node);
}

/* Releases the IDs given as arguments, in one call. */
#define B1T_RELEASE(_fd, ...)                                                          \
	b1t_release((_fd), sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t),     \
		    (const uint64_t[]){ __VA_ARGS__ })

/* Sends @text and copies of @n_handles handles to one destination. */
static inline void b1t_send_ok(int fd, uint64_t dest, const char *text, size_t n_handles,
			       const uint64_t *handles)
{
	ck_assert_int_eq(b1t_send(fd, 1, &dest, text, strlen(text), handles, n_handles), 0);
}

/* As b1t_expect_handles() for exactly one handle. */
static inline uint64_t b1t_expect_handle(int fd, uint64_t node, const char *text)
{
	uint64_t handle;

	b1t_expect_handles(fd, node, text, 1, &handle);
	return handle;
}

/* The next @n entries are notifications of one type, about each of @ids once, in any order. */
static inline void b1t_expect_notes(int fd, uint64_t type, size_t n, const uint64_t *ids)
{
	struct b1t_received r;
	bool *seen = calloc(n, sizeof(*seen));
	size_t i, j;

	for (i = 0; i < n; i++) {
		ck_assert_int_eq(b1t_recv(fd, &r), 0);
		ck_assert_uint_eq(r.message.type, type);
		for (j = 0; j < n && (seen[j] || ids[j] != r.metadata.id); j++)
			;
		ck_assert_msg(j < n, "unexpected or repeated ID %llu",
			      (unsigned long long)r.metadata.id);
		seen[j] = true;
	}
	free(seen);
}

static inline void b1t_expect_node_releases(int fd, size_t n, const uint64_t *handles)
{
	b1t_expect_notes(fd, BUS1_MESSAGE_TYPE_NODE_RELEASE, n, handles);
}

static inline void b1t_expect_handle_releases(int fd, size_t n, const uint64_t *nodes)
{
	b1t_expect_notes(fd, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, n, nodes);
}

/* @id names nothing on this peer. */
static inline void b1t_expect_unknown(int fd, uint64_t id)
{
	struct bus1_transfer src = { .id = id }, dst;

	ck_assert_int_eq(b1t_transfer(fd, -1, 1, &src, &dst), -EBADRQC);
	ck_assert_int_eq(b1t_send(fd, 1, &id, NULL, 0, NULL, 0), -EBADRQC);
	ck_assert_int_eq(b1t_release1(fd, id), -EBADRQC);
}

#endif /* B1T_H */
