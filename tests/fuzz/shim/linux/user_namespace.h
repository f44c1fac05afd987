/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_USER_NAMESPACE_H
#define FUZZ_USER_NAMESPACE_H

#include <linux/uidgid.h>

#include "../vfs.h"

struct user_namespace {
	int nothing;
};

static struct user_namespace init_user_ns __attribute__((unused));

static inline struct user_namespace *current_user_ns(void)
{
	static struct user_namespace other;

	return vfs_ns == VFS_NS_SAME ? &init_user_ns : &other;
}

static inline uid_t from_kuid(struct user_namespace *ns, kuid_t uid)
{
	(void)ns;
	return vfs_map_uid(uid.val);
}

static inline uid_t from_kuid_munged(struct user_namespace *ns, kuid_t uid)
{
	uid_t mapped = from_kuid(ns, uid);

	return mapped == (uid_t)-1 ? 65534 : mapped;
}

#endif /* FUZZ_USER_NAMESPACE_H */
