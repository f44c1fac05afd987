// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * binder, by its ioctls: the server is the context manager, which clients reach as handle 0
 *
 * A request and its answer are one transaction each. What was received lies in a mapping, and has
 * to be given back, which goes along with the next thing to be said.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/android/binder.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "measure.h"
#include "transport.h"

#define DEVICE "/dev/binder"
#define MODULE "/modules/binder_linux.ko"
#define MAPPING_SIZE (1 << 20)

struct binder_end {
	int fd;
	binder_uintptr_t received;	/* to be given back */
};

struct binder_out {
	uint32_t free_command;
	binder_uintptr_t free_pointer;
	uint32_t command;
	struct binder_transaction_data data;
} __attribute__((packed));

static void open_binder(struct link *link)
{
	int fd, i;

	if (access(DEVICE, F_OK) < 0) {
		fd = open(MODULE, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
			die(MODULE);
		close(fd);
	}
	for (i = 0; i < 2; i++)
		link->end[i].state = calloc(1, sizeof(struct binder_end));
}

/* Each end in the process that uses it. */
static void attach(struct binder_end *end)
{
	void *mapping;

	end->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (end->fd < 0)
		die(DEVICE);
	mapping = mmap(NULL, MAPPING_SIZE, PROT_READ, MAP_PRIVATE, end->fd, 0);
	if (mapping == MAP_FAILED)
		die("mmap of " DEVICE);
}

/* Writes, if there is something to be written, and reads until there is a @wanted command. */
static size_t talk(struct binder_end *end, void *out, size_t size, uint32_t wanted)
{
	char buffer[512];
	struct binder_write_read io = {
		.write_size = size,
		.write_buffer = (binder_uintptr_t)out,
		.read_size = sizeof(buffer),
		.read_buffer = (binder_uintptr_t)buffer,
	};
	struct binder_transaction_data data;
	uint32_t command;
	size_t i;

	for (;;) {
		io.read_consumed = 0;
		if (ioctl(end->fd, BINDER_WRITE_READ, &io) < 0)
			die("BINDER_WRITE_READ");
		for (i = 0; i < io.read_consumed; i += sizeof(command) + _IOC_SIZE(command)) {
			memcpy(&command, buffer + i, sizeof(command));
			if (command == wanted) {
				memcpy(&data, buffer + i + sizeof(command), sizeof(data));
				end->received = data.data.ptr.buffer;
				return data.data_size;
			}
			if (command == BR_DEAD_REPLY || command == BR_FAILED_REPLY)
				die("binder: %#x", command);
		}
	}
}

static void say(struct link *link, struct link_end *link_end, uint32_t command, uint32_t answer)
{
	struct binder_end *end = link_end->state;
	struct binder_out out = {
		.free_command = BC_FREE_BUFFER,
		.free_pointer = end->received,
		.command = command,
		.data.data_size = link->size,
		.data.data.ptr.buffer = (binder_uintptr_t)link->data,
	};
	size_t skip = end->received ? 0 : offsetof(struct binder_out, command);

	if (talk(end, (char *)&out + skip, sizeof(out) - skip, answer) != link->size)
		die("size of the message");
}

static void server_binder(struct link *link)
{
	struct binder_end *end = link->end[1].state;
	uint32_t enter = BC_ENTER_LOOPER;
	struct binder_write_read io = {
		.write_size = sizeof(enter),
		.write_buffer = (binder_uintptr_t)&enter,
	};

	attach(end);
	if (ioctl(end->fd, BINDER_SET_CONTEXT_MGR, 0) < 0)
		die("BINDER_SET_CONTEXT_MGR");
	if (ioctl(end->fd, BINDER_WRITE_READ, &io) < 0)
		die("BC_ENTER_LOOPER");
}

static void client_binder(struct link *link)
{
	attach(link->end[0].state);
}

static void call_binder(struct link *link)
{
	say(link, &link->end[0], BC_TRANSACTION, BR_REPLY);
}

/* Answers, and waits for the next; at first there is nothing to be answered. */
static void serve_binder(struct link *link)
{
	struct binder_end *end = link->end[1].state;

	if (!end->received)
		talk(end, NULL, 0, BR_TRANSACTION);
	say(link, &link->end[1], BC_REPLY, BR_TRANSACTION);
}

const struct transport transport_binder = {
	.name = "binder", .open = open_binder, .server = server_binder, .client = client_binder,
	.call = call_binder, .serve = serve_binder,
};
