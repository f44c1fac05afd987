/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_SIZES_H
#define SHIM_SIZES_H

#define SZ_2K 0x800UL
#define SZ_4K 0x1000UL
#define SZ_64K 0x10000UL

#endif /* SHIM_SIZES_H */
