/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Readers share a lock, and a grace period has passed when nobody has it. */
#ifndef SHIM_RCUPDATE_H
#define SHIM_RCUPDATE_H

void rcu_read_lock(void);
void rcu_read_unlock(void);
void synchronize_rcu(void);

#endif /* SHIM_RCUPDATE_H */
