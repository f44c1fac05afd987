/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_MM_H
#define IL_MM_H

#include <linux/slab.h>
#include <linux/types.h>

#define PAGE_SIZE 4096UL

/* memory is not used again anyway, see compiler.h */
static inline bool want_init_on_free(void)
{
	return false;
}

#endif /* IL_MM_H */
