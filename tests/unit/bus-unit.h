/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the bus share: three peers, open before each test and closed after it.
 */
#ifndef BUS_UNIT_H
#define BUS_UNIT_H

#include "ops.h"

/* bus.c */
extern struct b1_peer *owner, *sender, *receiver;
extern u64 inbox, to_inbox;		/* a node of the receiver, the handle of the sender */
extern u64 node, handle;		/* a node of the owner, the handle of the sender */
extern u64 both[2];			/* both nodes as destinations */

u64 n_claimed(struct b1_peer *peer);
TCase *bus_case(Suite *suite, const char *name);

/* bus-commands.c */
void add_commands(Suite *suite);

/* bus-interleaving.c */
void add_interleaving(Suite *suite);

/* bus-transactions.c */
void add_transactions(Suite *suite);

#endif /* BUS_UNIT_H */
