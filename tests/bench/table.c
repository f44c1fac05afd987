// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a send costs with 10, 1000 and 1,000,000 handles in the table of the sender
 *
 * Prints nanoseconds, which are guest instructions when the machine runs with -icount shift=0, and
 * fails if a larger table makes a send more than a fifth dearer: the table is a tree, in which the
 * newest of a million handles is some forty steps down. Without icount the clock measures the host,
 * so it only reports then: pass --report.
 */
#include "bench.h"

#define BATCH 50000

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

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 10, 1000, 1000000 };
	int report = argc > 1 && !strcmp(argv[1], "--report");
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, dst;
	int sender = open("/dev/bus1", O_RDWR | O_CLOEXEC);
	int receiver = open("/dev/bus1", O_RDWR | O_CLOEXEC);
	int64_t base = 0, first, last, recv;
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
		measure(sender, receiver, newest, dst.id, &first, &recv);
		measure(sender, receiver, dst.id, newest, &last, &recv);
		if (!base)
			base = first;
		printf("%8zu handles: send through the oldest %lld, through the newest %lld\n",
		       have, (long long)first, (long long)last);
		if (first * 5 > base * 6 || last * 5 > base * 6)
			bad++;
	}
	if (!report)
		printf("%d%%: Checks: 3, Failures: %d, Errors: 0\n", (3 - bad) * 100 / 3, bad);
	return !report && bad;
}
