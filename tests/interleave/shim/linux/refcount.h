/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_REFCOUNT_H
#define IL_REFCOUNT_H

#include <linux/bug.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "../../il.h"

typedef struct {
	int refs;
} refcount_t;

static inline void refcount_set(refcount_t *r, int n)
{
	r->refs = n;
}

#define refcount_read(_r) READ_ONCE((_r)->refs)
#define refcount_inc(_r) il_ref(IL_QUIET, &(_r)->refs, IL_AT("refcount_inc"))
#define refcount_dec_and_test(_r)							\
	il_unref(IL_QUIET, &(_r)->refs, IL_AT("refcount_dec_and_test"))

/* The last reference is only dropped with the lock held, and then the lock stays held. */
#define refcount_dec_and_mutex_lock(_r, _lock)						\
	il_unref_and_lock(IL_QUIET, &(_r)->refs, &(_lock)->il,				\
			  IL_AT("refcount_dec_and_mutex_lock"))

#endif /* IL_REFCOUNT_H */
