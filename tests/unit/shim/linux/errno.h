/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_ERRNO_H
#define SHIM_ERRNO_H

/* the C library finds its numbers by this name, too */
#include_next <linux/errno.h>

#endif /* SHIM_ERRNO_H */
