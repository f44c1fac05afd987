/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SELFTEST_H
#define SELFTEST_H

int selftest(void);

#endif /* SELFTEST_H */
