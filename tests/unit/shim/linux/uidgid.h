/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_UIDGID_H
#define SHIM_UIDGID_H

#include <linux/types.h>

typedef struct {
	uid_t val;
} kuid_t;

#define KUIDT_INIT(_value) ((kuid_t){ _value })

static inline uid_t __kuid_val(kuid_t uid)
{
	return uid.val;
}

static inline bool uid_eq(kuid_t left, kuid_t right)
{
	return left.val == right.val;
}

#endif /* SHIM_UIDGID_H */
