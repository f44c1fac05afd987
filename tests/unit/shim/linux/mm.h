/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_MM_H
#define SHIM_MM_H

#include <linux/slab.h>

#define PAGE_SIZE 4096UL

#endif /* SHIM_MM_H */
