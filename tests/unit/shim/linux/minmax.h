/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_MINMAX_H
#define SHIM_MINMAX_H

#define min(_x, _y) ((_x) < (_y) ? (_x) : (_y))
#define max(_x, _y) ((_x) > (_y) ? (_x) : (_y))
#define max_t(_type, _x, _y) max((_type)(_x), (_type)(_y))
#define min_t(_type, _x, _y) min((_type)(_x), (_type)(_y))

#define swap(_x, _y)									\
	do {										\
		__typeof__(_x) shim_x = (_x);						\
		(_x) = (_y);								\
		(_y) = shim_x;								\
	} while (0)

#endif /* SHIM_MINMAX_H */
