/*
 * cli_parse.c - the option parser and the help text, both driven by a command's table of options.
 *
 * Errors end the process, since a command has nothing to clean up before its arguments are parsed.
 * Only long options exist, so that scripts are readable.
 */
#include "tools/cli/cli.h"

#include "tensor/base/file.h"
#include "tensor/kernels/kernels.h"
#include "train/recipe.h"
#include "train/recipe_synonyms.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 32, MAX_THREADS = 1024, NAME_SIZE = 64 };

/* State of one cli_parse. */
typedef struct Parser {
    const CliCommand *command;
    CliArguments *arguments;
    CliOption options[MAX_OPTIONS]; /* of the command, then common ones */
    bool given[MAX_OPTIONS];
    int option_count;
    bool help;
    int argc, next; /* index of the next argument */
    char **argv;
} Parser;

static void exit_with_usage(int code)
{
    exit(cli_finish(code));
}

/* ---- lists of strings ------------------------------------------------------------------------ */

/* The arrays of all CliStrings, and the settings made from options; freed at exit. */
typedef struct Block {
    struct Block *next;
    const char *items[];
} Block;
static Block *blocks;

static void free_blocks(void)
{
    while (blocks) {
        Block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}

/* Memory of `bytes` bytes, all 0. Exits 1 if there is none. */
static void *block_new(size_t bytes)
{
    Block *block = calloc(1, sizeof *block + bytes);
    if (!block) {
        fputs("lnclip: error: arguments: out of memory; give fewer\n", stderr);
        exit(CLI_FAILED);
    }
    if (!blocks)
        atexit(free_blocks);
    block->next = blocks;
    blocks = block;
    return block->items;
}

const char *cli_keep(const char *text)
{
    const size_t size = strlen(text) + 1;
    return memcpy(block_new(size), text, size);
}

/* Initialises `list` as empty, with room for all arguments. */
static void strings_begin(CliStrings *list, int argc)
{
    list->items = block_new((size_t)(argc + 1) * sizeof *list->items);
    list->count = 0;
}

static void strings_add(CliStrings *list, const char *item)
{
    list->items[list->count++] = item;
}

/* ---- the nearest name ------------------------------------------------------------------------ */

const char *cli_nearest(const char *word, const char *const *names, int count)
{
    const char *nearest = NULL;
    int best =
        1 + (int)strnlen(word, NAME_SIZE) / 2; /* more than half changed is not a typing error */
    for (int i = 0; i < count; i++) {
        const int distance = error_distance(word, names[i]);
        if (distance < best) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

/* ---- help ------------------------------------------------------------------------------------ */

static void print_option(const CliOption *option)
{
    char left[NAME_SIZE];
    snprintf(left, sizeof left, "%s%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "", option->kind == CLI_STRINGS ? "..." : "");
    if (strlen(left) > 24)
        printf("  %s\n  %-24s  ", left, "");
    else
        printf("  %-24s  ", left);
    for (const char *at = option->help; *at; at++) { /* continue in the same column */
        putchar(*at);
        if (*at == '\n')
            printf("  %-24s  ", "");
    }
    if (option->kind == CLI_REPEATED)
        fputs(" (repeatable)", stdout);
    putchar('\n');
}

static void print_help(const Parser *parser)
{
    const CliCommand *command = parser->command;
    printf("lnclip %s - %s\n\nusage: %s\n", command->name, command->summary, command->usage);
    if (command->details)
        printf("\n%s\n", command->details);
    puts("\noptions:");
    for (int i = 0; i < parser->option_count; i++)
        print_option(&parser->options[i]);
    printf("\nexample:\n  %s\n", command->example);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* True for a KEY=VALUE setting: see CliArguments. */
static bool is_setting(const char *text)
{
    const size_t key = strspn(text, "abcdefghijklmnopqrstuvwxyz_.0123456789");
    const bool begins = text[0] < '0' || text[0] > '9';
    return key > 0 && begins && text[key] == '=' && !file_exists(text);
}

static bool is_option(const char *text)
{
    return text[0] == '-' && text[1] != '\0';
}

/* Decimal digits only: no sign, no space, no empty string. */
static bool parse_uint64(const char *text, uint64_t *value)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    errno = 0;
    const unsigned long long parsed = strtoull(text, NULL, 10);
    *value = parsed;
    return errno == 0;
}

static void set_int(const CliOption *option, const char *text)
{
    uint64_t value;
    const bool negative = text[0] == '-';
    const bool parsed = parse_uint64(text + negative, &value) && value <= INT32_MAX;
    const int number = parsed ? (negative ? -(int)value : (int)value) : 0;
    if (!parsed || number < option->minimum || number > option->maximum)
        exit_with_usage(cli_usage_error("%s %s: invalid value; give an integer from %d to %d",
                                        option->name, text, option->minimum, option->maximum));
    *(int *)option->target = number;
}

static void set_uint64(const CliOption *option, const char *text)
{
    if (!parse_uint64(text, option->target))
        exit_with_usage(
            cli_usage_error("%s %s: invalid value; give an integer from 0 to 18446744073709551615",
                            option->name, text));
}

/* ---- parsing --------------------------------------------------------------------------------- */

static void set_value(Parser *parser, int index, const char *value)
{
    const CliOption *option = &parser->options[index];
    const bool many = option->kind == CLI_STRINGS || option->kind == CLI_REPEATED;
    if (parser->given[index] && !many)
        exit_with_usage(cli_usage_error("%s: given twice; give it once", option->name));
    parser->given[index] = true;
    switch (option->kind) {
    case CLI_STRING:
        *(const char **)option->target = value;
        break;
    case CLI_STRINGS:
    case CLI_REPEATED:
        strings_add(option->target, value);
        break;
    case CLI_INT:
        set_int(option, value);
        break;
    case CLI_UINT64:
        set_uint64(option, value);
        break;
    case CLI_FLAG:
        assert(false);
    }
}

/* Recipe keys that some commands have as an option of another name. */
static const struct {
    const char *key, *option;
} key_options[] = {
    {"batch_size", "--batch"},
};

/* The index of the option named text[0..length), with or without dashes; -1 if there is none. */
static int find_option(const Parser *parser, const char *text, size_t length)
{
    for (int i = 0; i < parser->option_count; i++)
        if (train_same_name(text, length, parser->options[i].name))
            return i;
    for (size_t k = 0; k < sizeof key_options / sizeof key_options[0]; k++)
        if (train_same_name(text, length, key_options[k].key))
            for (int i = 0; i < parser->option_count; i++)
                if (strcmp(parser->options[i].name, key_options[k].option) == 0)
                    return i;
    return -1;
}

/* The recipe key named text[0..length), or NULL. */
static const char *find_key(const char *text, size_t length)
{
    const char *key;
    for (int i = 0; (key = train_recipe_key(i)) != NULL; i++)
        if (train_same_name(text, length, key))
            return key;
    return NULL;
}

/*
 * Adds an argument to the settings, if it is one and the command accepts them, else to the
 * positional arguments. For other commands KEY=VALUE with a recipe key sets the option of this
 * name, unless the word or the value is a file: `seed=3` is `--seed 3`, and `seed=list.txt` a data
 * set.
 */
static void add_word(Parser *parser, const char *word)
{
    CliArguments *arguments = parser->arguments;
    if (!is_setting(word)) {
        strings_add(&arguments->positional, word);
    } else if (parser->command->accepts_settings) {
        strings_add(&arguments->settings, word);
    } else {
        const char *value = strchr(word, '=') + 1;
        const size_t length = (size_t)(value - 1 - word);
        const int index = find_key(word, length) ? find_option(parser, word, length) : -1;
        if (index >= 0 && !file_exists(value))
            set_value(parser, index, value);
        else
            strings_add(&arguments->positional, word);
    }
}

/*
 * Adds the arguments after a CLI_STRINGS option, up to the next option. Settings among them remain
 * settings.
 */
static void add_words(Parser *parser, const CliOption *option)
{
    CliStrings *list = option->target;
    for (; parser->next < parser->argc && !is_option(parser->argv[parser->next]); parser->next++) {
        const char *word = parser->argv[parser->next];
        if (parser->command->accepts_settings && is_setting(word))
            add_word(parser, word);
        else
            strings_add(list, word);
    }
}

/* Exits 2: `name` is the option as given, without a value. */
static void unknown_option(const Parser *parser, const char *name)
{
    const char *names[MAX_OPTIONS];
    const char *command = parser->command->name;
    const bool keys = parser->command->accepts_settings;
    const TrainSynonym *synonym = train_synonym(name);
    const char *use = synonym ? synonym->name : NULL;
    const int option = use ? find_option(parser, use, strlen(use)) : -1;
    if (synonym && !use)
        exit_with_usage(cli_usage_error("%s: unknown; %s", name, synonym->help));
    if (option >= 0)
        exit_with_usage(
            cli_usage_error("%s: unknown; the option is %s", name, parser->options[option].name));
    if (use && use[0] != '-' && keys)
        exit_with_usage(cli_usage_error("%s: unknown; the key is %s (--%s VALUE or %s=VALUE)", name,
                                        use, use, use));
    if (!keys && find_key(name, strlen(name)))
        exit_with_usage(cli_usage_error("%s: is a recipe key of lnclip train; lnclip %s does not "
                                        "use it, see lnclip %s --help",
                                        name, command, command));
    for (int i = 0; i < parser->option_count; i++)
        names[i] = parser->options[i].name;
    const char *nearest = cli_nearest(name, names, parser->option_count);
    const char *bare = name + strspn(name, "-");
    const char *key = keys ? train_recipe_nearest(bare) : NULL;
    if (key && (!nearest || error_distance(bare, key) < error_distance(name, nearest)))
        exit_with_usage(cli_usage_error("%s: unknown option of lnclip %s; did you mean --%s?", name,
                                        command, key));
    exit_with_usage(nearest
                        ? cli_usage_error("%s: unknown option of lnclip %s; did you mean %s?", name,
                                          command, nearest)
                        : cli_usage_error("%s: unknown option of lnclip %s; see lnclip %s --help",
                                          name, command, command));
}

/* `text` begins with a dash and is not a negative number. */
static bool is_value_missing(const Parser *parser)
{
    if (parser->next == parser->argc)
        return true;
    const char *text = parser->argv[parser->next];
    return is_option(text) && !strchr(".0123456789", text[1]);
}

/* Adds `--key VALUE` or `--key=VALUE` as setting key=VALUE. `value`: after the '=', or NULL. */
static void add_key(Parser *parser, const char *key, const char *value)
{
    if (!value && is_value_missing(parser))
        exit_with_usage(
            cli_usage_error("--%s: value missing; write --%s VALUE or %s=VALUE", key, key, key));
    if (!value)
        value = parser->argv[parser->next++];
    const size_t size = strlen(key) + strlen(value) + 2;
    char *setting = block_new(size);
    snprintf(setting, size, "%s=%s", key, value);
    strings_add(&parser->arguments->settings, setting);
}

static void parse_option(Parser *parser, const char *text)
{
    const char *equals = strchr(text, '=');
    const size_t length = equals ? (size_t)(equals - text) : strlen(text);
    const int index = strcmp(text, "-h") == 0 ? find_option(parser, "--help", 6)
                                              : find_option(parser, text, length);
    if (index < 0) {
        const char *key = parser->command->accepts_settings ? find_key(text, length) : NULL;
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "%.*s", (int)(length < NAME_SIZE ? length : NAME_SIZE), text);
        if (!key)
            unknown_option(parser, name);
        add_key(parser, key, equals ? equals + 1 : NULL);
        return;
    }
    const CliOption *option = &parser->options[index];
    if (option->kind == CLI_FLAG) {
        if (equals)
            exit_with_usage(
                cli_usage_error("%s: takes no value; remove '%s'", option->name, equals));
        *(bool *)option->target = true;
        return;
    }
    if (!equals && (parser->next == parser->argc ||
                    (is_option(parser->argv[parser->next]) && option->kind != CLI_INT)))
        exit_with_usage(cli_usage_error("%s: value missing; write %s %s", option->name,
                                        option->name, option->argument));
    set_value(parser, index, equals ? equals + 1 : parser->argv[parser->next++]);
    if (!equals && option->kind == CLI_STRINGS)
        add_words(parser, option);
}

/* Collects the options of the command and the common ones, and initialises their lists. */
static void collect_options(Parser *parser)
{
    const CliOption common[] = {
        {"--threads", CLI_INT, &parser->arguments->threads, 0, MAX_THREADS, "N",
         "compute threads (default: all processors); results do\nnot depend on it"},
        {"--quiet", CLI_FLAG, &parser->arguments->quiet, 0, 0, NULL,
         "suppress progress and notes, not warnings and errors"},
        {"--help", CLI_FLAG, &parser->help, 0, 0, NULL, "print this help"},
    };
    int n = 0;
    for (const CliOption *option = parser->command->options; option && option->name; option++) {
        assert(n < MAX_OPTIONS - 3);
        parser->options[n++] = *option;
        if (option->kind == CLI_STRINGS || option->kind == CLI_REPEATED)
            strings_begin(option->target, parser->argc);
    }
    for (int i = 0; i < 3; i++)
        parser->options[n++] = common[i];
    parser->option_count = n;
    strings_begin(&parser->arguments->positional, parser->argc);
    strings_begin(&parser->arguments->settings, parser->argc);
}

/*
 * Prints "train) options='--model ...' keys='epochs= ...' ;;", the case of the command in the
 * completion scripts of bash and zsh.
 */
static void print_completion_case(const Parser *parser)
{
    const char *key;
    printf("    %s) options='", parser->command->name);
    for (int i = 0; i < parser->option_count; i++)
        printf("%s ", parser->options[i].name);
    for (int i = 0; parser->command->accepts_settings && (key = train_recipe_key(i)); i++)
        if (find_option(parser, key, strlen(key)) < 0)
            printf("--%s ", key);
    fputs("' keys='", stdout);
    for (int i = 0; parser->command->accepts_settings && (key = train_recipe_key(i)); i++)
        printf("%s= ", key);
    puts("' ;;");
}

void cli_parse(const CliCommand *command, int argc, char **argv, CliArguments *arguments)
{
    Parser parser = {.command = command, .arguments = arguments, .argc = argc, .argv = argv};
    memset(arguments, 0, sizeof *arguments);
    arguments->command = command;
    collect_options(&parser);
    if (argc == 2 && strcmp(argv[1], CLI_COMPLETION_OPTION) == 0) {
        print_completion_case(&parser);
        exit_with_usage(CLI_DONE);
    }
    bool options_end = false;
    for (parser.next = 1; parser.next < argc && !parser.help;) {
        const char *text = argv[parser.next++];
        if (!options_end && strcmp(text, "--") == 0)
            options_end = true;
        else if (!options_end && is_option(text))
            parse_option(&parser, text);
        else
            add_word(&parser, text);
    }
    if (parser.help) {
        print_help(&parser);
        exit_with_usage(CLI_DONE);
    }
    Error error = {0};
    if (kernels_init(&error) != STATUS_OK)
        exit_with_usage(cli_report(&error));
}

void cli_expect_positional(const CliArguments *arguments, int minimum, int maximum,
                           const char *what)
{
    const int count = arguments->positional.count;
    const char *name = arguments->command->name;
    if (count < minimum)
        exit_with_usage(
            cli_usage_error("%s: %s is missing; see lnclip %s --help", name, what, name));
    if (count > maximum)
        exit_with_usage(cli_usage_error("%s: unexpected argument; see lnclip %s --help",
                                        arguments->positional.items[maximum], name));
}

void cli_expect_option(const CliArguments *arguments, const char *option, const char *value)
{
    const char *name = arguments->command->name;
    if (!value)
        exit_with_usage(
            cli_usage_error("%s: %s is missing; see lnclip %s --help", name, option, name));
}
