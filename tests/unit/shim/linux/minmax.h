/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_MINMAX_H
#define SHIM_MINMAX_H

#define min(_x, _y) ((_x) < (_y) ? (_x) : (_y))
#define max(_x, _y) ((_x) > (_y) ? (_x) : (_y))

#endif /* SHIM_MINMAX_H */
