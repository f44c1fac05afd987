/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_MODULEPARAM_H
#define FUZZ_MODULEPARAM_H

#include "../vfs.h"

#define module_param_named(_name, _variable, _type, _mode)				\
	void vfs_set_##_name(unsigned long value)					\
	{										\
		_variable = value;							\
	}
#define MODULE_PARM_DESC(_name, _text)

#endif /* FUZZ_MODULEPARAM_H */
