/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bus1, for the measurements: raw ioctls, with commands that are prepared before */
#ifndef BUS_H
#define BUS_H

#include <linux/bus1.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define BUS_MAX_HANDLES 16
#define BUS_MAX_DESTINATIONS 256

/* A message that can be sent again and again. */
struct bus_out {
	struct bus1_cmd_send cmd;
	struct bus1_message message;
	struct iovec vec;
	uint64_t destinations[BUS_MAX_DESTINATIONS];
	struct bus1_transfer transfers[BUS_MAX_HANDLES];
};

/* Room for a message. */
struct bus_in {
	struct bus1_cmd_recv cmd;
	struct bus1_message message;
	struct bus1_metadata metadata;
	struct iovec vec;
	size_t size;
	struct bus1_transfer transfers[BUS_MAX_HANDLES];
};

int bus_peer(void);
uint64_t bus_create(int owner, int holder, uint64_t *nodep);
uint64_t bus_copy(int fd, uint64_t handle, size_t n);
void bus_out_init(struct bus_out *out, void *data, size_t size);
void bus_out_to(struct bus_out *out, uint64_t handle);
void bus_out_carry(struct bus_out *out, uint64_t handle);
void bus_in_init(struct bus_in *in, void *data, size_t size);
void bus_release(int fd, const uint64_t *ids, size_t n);
void bus_expect(const struct bus_in *in, uint64_t type, size_t size, size_t n_transfers);

void bus_failed(const char *what) __attribute__((noreturn));

static inline void bus_send(int fd, struct bus_out *out)
{
	if (ioctl(fd, BUS1_CMD_SEND, &out->cmd) < 0)
		bus_failed("BUS1_CMD_SEND");
}

/* One attempt; the result is that of the ioctl. */
static inline int bus_try_recv(int fd, struct bus_in *in)
{
	in->message.type = BUS1_INVALID;
	in->message.n_data = in->size;
	in->message.n_transfers = BUS_MAX_HANDLES;
	return ioctl(fd, BUS1_CMD_RECV, &in->cmd);
}

static inline void bus_recv(int fd, struct bus_in *in)
{
	if (bus_try_recv(fd, in) < 0)
		bus_failed("BUS1_CMD_RECV");
}

#endif /* BUS_H */
