/* The values of the installed library, without any daemon; valid C and C++. */
#include <netbroker/block_list.h>
#include <netbroker/cidr.h>
#include <netbroker/list_text.h>
#include <netbroker/shared_list.h>
#include <netbroker/socket_address.h>

#include <stdio.h>
#include <string.h>

static int print_address(void)
{
    struct nb_ip ip;
    char text[NB_IP_TEXT];
    if (!nb_ip_parse("2001:DB8:0::1", 13, &ip, NULL))
        return 1;
    nb_ip_format(&ip, text);
    puts(text);
    return 0;
}

static int print_bounds(void)
{
    struct nb_cidr cidr;
    struct nb_ip first, last;
    char first_text[NB_IP_TEXT], last_text[NB_IP_TEXT];
    if (!nb_cidr_parse("10.1.2.3/8", 10, &cidr))
        return 1;
    nb_cidr_bounds(&cidr, &first, &last);
    nb_ip_format(&first, first_text);
    nb_ip_format(&last, last_text);
    printf("%s-%s\n", first_text, last_text);
    return 0;
}

static int print_socket_address(void)
{
    struct nb_socket_address_options options;
    struct nb_socket_address address;
    char text[NB_IP_TEXT];
    memset(&options, 0, sizeof options);
    options.family.data = "IPv6";
    options.family.length = 4;
    options.address.data = "0::1";
    options.address.length = 4;
    options.port.given = true;
    options.port.value = 8080;
    if (nb_socket_address_make(&options, &address) != NB_SOCKET_ADDRESS_OK)
        return 1;
    nb_ip_format(&address.ip, text);
    printf("[%s]:%d\n", text, address.port);
    return 0;
}

static int print_match(struct nb_block_list *list)
{
    static const char text[] = "192.0.2.0/24 # documentation\n";
    struct nb_list_fault fault;
    struct nb_rule rule;
    struct nb_ip ip;
    char line[NB_RULE_TEXT];
    if (nb_block_list_load_text(list, text, sizeof text - 1, 10, &fault) < 0 ||
        !nb_ip_parse("::ffff:192.0.2.7", 16, &ip, NULL) || !nb_block_list_match(list, &ip, &rule))
        return 1;
    nb_rule_format_line(&rule, line);
    puts(line);
    return 0;
}

static int print_shared_size(void)
{
    struct nb_shared_list *list = nb_shared_list_new(true);
    struct nb_rule rule;
    if (!list || nb_rule_parse("::1", 3, &rule) || nb_shared_list_add(list, &rule, 1, 10) < 0)
        return 1;
    printf("%d\n", (int)nb_shared_list_size(list));
    nb_shared_list_unref(list);
    return 0;
}

static int print_lists(void)
{
    struct nb_block_list *list = nb_block_list_new();
    int status = list ? print_match(list) : 1;
    nb_block_list_free(list);
    return status || print_shared_size();
}

int main(void)
{
    return print_address() || print_bounds() || print_socket_address() || print_lists();
}
