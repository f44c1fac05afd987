/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_MINMAX_H
#define FUZZ_MINMAX_H

#include_next <linux/minmax.h>

#define min_t(_type, _x, _y) min((_type)(_x), (_type)(_y))

#endif /* FUZZ_MINMAX_H */
