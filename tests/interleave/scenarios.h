/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "il.h"

/* each ends with NULL */
extern const struct il_scenario *const scenarios[];	/* searched completely */
extern const struct il_scenario *const storms[];	/* random */
extern const struct il_scenario *const litmus[];	/* small ones, to test the search itself */

#endif /* SCENARIOS_H */
