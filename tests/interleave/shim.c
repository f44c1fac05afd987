// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The part of the kernel's interfaces that is more than a few lines, or must not be seen by the
 * race detector.
 */
#include <linux/llist.h>
#include <linux/xarray.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "il.h"

#define N_TABLES 512

struct il_xa_table {
	struct il_xa_table *next;	/* of the unused ones */
	unsigned int id;
	unsigned int n;
	struct il_xa_slot slots[IL_XA_SLOTS];
};

void shim_log(const char *format, ...);
void shim_log(const char *format, ...)
{
	(void)format;
}

bool il_llist_add(bool quiet, struct llist_node *node, struct llist_head *list, const char *what)
{
	il_event(quiet, IL_WRITE, IL_F_RMW, &list->first, what);
	node->next = list->first;
	list->first = node;
	return !node->next;
}

/* Tables by index */

static struct il_xa_table tables[N_TABLES];
static struct il_xa_table *unused;
static unsigned int n_used;

static struct il_xa_table *table_get(void)
{
	struct il_xa_table *table = unused;

	if (table) {
		unused = table->next;
	} else {
		if (n_used == N_TABLES)
			il_fail("too many tables");
		table = &tables[n_used];
		table->id = n_used++;
	}
	table->n = 0;
	return table;
}

static void table_put(struct il_xa_table *table)
{
	table->next = unused;
	unused = table;
}

/* Stands for what is at an index: entries move, this does not. Nobody looks there. */
static const void *slot_key(const struct xarray *xa, unsigned long index)
{
	return (const char *)0x100000000000 + (((uintptr_t)xa & 0xffffff) << 16) + (index & 0xffff);
}

/* The first slot at @index or behind it. */
static unsigned int search(const struct il_xa_table *table, unsigned long index)
{
	unsigned int i = table->n;

	while (i && table->slots[i - 1].index >= index)
		i--;
	return i;
}

static void *get(const struct xarray *xa, unsigned long index)
{
	unsigned int i;

	if (!xa->table)
		return NULL;
	i = search(xa->table, index);
	return i < xa->table->n && xa->table->slots[i].index == index ? xa->table->slots[i].entry
								       : NULL;
}

void *il_xa_load(bool quiet, struct xarray *xa, unsigned long index, const char *what)
{
	il_event(quiet, IL_READ, IL_F_ACQUIRE, slot_key(xa, index), what);
	return get(xa, index);
}

int il_xa_insert(bool quiet, struct xarray *xa, unsigned long index, void *entry, const char *what)
{
	struct il_xa_table *table;
	int ret = -EBUSY;
	unsigned int i;

	il_lock(quiet, &xa->lock.il, true, what);
	if (get(xa, index))
		goto unlock;
	ret = 0;
	il_event(quiet, IL_WRITE, IL_F_RMW, slot_key(xa, index), what);
	if (!xa->table)
		xa->table = table_get();
	table = xa->table;
	if (table->n == IL_XA_SLOTS)
		il_fail("table is full");
	i = search(table, index);
	memmove(&table->slots[i + 1], &table->slots[i], (table->n++ - i) * sizeof(*table->slots));
	table->slots[i] = (struct il_xa_slot){ .index = index, .entry = entry };
unlock:
	il_unlock(quiet, &xa->lock.il, true, what);
	return ret;
}

void *il_xa_erase(bool quiet, struct xarray *xa, unsigned long index, const char *what)
{
	struct il_xa_table *table;
	void *entry;
	unsigned int i;

	il_lock(quiet, &xa->lock.il, true, what);
	il_event(quiet, IL_WRITE, IL_F_RMW, slot_key(xa, index), what);
	entry = get(xa, index);
	table = xa->table;
	if (entry) {
		i = search(table, index);
		memmove(&table->slots[i], &table->slots[i + 1],
			(--table->n - i) * sizeof(*table->slots));
		if (!table->n) {
			table_put(table);
			xa->table = NULL;
		}
	}
	il_unlock(quiet, &xa->lock.il, true, what);
	return entry;
}

void *il_xa_find(bool quiet, struct xarray *xa, unsigned long *index, unsigned long max,
		 const char *what)
{
	bool locked = il_lock_is_held(&xa->lock.il);
	void *entry = NULL;
	unsigned int i;

	/* as in the kernel, the caller may hold the lock, or not */
	if (!locked)
		il_lock(quiet, &xa->lock.il, true, what);
	i = xa->table ? search(xa->table, *index) : 0;
	if (xa->table && i < xa->table->n && xa->table->slots[i].index <= max) {
		*index = xa->table->slots[i].index;
		entry = xa->table->slots[i].entry;
	}
	if (!locked)
		il_unlock(quiet, &xa->lock.il, true, what);
	return entry;
}

/* Entries are not freed, as in the kernel: a table that still has some is lost track of. */
void il_xa_destroy(struct xarray *xa)
{
	if (xa->table)
		il_fail("a table ends that is not empty");
}
