/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_COMPAT_H
#define FUZZ_COMPAT_H

#include <linux/fs.h>

#include "../user.h"

#define in_compat_syscall() user_compat

#endif /* FUZZ_COMPAT_H */
