/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_CONTAINER_OF_H
#define SHIM_CONTAINER_OF_H

#include <stddef.h>
#include <stdint.h>

/* computed as a number: callers may look, but not reach, through an entry of another type */
#define container_of(_ptr, _type, _member)						\
	((_type *)((uintptr_t)(1 ? (_ptr) : &((_type *)0)->_member) - offsetof(_type, _member)))

#endif /* SHIM_CONTAINER_OF_H */
