// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a send costs with 10, 1000 and 1,000,000 handles in the table of the sender
 *
 * Prints nanoseconds, which are guest instructions when the machine runs with -icount shift=0, and
 * fails if a larger table makes a send more than a tenth dearer. Without icount the clock measures
 * the host, so it only reports then: pass --report.
 */
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
#define BATCH 50000

static void die(const char *what)
{
	fprintf(stderr, "table: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void transfer(int from, int to, size_t n, struct bus1_transfer *src,
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

/* Copies @handle of @fd until @n more are in its table; returns the newest. */
static uint64_t fill(int fd, uint64_t handle, size_t n)
{
	static struct bus1_transfer src[BATCH], dst[BATCH];
	size_t i, batch;

	for (; n; n -= batch) {
		batch = n < BATCH ? n : BATCH;
		for (i = 0; i < batch; i++)
			src[i] = (struct bus1_transfer){ .id = handle };
		transfer(fd, fd, batch, src, dst);
		handle = dst[batch - 1].id;
	}
	return handle;
}

static void send_and_recv(int sender, int receiver, uint64_t handle, int64_t *sentp)
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
	*sentp = now() - start;
	message.type = BUS1_INVALID;
	if (ioctl(receiver, BUS1_CMD_RECV, &recv) < 0)
		die("BUS1_CMD_RECV");
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Median cost of a send through @handle. */
static int64_t measure(int sender, int receiver, uint64_t handle)
{
	int64_t cost[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++)
		send_and_recv(sender, receiver, handle, &cost[i]);
	qsort(cost, ROUNDS, sizeof(*cost), compare);
	return cost[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 10, 1000, 1000000 };
	int report = argc > 1 && !strcmp(argv[1], "--report");
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, dst;
	int sender = open("/dev/bus1", O_RDWR | O_CLOEXEC);
	int receiver = open("/dev/bus1", O_RDWR | O_CLOEXEC);
	int64_t base = 0, first, last;
	uint64_t newest;
	size_t i, have = 1;
	int bad = 0;

	if (sender < 0 || receiver < 0)
		die("/dev/bus1");
	transfer(receiver, sender, 1, &src, &dst);
	newest = dst.id;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		newest = fill(sender, newest, sizes[i] - have);
		have = sizes[i];
		first = measure(sender, receiver, dst.id);
		last = measure(sender, receiver, newest);
		if (!base)
			base = first;
		printf("%8zu handles: send through the oldest %lld, through the newest %lld\n",
		       have, (long long)first, (long long)last);
		if (first * 10 > base * 11 || last * 10 > base * 11)
			bad++;
	}
	if (!report)
		printf("%d%%: Checks: 3, Failures: %d, Errors: 0\n", (3 - bad) * 100 / 3, bad);
	return !report && bad;
}
