/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vfs: files, descriptors and the life of the module, as a program sees them
 *
 * All calls return a negative errno value on failure. Descriptor VFS_OTHER is open, but no peer.
 */
#ifndef FUZZ_VFS_H
#define FUZZ_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFS_N_FDS 24
#define VFS_OTHER 0

/* whose calls follow */
extern unsigned int vfs_uid;

/* the user namespace of the caller */
enum vfs_ns {
	VFS_NS_SAME,
	VFS_NS_SHIFTED,			/* by VFS_NS_SHIFT */
	VFS_NS_PARTIAL,			/* odd UIDs have no mapping */
	_VFS_NS_N,
};

#define VFS_NS_SHIFT 100000

extern enum vfs_ns vfs_ns;

unsigned int vfs_map_uid(unsigned int uid);

/* The look for a fatal signal, counted from 1, that finds one; 0: none. Counts down. */
extern unsigned long vfs_kill_nth;
/* it was found; stays so until it is reset */
extern bool vfs_killed;

bool vfs_is_killed(void);

/* the memory of the machine in bytes, which the default maxima depend on */
extern unsigned long vfs_memory;

/* VFS_DEFAULT: the parameter is not given */
#define VFS_DEFAULT (~0UL)

int vfs_load(unsigned long max_objects, unsigned long max_bytes);
/* as "modprobe bus1 max_objects=TEXT" begins */
int vfs_set_param_text(const char *text);
void vfs_unload(void);
/* what sysfs shows */
unsigned long vfs_max_objects(void);
unsigned long vfs_max_bytes(void);

int vfs_open(void);
int vfs_dup(int fd);
void vfs_close(int fd);
bool vfs_is_last(int fd);

long vfs_ioctl(int fd, unsigned int cmd, uint64_t arg, bool compat);
/* the first poll makes somebody sleep there for ever; how often that one was woken */
unsigned int vfs_poll(int fd);
unsigned int vfs_n_wakes(int fd);
/* the text of fdinfo, and of the file in debugfs; valid until the next such call */
const char *vfs_fdinfo(int fd);
const char *vfs_accounts(void);

/* for the headers of the shim */
struct kernel_param;
/* Mutexes belong to peers, and are only taken by calls on these. */
void vfs_check_mutex(const void *mutex);
int vfs_module_init(void);
void vfs_module_exit(void);
extern const struct kernel_param vfs_param_max_objects;
extern const struct kernel_param vfs_param_max_bytes;

#endif /* FUZZ_VFS_H */
