/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

/* Nothing here takes long; who waits longer than this waits for something that never comes. */
#define TIMEOUT_MS 20000

void say(const char *who, const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	printf("%-12s %s\n", who, line);
	fflush(stdout);
}

void expect(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "process %ld: not as it should be: %s\n", (long)getpid(), what);
	exit(EXIT_FAILURE);
}

int check(int ret, const char *what)
{
	if (ret >= 0)
		return ret;
	fprintf(stderr, "process %ld: %s: %s\n", (long)getpid(), what, strerror(-ret));
	/* of bus1_peer_new(): there is no device, or nothing behind it */
	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		fprintf(stderr, "Is the module loaded? See: sudo modprobe bus1\n");
	exit(EXIT_FAILURE);
}

void create_node(int owner, int holder, uint64_t *nodep, uint64_t *handlep)
{
	struct bus1_transfer src = { .flags = BUS1_TRANSFER_FLAG_CREATE, .id = BUS1_INVALID };
	struct bus1_transfer dst;

	check(bus1_cmd_transfer(0, owner, holder, 1, &src, &dst), "create a node");
	*nodep = src.id;
	*handlep = dst.id;
}

void multicast(int peer, const uint64_t *destinations, size_t n_destinations, const char *text,
	       uint64_t handle)
{
	struct bus1_transfer transfer = { .id = handle };
	struct iovec vec = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = handle == BUS1_INVALID ? 0 : 1,
		.ptr_transfers = BUS1_FROM_PTR(&transfer),
		.n_data = vec.iov_len,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};

	check(bus1_cmd_send(peer, n_destinations, destinations, NULL, &message), "send");
}

void send_text(int peer, uint64_t destination, const char *text, uint64_t handle)
{
	multicast(peer, &destination, 1, text, handle);
}

void next_event(int peer, struct event *event)
{
	const size_t n_handles = sizeof(event->handles) / sizeof(event->handles[0]);
	struct bus1_transfer transfers[4];
	struct iovec vec = { .iov_base = event->text, .iov_len = sizeof(event->text) - 1 };
	struct pollfd pollfd = { .fd = peer, .events = POLLIN };
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_transfers = n_handles,
		.ptr_transfers = BUS1_FROM_PTR(transfers),
		.n_data = vec.iov_len,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_metadata metadata;
	size_t i;

	expect(poll(&pollfd, 1, TIMEOUT_MS) == 1, "nothing came in");
	check(bus1_cmd_recv(peer, &metadata, &message), "receive");
	event->type = message.type;
	event->id = metadata.id;
	event->account = metadata.account;
	event->text[message.n_data] = '\0';
	event->n_handles = message.n_transfers;
	for (i = 0; i < event->n_handles; i++)
		event->handles[i] = transfers[i].id;
}

void release(int peer, uint64_t id)
{
	check(bus1_cmd_release(peer, 1, &id), "release");
}

void socket_send_fd(int sock, int fd)
{
	char byte = 0;
	struct iovec vec = { .iov_base = &byte, .iov_len = 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = {
		.msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	expect(sendmsg(sock, &message, MSG_NOSIGNAL) == 1, "pass a descriptor");
}

int socket_recv_fd(int sock)
{
	char byte;
	struct iovec vec = { .iov_base = &byte, .iov_len = 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd;

	expect(recvmsg(sock, &message, MSG_CMSG_CLOEXEC) == 1, "receive a descriptor");
	header = CMSG_FIRSTHDR(&message);
	expect(header && header->cmsg_type == SCM_RIGHTS, "a descriptor in the message");
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

pid_t start(int (*main)(void *arg), void *arg)
{
	pid_t pid = fork();

	expect(pid >= 0, "fork");
	if (!pid)
		exit(main(arg));
	return pid;
}

void finish(pid_t pid, const char *who)
{
	int status;

	expect(waitpid(pid, &status, 0) == pid, "wait for a process");
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "%s did not end as it should\n", who);
		exit(EXIT_FAILURE);
	}
}
