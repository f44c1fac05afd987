/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log: tests count the lines, and read their own last one. Nothing is printed, as tests cause what
 * is logged all the time.
 */
#ifndef SHIM_PRINTK_H
#define SHIM_PRINTK_H

#include "../shim.h"

#ifndef KBUILD_MODNAME
#define KBUILD_MODNAME "bus1"
#endif

#ifndef pr_fmt
#define pr_fmt(_format) _format
#endif

#define pr_info(_format, ...) shim_log(pr_fmt(_format), ##__VA_ARGS__)

#endif /* SHIM_PRINTK_H */
