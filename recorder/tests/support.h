/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of this folder share. */
#ifndef RECORDER_TEST_SUPPORT_H
#define RECORDER_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#endif
