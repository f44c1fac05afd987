/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bus: the module and the reference side by side
 *
 * Each call is made on the module, then on the reference, and then everything that a caller can see
 * is compared: the result, the user memory, all accounts, and whether pollers have been woken.
 * A difference ends the program, as does everything that the shim or a sanitizer recognises.
 */
#ifndef FUZZ_BUS_H
#define FUZZ_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "ref.h"
#include "shim/user.h"
#include "shim/vfs.h"

/* Print what is done, to find out what an input does. */
extern bool bus_trace;

void bus_begin(uint64_t max_objects, uint64_t max_bytes, enum vfs_ns ns);
void bus_end(void);

/* Return: a descriptor, or -1 */
int bus_open(unsigned int uid);
int bus_dup(int fd);
void bus_close(int fd);
/* With one error injected: shim_fail_nth, user_fail_nth or vfs_kill_nth. All are 0 afterwards. */
long bus_ioctl(int fd, unsigned int cmd, uint64_t arg, bool compat);
void bus_poll(int fd);
void bus_fdinfo(int fd);
void bus_fdinfo_killed(int fd);
/* Whether somebody looks at all peers while a command touches user memory. */
void bus_look_inside(bool on);

/* The peer behind a descriptor, NULL if that is not open. */
struct ref_peer *bus_peer(int fd);

#endif /* FUZZ_BUS_H */
