/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_POLL_H
#define SHIM_POLL_H

#include <sys/epoll.h>

#endif /* SHIM_POLL_H */
