/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_MODULEPARAM_H
#define FUZZ_MODULEPARAM_H

#include <stdio.h>

#include "../vfs.h"

struct kernel_param_ops;

struct kernel_param {
	const char *name;
	const struct kernel_param_ops *ops;
	void *arg;
};

struct kernel_param_ops {
	int (*set)(const char *text, const struct kernel_param *param);
	int (*get)(char *text, const struct kernel_param *param);
};

static inline int param_get_ulong(char *text, const struct kernel_param *param)
{
	return sprintf(text, "%lu\n", *(unsigned long *)param->arg);
}

/* For vfs_load(), which knows which parameters there are. */
#define module_param_cb(_name, _ops, _arg, _mode)					\
	const struct kernel_param vfs_param_##_name = { #_name, (_ops), (_arg) }
#define __MODULE_PARM_TYPE(_name, _type)
#define MODULE_PARM_DESC(_name, _text)

#endif /* FUZZ_MODULEPARAM_H */
