/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits nothing. */
#ifndef IL_RATELIMIT_H
#define IL_RATELIMIT_H

#define DEFAULT_RATELIMIT_INTERVAL 500
#define DEFAULT_RATELIMIT_BURST 10

#define RATELIMIT_MSG_ON_RELEASE 0x1u

struct ratelimit_state {
	unsigned int flags;
};

#define RATELIMIT_STATE_INIT_FLAGS(_name, _interval, _burst, _flags) { .flags = (_flags) }

static inline int __ratelimit(struct ratelimit_state *rs)
{
	(void)rs;
	return 1;
}

#endif /* IL_RATELIMIT_H */
