/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the measurements share. Nanoseconds are guest instructions where the clock counts those, see
 * tests/vm/run --icount.
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <linux/bus1.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 1001

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static inline void transfer(int from, int to, size_t n, struct bus1_transfer *src,
			    struct bus1_transfer *dst)
{
	struct bus1_cmd_transfer cmd = {
		.to = to,
		.n_transfers = n,
		.ptr_src = BUS1_FROM_PTR(src),
		.ptr_dst = BUS1_FROM_PTR(dst),
	};

	if (ioctl(from, BUS1_CMD_TRANSFER, &cmd) < 0)
		die("BUS1_CMD_TRANSFER");
}

/* Sends 64 bytes and receives them; the times returned include one look at the clock each. */
static inline void send_and_recv(int sender, int receiver, uint64_t handle, int64_t *sendp,
				 int64_t *recvp)
{
	uint64_t data[8] = {};
	struct iovec vec = { .iov_base = data, .iov_len = sizeof(data) };
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_data = sizeof(data),
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_metadata metadata;
	struct bus1_cmd_send send = {
		.n_destinations = 1,
		.ptr_destinations = BUS1_FROM_PTR(&handle),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	struct bus1_cmd_recv recv = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	int64_t start = now();

	if (ioctl(sender, BUS1_CMD_SEND, &send) < 0)
		die("BUS1_CMD_SEND");
	*sendp = now() - start;
	message.type = BUS1_INVALID;
	start = now();
	if (ioctl(receiver, BUS1_CMD_RECV, &recv) < 0)
		die("BUS1_CMD_RECV");
	*recvp = now() - start;
}

static inline int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/*
 * Median costs of a send through @handle, and of the receive. Before each of them there is one through
 * @before, which may be another handle: a peer finds the one that it used last without a search.
 */
static inline void measure(int sender, int receiver, uint64_t before, uint64_t handle,
			   int64_t *sendp, int64_t *recvp)
{
	int64_t send[ROUNDS], recv[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		send_and_recv(sender, receiver, before, &send[i], &recv[i]);
		send_and_recv(sender, receiver, handle, &send[i], &recv[i]);
	}
	qsort(send, ROUNDS, sizeof(*send), compare);
	qsort(recv, ROUNDS, sizeof(*recv), compare);
	*sendp = send[ROUNDS / 2];
	*recvp = recv[ROUNDS / 2];
}

#endif /* BENCH_H */
