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

#endif /* SHIM_UIDGID_H */
