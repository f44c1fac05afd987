/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_GFP_H
#define SHIM_GFP_H

#include <linux/types.h>

#define __GFP_ACCOUNT 0x1u
#define __GFP_NOWARN 0x2u
#define __GFP_RETRY_MAYFAIL 0x4u
#define __GFP_NORETRY 0x8u
#define __GFP_ZERO 0x10u
#define GFP_KERNEL 0x20u
#define GFP_KERNEL_ACCOUNT (GFP_KERNEL | __GFP_ACCOUNT)

#endif /* SHIM_GFP_H */
