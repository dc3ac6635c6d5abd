#include "inherited.h"
#include "sockets.h"
#include "suite.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static int add(const char *name)
{
    int fd = tcp_socket();
    ck_assert(nb_inherited_add(nb_slice_of(name), fd));
    return fd;
}

static void expect(const char *name, int fd)
{
    int opened = nb_inherited_open(nb_slice_of(name));
    ck_assert_int_ge(opened, 0);
    ck_assert_int_ne(opened, fd);
    ck_assert(is_same_socket(opened, fd));
    ck_assert_int_ne(fcntl(opened, F_GETFD) & FD_CLOEXEC, 0);
    close(opened);
}

START_TEST(each_by_its_name)
{
    int web = add("web"), db = add("db");
    expect("db", db);
    expect("web", web);
    expect("web", web); /* as often as it is asked for */
    ck_assert_int_eq(nb_inherited_open(nb_slice_of("we")), UV_ENOENT);
    ck_assert_int_eq(nb_inherited_open(nb_slice_of("webb")), UV_ENOENT);
    nb_inherited_close();
    ck_assert_int_lt(fcntl(web, F_GETFD), 0);
    ck_assert_int_eq(nb_inherited_open(nb_slice_of("web")), UV_ENOENT);
}
END_TEST

START_TEST(of_two_of_one_name_the_first)
{
    int first = add("web");
    add("web");
    expect("web", first);
    nb_inherited_close();
}
END_TEST

START_TEST(without_a_name_it_is_not_found)
{
    char name[NB_INHERITED_NAME + 2] = "";
    add("");
    ck_assert_int_eq(nb_inherited_open(nb_slice_of("")), UV_ENOENT);
    memset(name, 'x', NB_INHERITED_NAME + 1);
    add(name);
    ck_assert_int_eq(nb_inherited_open(nb_slice_of(name)), UV_ENOENT);
    name[NB_INHERITED_NAME] = '\0';
    expect(name, add(name));
    nb_inherited_close();
}
END_TEST

START_TEST(there_is_room_for_so_many)
{
    for (unsigned i = 0; i < NB_INHERITED_MAX; i++)
        add("web");
    int fd = tcp_socket();
    ck_assert(!nb_inherited_add(nb_slice_of("web"), fd));
    ck_assert_int_eq(close(fd), 0);
    nb_inherited_close();
}
END_TEST

int main(void)
{
    return run_suite("inherited",
                     (const TTest *[]){each_by_its_name, of_two_of_one_name_the_first,
                                       without_a_name_it_is_not_found, there_is_room_for_so_many, NULL});
}
