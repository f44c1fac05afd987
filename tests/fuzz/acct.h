/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * acct: the accounting of the reference, straight from the tables of the specification
 */
#ifndef FUZZ_ACCT_H
#define FUZZ_ACCT_H

#include <stdbool.h>
#include <stdint.h>

struct acct_trace;

void acct_begin(uint64_t max_objects, uint64_t max_bytes);

/* What @actor claims as @claimant from @user; valid until the end of the run. */
struct acct_trace *acct_trace(unsigned int user, unsigned int claimant, uint64_t actor);
bool acct_charge(struct acct_trace *trace, uint64_t objects, uint64_t bytes);
void acct_discharge(struct acct_trace *trace, uint64_t objects, uint64_t bytes);
/* The largest number of bytes below @max that would be granted. */
uint64_t acct_room(const struct acct_trace *trace, uint64_t max);

/* What is claimed now by whom is what the module says, and all sums are right. */
void acct_check(const char *text);
/*
 * After a command that failed halfway: all claims are what they were, but how much of its claims a
 * quota keeps for the next time may have changed.
 */
void acct_adopt(const char *text);

#endif /* FUZZ_ACCT_H */
