/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits nothing, unless a test wants it to. */
#ifndef SHIM_RATELIMIT_H
#define SHIM_RATELIMIT_H

#include <linux/bug.h>

#include "../shim.h"

#define DEFAULT_RATELIMIT_INTERVAL 500
#define DEFAULT_RATELIMIT_BURST 10

#define RATELIMIT_MSG_ON_RELEASE 0x1u

struct ratelimit_state {
	unsigned int flags;
};

#define RATELIMIT_STATE_INIT_FLAGS(_name, _interval, _burst, _flags) { .flags = (_flags) }

static inline int __ratelimit(struct ratelimit_state *rs)
{
	/* else the kernel logs lines of its own */
	WARN_ON(!(rs->flags & RATELIMIT_MSG_ON_RELEASE));
	return !shim_ratelimited;
}

#endif /* SHIM_RATELIMIT_H */
