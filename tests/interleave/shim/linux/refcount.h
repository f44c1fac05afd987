/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_REFCOUNT_H
#define IL_REFCOUNT_H

#include <linux/bug.h>
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
#define refcount_inc(_r) il_ref(IL_QUIET, &(_r)->refs, 1, IL_AT("refcount_inc"))
#define refcount_add(_n, _r) il_ref(IL_QUIET, &(_r)->refs, (_n), IL_AT("refcount_add"))
#define refcount_dec_and_test(_r)							\
	il_unref(IL_QUIET, &(_r)->refs, 1, IL_AT("refcount_dec_and_test"))
#define refcount_sub_and_test(_n, _r)							\
	il_unref(IL_QUIET, &(_r)->refs, (_n), IL_AT("refcount_sub_and_test"))

/* False if it is the last reference: that is not dropped. */
#define refcount_dec_not_one(_r)							\
	il_unref_not_one(IL_QUIET, &(_r)->refs, IL_AT("refcount_dec_not_one"))

#endif /* IL_REFCOUNT_H */
