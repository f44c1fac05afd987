/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_LOCKDEP_H
#define IL_LOCKDEP_H

#include "../../il.h"

#define lockdep_assert_held(_lock)							\
	do {										\
		if (!il_lock_is_held(&(_lock)->il))					\
			il_fail("%s: is not held", IL_AT(#_lock));			\
	} while (0)

#endif /* IL_LOCKDEP_H */
