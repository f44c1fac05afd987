/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_COMPILER_H
#define FUZZ_COMPILER_H

#include_next <linux/compiler.h>

#define __user
#define __init
#define __exit

#define __uninitialized

#endif /* FUZZ_COMPILER_H */
