#include "destination.h"
#include "suite.h"

#include <string.h>

static struct nb_ip ip_of(const char *text)
{
    struct nb_ip ip = {0};
    ck_assert(!*text || nb_ip_parse(text, strlen(text), &ip, NULL));
    return ip;
}

/* As Linux 6 was seen to do, with a listener on each address. */
START_TEST(an_unspecified_address_is_the_bound_one_or_the_loopback)
{
    static const struct {
        const char *remote, *local, *expected;
    } cases[] = {
        {"0.0.0.0", "", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0", "127.0.0.1"},
        {"0.0.0.0", "127.0.0.2", "127.0.0.2"},
        {"::ffff:0.0.0.0", "", "::ffff:127.0.0.1"},
        {"::ffff:0.0.0.0", "::ffff:127.0.0.2", "::ffff:127.0.0.2"},
        {"::", "", "::1"},
        {"::", "::", "::1"},
        {"::", "2001:db8::1", "::1"},
        {"::", "::ffff:127.0.0.2", "::ffff:127.0.0.1"},
        {"::", "::ffff:0.0.0.0", "::ffff:127.0.0.1"},
        {"192.0.2.1", "127.0.0.2", "192.0.2.1"},
        {"2001:db8::1", "::1", "2001:db8::1"},
        {"::ffff:192.0.2.1", "::ffff:127.0.0.2", "::ffff:192.0.2.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NB_IP_TEXT];
        struct nb_ip remote = ip_of(cases[i].remote), local = ip_of(cases[i].local);
        struct nb_ip destination = nb_destination_of(&remote, &local), expected = ip_of(cases[i].expected);
        nb_ip_format(&destination, text);
        ck_assert_msg(memcmp(&destination, &expected, sizeof expected) == 0, "%s from %s: %s",
                      cases[i].remote, cases[i].local, text);
    }
}
END_TEST

int main(void)
{
    return run_suite("destination",
                     (const TTest *[]){an_unspecified_address_is_the_bound_one_or_the_loopback, NULL});
}
