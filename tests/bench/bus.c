// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bus.h"
#include "measure.h"

#define BATCH 50000

void bus_failed(const char *what)
{
	die("%s", what);
}

int bus_peer(void)
{
	int fd = open("/dev/bus1", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("/dev/bus1");
	return fd;
}

static void bus_transfer(int from, int to, size_t n, struct bus1_transfer *src,
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

/* Creates a node of @owner and returns the handle to it that @holder gets. */
uint64_t bus_create(int owner, int holder, uint64_t *nodep)
{
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, dst;

	bus_transfer(owner, holder, 1, &src, &dst);
	if (nodep)
		*nodep = src.id;
	return dst.id;
}

/* Copies @handle of @fd until there are @n more in its table; returns the newest. */
uint64_t bus_copy(int fd, uint64_t handle, size_t n)
{
	static struct bus1_transfer src[BATCH], dst[BATCH];
	size_t i, batch;

	for (; n; n -= batch) {
		batch = n < BATCH ? n : BATCH;
		for (i = 0; i < batch; i++)
			src[i] = (struct bus1_transfer){ .id = handle };
		bus_transfer(fd, fd, batch, src, dst);
		handle = dst[batch - 1].id;
	}
	return handle;
}

void bus_out_init(struct bus_out *out, void *data, size_t size)
{
	*out = (struct bus_out){
		.cmd.ptr_destinations = BUS1_FROM_PTR(out->destinations),
		.cmd.ptr_message = BUS1_FROM_PTR(&out->message),
		.message.type = BUS1_MESSAGE_TYPE_USER,
		.message.ptr_transfers = BUS1_FROM_PTR(out->transfers),
		.message.n_data = size,
		.message.n_data_vecs = 1,
		.message.ptr_data_vecs = BUS1_FROM_PTR(&out->vec),
		.vec = { .iov_base = data, .iov_len = size },
	};
}

void bus_out_to(struct bus_out *out, uint64_t handle)
{
	out->destinations[out->cmd.n_destinations++] = handle;
}

void bus_out_carry(struct bus_out *out, uint64_t handle)
{
	out->transfers[out->message.n_transfers++].id = handle;
}

void bus_in_init(struct bus_in *in, void *data, size_t size)
{
	*in = (struct bus_in){
		.cmd.ptr_metadata = BUS1_FROM_PTR(&in->metadata),
		.cmd.ptr_message = BUS1_FROM_PTR(&in->message),
		.message.ptr_transfers = BUS1_FROM_PTR(in->transfers),
		.message.n_data_vecs = 1,
		.message.ptr_data_vecs = BUS1_FROM_PTR(&in->vec),
		.vec = { .iov_base = data, .iov_len = size },
		.size = size,
	};
}

void bus_release(int fd, const uint64_t *ids, size_t n)
{
	struct bus1_cmd_release cmd = { .n_ids = n, .ptr_ids = BUS1_FROM_PTR(ids) };

	if (ioctl(fd, BUS1_CMD_RELEASE, &cmd) < 0)
		die("BUS1_CMD_RELEASE");
}

/* What was received is what the measurement is about. */
void bus_expect(const struct bus_in *in, uint64_t type, size_t size, size_t n_transfers)
{
	errno = 0;
	expect("type of the message", in->message.type, type);
	expect("size of the message", in->message.n_data, size);
	expect("handles of the message", in->message.n_transfers, n_transfers);
}
