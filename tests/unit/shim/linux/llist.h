/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_LLIST_H
#define SHIM_LLIST_H

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

static inline bool llist_add(struct llist_node *node, struct llist_head *list)
{
	struct llist_node *first = __atomic_load_n(&list->first, __ATOMIC_RELAXED);

	do {
		node->next = first;
	} while (!__atomic_compare_exchange_n(&list->first, &first, node, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return !first;
}

static inline struct llist_node *llist_del_all(struct llist_head *list)
{
	return __atomic_exchange_n(&list->first, NULL, __ATOMIC_SEQ_CST);
}

#define llist_entry(_ptr, _type, _member) container_of(_ptr, _type, _member)

/* @_safe is not needed here, because the next node is remembered */
#define llist_for_each_entry_safe(_pos, _safe, _node, _member)				\
	for (struct llist_node *shim_cur = (_node), *shim_next;				\
	     shim_cur && ((_pos) = llist_entry(shim_cur, __typeof__(*(_pos)), _member),	\
			  (_safe) = (_pos), (void)(_safe),				\
			  shim_next = shim_cur->next, true);				\
	     shim_cur = shim_next)

#endif /* SHIM_LLIST_H */
