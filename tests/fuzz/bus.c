// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/bus1.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "../unit/shim/shim.h"
#include "acct.h"
#include "bus.h"

bool bus_trace;

static struct ref_peer *bus_fds[VFS_N_FDS];
static unsigned int bus_n_wakes[VFS_N_FDS];
static struct user_space bus_space;

#define TRACE(...)									\
	do {										\
		if (bus_trace)								\
			fprintf(stderr, __VA_ARGS__);					\
	} while (0)

struct ref_peer *bus_peer(int fd)
{
	return bus_fds[fd];
}

struct ref_peer *ref_peer_of_fd(uint64_t fd, bool *openp)
{
	*openp = fd == VFS_OTHER || (fd < VFS_N_FDS && bus_fds[fd]);
	return *openp ? bus_fds[fd] : NULL;
}

void bus_begin(uint64_t max_objects, uint64_t max_bytes, enum vfs_ns ns)
{
	TRACE("begin: max_objects %llu, max_bytes %llu, namespace %d\n",
	      (unsigned long long)max_objects, (unsigned long long)max_bytes, ns);
	if (!bus_space.big) {
		user_space_init(&user_space);
		user_space_init(&bus_space);
	}
	user_space_clear(&user_space);
	user_space_clear(&bus_space);
	user_allow_all();
	vfs_ns = ns;
	ref_begin(max_objects, max_bytes);
	if (vfs_load(max_objects, max_bytes))
		ref_mismatch("the module does not load");
}

void bus_end(void)
{
	if (*vfs_accounts())
		ref_mismatch("with all peers closed there are accounts:\n%s", vfs_accounts());
	vfs_unload();
	if (shim_n_live() || shim_n_caches())
		ref_mismatch("%ld allocations and %ld caches are leaked", shim_n_live(),
			     shim_n_caches());
	ref_end();
}

/* Whoever got something in the queue must have been woken, whatever was there before. */
static void bus_check_wakes(void)
{
	unsigned int n_wakes;
	int fd, other;

	for (fd = 0; fd < VFS_N_FDS; fd++) {
		if (!bus_fds[fd])
			continue;
		n_wakes = vfs_n_wakes(fd);
		if (ref_was_woken(bus_fds[fd]) && n_wakes == bus_n_wakes[fd])
			ref_mismatch("descriptor %d is not woken", fd);
		for (other = fd; other < VFS_N_FDS; other++) {
			if (bus_fds[other] == bus_fds[fd])
				bus_n_wakes[other] = n_wakes;
		}
	}
}

static void bus_check_accounts(bool adopt)
{
	if (adopt)
		acct_adopt(vfs_accounts());
	else
		acct_check(vfs_accounts());
}

static void bus_check_memory(void)
{
	size_t i, end = bus_space.big_end > user_space.big_end ? bus_space.big_end :
								  user_space.big_end;

	if (!memcmp(user_space.big, bus_space.big, end) &&
	    !memcmp(user_space.window, bus_space.window, USER_WINDOW_SIZE))
		return;
	for (i = 0; i < USER_WINDOW_SIZE; i++) {
		if (user_space.window[i] != bus_space.window[i])
			ref_mismatch("user memory at %#zx: %#x in the module, %#x in the reference",
				     (size_t)USER_WINDOW + i, user_space.window[i],
				     bus_space.window[i]);
	}
	ref_mismatch("large user memory differs");
}

static void bus_check(bool adopt)
{
	bus_check_wakes();
	bus_check_accounts(adopt);
}

int bus_open(unsigned int uid)
{
	struct ref_peer *peer;
	unsigned long fail = shim_fail_nth;
	uint64_t actor = 0;
	int fd;

	vfs_uid = uid;
	fd = vfs_open();
	TRACE("open: UID %u, descriptor %d\n", uid, fd);
	if (fail && !shim_fail_nth && fd != -ENOMEM)
		ref_mismatch("open succeeds without memory");
	shim_fail_nth = 0;
	if (fd == -EMFILE)
		return -1;
	if (fd >= 0)
		actor = strtoull(strchr(vfs_fdinfo(fd), '\t'), NULL, 10);
	peer = ref_open(uid, fd < 0 ? fd : 0, actor);
	if (fd >= 0) {
		bus_fds[fd] = peer;
		bus_poll(fd);
		bus_n_wakes[fd] = vfs_n_wakes(fd);
	}
	bus_check(fd == -ENOMEM);
	return fd < 0 ? -1 : fd;
}

int bus_dup(int fd)
{
	int copy = vfs_dup(fd);

	TRACE("dup: descriptor %d, descriptor %d\n", fd, copy);
	if (copy < 0)
		return -1;
	bus_fds[copy] = bus_fds[fd];
	bus_n_wakes[copy] = bus_n_wakes[fd];
	return copy;
}

void bus_close(int fd)
{
	struct ref_peer *peer = bus_fds[fd];
	unsigned long n_allocs = shim_n_allocs();
	bool last = vfs_is_last(fd);

	TRACE("close: descriptor %d%s\n", fd, last ? ", the last one" : "");
	vfs_close(fd);
	bus_fds[fd] = NULL;
	if (shim_n_allocs() != n_allocs)
		ref_mismatch("a close allocates");
	if (last)
		ref_close(peer);
	bus_check(false);
}

/* What was made to fail, and did; nothing fails by intention after this. */
static unsigned int bus_end_injection(unsigned long alloc, unsigned long copy)
{
	unsigned int injected = 0;

	if (alloc && !shim_fail_nth)
		injected = REF_ENOMEM;
	else if (copy && !user_fail_nth)
		injected = REF_EFAULT;
	else if (vfs_killed)
		injected = REF_EINTR;
	shim_fail_nth = 0;
	user_fail_nth = 0;
	vfs_kill_nth = 0;
	vfs_killed = false;
	return injected;
}

/*
 * While a command touches user memory nothing of it can be seen, and nobody who looks has to wait.
 * The first accesses are enough: thousands of them are alike.
 */
static unsigned int bus_n_looks;

static void bus_look(void)
{
	unsigned long kill = vfs_kill_nth;
	bool killed = vfs_killed;
	int fd;

	if (bus_n_looks++ >= 12)
		return;
	vfs_kill_nth = 0;
	vfs_killed = false;
	for (fd = 0; fd < VFS_N_FDS; fd++) {
		if (bus_fds[fd])
			bus_fdinfo(fd);
	}
	vfs_kill_nth = kill;
	vfs_killed = killed;
}

void bus_look_inside(bool on)
{
	user_hook = on ? bus_look : NULL;
}

long bus_ioctl(int fd, unsigned int cmd, uint64_t arg, bool compat)
{
	unsigned long n_allocs = shim_n_allocs(), alloc = shim_fail_nth, copy = user_fail_nth;
	struct ref_call call = {
		.peer = bus_fds[fd],
		.cmd = cmd,
		.arg = arg,
		.compat = compat,
		.space = &bus_space,
	};

	user_space_copy(&bus_space, &user_space);
	bus_n_looks = 0;
	user_begin();
	call.result = vfs_ioctl(fd, cmd, arg, compat);
	user_end();
	call.injected = bus_end_injection(alloc, copy);
	TRACE("ioctl: descriptor %d, %#x, result %ld%s\n", fd, cmd, call.result,
	      call.injected ? ", made to fail" : "");
	if (cmd == BUS1_CMD_RELEASE && shim_n_allocs() != n_allocs)
		ref_mismatch("a release allocates");
	ref_ioctl(&call);
	bus_check_memory();
	bus_check(call.injected || ref_took_any_order());
	return call.result;
}

void bus_poll(int fd)
{
	unsigned int expected = EPOLLOUT | EPOLLWRNORM, mask = vfs_poll(fd);

	if (ref_is_readable(bus_fds[fd]))
		expected |= EPOLLIN | EPOLLRDNORM;
	if (mask != expected)
		ref_mismatch("poll: %#x, expected %#x", mask, expected);
}

void bus_fdinfo(int fd)
{
	ref_check_fdinfo(bus_fds[fd], vfs_fdinfo(fd));
}

/* Whoever is being killed gets a part of the text, which nobody will read. */
void bus_fdinfo_killed(int fd)
{
	vfs_kill_nth = 1;
	vfs_fdinfo(fd);
	vfs_kill_nth = 0;
	vfs_killed = false;
}
