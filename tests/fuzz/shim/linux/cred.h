/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_CRED_H
#define FUZZ_CRED_H

#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "../vfs.h"

static inline kuid_t current_euid(void)
{
	return KUIDT_INIT(vfs_uid);
}

#endif /* FUZZ_CRED_H */
