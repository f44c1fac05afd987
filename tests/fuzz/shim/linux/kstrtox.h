/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_KSTRTOX_H
#define FUZZ_KSTRTOX_H

#include <errno.h>
#include <stdlib.h>

/* Without the finer points of the kernel's: vfs_load() writes what it reads. */
static inline int kstrtoul(const char *text, unsigned int base, unsigned long *valuep)
{
	char *end;

	*valuep = strtoul(text, &end, (int)base);
	return *text && !*end ? 0 : -EINVAL;
}

#endif /* FUZZ_KSTRTOX_H */
