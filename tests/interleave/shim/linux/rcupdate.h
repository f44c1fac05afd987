/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_RCUPDATE_H
#define IL_RCUPDATE_H

#include "../../il.h"

#define rcu_read_lock() il_rcu_read_lock(IL_AT("rcu_read_lock"))
#define rcu_read_unlock() il_rcu_read_unlock(IL_AT("rcu_read_unlock"))
#define synchronize_rcu() il_synchronize_rcu(IL_AT("synchronize_rcu"))

#endif /* IL_RCUPDATE_H */
