/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of accounts share: traces that are put at the end, and charges of one slot.
 */
#ifndef ACCT_UNIT_H
#define ACCT_UNIT_H

#include "../../kmod/acct.h"
#include "unit.h"

#define OBJECTS B1_ACCT_OBJECTS
#define BYTES B1_ACCT_BYTES
#define N_SLOTS B1_ACCT_N_SLOTS
#define ALL UINT64_MAX

/* the user whose resources most tests are about */
#define OWNER 7
#define MAX_TRACES 64

/* acct.c; the traces of the test, with a reference to each */
extern struct b1_acct_trace *traces[MAX_TRACES];
extern size_t n_traces;

void setup_max(u64 objects, u64 bytes);
struct b1_acct_trace *get(u32 user, u32 claimant, u64 actor);
void put_all(void);

int charge(struct b1_acct_trace *trace, int slot, u64 amount);
void discharge(struct b1_acct_trace *trace, int slot, u64 amount);
void charge_exactly(struct b1_acct_trace *trace, int slot, u64 amount);
u64 most(struct b1_acct_trace *trace, int slot);

/* Its tests begin with nothing, and end with nothing left. */
TCase *acct_case(Suite *suite, const char *name);

/* acct-rules.c */
void add_rules(Suite *suite);
void add_waits(Suite *suite);

/* acct-model.c */
void add_model(Suite *suite);

#endif /* ACCT_UNIT_H */
