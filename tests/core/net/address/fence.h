/* Memory with pages around it that must not be touched, so that one byte too far ends the test. */
#ifndef NB_TEST_FENCE_H
#define NB_TEST_FENCE_H

#include <stddef.h>

enum { FENCE_ROOM = 4 << 20 };

/* Copies of up to FENCE_ROOM bytes that end, or begin, at a fence; good until the next call. */
const char *fence_behind(const void *bytes, size_t length);
const char *fence_before(const void *bytes, size_t length);

#endif
