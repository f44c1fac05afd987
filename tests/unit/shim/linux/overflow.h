/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_OVERFLOW_H
#define SHIM_OVERFLOW_H

#include <linux/types.h>

#define check_add_overflow(_x, _y, _sum) __builtin_add_overflow((_x), (_y), (_sum))
#define check_mul_overflow(_x, _y, _product) __builtin_mul_overflow((_x), (_y), (_product))

static inline size_t shim_struct_size(size_t head, size_t element, size_t n)
{
	size_t size;

	if (__builtin_mul_overflow(element, n, &size) || __builtin_add_overflow(size, head, &size))
		return SIZE_MAX;
	return size;
}

#define struct_size(_ptr, _member, _n)							\
	shim_struct_size(sizeof(*(_ptr)), sizeof(*(_ptr)->_member), (_n))

#endif /* SHIM_OVERFLOW_H */
