/*
 * test_cli.c - tests of the option parser, messages and number formats.
 *
 * The tools are not a library, so this program includes the source files under test. Tests that end
 * in exit() check the exit code; test_tools.sh checks the output.
 */
#include "tools/cli/cli.c"
#include "tools/cli/cli_parse.c"

#include "tests/support_folder.h"

#include <fcntl.h>
#include <math.h>
#include <sys/wait.h>

/* ---- parsing --------------------------------------------------------------------------------- */

static bool flag;
static const char *text;
static CliStrings strings, repeated;
static int number;
static uint64_t big;

static CliOption options[] = {
    {"--flag", CLI_FLAG, &flag, 0, 0, NULL, "a flag"},
    {"--text", CLI_STRING, &text, 0, 0, "TEXT", "a text"},
    {"--strings", CLI_STRINGS, &strings, 0, 0, "S", "several"},
    {"--repeated", CLI_REPEATED, &repeated, 0, 0, "R", "one at a time"},
    {"--number", CLI_INT, &number, -2, 10, "N", "a number"},
    {"--big", CLI_UINT64, &big, 0, 0, "N", "a large number"},
    {0},
};
static const CliCommand command = {.name = "try",
                                   .summary = "try it",
                                   .usage = "lnclip try",
                                   .example = "lnclip try --flag",
                                   .options = options,
                                   .accepts_settings = true};

/* Parses a NULL-terminated list of arguments, after the name of the command. */
static CliArguments parse(const char *const *words)
{
    static char *argv[32];
    int argc = 0;
    argv[argc++] = (char *)(uintptr_t) "try";
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    return arguments;
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

START_TEST(all_kinds_of_options)
{
    const CliArguments a = PARSE("--flag", "one", "--text", "t", "--number=-2", "--big",
                                 "18446744073709551615", "two", "--threads", "3", "--quiet");
    ck_assert(flag && a.quiet);
    ck_assert_str_eq(text, "t");
    ck_assert_int_eq(number, -2);
    ck_assert_uint_eq(big, UINT64_MAX);
    ck_assert_int_eq(a.threads, 3);
    ck_assert_int_eq(a.positional.count, 2);
    ck_assert_str_eq(a.positional.items[0], "one");
    ck_assert_str_eq(a.positional.items[1], "two");
}
END_TEST

START_TEST(lists_repeat_or_stand_in_a_row)
{
    const CliArguments a =
        PARSE("--strings", "a", "b", "--repeated", "x", "word", "--strings=c", "--repeated", "y");
    ck_assert_int_eq(strings.count, 3);
    ck_assert_str_eq(strings.items[0], "a");
    ck_assert_str_eq(strings.items[1], "b");
    ck_assert_str_eq(strings.items[2], "c");
    ck_assert_int_eq(repeated.count, 2);
    ck_assert_str_eq(repeated.items[1], "y");
    ck_assert_int_eq(a.positional.count, 1);
}
END_TEST

START_TEST(settings_are_set_apart)
{
    const CliArguments a =
        PARSE("--strings", "list.txt", "lr=1e-4", "loss.ce=0", "beta2=0.9", "A=b", "=x", "2a=b");
    ck_assert_int_eq(a.settings.count, 3);
    ck_assert_str_eq(a.settings.items[0], "lr=1e-4");
    ck_assert_str_eq(a.settings.items[1], "loss.ce=0");
    ck_assert_str_eq(a.settings.items[2], "beta2=0.9");
    ck_assert_int_eq(strings.count, 4); /* A=b and 2a=b have no valid key, =x has none */
}
END_TEST

START_TEST(an_existing_file_is_no_setting)
{
    const char *const path = support_in_folder("");
    ck_assert_int_eq(chdir(path), 0);
    FILE *const file = fopen("lr=3", "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    const CliArguments a = PARSE("lr=3", "lr=4");
    ck_assert_int_eq(a.positional.count, 1);
    ck_assert_str_eq(a.positional.items[0], "lr=3");
    ck_assert_int_eq(a.settings.count, 1);
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
    const CliArguments a = PARSE("--", "--flag", "--", "-");
    ck_assert(!flag);
    ck_assert_int_eq(a.positional.count, 3);
    ck_assert_str_eq(a.positional.items[0], "--flag");
    ck_assert_str_eq(a.positional.items[2], "-");
}
END_TEST

/* Each of these cases exits with code 2. */
static const char *const wrong[][4] = {
    {"--flga"},
    {"-x"},
    {"--flag=yes"},
    {"--text"},
    {"--text", "--flag"},
    {"--text", "a", "--text=b"},
    {"--number", "11"},
    {"--number", "-3"},
    {"--number", "1.5"},
    {"--number", " 1"},
    {"--number", ""},
    {"--number", "4294967297"},
    {"--big", "-1"},
    {"--big", "18446744073709551616"},
    {"--threads", "-1"},
    {"--strings"},
    {"--strings", "--flag"},
};
enum { WRONG = sizeof wrong / sizeof wrong[0] };

START_TEST(wrong_usage_exits_2)
{
    parse(wrong[_i]);
}
END_TEST

START_TEST(help_exits_0)
{
    PARSE("--help", "--no-such-option");
}
END_TEST

START_TEST(expectations_hold)
{
    const CliArguments a = PARSE("one", "two");
    cli_expect_positional(&a, 0, 2, "x");
    cli_expect_positional(&a, 2, 5, "x");
    cli_expect_option(&a, "--text", "given");
    exit(7);
}
END_TEST

START_TEST(too_few_positional)
{
    const CliArguments a = PARSE("one", "two");
    cli_expect_positional(&a, 3, 4, "an image");
}
END_TEST

START_TEST(too_many_positional)
{
    const CliArguments a = PARSE("one", "two");
    cli_expect_positional(&a, 0, 1, "an image");
}
END_TEST

START_TEST(missing_option)
{
    const CliArguments a = PARSE("one");
    cli_expect_option(&a, "--text", NULL);
}
END_TEST

/* ---- messages -------------------------------------------------------------------------------- */

START_TEST(the_nearest_name)
{
    static const char *const names[] = {"train", "eval", "predict", "features"};
    ck_assert_str_eq(cli_nearest("trian", names, 4), "train");
    ck_assert_str_eq(cli_nearest("predcit", names, 4), "predict");
    ck_assert_str_eq(cli_nearest("feature", names, 4), "features");
    ck_assert_str_eq(cli_nearest("evall", names, 4), "eval");
    ck_assert_ptr_null(cli_nearest("xyzzy", names, 4));
    ck_assert_ptr_null(cli_nearest("", names, 4));
    ck_assert_ptr_null(cli_nearest("train", names, 0));
}
END_TEST

static const struct {
    const char *raw, *shown;
} escapes[] = {
    {"plain text", "plain text"},
    {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
    {"\033[31mred", "\\x1b[31mred"},
    {"\x7f", "\\x7f"},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"\xc2\x9b", "\\xc2\\x9b"},          /* U+009B: a terminal's control sequence introducer */
    {"\xff\xfe", "\\xff\\xfe"},          /* not UTF-8 */
    {"\xc3", "\\xc3"},                   /* truncated */
    {"\xe2\x82", "\\xe2\\x82"},          /* truncated */
    {"\xc0\x8a", "\\xc0\\x8a"},          /* overlong line feed */
    {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"}, /* the same in three bytes */
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
};
enum { ESCAPES = sizeof escapes / sizeof escapes[0] };

START_TEST(control_characters_are_escaped)
{
    char *shown = NULL;
    size_t size = 0;
    FILE *const stream = open_memstream(&shown, &size);
    cli_print_escaped(stream, escapes[_i].raw);
    fclose(stream);
    ck_assert_str_eq(shown, escapes[_i].shown);
    free(shown);
}
END_TEST

START_TEST(exit_codes_of_errors)
{
    Error error = {0};
    error_set(&error, STATUS_FAILED, "a: b; c");
    ck_assert_int_eq(cli_report(&error), 1);
    error_set(&error, STATUS_USAGE, "a: b; c");
    ck_assert_int_eq(cli_report(&error), 2);
    ck_assert_int_eq(cli_usage_error("%s: b; c", "a"), 2);
}
END_TEST

/* The first signal is recorded, and its number gives the exit code. */
START_TEST(a_signal_stops_cleanly)
{
    const int number_of[] = {SIGINT, SIGTERM, SIGHUP};
    const volatile sig_atomic_t *const stop = cli_catch_signals();
    Error error = {0};
    ck_assert_int_eq(cli_interrupted("x", "y", &error), STATUS_OK);
    ck_assert_int_eq(*stop, 0);
    raise(number_of[_i]);
    ck_assert_int_eq(*stop, number_of[_i]);
    ck_assert_int_eq(cli_interrupted("x", "y", &error), STATUS_INTERRUPTED);
    ck_assert_int_eq(cli_report(&error), 128 + number_of[_i]);
}
END_TEST

START_TEST(a_second_signal_ends_the_process)
{
    cli_catch_signals();
    raise(SIGINT);
    raise(SIGTERM);
    exit(0); /* not reached: 143 is expected */
}
END_TEST

/* A closed terminal sends SIGHUP twice; the end of some sessions sends SIGTERM and SIGHUP. */
START_TEST(a_hangup_is_never_the_second_signal)
{
    const volatile sig_atomic_t *const stop = cli_catch_signals();
    raise(SIGHUP);
    raise(SIGHUP);
    raise(SIGTERM);
    raise(SIGHUP);
    ck_assert_int_eq(*stop, SIGHUP);
    raise(SIGTERM); /* 143 */
}
END_TEST

/* nohup */
START_TEST(an_ignored_hangup_stays_ignored)
{
    signal(SIGHUP, SIG_IGN);
    const volatile sig_atomic_t *const stop = cli_catch_signals();
    raise(SIGHUP);
    ck_assert_int_eq(*stop, 0);
}
END_TEST

/*
 * Runs on its own terminal until a signal stops it, printing a progress line every millisecond.
 * Exits as a command does.
 */
static void work_on_terminal(const char *terminal)
{
    setsid();
    const int tty = open(terminal, O_RDWR); /* the controlling terminal */
    dup2(tty, STDOUT_FILENO);
    dup2(tty, STDERR_FILENO);
    const volatile sig_atomic_t *const stop = cli_catch_signals();
    const CliArguments arguments = {.quiet = false};
    for (int i = 0; !*stop && i < 10000; i++) {
        cli_note(&arguments, "step %d", i);
        usleep(1000);
    }
    Error error = {0};
    cli_note(&arguments, "stopped");
    puts("and its output");
    cli_interrupted("work", "continue", &error);
    _exit(cli_finish(cli_report(&error)));
}

/*
 * Writing progress lines then fails with EIO, which must not end the process before it has saved
 * its state.
 */
START_TEST(a_closed_terminal_stops_cleanly)
{
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    char name[64], seen[16];
    snprintf(name, sizeof name, "%s", ptsname(terminal));
    const pid_t child = fork();
    if (child == 0) {
        close(terminal);
        work_on_terminal(name);
    }
    ck_assert(read(terminal, seen, sizeof seen) > 0);
    close(terminal);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGHUP, "%d", status);
}
END_TEST

START_TEST(numbers_for_people)
{
    ck_assert_str_eq(cli_count(0), "0");
    ck_assert_str_eq(cli_count(999), "999");
    ck_assert_str_eq(cli_count(1000), "1,000");
    ck_assert_str_eq(cli_count(12345678), "12,345,678");
    ck_assert_str_eq(cli_count(UINT64_MAX), "18,446,744,073,709,551,615");
    ck_assert_str_eq(cli_bytes(1023), "1023 B");
    ck_assert_str_eq(cli_bytes(1024), "1.00 KiB");
    ck_assert_str_eq(cli_bytes((1ULL << 30) - 1), "1.00 GiB");
    ck_assert_str_eq(cli_bytes(1320702444), "1.23 GiB");
    ck_assert_str_eq(cli_duration(0), "0.0 s");
    ck_assert_str_eq(cli_duration(9.96), "10 s");
    ck_assert_str_eq(cli_duration(59.6), "1 min 00 s");
    ck_assert_str_eq(cli_duration(3599.6), "1 h 00 min");
    ck_assert_str_eq(cli_duration(3725), "1 h 02 min");
    ck_assert_str_eq(cli_duration(1e300), "?");
    ck_assert_str_eq(cli_duration(-1), "?");
}
END_TEST

START_TEST(rates_have_no_exponent)
{
    ck_assert_str_eq(cli_rate(0), "0.000");
    ck_assert_str_eq(cli_rate(0.9), "0.9");
    ck_assert_str_eq(cli_rate(0.92), "0.92");
    ck_assert_str_eq(cli_rate(1e-5), "0.000");
    ck_assert_str_eq(cli_rate(9.96), "9.96");
    ck_assert_str_eq(cli_rate(123.4), "123");
    ck_assert_str_eq(cli_rate(999.6), "1,000");
    ck_assert_str_eq(cli_rate(1.8e3), "1,800");
    ck_assert_str_eq(cli_rate(INFINITY), "?");
    ck_assert_str_eq(cli_rate(NAN), "?");
}
END_TEST

static void read_log(char out[1000])
{
    FILE *const file = fopen("log", "r");
    ck_assert_ptr_nonnull(file);
    out[fread(out, 1, 999, file)] = '\0';
    fclose(file);
}

/* Lines before the file is open are kept, quiet ones too; a second session appends. */
START_TEST(a_log_has_all_lines)
{
    const CliArguments quiet = {.quiet = true};
    char seen[1000];
    ck_assert_int_eq(chdir(support_in_folder("")), 0);
    for (int session = 0; session < 2; session++) {
        cli_log_begin();
        cli_note(&quiet, "early %d", session);
        cli_log_open("log");
        cli_log("late\n%d", session);
        cli_warn("warned");
        close_log();
    }
    read_log(seen);
    const char *at = seen;
    static const char *const lines[] = {"early 0\n", "late\\n0\n", "lnclip: warning: warned\n",
                                        "early 1\n", "late\\n1\n", "lnclip: warning: warned\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_int_eq(strspn(at, "0123456789-: "), strlen("2026-01-31 14:02:11  "));
        at += strlen("2026-01-31 14:02:11  ");
        ck_assert_int_eq(strncmp(at, lines[i], strlen(lines[i])), 0);
        at += strlen(lines[i]);
    }
    ck_assert_str_eq(at, "");
}
END_TEST

START_TEST(words_are_quoted_for_a_shell)
{
    static const char *const words[][2] = {{"a/b-1.txt", "a/b-1.txt"},
                                           {"lr=1e-3", "lr=1e-3"},
                                           {"", "''"},
                                           {"a b", "'a b'"},
                                           {"it's $1", "'it'\\''s $1'"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char *quoted = NULL;
        size_t size = 0;
        FILE *const stream = open_memstream(&quoted, &size);
        cli_print_quoted(stream, words[i][0]);
        fclose(stream);
        ck_assert_str_eq(quoted, words[i][1]);
        free(quoted);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("cli");
    TCase *const parsing = support_case(suite, "parsing", 20);
    tcase_add_checked_fixture(parsing, support_folder_setup, support_folder_teardown);
    tcase_add_test(parsing, all_kinds_of_options);
    tcase_add_test(parsing, lists_repeat_or_stand_in_a_row);
    tcase_add_test(parsing, settings_are_set_apart);
    tcase_add_test(parsing, an_existing_file_is_no_setting);
    tcase_add_test(parsing, two_dashes_end_the_options);
    TCase *const exits = support_case(suite, "exits", 20);
    tcase_add_loop_exit_test(exits, wrong_usage_exits_2, 2, 0, WRONG);
    tcase_add_exit_test(exits, help_exits_0, 0);
    tcase_add_exit_test(exits, expectations_hold, 7);
    tcase_add_exit_test(exits, too_few_positional, 2);
    tcase_add_exit_test(exits, too_many_positional, 2);
    tcase_add_exit_test(exits, missing_option, 2);
    tcase_add_exit_test(exits, a_second_signal_ends_the_process, 128 + SIGTERM);
    tcase_add_exit_test(exits, a_hangup_is_never_the_second_signal, 128 + SIGTERM);
    tcase_add_test(exits, an_ignored_hangup_stays_ignored);
    tcase_add_test(exits, a_closed_terminal_stops_cleanly);
    TCase *const messages = support_case(suite, "messages", 20);
    tcase_add_test(messages, the_nearest_name);
    tcase_add_loop_test(messages, control_characters_are_escaped, 0, ESCAPES);
    tcase_add_test(messages, exit_codes_of_errors);
    tcase_add_loop_test(messages, a_signal_stops_cleanly, 0, 3);
    tcase_add_test(messages, numbers_for_people);
    tcase_add_test(messages, rates_have_no_exponent);
    tcase_add_test(messages, words_are_quoted_for_a_shell);
    TCase *const logs = support_case(suite, "logs", 20);
    tcase_add_checked_fixture(logs, support_folder_setup, support_folder_teardown);
    tcase_add_test(logs, a_log_has_all_lines);
    return support_main(suite);
}
