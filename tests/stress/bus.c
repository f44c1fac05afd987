// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The device: raw ioctls, counted, with a place to inject faults
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stress.h"

static int command(struct st_run *run, int fd, unsigned long cmd, void *arg, const char *what)
{
	int ret = ioctl(fd, cmd, arg) < 0 ? -errno : 0;

	if (ret == -EDQUOT) {
		st_count(run, ST_QUOTA);
		st_pause(1000);
	} else if (ret && ret != -EAGAIN) {
		st_violation(run, "%s: %s", what, strerror(-ret));
	}
	return ret;
}

int st_peer_open(struct st_run *run)
{
	int fd;

	/* a limit on peers, if there is one, passes */
	while ((fd = open("/dev/bus1", O_RDWR | O_CLOEXEC)) < 0 && errno == EDQUOT) {
		st_count(run, ST_QUOTA);
		st_pause(1000);
	}
	if (fd < 0) {
		st_violation(run, "open: %s", strerror(errno));
		_exit(EXIT_FAILURE);
	}
	return fd;
}

void st_peer_close(struct st_run *run, int fd)
{
	if (close(fd) < 0)
		st_violation(run, "close: %s", strerror(errno));
	st_count(run, ST_CLOSES);
}

static int transfer(struct st_run *run, int from, int to, struct bus1_transfer *src,
		    struct bus1_transfer *dst)
{
	struct bus1_cmd_transfer cmd = {
		.to = to < 0 ? BUS1_INVALID : (uint64_t)to,
		.n_transfers = 1,
		.ptr_src = BUS1_FROM_PTR(src),
		.ptr_dst = BUS1_FROM_PTR(dst),
	};
	int ret = command(run, from, BUS1_CMD_TRANSFER, &cmd, "transfer");

	if (ret == -EAGAIN)
		st_violation(run, "transfer: EAGAIN");
	if (!ret)
		st_count(run, ST_TRANSFERS);
	return ret;
}

int st_node_create(struct st_run *run, int from, int to, uint64_t *nodep, uint64_t *handlep)
{
	struct bus1_transfer src = { .flags = BUS1_TRANSFER_FLAG_CREATE, .id = BUS1_INVALID };
	struct bus1_transfer dst = { .id = BUS1_INVALID };
	int ret = transfer(run, from, to, &src, &dst);

	*nodep = src.id;
	*handlep = dst.id;
	return ret;
}

int st_handle_copy(struct st_run *run, int from, int to, uint64_t handle, uint64_t *copyp)
{
	struct bus1_transfer src = { .id = handle };
	struct bus1_transfer dst = { .id = BUS1_INVALID };
	int ret = transfer(run, from, to, &src, &dst);

	*copyp = dst.id;
	return ret;
}

static void insist(struct st_run *run, int ret, uint64_t t_end)
{
	if (!ret || (ret == -EDQUOT && st_now() < t_end))
		return;
	st_violation(run, "setting up: %s", strerror(-ret));
	_exit(EXIT_FAILURE);
}

void st_node_create_ok(struct st_run *run, int from, int to, uint64_t *nodep, uint64_t *handlep)
{
	uint64_t t_end = st_now() + run->grace;
	int ret;

	do {
		ret = st_node_create(run, from, to, nodep, handlep);
		insist(run, ret, t_end);
	} while (ret);
}

void st_handle_copy_ok(struct st_run *run, int from, int to, uint64_t handle, uint64_t *copyp)
{
	uint64_t t_end = st_now() + run->grace;
	int ret;

	do {
		ret = st_handle_copy(run, from, to, handle, copyp);
		insist(run, ret, t_end);
	} while (ret);
}

int st_release(struct st_run *run, int fd, size_t n, const uint64_t *ids)
{
	struct bus1_cmd_release cmd = { .n_ids = n, .ptr_ids = BUS1_FROM_PTR(ids) };
	int ret;

	if (st_fault(run, ST_FAULT_GHOST))
		return 0;
	ret = command(run, fd, BUS1_CMD_RELEASE, &cmd, "release");
	if (ret == -EAGAIN || ret == -EDQUOT)
		st_violation(run, "release: %s", strerror(-ret));
	if (!ret)
		st_count(run, ST_RELEASES);
	return ret;
}

int st_send(struct st_run *run, int fd, size_t n_dests, const uint64_t *dests, const void *data,
	    size_t n_data, size_t n_handles, const uint64_t *handles)
{
	struct bus1_transfer transfers[ST_MAX_TRANSFERS];
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
	int ret;

	for (i = 0; i < n_handles; i++)
		transfers[i] = (struct bus1_transfer){ .id = handles[i] };
	ret = command(run, fd, BUS1_CMD_SEND, &cmd, "send");
	if (ret == -EAGAIN)
		st_violation(run, "send: EAGAIN");
	if (!ret)
		st_count(run, ST_SENT);
	return ret;
}

/*
 * As st_send(), with @ballast more destinations between the first and the others, all at a peer
 * that comes and goes for this. They spread what the kernel does for the real ones in time: without
 * that, what must not be seen half done is hardly ever looked at while it is half done.
 */
int st_send_wide(struct st_run *run, int fd, size_t ballast, size_t n_dests, const uint64_t *dests,
		 const void *data, size_t n_data, size_t n_handles, const uint64_t *handles)
{
	uint64_t ids[ST_MAX_DESTINATIONS + ST_MAX_BALLAST], node, handle;
	size_t i;
	int ret, peer;

	if (!ballast)
		return st_send(run, fd, n_dests, dests, data, n_data, n_handles, handles);
	peer = st_peer_open(run);
	ret = st_node_create(run, peer, fd, &node, &handle);
	if (!ret) {
		ids[0] = dests[0];
		for (i = 0; i < ballast; i++)
			ids[1 + i] = handle;
		memcpy(ids + 1 + ballast, dests + 1, (n_dests - 1) * sizeof(*ids));
		ret = st_send(run, fd, ballast + n_dests, ids, data, n_data, n_handles, handles);
		/* before the node goes, so that no notification gets into the sender's way */
		st_release(run, fd, 1, &handle);
	}
	close(peer);
	return ret;
}

static int recv_raw(struct st_run *run, int fd, struct st_msg *msg)
{
	struct iovec vec = { .iov_base = msg->data, .iov_len = sizeof(msg->data) };
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(&msg->metadata),
		.ptr_message = BUS1_FROM_PTR(&msg->message),
	};
	int ret;

	msg->message = (struct bus1_message){
		.type = BUS1_INVALID,
		.n_transfers = ST_MAX_TRANSFERS,
		.ptr_transfers = BUS1_FROM_PTR(msg->transfers),
		.n_data = sizeof(msg->data),
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	ret = command(run, fd, BUS1_CMD_RECV, &cmd, "recv");
	if (ret == -EDQUOT)
		st_violation(run, "recv: EDQUOT");
	/* behind what arrived, leftovers of the message before must not look like payload */
	if (!ret && msg->message.n_data < sizeof(msg->data))
		memset(msg->data + msg->message.n_data, 0, sizeof(msg->data) - msg->message.n_data);
	return ret;
}

/* A message that an injected fault keeps back, to be received later on the same peer. */
static _Thread_local struct {
	struct st_msg msg;
	int fd;
	bool full;
} kept;

static void keep(int fd, const struct st_msg *msg)
{
	kept.msg = *msg;
	kept.fd = fd;
	kept.full = true;
}

static int recv_fault(struct st_run *run, int fd, struct st_msg *msg)
{
	struct st_msg next;
	bool user;
	int ret;

	if (kept.full && kept.fd == fd) {
		*msg = kept.msg;
		kept.full = false;
		return 0;
	}
	ret = recv_raw(run, fd, msg);
	if (ret)
		return ret;
	user = msg->message.type == BUS1_MESSAGE_TYPE_USER;
	if (st_fault(run, user ? ST_FAULT_DROP_USER : ST_FAULT_DROP_NOTE))
		return recv_raw(run, fd, msg);
	if (st_fault(run, user ? ST_FAULT_DUP_USER : ST_FAULT_DUP_NOTE))
		keep(fd, msg);
	if (!kept.full && st_fault(run, ST_FAULT_SWAP) && !recv_raw(run, fd, &next)) {
		keep(fd, msg);
		*msg = next;
	}
	return 0;
}

static void count_received(struct st_run *run, const struct st_msg *msg)
{
	switch (msg->message.type) {
	case BUS1_MESSAGE_TYPE_USER:
		st_count(run, ST_RECEIVED);
		break;
	case BUS1_MESSAGE_TYPE_NODE_RELEASE:
		st_count(run, ST_NODE_RELEASE);
		break;
	case BUS1_MESSAGE_TYPE_HANDLE_RELEASE:
		st_count(run, ST_HANDLE_RELEASE);
		break;
	default:
		st_violation(run, "recv: type %llu", (unsigned long long)msg->message.type);
	}
}

int st_recv(struct st_run *run, int fd, struct st_msg *msg)
{
	int ret = run->fault ? recv_fault(run, fd, msg) : recv_raw(run, fd, msg);

	if (!ret)
		count_received(run, msg);
	return ret;
}

bool st_readable(struct st_run *run, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ret = poll(&p, 1, 0);

	if (ret < 0 || (p.revents & ~POLLIN)) {
		st_violation(run, "poll: %d, events %#x", ret, (unsigned int)p.revents);
		return false;
	}
	return (p.revents & POLLIN) && !st_fault(run, ST_FAULT_HIDE);
}
