/* netbroker ip: what an address or subnet is. Asks no broker. */
#include "address.h"
#include "command.h"
#include "json.h"

#include <errno.h>
#include <string.h>

struct subject {
    struct nb_cidr cidr; /* of an address: all bits */
    bool is_subnet;
    const char *zone; /* borrowed; NULL: none */
};

static bool read_subject(const char *text, struct subject *ret)
{
    size_t length = strlen(text), zone_at;
    *ret = (struct subject){.is_subnet = strchr(text, '/') != NULL};
    if (ret->is_subnet)
        return nb_cidr_parse(text, length, &ret->cidr);
    if (!nb_ip_parse(text, length, &ret->cidr.network, &zone_at))
        return false;
    ret->cidr.prefix = ret->cidr.network.family == 6 ? 128 : 32;
    ret->zone = zone_at < length ? text + zone_at : NULL;
    if (ret->zone && *ret->zone == '%')
        ret->zone++;
    return true;
}

static void add_ip(json_t *object, const char *key, const struct nb_ip *ip)
{
    char text[NB_IP_TEXT];
    nb_ip_format(ip, text);
    json_object_set_new(object, key, json_string(text));
}

static void add_subnet(json_t *object, const struct nb_cidr *cidr, const struct nb_ip *first,
                       const struct nb_ip *last)
{
    char text[NB_CIDR_TEXT];
    const struct nb_cidr network = {.network = *first, .prefix = cidr->prefix};
    nb_cidr_format(&network, text);
    json_object_set_new(object, "subnet", json_string(text));
    json_object_set_new(object, "prefix", json_integer(cidr->prefix));
    add_ip(object, "first", first);
    add_ip(object, "last", last);
}

/* The caller owns it. */
static json_t *describe(const struct subject *subject)
{
    const struct nb_ip *ip = &subject->cidr.network;
    struct nb_ip first, last, mapped;
    json_t *object = json_object();
    nb_cidr_bounds(&subject->cidr, &first, &last);
    json_object_set_new(object, "family", json_string(ip->family == 6 ? "IPv6" : "IPv4"));
    add_ip(object, "address", ip);
    if (subject->zone)
        json_object_set_new(object, "zone", json_string(subject->zone));
    if (nb_cli_mapped(ip, &mapped))
        add_ip(object, "mapped", &mapped);
    if (subject->is_subnet)
        add_subnet(object, &subject->cidr, &first, &last);
    json_object_set_new(object, "scope", json_string(nb_cli_scope(&first, &last)));
    return object;
}

static bool print_lines(json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (json_is_integer(value))
            printf("%-8s %lld\n", key, (long long)json_integer_value(value));
        else
            printf("%-8s %s\n", key, json_string_value(value));
    }
    return fflush(stdout) == 0;
}

static int run(const struct nb_cli_options *options, char **arguments)
{
    struct subject subject;
    if (!read_subject(arguments[0], &subject)) {
        fprintf(stderr, "netbroker: neither an IP address nor a subnet: %s\n", arguments[0]);
        return NB_CLI_NO;
    }
    json_t *object = describe(&subject);
    bool printed = options->json ? nb_cli_print_json(stdout, object, false) : print_lines(object);
    json_decref(object);
    if (printed)
        return NB_CLI_OK;
    nb_cli_complain("cannot print the result", -errno);
    return NB_CLI_LOCAL;
}

const struct nb_cli_command nb_cli_ip = {
    .name = "ip",
    .arguments = "ADDRESS[/PREFIX]",
    .summary = "say what an address or subnet is",
    .options = "",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
