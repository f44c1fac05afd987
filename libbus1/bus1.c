/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libbus1: /dev/bus1 as C functions
 *
 * Each function fills in the argument of one system call and passes its verdict on. There is no
 * state, no allocation and no lock, which is what makes everything here thread-safe and
 * async-signal-safe; tests/lib/symbols.sh checks that it stays so.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "bus1.h"

#define BUS1_PUBLIC __attribute__((visibility("default")))

/* libc reports errors in errno only; callers get them as the return value, too. */
static int bus1_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

BUS1_PUBLIC int bus1_peer_new(void)
{
	int fd = open("/dev/bus1", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

BUS1_PUBLIC int bus1_cmd_transfer(uint64_t flags, int from, int to, size_t n,
				  struct bus1_transfer *src, struct bus1_transfer *dst)
{
	struct bus1_cmd_transfer cmd = {
		.flags = flags,
		/* any other negative number stays one and is refused as a bad descriptor */
		.to = to == -1 ? BUS1_INVALID : (uint64_t)to,
		.n_transfers = n,
		.ptr_src = BUS1_FROM_PTR(src),
		.ptr_dst = BUS1_FROM_PTR(dst),
	};

	return bus1_ioctl(from, BUS1_CMD_TRANSFER, &cmd);
}

BUS1_PUBLIC int bus1_cmd_release(int peerfd, size_t n_ids, const uint64_t *ids)
{
	struct bus1_cmd_release cmd = {
		.n_ids = n_ids,
		.ptr_ids = BUS1_FROM_PTR(ids),
	};

	return bus1_ioctl(peerfd, BUS1_CMD_RELEASE, &cmd);
}

BUS1_PUBLIC int bus1_cmd_send(int peerfd, size_t n_destinations, const uint64_t *destinations,
			      int32_t *errors, struct bus1_message *message)
{
	struct bus1_cmd_send cmd = {
		.n_destinations = n_destinations,
		.ptr_destinations = BUS1_FROM_PTR(destinations),
		.ptr_errors = BUS1_FROM_PTR(errors),
		.ptr_message = BUS1_FROM_PTR(message),
	};

	return bus1_ioctl(peerfd, BUS1_CMD_SEND, &cmd);
}

BUS1_PUBLIC int bus1_cmd_recv(int peerfd, struct bus1_metadata *metadata,
			      struct bus1_message *message)
{
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(metadata),
		.ptr_message = BUS1_FROM_PTR(message),
	};

	return bus1_ioctl(peerfd, BUS1_CMD_RECV, &cmd);
}
