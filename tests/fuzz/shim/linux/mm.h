/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_MM_H
#define FUZZ_MM_H

#include_next <linux/mm.h>
#include <limits.h>

#include "../vfs.h"

#define MAX_RW_COUNT (INT_MAX & ~(PAGE_SIZE - 1))

#define PAGE_SHIFT 12

static inline unsigned long totalram_pages(void)
{
	return vfs_memory >> PAGE_SHIFT;
}

#endif /* FUZZ_MM_H */
