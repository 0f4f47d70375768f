/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's test harness, with time enough for a kernel that checks everything
 * in an emulator. What must not hang is limited by testbed/check as well.
 */
#ifndef _SELFTESTS_HARNESS_H
#define _SELFTESTS_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240

#endif
