/*
 * How the tests of core/ are run: each in a process of its own, which must end
 * with as many blocks allocated and descriptors open as it began with.
 */
#ifndef NB_TEST_SUITE_H
#define NB_TEST_SUITE_H

#include <check.h>

/* Runs all tests of a NULL-terminated list and reports in TAP; the result is main's. */
int run_suite(const char *name, const TTest *const *tests);

/* Descriptors that this process has open. */
int count_descriptors(void);

#endif
