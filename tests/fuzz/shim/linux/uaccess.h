/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* User memory is a simulation, see ../user.h: its addresses are numbers, not pointers. */
#ifndef FUZZ_UACCESS_H
#define FUZZ_UACCESS_H

#include <linux/minmax.h>
#include <linux/types.h>

#include "../user.h"

#define ARRAY_SIZE(_array) (sizeof(_array) / sizeof((_array)[0]))

#define u64_to_user_ptr(_value)								\
	({										\
		_Static_assert(sizeof(_value) == 8, "not a u64");			\
		(void __user *)(uintptr_t)(_value);					\
	})

/* Return: bytes that could not be copied */
unsigned long copy_from_user(void *to, const void __user *from, unsigned long n);
unsigned long copy_to_user(void __user *to, const void *from, unsigned long n);
unsigned long clear_user(void __user *to, unsigned long n);
/* after access_ok() */
unsigned long raw_copy_from_user(void *to, const void __user *from, unsigned long n);
unsigned long raw_copy_to_user(void __user *to, const void *from, unsigned long n);

/* A section may fail as a whole, as a copy does. */
bool user_access_ok(const void __user *ptr, size_t n);
bool user_access_begin(const void __user *ptr, size_t n);
void user_access_end(void);
unsigned long user_get(void *to, const void __user *from, size_t n);
unsigned long user_put(void __user *to, const void *from, size_t n);

#define access_ok(_ptr, _n) user_access_ok((_ptr), (_n))
#define might_fault() ((void)0)
#define should_fail_usercopy() false
#define user_read_access_begin(_ptr, _n) user_access_begin((_ptr), (_n))
#define user_read_access_end() user_access_end()
#define user_write_access_begin(_ptr, _n) user_access_begin((_ptr), (_n))
#define user_write_access_end() user_access_end()
#define unsafe_get_user(_value, _ptr, _label)						\
	do {										\
		if (user_get(&(_value), (_ptr), sizeof(*(_ptr))))			\
			goto _label;							\
	} while (0)
#define unsafe_put_user(_value, _ptr, _label)						\
	do {										\
		__typeof__(*(_ptr)) user_value = (_value);				\
		if (user_put((_ptr), &user_value, sizeof(user_value)))			\
			goto _label;							\
	} while (0)

#define put_user(_value, _ptr)								\
	({										\
		__typeof__(*(_ptr)) user_value = (_value);				\
		copy_to_user((_ptr), &user_value, sizeof(user_value)) ? -EFAULT : 0;	\
	})

#endif /* FUZZ_UACCESS_H */
