/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Doubly linked rings with a head. Each operation checks the neighbours it is about to change. */
#ifndef SHIM_LIST_H
#define SHIM_LIST_H

#include <linux/bug.h>
#include <linux/container_of.h>
#include <linux/types.h>

#define LIST_HEAD(_name) struct list_head _name = { &(_name), &(_name) }

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list->prev = list;
}

static inline bool list_empty(const struct list_head *list)
{
	return list->next == list;
}

static inline void shim_list_join(struct list_head *left, struct list_head *right)
{
	left->next = right;
	right->prev = left;
}

static inline void list_add(struct list_head *entry, struct list_head *left)
{
	struct list_head *right = left->next;

	WARN_ON(right->prev != left || entry == left || entry == right);
	shim_list_join(entry, right);
	shim_list_join(left, entry);
}

static inline void list_add_tail(struct list_head *entry, struct list_head *right)
{
	list_add(entry, right->prev);
}

/* @entry is in no list any more, and no list itself. */
static inline void list_del(struct list_head *entry)
{
	WARN_ON(!entry->next || entry->next->prev != entry || entry->prev->next != entry);
	shim_list_join(entry->prev, entry->next);
	entry->next = entry->prev = NULL;
}

static inline void list_del_init(struct list_head *entry)
{
	list_del(entry);
	INIT_LIST_HEAD(entry);
}

/* @entry takes the place of @old, which is in no list any more, and no list itself. */
static inline void list_replace(struct list_head *old, struct list_head *entry)
{
	WARN_ON(old->next->prev != old || old->prev->next != old || list_empty(old));
	shim_list_join(entry, old->next);
	shim_list_join(old->prev, entry);
	old->next = old->prev = NULL;
}

static inline void list_move(struct list_head *entry, struct list_head *head)
{
	list_del_init(entry);
	list_add(entry, head);
}

static inline void list_move_tail(struct list_head *entry, struct list_head *head)
{
	list_del_init(entry);
	list_add_tail(entry, head);
}

/* All entries of @list go between @left and what follows it; @list is no list any more. */
static inline void list_splice(struct list_head *list, struct list_head *left)
{
	struct list_head *right = left->next;

	if (list_empty(list))
		return;
	shim_list_join(list->prev, right);
	shim_list_join(left, list->next);
}

static inline void list_splice_init(struct list_head *list, struct list_head *left)
{
	list_splice(list, left);
	INIT_LIST_HEAD(list);
}

static inline void list_splice_tail(struct list_head *list, struct list_head *right)
{
	list_splice(list, right->prev);
}

#define list_entry(_ptr, _type, _member) container_of(_ptr, _type, _member)
#define list_first_entry(_head, _type, _member) list_entry((_head)->next, _type, _member)
#define list_first_entry_or_null(_head, _type, _member)					\
	(list_empty(_head) ? NULL : list_first_entry(_head, _type, _member))

#define shim_list_entry(_ptr, _pos, _member) list_entry(_ptr, __typeof__(*(_pos)), _member)

#define list_prev_entry(_pos, _member) shim_list_entry((_pos)->_member.prev, _pos, _member)

#define list_for_each_entry(_pos, _head, _member)					\
	for ((_pos) = shim_list_entry((_head)->next, _pos, _member);			\
	     &(_pos)->_member != (_head);						\
	     (_pos) = shim_list_entry((_pos)->_member.next, _pos, _member))

#define list_for_each_entry_safe(_pos, _safe, _head, _member)				\
	for ((_pos) = shim_list_entry((_head)->next, _pos, _member),			\
	     (_safe) = shim_list_entry((_pos)->_member.next, _pos, _member);		\
	     &(_pos)->_member != (_head);						\
	     (_pos) = (_safe),								\
	     (_safe) = shim_list_entry((_pos)->_member.next, _pos, _member))

#define list_for_each_entry_safe_reverse(_pos, _safe, _head, _member)			\
	for ((_pos) = shim_list_entry((_head)->prev, _pos, _member),			\
	     (_safe) = shim_list_entry((_pos)->_member.prev, _pos, _member);		\
	     &(_pos)->_member != (_head);						\
	     (_pos) = (_safe),								\
	     (_safe) = shim_list_entry((_pos)->_member.prev, _pos, _member))

/* Lists with a head of one pointer. */

#define INIT_HLIST_HEAD(_head) ((void)((_head)->first = NULL))

static inline void INIT_HLIST_NODE(struct hlist_node *node)
{
	node->next = NULL;
	node->pprev = NULL;
}

static inline bool hlist_empty(const struct hlist_head *head)
{
	return !head->first;
}

static inline bool hlist_unhashed(const struct hlist_node *node)
{
	return !node->pprev;
}

static inline void hlist_del_init(struct hlist_node *node)
{
	WARN_ON(*node->pprev != node || (node->next && node->next->pprev != &node->next));
	*node->pprev = node->next;
	if (node->next)
		node->next->pprev = node->pprev;
	INIT_HLIST_NODE(node);
}

#define shim_hlist_entry(_ptr, _pos, _member)						\
	((_ptr) ? container_of((_ptr), __typeof__(*(_pos)), _member) : NULL)

#define hlist_for_each_entry_safe(_pos, _safe, _head, _member)				\
	for ((_pos) = shim_hlist_entry((_head)->first, _pos, _member);			\
	     (_pos) && ((_safe) = (_pos)->_member.next, true);				\
	     (_pos) = shim_hlist_entry((_safe), _pos, _member))

#endif /* SHIM_LIST_H */
