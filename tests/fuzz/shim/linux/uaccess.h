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

#define put_user(_value, _ptr)								\
	({										\
		__typeof__(*(_ptr)) user_value = (_value);				\
		copy_to_user((_ptr), &user_value, sizeof(user_value)) ? -EFAULT : 0;	\
	})

#endif /* FUZZ_UACCESS_H */
