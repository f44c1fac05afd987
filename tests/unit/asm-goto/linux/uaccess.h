/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Accesses to user memory that jump out of the middle of a statement on a fault, as the kernel's do.
 * Compilers know less of what to do with that than with a call and a condition. Only to be compiled.
 */
#ifndef ASM_GOTO_UACCESS_H
#define ASM_GOTO_UACCESS_H

#include_next <linux/uaccess.h>

#undef unsafe_get_user
#define unsafe_get_user(_value, _ptr, _label)						\
	do {										\
		__typeof__(_value) user_value;						\
		asm goto("# %0 %1 %l2"							\
			 : "=r"(user_value) : "m"(*(_ptr)) : : _label);			\
		(_value) = user_value;							\
	} while (0)

#undef unsafe_put_user
#define unsafe_put_user(_value, _ptr, _label)						\
	asm goto("# %0 %1 %l2"								\
		 : : "r"((__typeof__(*(_ptr)))(_value)), "m"(*(_ptr)) : : _label)

#endif /* ASM_GOTO_UACCESS_H */
