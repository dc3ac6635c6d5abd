#include "log.h"
#include "suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char text[4096];
static int reader, true_stderr;

/* From here on what goes to stderr can be read back. */
static void catch_stderr(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    true_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
}

static const char *release_stderr(void)
{
    dup2(true_stderr, STDERR_FILENO);
    close(true_stderr);
    ssize_t length = read(reader, text, sizeof text - 1);
    close(reader);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

START_TEST(a_line_has_time_level_event_and_fields)
{
    catch_stderr();
    nb_log(NB_LOG_WARNING, "disk is full", "path=%s left=%d", "/x", 3);
    release_stderr();
    int day, second, end = 0;
    ck_assert_int_eq(sscanf(text, "time=%*4d-%*2d-%2dT%*2d:%*2d:%2d.%*3dZ %n", &day, &second, &end), 2);
    ck_assert_str_eq(text + end, "level=warning event=\"disk is full\" path=/x left=3\n");
}
END_TEST

START_TEST(lines_above_the_level_are_left_out)
{
    catch_stderr();
    nb_log(NB_LOG_DEBUG, "hidden", "n=%d", 1);
    nb_log_set_level(NB_LOG_DEBUG);
    nb_log(NB_LOG_DEBUG, "shown", "n=%d", 2);
    nb_log_set_level(NB_LOG_ERROR);
    nb_log(NB_LOG_WARNING, "hidden too", "n=%d", 3);
    nb_log(NB_LOG_ERROR, "shown too", "n=%d", 4);
    release_stderr();
    ck_assert_ptr_null(strstr(text, "hidden"));
    ck_assert_ptr_nonnull(strstr(text, "level=debug event=\"shown\" n=2\n"));
    ck_assert_ptr_nonnull(strstr(text, "level=error event=\"shown too\" n=4\n"));
}
END_TEST

START_TEST(a_peers_text_starts_no_line)
{
    catch_stderr();
    nb_log(NB_LOG_INFO, "peer", "name=%s", "a\nlevel=error\r\tb\x1b[2J");
    release_stderr();
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    ck_assert_ptr_nonnull(strstr(text, "name=a level=error  b [2J\n"));
}
END_TEST

START_TEST(a_long_line_is_cut_and_still_ends)
{
    char name[2000];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    catch_stderr();
    nb_log(NB_LOG_INFO, "long", "name=%s", name);
    release_stderr();
    size_t length = strlen(text);
    ck_assert_uint_gt(length, 1000);
    ck_assert_uint_le(length, 1024);
    ck_assert_ptr_eq(strchr(text, '\n'), text + length - 1);
}
END_TEST

START_TEST(a_closed_stderr_harms_nobody)
{
    int kept = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    nb_log(NB_LOG_ERROR, "into the void", "n=%d", 1);
    dup2(kept, STDERR_FILENO);
    close(kept);
}
END_TEST

START_TEST(levels_have_names)
{
    ck_assert_int_eq(nb_log_level_of("error"), NB_LOG_ERROR);
    ck_assert_int_eq(nb_log_level_of("warning"), NB_LOG_WARNING);
    ck_assert_int_eq(nb_log_level_of("info"), NB_LOG_INFO);
    ck_assert_int_eq(nb_log_level_of("debug"), NB_LOG_DEBUG);
    ck_assert_int_eq(nb_log_level_of("INFO"), -1);
    ck_assert_int_eq(nb_log_level_of(""), -1);
}
END_TEST

int main(void)
{
    return run_suite("log", (const TTest *[]){a_line_has_time_level_event_and_fields,
                                              lines_above_the_level_are_left_out, a_peers_text_starts_no_line,
                                              a_long_line_is_cut_and_still_ends, a_closed_stderr_harms_nobody,
                                              levels_have_names, NULL});
}
