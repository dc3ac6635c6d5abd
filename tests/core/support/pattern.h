/* Texts compared with patterns in which * stands for anything. */
#ifndef NB_TEST_PATTERN_H
#define NB_TEST_PATTERN_H

#include <stdbool.h>

bool text_matches(const char *text, const char *pattern);

#endif
