#include "encoding.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum nb_encoding encoding;
} names[] = {
    {"utf8", NB_UTF8},        {"utf16le", NB_UTF16LE},     {"latin1", NB_LATIN1}, {"ascii", NB_ASCII},
    {"base64", NB_BASE64},    {"base64url", NB_BASE64URL}, {"hex", NB_HEX},       {"utf-8", NB_UTF8},
    {"utf-16le", NB_UTF16LE}, {"ucs2", NB_UTF16LE},        {"ucs-2", NB_UTF16LE}, {"binary", NB_LATIN1},
};

int nb_encoding_of(struct nb_slice name)
{
    if (!name.length)
        return NB_UTF8; /* Node's default */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == name.length &&
            strncasecmp(names[i].name, (const char *)name.data, name.length) == 0)
            return (int)names[i].encoding;
    return -1;
}

const char *nb_encoding_name(enum nb_encoding encoding)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].encoding == encoding)
            return names[i].name;
    return "";
}
