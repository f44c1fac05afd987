/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_MM_H
#define SHIM_MM_H

#include <linux/slab.h>
#include <linux/types.h>

#include "../shim.h"

#define PAGE_SIZE 4096UL

static inline bool want_init_on_free(void)
{
	return shim_init_on_free;
}

#endif /* SHIM_MM_H */
