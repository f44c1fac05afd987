/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_BUG_H
#define SHIM_BUG_H

#include <linux/printk.h>

#include "../shim.h"

/* what is a warning in the kernel is the end of a test */
#define WARN_ON_ONCE(_cond)								\
	({										\
		bool shim_cond = !!(_cond);						\
		if (shim_cond)								\
			shim_bug(__FILE__, __LINE__, "WARN_ON_ONCE(" #_cond ")");	\
		shim_cond;								\
	})
#define WARN_ON(_cond) WARN_ON_ONCE(_cond)

#endif /* SHIM_BUG_H */
