/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies fail in another way here, see uaccess.h. */
#ifndef FUZZ_FAULT_INJECT_USERCOPY_H
#define FUZZ_FAULT_INJECT_USERCOPY_H

#endif /* FUZZ_FAULT_INJECT_USERCOPY_H */
