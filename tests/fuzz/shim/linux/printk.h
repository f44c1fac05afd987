/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_PRINTK_H
#define FUZZ_PRINTK_H

#include_next <linux/printk.h>

#define pr_err(_format, ...) shim_log(pr_fmt(_format), ##__VA_ARGS__)

#endif /* FUZZ_PRINTK_H */
