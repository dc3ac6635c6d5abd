#include "pattern.h"

bool text_matches(const char *text, const char *pattern)
{
    for (; *pattern != '*'; text++, pattern++) {
        if (*text != *pattern)
            return false;
        if (!*text)
            return true;
    }
    do {
        if (text_matches(text, pattern + 1))
            return true;
    } while (*text++);
    return false;
}
