/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_LLIST_H
#define IL_LLIST_H

#include <linux/atomic.h>
#include <linux/container_of.h>
#include <linux/types.h>

struct llist_node {
	struct llist_node *next;
};

struct llist_head {
	struct llist_node *first;
};

static inline void init_llist_head(struct llist_head *list)
{
	list->first = NULL;
}

bool il_llist_add(bool quiet, struct llist_node *node, struct llist_head *list, const char *what);

#define llist_add(_node, _list) il_llist_add(IL_QUIET, (_node), (_list), IL_AT("llist_add"))
#define llist_del_all(_list) xchg(&(_list)->first, NULL)

#define llist_entry(_ptr, _type, _member) container_of(_ptr, _type, _member)

#define llist_for_each_entry_safe(_pos, _safe, _node, _member)				\
	for (struct llist_node *il_cur = (_node), *il_next;				\
	     il_cur && (il_next = il_cur->next,						\
			(_pos) = llist_entry(il_cur, __typeof__(*(_pos)), _member),	\
			(void)(_safe), true);						\
	     il_cur = il_next)

#endif /* IL_LLIST_H */
