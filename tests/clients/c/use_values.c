/* The values of the installed library, without any daemon; valid C and C++. */
#include <netbroker/cidr.h>
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

int main(void)
{
    return print_address() || print_bounds() || print_socket_address();
}
