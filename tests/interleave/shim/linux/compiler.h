/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_COMPILER_H
#define IL_COMPILER_H

#include "../../il.h"

#define likely(_x) __builtin_expect(!!(_x), 1)
#define unlikely(_x) __builtin_expect(!!(_x), 0)
#define noinline __attribute__((__noinline__))
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define READ_ONCE(_x)									\
	((__typeof__(_x))(uintptr_t)il_load(0, &(_x), sizeof(_x), IL_AT("READ_ONCE")))
#define WRITE_ONCE(_x, _v)								\
	il_store(0, &(_x), sizeof(_x), (uintptr_t)(_v), IL_AT("WRITE_ONCE"))

/* an access that may race, and does no harm */
#define data_race(_expression)								\
({											\
	il_may_race = true;								\
	__auto_type _value = (_expression);						\
	il_may_race = false;								\
	_value;										\
})

/* all options of the module are off */
#define IS_ENABLED(_option) IL_ENABLED_##_option
#define IL_ENABLED_B1_ACCT_OFF 0
#define IL_ENABLED_CONFIG_KMSAN 0
/* a use of a message that was received is to be seen, unless it is about using its memory again */
#define IL_ENABLED_CONFIG_KASAN (!il_reuse)

#endif /* IL_COMPILER_H */
