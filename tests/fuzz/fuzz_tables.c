/*
 * fuzz_tables.c - harnesses for numbers, scores, files of runs and evaluations, recipes, and the
 * command line.
 *
 * Oracles for numbers: strtod and strtoull, restricted to the grammar in number.h. Written data
 * must be read back unchanged.
 */
#include "tests/fuzz/fuzz.h"

#include "data/augment/augment.h"
#include "tensor/base/file.h"
#include "tensor/base/number.h"
#include "tools/cli/cli.h"
#include "tools/cmd_compare.h"
#include "tools/cmd_inspect.h"
#include "train/eval/eval_partial.h"
#include "train/eval/eval_sets.h"
#include "train/metrics/predictions.h"
#include "train/metrics/reports.h"
#include "train/recipe.h"
#include "train/run/event_file.h"
#include "train/run/run_files.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <string.h>
#include <strings.h>

/* ---- numbers --------------------------------------------------------------------------------- */

static const char *skip_digits(const char *text)
{
    while (isdigit((unsigned char)*text))
        text++;
    return text;
}

/*
 * True for [+-] digits [. digits] [e [+-] digits], or [+-] nan, inf, infinity: the grammar of
 * strtod without hexadecimal.
 */
static bool is_number(const char *text)
{
    text += *text == '+' || *text == '-';
    if (strcasecmp(text, "nan") == 0 || strcasecmp(text, "inf") == 0 ||
        strcasecmp(text, "infinity") == 0)
        return true;
    const char *whole = skip_digits(text);
    const char *end = *whole == '.' ? skip_digits(whole + 1) : whole;
    if (end - text - (*whole == '.') == 0)
        return false;
    if (*end == 'e' || *end == 'E') {
        end += 1 + (end[1] == '+' || end[1] == '-');
        if (!isdigit((unsigned char)*end))
            return false;
        end = skip_digits(end);
    }
    return *end == '\0';
}

/*
 * Compares our readers with the C library's. `text` has a zero after its `length` bytes, and may
 * contain zeros.
 */
static void check_number(const char *text, size_t length)
{
    const bool is_text = strlen(text) == length;
    char *exact = malloc(length ? length : 1); /* without the zero, to detect reads past the end */
    CHECK(exact);
    memcpy(exact, text, length);
    double value = 0;
    uint64_t integer = 0;
    CHECK(number_parse(exact, length, &value) == (is_text && is_number(text)));
    if (is_text && is_number(text)) {
        const double wanted = strtod(text, NULL);
        CHECK((isnan(value) && isnan(wanted)) || memcmp(&value, &wanted, sizeof value) == 0);
    }
    const bool digits = is_text && length > 0 && *skip_digits(text) == '\0';
    errno = 0;
    const unsigned long long wanted = digits ? strtoull(text, NULL, 10) : 0;
    CHECK(number_parse_integer(exact, length, &integer) == (digits && errno != ERANGE));
    CHECK(!digits || errno == ERANGE || integer == wanted);
    free(exact);
}

/* The text consists of characters of numbers, unless the first byte is 0. */
void fuzz_number(const uint8_t *data, size_t size)
{
    static const char characters[] = "0123456789.eE+-infa0123456789000";
    if (size == 0)
        return;
    char *text = fuzz_text(data + 1, size - 1);
    for (size_t i = 0; data[0] != 0 && i < size - 1; i++)
        text[i] = characters[data[1 + i] % (sizeof characters - 1)];
    check_number(text, size - 1);
    free(text);
}

/* Any doubles, printed with few and many digits, and the midpoint of two neighbours. */
void fuzz_number_bits(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + sizeof(double) <= size && i < 4 * sizeof(double); i += sizeof(double)) {
        double value;
        memcpy(&value, data + i, sizeof value);
        if (!isfinite(value))
            continue;
        char text[512];
        for (int digits = 1; digits <= 25; digits += 3)
            check_number(text, (size_t)snprintf(text, sizeof text, "%.*g", digits, value));
        check_number(text, (size_t)snprintf(text, sizeof text, "%.17e", value));
        const long double middle =
            (long double)value / 2 + (long double)nextafter(value, 1e300) / 2;
        check_number(text, (size_t)snprintf(text, sizeof text, "%.18Lg", middle));
        if (fabs(value) < 1e15 && fabs(value) > 1e-5)
            check_number(text, (size_t)snprintf(text, sizeof text, "%.60Lf", middle));
        char shortest[NUMBER_SIZE];
        number_format(shortest, value);
        CHECK(strtod(shortest, NULL) == value);
    }
}

/* ---- scores ---------------------------------------------------------------------------------- */

/* Writes all rows with a file as predictions.csv. The caller frees the text. */
static char *write_rows(const MetricsPredictions *table, size_t *size)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, size);
    CHECK(stream);
    metrics_predictions_write_header(stream, true);
    for (size_t i = 0; i < table->count; i++) {
        const uint32_t video = table->row_video ? table->row_video[i] : METRICS_NO_VIDEO;
        const MetricsPrediction row = {
            .file = table->files[i] ? table->files[i] : "none",
            .dataset = table->datasets[table->row_dataset ? table->row_dataset[i] : 0],
            .video = video == METRICS_NO_VIDEO ? NULL : table->videos[video].name,
            .source = video == METRICS_NO_VIDEO ? NULL : table->videos[video].source,
            .label = table->labels[i],
            .fake = table->scores[i],
            .real = 1 - table->scores[i]};
        metrics_predictions_write_row(stream, &row, true);
    }
    CHECK(fclose(stream) == 0);
    return text;
}

void fuzz_predictions(const uint8_t *data, size_t size)
{
    MetricsPredictions table, again;
    Error error = {0};
    if (metrics_predictions_read(&table, fuzz_file(data, size), &error) != STATUS_OK)
        return;
    CHECK(table.count > 0);
    for (size_t i = 0; i < table.count; i++)
        CHECK(isfinite(table.scores[i]) && table.labels[i] <= 1);
    MetricsReport *reports;
    int count = 0;
    if (metrics_reports(&table, &reports, &count, &error) == STATUS_OK) {
        FILE *null = fopen("/dev/null", "w");
        CHECK(null);
        CHECK_OK(metrics_reports_write_json(null, reports, count, &error), error);
        CHECK_OK(metrics_reports_write_summary(null, reports, count, &error), error);
        fclose(null);
        metrics_reports_free(reports, count);
    }
    if (table.files) {
        size_t length = 0;
        char *text = write_rows(&table, &length);
        if (metrics_predictions_read(&again, fuzz_file(text, length), &error) == STATUS_OK) {
            CHECK(again.count == table.count);
            for (size_t i = 0; i < table.count; i++) {
                CHECK(!table.files[i] || strcmp(table.files[i], again.files[i]) == 0);
                CHECK(again.labels[i] == table.labels[i]);
                CHECK(fabs(again.scores[i] - table.scores[i]) <= 1e-8 * fabs(table.scores[i]));
            }
            metrics_predictions_free(&again);
        }
        free(text);
    }
    metrics_predictions_free(&table);
}

/* ---- the files of a run ---------------------------------------------------------------------- */

static void read_column(TrainRunFiles *files, TrainRunTable table, const char *name, int rows)
{
    double *values;
    int count;
    Error error = {0};
    if (train_run_files_column(files, table, name, &values, &count, &error) == STATUS_OK) {
        CHECK(count == rows);
        free(values);
    }
}

/*
 * The number of rows according to the state of the run: the number of lines, or one or two fewer;
 * at most 15.
 */
static int known_rows(const uint8_t *data, size_t size)
{
    int lines = -(int)(size % 3);
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    return lines < 0 ? 0 : lines < 15 ? lines : 15;
}

/* A resumed run. The input is the text after the first line of steps.csv or epochs.csv. */
static void resume_run(const char *steps, size_t steps_size, int step_count, const char *epochs,
                       size_t epochs_size, int epoch_count)
{
    static TrainRecipe recipe;
    Error error = {0};
    if (recipe.epochs == 0) {
        CHECK_OK(train_recipe_named(&recipe, "cpu", &error), error);
        fuzz_folder("run");
    }
    fuzz_write("run/steps.csv", steps, steps_size);
    fuzz_write("run/epochs.csv", epochs, epochs_size);
    TrainRunFiles files;
    if (train_run_files_resume(&files, "run", &recipe, step_count, epoch_count, &error) !=
        STATUS_OK)
        return;
    read_column(&files, TRAIN_RUN_STEPS, "step", step_count);
    read_column(&files, TRAIN_RUN_STEPS, "images_per_second", step_count);
    read_column(&files, TRAIN_RUN_EPOCHS, "epoch", epoch_count);
    read_column(&files, TRAIN_RUN_EPOCHS, "best", epoch_count);
    train_run_files_close(&files);
}

/* The header lines of a run's files. */
static const char *first_line(TrainRunTable table)
{
    static char *lines[2];
    if (!lines[0]) {
        TrainRecipe recipe;
        TrainRunFiles files;
        Error error = {0};
        CHECK_OK(train_recipe_named(&recipe, "cpu", &error), error);
        CHECK_OK(train_run_files_create(&files, "new", &recipe, &error), error);
        train_run_files_close(&files);
        size_t size;
        CHECK_OK(file_read("new/steps.csv", 4096, &lines[TRAIN_RUN_STEPS], &size, &error), error);
        CHECK_OK(file_read("new/epochs.csv", 4096, &lines[TRAIN_RUN_EPOCHS], &size, &error), error);
    }
    return lines[table];
}

/* The header line of a table, followed by the input. The caller frees it. */
static char *with_first_line(TrainRunTable table, const uint8_t *data, size_t size, size_t *length)
{
    const char *line = first_line(table);
    *length = strlen(line) + size;
    char *text = malloc(*length + 1);
    CHECK(text);
    memcpy(text, line, strlen(line));
    memcpy(text + strlen(line), data, size);
    return text;
}

void fuzz_steps_csv(const uint8_t *data, size_t size)
{
    const char *epochs = first_line(TRAIN_RUN_EPOCHS);
    size_t length;
    char *text = with_first_line(TRAIN_RUN_STEPS, data, size, &length);
    resume_run(text, length, known_rows(data, size), epochs, strlen(epochs), 0);
    free(text);
}

void fuzz_epochs_csv(const uint8_t *data, size_t size)
{
    const char *steps = first_line(TRAIN_RUN_STEPS);
    size_t length;
    char *text = with_first_line(TRAIN_RUN_EPOCHS, data, size, &length);
    resume_run(steps, strlen(steps), 0, text, length, known_rows(data, size));
    free(text);
}

/* Truncating a second time changes nothing. The last byte is the parameter. */
static void cut_events(const void *content, size_t size, unsigned parameters)
{
    const int steps = (int)(parameters & 31), epochs = (int)(parameters >> 5);
    Error error = {0};
    fuzz_write("events", content, size);
    if (train_event_file_cut("events", steps, epochs, &error) != STATUS_OK)
        return;
    char *first, *second;
    size_t first_size, second_size;
    CHECK_OK(file_read("events", 1 << 20, &first, &first_size, &error), error);
    CHECK_OK(train_event_file_cut("events", steps, epochs, &error), error);
    CHECK_OK(file_read("events", 1 << 20, &second, &second_size, &error), error);
    CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
    free(first);
    free(second);
}

void fuzz_event_file(const uint8_t *data, size_t size)
{
    if (size > 0)
        cut_events(data, size - 1, data[size - 1]);
}

/* Records with valid checksums: each is a length byte followed by the data. */
void fuzz_event_records(const uint8_t *data, size_t size)
{
    static uint8_t file[1 << 16];
    size_t used = 0;
    if (size == 0)
        return;
    const unsigned parameters = data[--size];
    while (size > 0) {
        const uint64_t length = data[0] < size ? data[0] : size - 1;
        if (used + length + 16 > sizeof file)
            break;
        uint32_t crc = train_event_masked(train_event_crc32c(&length, sizeof length));
        memcpy(file + used, &length, 8);
        memcpy(file + used + 8, &crc, 4);
        memcpy(file + used + 12, data + 1, length);
        crc = train_event_masked(train_event_crc32c(data + 1, length));
        memcpy(file + used + 12 + length, &crc, 4);
        used += length + 16;
        data += 1 + length;
        size -= 1 + (size_t)length;
    }
    cut_events(file, used, parameters);
}

static void inspect_with(const char *path, const uint8_t *data, size_t size)
{
    fuzz_folder("inspect");
    fuzz_write(path, data, size);
    Error error = {0};
    json_t *object = json_object();
    (void)cmd_inspect_run("inspect", object, &error);
    char *text = json_dumps(object, 0);
    CHECK(text);
    free(text);
    json_decref(object);
}

void fuzz_inspect_recipe(const uint8_t *data, size_t size)
{
    inspect_with("inspect/recipe.txt", data, size);
}

void fuzz_inspect_steps(const uint8_t *data, size_t size)
{
    inspect_with("inspect/steps.csv", data, size);
}

void fuzz_inspect_epochs(const uint8_t *data, size_t size)
{
    inspect_with("inspect/epochs.csv", data, size);
}

/* ---- the files of an evaluation -------------------------------------------------------------- */

static void compare_with(const char *path, const uint8_t *data, size_t size)
{
    fuzz_folder("evaluation");
    if (!file_exists("evaluation/metrics.json"))
        fuzz_write("evaluation/metrics.json", "{}", 2);
    fuzz_write(path, data, size);
    Error error = {0};
    json_t *runs = json_array(), *evaluations = json_array();
    (void)cmd_compare_read("evaluation", runs, evaluations, &error);
    json_decref(runs);
    json_decref(evaluations);
}

void fuzz_compare_metrics(const uint8_t *data, size_t size)
{
    compare_with("evaluation/metrics.json", data, size);
}

void fuzz_compare_evaluation(const uint8_t *data, size_t size)
{
    compare_with("evaluation/evaluation.json", data, size);
}

/*
 * Scores of an unfinished evaluation, after a valid first line. Added scores are read back. All
 * frames are the same one-byte image, so that the hash in the seeds is always valid.
 */
void fuzz_partial(const uint8_t *data, size_t size)
{
    enum { FRAMES = 12 };
    static const char key[EVAL_KEY_SIZE] = "0123456789abcdef0123456789abcdef";
    static char *head;
    static char path[FILE_PATH_SIZE];
    static const char *files[FRAMES];
    static uint64_t stamps[FRAMES];
    const EvalImages images = {files, stamps, FRAMES};
    float p[2 * FRAMES], p_again[2 * FRAMES], margins[FRAMES], margins_again[FRAMES];
    const EvalKept scores = {p, margins}, again = {p_again, margins_again};
    EvalPartial partial;
    Error error = {0};
    for (int i = 0; i < FRAMES; i++)
        p[2 * i] = p[2 * i + 1] = margins[i] = 0.5F;
    if (!head) { /* the first line, written by the library */
        size_t length;
        fuzz_folder("partial");
        fuzz_write("partial/image", "x", 1);
        for (int i = 0; i < FRAMES; i++) {
            files[i] = "partial/image";
            stamps[i] = file_stamp(files[i]);
        }
        CHECK_OK(eval_partial_open(&partial, "partial", key, &images, &scores, &error), error);
        CHECK(eval_partial_append(&partial, &images, &scores, 1));
        memcpy(path, partial.path, sizeof path);
        eval_partial_close(&partial, false);
        CHECK_OK(file_read(path, 4096, &head, &length, &error), error);
        CHECK(strchr(head, '\n'));
        strchr(head, '\n')[1] = '\0';
    }
    char *text = malloc(strlen(head) + size);
    CHECK(text);
    memcpy(text, head, strlen(head));
    memcpy(text + strlen(head), data, size);
    fuzz_write(path, text, strlen(head) + size);
    free(text);
    if (eval_partial_open(&partial, "partial", key, &images, &scores, &error) != STATUS_OK)
        return;
    CHECK(partial.done <= FRAMES);
    for (size_t i = 0; i < FRAMES; i++) {
        const bool kept = i < partial.done;
        CHECK(!kept || (p[2 * i] >= 0 && p[2 * i] <= 1 && isfinite(margins[i])));
        if (!kept)
            p[2 * i] = p[2 * i + 1] = margins[i] = 0.25F;
    }
    CHECK(eval_partial_append(&partial, &images, &scores, FRAMES));
    eval_partial_close(&partial, false);
    CHECK_OK(eval_partial_open(&partial, "partial", key, &images, &again, &error), error);
    CHECK(partial.done == FRAMES);
    for (int i = 0; i < 2 * FRAMES; i++)
        CHECK(p[i] == p_again[i] && margins[i / 2] == margins_again[i / 2]);
    eval_partial_close(&partial, true);
}

/* ---- settings -------------------------------------------------------------------------------- */

/* An accepted recipe is printed and read back unchanged. */
void fuzz_recipe(const uint8_t *data, size_t size)
{
    TrainRecipe recipe, again;
    Error error = {0};
    CHECK_OK(train_recipe_named(&recipe, "paper", &error), error);
    CHECK_OK(train_recipe_named(&again, "paper", &error), error);
    if (train_recipe_read(&recipe, fuzz_file(data, size), &error) != STATUS_OK)
        return;
    const bool consistent = train_recipe_check(&recipe, &error) == STATUS_OK;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    CHECK(stream);
    train_recipe_print(&recipe, stream);
    CHECK(fclose(stream) == 0);
    CHECK_OK(train_recipe_read(&again, fuzz_file(text, length), &error), error);
    char *first = train_recipe_identity(&recipe), *second = train_recipe_identity(&again);
    CHECK(first && second && strcmp(first, second) == 0);
    if (consistent)
        CHECK_OK(train_recipe_same(&recipe, &again, &error), error);
    free(first);
    free(second);
    free(text);
}

/* Applies an accepted augmentation to a small image. */
static void apply(const DataAugment *augment, size_t seed)
{
    enum { SIDE = 12 };
    DataImage image;
    Error error = {0};
    if (!data_augment_active(augment) || data_augment_bytes(augment, SIDE, SIDE) > 1 << 20)
        return;
    CHECK_OK(data_image_create(&image, SIDE, SIDE, &error), error);
    memset(image.pixels, 77, SIDE * SIDE * 3);
    Random random = random_stream(seed, RANDOM_TEST, 0, 0);
    (void)data_augment_apply(augment, &random, &image, &error);
    data_image_free(&image);
}

void fuzz_augment_text(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    DataAugment augment;
    Error error = {0};
    if (data_augment_parse(text, &augment, &error) == STATUS_OK)
        apply(&augment, size);
    free(text);
}

void fuzz_perturb(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    DataPerturbation perturbation;
    Error error = {0};
    if (data_augment_perturb(text, &perturbation, &error) == STATUS_OK)
        apply(&perturbation.augment, size);
    free(text);
}

/*
 * Splits the input at zeros and newlines into arguments, ended by NULL; returns their number.
 * Changes `text`.
 */
static int cut_arguments(char *text, size_t size, char **arguments, int most)
{
    int count = 0;
    for (size_t i = 0, start = 0; i <= size && count < most; i++)
        if (i == size || text[i] == '\0' || text[i] == '\n') {
            text[i] = '\0';
            arguments[count++] = text + start;
            start = i + 1;
        }
    arguments[count] = NULL;
    return count;
}

void fuzz_perturb_option(const uint8_t *data, size_t size)
{
    enum { MOST = 8 };
    char *text = fuzz_text(data, size), *arguments[MOST + 1];
    const int argument_count = cut_arguments(text, size, arguments, MOST);
    DataPerturbation *perturbations = NULL;
    int count = 0;
    Error error = {0};
    if (eval_perturbations_parse((const char **)arguments, argument_count, &perturbations, &count,
                                 &error) == STATUS_OK)
        free(perturbations);
    free(text);
}

/* ---- the command line ------------------------------------------------------------------------ */

/*
 * The parser ends the process after an error, and frees its lists at exit. The program is linked so
 * that these functions replace exit and atexit in our objects: exit returns to the harness, which
 * then calls the registered function.
 */
static jmp_buf *harness;
static void (*at_exit)(void);

_Noreturn void __real_exit(int code);
int __real_atexit(void (*function)(void));
_Noreturn void __wrap_exit(int code);
int __wrap_atexit(void (*function)(void));

_Noreturn void __wrap_exit(int code)
{
    if (harness) {
        CHECK(code >= CLI_DONE &&
              code <= CLI_USAGE); /* CLI_FAILED: stdout is closed after the first exit */
        longjmp(*harness, 1);
    }
    __real_exit(code);
}

int __wrap_atexit(void (*function)(void))
{
    if (!harness)
        return __real_atexit(function);
    at_exit = function;
    return 0;
}

/* Parses the arguments of a command with an option of each kind. */
static void parse(int argc, char **argv)
{
    static bool flag;
    static const char *string;
    static CliStrings strings, repeated;
    static int number;
    static uint64_t seed;
    static CliOption options[] = {{"--flag", CLI_FLAG, &flag, 0, 0, NULL, "a flag"},
                                  {"--string", CLI_STRING, &string, 0, 0, "S", "a text"},
                                  {"--strings", CLI_STRINGS, &strings, 0, 0, "S...", "texts"},
                                  {"--repeated", CLI_REPEATED, &repeated, 0, 0, "S", "texts"},
                                  {"--number", CLI_INT, &number, -3, 4096, "N", "a number"},
                                  {"--seed", CLI_UINT64, &seed, 0, 0, "N", "a large number"},
                                  {0}};
    static const CliCommand command = {.name = "fuzz",
                                       .summary = "a command",
                                       .usage = "lnclip fuzz ...",
                                       .example = "lnclip fuzz --flag",
                                       .options = options,
                                       .accepts_settings = true};
    CliArguments arguments = {0};
    string = NULL;
    strings = repeated = (CliStrings){0};
    number = 0;
    jmp_buf here;
    harness = &here;
    if (setjmp(here) == 0) {
        cli_parse(&command, argc, argv, &arguments);
        CHECK(number >= -3 && number <= 4096);
        CHECK(arguments.positional.count + arguments.settings.count < argc);
    }
    harness = NULL;
    if (at_exit)
        at_exit();
}

void fuzz_command_line(const uint8_t *data, size_t size)
{
    enum { MOST = 16 };
    static FILE *null;
    char *text = fuzz_text(data, size), name[] = "fuzz", *argv[MOST + 2] = {name};
    const int argc = 1 + cut_arguments(text, size, argv + 1, MOST);
    if (!null)
        null = fopen("/dev/null", "w");
    CHECK(null);
    FILE *out = stdout, *err = stderr;
    stdout = stderr = null;
    parse(argc, argv);
    stdout = out;
    stderr = err;
    free(text);
}
