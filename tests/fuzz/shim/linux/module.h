/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_MODULE_H
#define FUZZ_MODULE_H

#include <linux/moduleparam.h>
#include <linux/printk.h>

#include "../vfs.h"

#define THIS_MODULE NULL

#define module_init(_init)								\
	int vfs_module_init(void)							\
	{										\
		return _init();								\
	}
#define module_exit(_exit)								\
	void vfs_module_exit(void)							\
	{										\
		_exit();								\
	}

#define MODULE_DESCRIPTION(_text)
#define MODULE_VERSION(_text)
#define MODULE_LICENSE(_text)

#endif /* FUZZ_MODULE_H */
