/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_LOCKDEP_H
#define SHIM_LOCKDEP_H

#include <linux/bug.h>

#define lockdep_assert_held(_lock) ((void)WARN_ON(!shim_lock_is_held(&(_lock)->shim)))

#endif /* SHIM_LOCKDEP_H */
