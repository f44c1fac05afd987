/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib.h: what the tests of the library share; usable from C99 and C++11
 */
#ifndef TESTS_LIB_H
#define TESTS_LIB_H

#include <bus1.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define N_ELEMENTS(_array) (sizeof(_array) / sizeof((_array)[0]))

/* A value that no system call sets: a successful call of the library leaves errno alone. */
#define ERRNO_UNTOUCHED 4711

/* The call succeeds: 0, and errno as it was. */
#define expect_ok(_call) do {							\
	int _ret;								\
	errno = ERRNO_UNTOUCHED;						\
	_ret = (_call);								\
	ck_assert_msg(_ret == 0, "%s returned %d, not 0", #_call, _ret);	\
	ck_assert_int_eq(errno, ERRNO_UNTOUCHED);				\
} while (0)

/* The call fails: the negative error is returned and errno says the same. */
#define expect_error(_error, _call) do {					\
	int _ret, _errno;							\
	errno = ERRNO_UNTOUCHED;						\
	_ret = (_call);								\
	_errno = errno;								\
	ck_assert_msg(_ret == -(_error), "%s returned %d, not -%s",		\
		      #_call, _ret, #_error);					\
	ck_assert_int_eq(_errno, _error);					\
} while (0)

/* A message and its one iovec, for sending or for receiving. */
struct letter {
	struct bus1_message message;
	struct iovec vec;
};

static inline void letter_init(struct letter *l, uint64_t type, const void *data, size_t n_data,
			       const struct bus1_transfer *transfers, size_t n_transfers)
{
	memset(l, 0, sizeof(*l));
	l->vec.iov_base = (void *)(uintptr_t)data;
	l->vec.iov_len = n_data;
	l->message.type = type;
	l->message.n_transfers = n_transfers;
	l->message.ptr_transfers = BUS1_FROM_PTR(transfers);
	l->message.n_data = n_data;
	l->message.n_data_vecs = 1;
	l->message.ptr_data_vecs = BUS1_FROM_PTR(&l->vec);
}

/* A message to send; @l must stay where it is until it is sent. */
static inline void letter_out(struct letter *l, const void *data, size_t n_data,
			      const struct bus1_transfer *transfers, size_t n_transfers)
{
	letter_init(l, BUS1_MESSAGE_TYPE_USER, data, n_data, transfers, n_transfers);
}

/* Room for a message to receive. */
static inline void letter_in(struct letter *l, void *data, size_t n_data,
			     struct bus1_transfer *transfers, size_t n_transfers)
{
	letter_init(l, BUS1_INVALID, data, n_data, transfers, n_transfers);
}

static inline int send_text(int peer, uint64_t handle, const char *text)
{
	struct letter l;

	letter_out(&l, text, strlen(text), NULL, 0);
	return bus1_cmd_send(peer, 1, &handle, NULL, &l.message);
}

/* The next entry of the queue is the message @text on @node. */
static inline void expect_text(int peer, uint64_t node, const char *text)
{
	struct bus1_metadata metadata;
	struct letter l;
	char data[64];

	letter_in(&l, data, sizeof(data), NULL, 0);
	expect_ok(bus1_cmd_recv(peer, &metadata, &l.message));
	ck_assert_uint_eq(l.message.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_uint_eq(metadata.id, node);
	ck_assert_uint_eq(metadata.account, geteuid());
	ck_assert_uint_eq(l.message.n_transfers, 0);
	ck_assert_uint_eq(l.message.n_data, strlen(text));
	ck_assert(memcmp(data, text, strlen(text)) == 0);
}

/* The next entry of the queue is this notification. */
static inline void expect_note(int peer, uint64_t type, uint64_t id)
{
	struct bus1_metadata metadata;
	struct letter l;

	letter_in(&l, NULL, 0, NULL, 0);
	expect_ok(bus1_cmd_recv(peer, &metadata, &l.message));
	ck_assert_uint_eq(l.message.type, type);
	ck_assert_uint_eq(metadata.id, id);
	ck_assert_uint_eq(metadata.account, BUS1_INVALID);
}

static inline void expect_empty(int peer)
{
	struct bus1_metadata metadata;
	struct letter l;

	letter_in(&l, NULL, 0, NULL, 0);
	expect_error(EAGAIN, bus1_cmd_recv(peer, &metadata, &l.message));
	ck_assert_uint_eq(l.message.type, BUS1_INVALID);
}

static inline int peer_ok(void)
{
	int fd;

	errno = ERRNO_UNTOUCHED;
	fd = bus1_peer_new();
	ck_assert_msg(fd >= 0, "bus1_peer_new: %s", strerror(-fd));
	ck_assert_int_eq(errno, ERRNO_UNTOUCHED);
	return fd;
}

/* A new node in @from and a handle to it in @to (-1: in @from). */
static inline void node_ok(int from, int to, uint64_t *nodep, uint64_t *handlep)
{
	struct bus1_transfer src, dst;

	src.flags = BUS1_TRANSFER_FLAG_CREATE;
	src.id = BUS1_INVALID;
	dst.flags = 17;
	dst.id = 17;
	expect_ok(bus1_cmd_transfer(0, from, to, 1, &src, &dst));
	ck_assert_uint_eq(src.flags, 0);
	ck_assert_uint_eq(dst.flags, 0);
	ck_assert(src.id != BUS1_INVALID && (src.id & BUS1_MANAGED));
	ck_assert(dst.id != BUS1_INVALID && (dst.id & BUS1_MANAGED));
	*nodep = src.id;
	*handlep = dst.id;
}

#endif /* TESTS_LIB_H */
