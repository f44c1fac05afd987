// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The part of the kernel's interfaces that is more than a few lines, or must not be seen by the
 * race detector.
 */
#include <linux/llist.h>
#include <stdarg.h>

#include "il.h"

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

