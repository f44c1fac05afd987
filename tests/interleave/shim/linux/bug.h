/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_BUG_H
#define IL_BUG_H

#include <linux/printk.h>

#include "../../il.h"

/* what is a warning in the kernel is a failure here */
#define WARN_ON_ONCE(_cond)								\
	({										\
		bool il_cond = !!(_cond);						\
		if (il_cond)								\
			il_fail("%s", IL_AT("WARN_ON_ONCE(" #_cond ")"));		\
		il_cond;								\
	})
#define WARN_ON(_cond) WARN_ON_ONCE(_cond)

#endif /* IL_BUG_H */
