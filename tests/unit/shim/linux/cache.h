/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_CACHE_H
#define SHIM_CACHE_H

/* where fields lie is of no interest here */
#define ____cacheline_aligned_in_smp

#endif /* SHIM_CACHE_H */
