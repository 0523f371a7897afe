/*
 * cmd_lists.c - lnclip lists: frame lists of data sets as they are distributed, and a table of
 * their coverage.
 *
 * Missing videos are not an error, because few users have all of them. They are counted and listed,
 * because results on an incomplete test set are not comparable with published ones.
 */
#include "tools/cli/cli.h"

#include "data/sets/sets.h"
#include "tensor/base/mem.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_lists.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN_MISSING = 10 };

/* ---- the coverage ---------------------------------------------------------------------------- */

static int compare_ints(const void *a, const void *b)
{
    const int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

/* Frames of each video that was found, sorted, and their sum. */
typedef struct Frames {
    int *counts;
    int videos;
    long long sum;
} Frames;

static Frames count_frames(const DataSetsSource *source)
{
    Frames frames = {.counts = calloc(source->count + 1, sizeof *frames.counts)};
    for (int v = 0; v < source->count && frames.counts; v++) {
        frames.sum += source->videos[v].count;
        if (source->videos[v].count > 0)
            frames.counts[frames.videos++] = source->videos[v].count;
    }
    if (frames.videos > 0)
        qsort(frames.counts, frames.videos, sizeof *frames.counts, compare_ints);
    return frames;
}

/* The median frame count, as an integer if it is one. */
static json_t *median(const Frames *frames)
{
    if (frames->videos == 0)
        return json_null();
    const int low = frames->counts[(frames->videos - 1) / 2],
              high = frames->counts[frames->videos / 2];
    return (low + high) % 2 == 0 ? json_integer((low + high) / 2)
                                 : train_json_number((low + high) / 2.0);
}

static json_t *source_row(const DataSetsSource *source)
{
    const Frames frames = count_frames(source);
    const int last = frames.videos - 1;
    json_t *row = json_pack(
        "{s:s, s:o, s:s, s:i, s:i, s:i, s:I, s:o, s:o, s:o}", "split",
        data_split_names[source->split], "source", train_json_string(source->name), "label",
        source->label ? "fake" : "real", "expected", source->count, "found", frames.videos,
        "missing", source->count - frames.videos, "frames", (json_int_t)frames.sum, "min",
        last >= 0 ? json_integer(frames.counts[0]) : json_null(), "median", median(&frames), "max",
        last >= 0 ? json_integer(frames.counts[last]) : json_null());
    free(frames.counts);
    return row;
}

static json_t *split_row(const DataSets *sets, DataSplit split)
{
    json_int_t videos[2] = {0}, frames[2] = {0};
    for (int i = 0; i < sets->count; i++) {
        const DataSetsSource *source = &sets->sources[i];
        for (int v = 0; v < source->count && source->split == split; v++) {
            videos[source->label] += source->videos[v].count > 0;
            frames[source->label] += source->videos[v].count;
        }
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "split", data_split_names[split], "real_videos",
                     videos[0], "fake_videos", videos[1], "real_frames", frames[0], "fake_frames",
                     frames[1]);
}

static json_t *missing_rows(const DataSets *sets)
{
    json_t *rows = json_array();
    for (int i = 0; i < sets->count; i++) {
        const DataSetsSource *source = &sets->sources[i];
        for (int v = 0; v < source->count; v++)
            if (source->videos[v].count == 0)
                train_json_append(rows, json_pack("{s:s, s:o, s:o, s:s}", "split",
                                                  data_split_names[source->split], "source",
                                                  train_json_string(source->name), "video",
                                                  train_json_string(source->videos[v].name),
                                                  "reason", source->videos[v].problem));
    }
    return rows;
}

/* The contents of coverage.json. NULL without memory. */
static json_t *make_coverage(const DataSets *sets, const DataSetsKind *kind,
                             const DataSetsOptions *options)
{
    json_t *sources = json_array(), *splits = json_array(), *const warnings = json_array();
    for (int i = 0; i < sets->count; i++)
        train_json_append(sources, source_row(&sets->sources[i]));
    for (int split = 0; split < DATA_SPLITS; split++) {
        bool any = false;
        for (int i = 0; i < sets->count; i++)
            any |= (int)sets->sources[i].split == split;
        if (any)
            train_json_append(splits, split_row(sets, (DataSplit)split));
    }
    for (int i = 0; i < sets->warning_count; i++)
        train_json_append(warnings, train_json_string(sets->warnings[i]));
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", kind->name, "root",
        options->root ? train_json_string(options->root) : json_null(), "frames_per_video",
        options->frames > 0 ? json_integer(options->frames) : json_null(), "sources", sources,
        "splits", splits, "warnings", warnings, "missing", missing_rows(sets));
}

/* Prints coverage.json, or its tables of sources and splits. */
static void print_coverage(const json_t *coverage, bool as_json)
{
    if (as_json) { /* cli_finish reports write errors */
        json_dumpf(coverage, stdout, JSON_INDENT(2));
        putchar('\n');
        return;
    }
    json_t *tables = json_pack("{s:O, s:O}", "sources", json_object_get(coverage, "sources"),
                               "splits", json_object_get(coverage, "splits"));
    cli_json_print_text(stdout, tables);
    json_decref(tables);
}

/* Warns of missing videos: their number and the first ten. */
static void print_missing(const DataSets *sets, const char *out)
{
    int expected = 0, missing = 0;
    for (int i = 0; i < sets->count; i++) {
        expected += sets->sources[i].count;
        for (int v = 0; v < sets->sources[i].count; v++)
            missing += sets->sources[i].videos[v].count == 0;
    }
    if (missing == 0)
        return;
    cli_warn("%s of %s videos are missing; %s/coverage.json lists them%s",
             cli_count((unsigned)missing), cli_count((unsigned)expected), out,
             missing > SHOWN_MISSING ? ", the first ten:" : ":");
    int shown = 0;
    for (int i = 0; i < sets->count && shown < SHOWN_MISSING; i++) {
        const DataSetsSource *source = &sets->sources[i];
        for (int v = 0; v < source->count && shown < SHOWN_MISSING; v++) {
            const DataSetsVideo *video = &source->videos[v];
            if (video->count > 0)
                continue;
            fprintf(stderr, "  %s/", data_split_names[source->split]);
            cli_print_escaped(stderr, source->name);
            fputs(": ", stderr);
            cli_print_escaped(stderr, video->name);
            fprintf(stderr, " (%s)\n", video->problem);
            shown++;
        }
    }
}

/* ---- the command ----------------------------------------------------------------------------- */

typedef struct Request {
    const DataSetsKind *kind;
    DataSetsOptions options;
    const char *columns[DATA_COLUMNS];
    const char *out;
    bool overwrite, json, seeded;
} Request;

static Status make_lists(const Request *request, const CliArguments *arguments, Error *error)
{
    DataSets sets;
    Threads *threads;
    TRY(threads_create(&threads, arguments->threads, error));
    DataSetsOptions options = request->options;
    options.threads = threads;
    options.stop = cli_catch_signals();
    const Status read = data_sets_read(&sets, request->kind, &options, error);
    threads_destroy(threads);
    if (read == STATUS_INTERRUPTED)
        return cli_interrupted("lists", "nothing was written", error);
    TRY(read);
    json_t *coverage = make_coverage(&sets, request->kind, &request->options);
    char *content = train_json_complete() ? json_dumps(coverage, JSON_INDENT(2)) : NULL;
    const size_t size = content ? strlen(content) : 0;
    Status status = STATUS_OK;
    if (!content)
        status = mem_full(0, "the coverage of the lists", error);
    if (status == STATUS_OK)
        status = cli_interrupted("lists", "nothing was written", error);
    if (status == STATUS_OK) {
        content[size] = '\n'; /* replaces the terminator, which is not needed any more */
        status = data_sets_write(&sets, request->out, request->overwrite, content, size + 1, error);
    }
    if (status == STATUS_OK) {
        if (sets.note)
            cli_note(arguments, "%s", sets.note);
        for (int i = 0; i < sets.warning_count; i++)
            cli_warn("%s", sets.warnings[i]);
        print_missing(&sets, request->out);
        print_coverage(coverage, request->json);
        cli_note(arguments, "lists written to %s", request->out);
    }
    free(content);
    json_decref(coverage);
    data_sets_free(&sets);
    return status;
}

/* Finds the kind of data set; exits 2 if the name is unknown. */
static const DataSetsKind *find_kind(const char *name)
{
    int count;
    const DataSetsKind *kinds = data_sets_kinds(&count);
    const char *names[16] = {NULL};
    for (int i = 0; i < count; i++) {
        names[i] = kinds[i].name;
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    const char *nearest = cli_nearest(name, names, count);
    if (nearest)
        exit(cli_usage_error(
            "%s: unknown kind of data set; did you mean '%s'? See lnclip lists --help", name,
            nearest));
    exit(cli_usage_error("%s: unknown kind of data set; see lnclip lists --help", name));
}

/* Exits 2 if an option does not apply to the kind of data set. */
static void check_options(const Request *request, bool labels_given)
{
    const DataSetsOptions *options = &request->options;
    const struct {
        const char *name;
        bool given;
        unsigned takes;
    } GIVEN[] = {
        {"--splits", options->splits != NULL, DATA_TAKES_SPLITS},
        {"--compression", options->compression != NULL, DATA_TAKES_COMPRESSION},
        {"--split", options->split != NULL, DATA_TAKES_SPLIT},
        {"--label", labels_given, DATA_TAKES_LABELS},
        {"--real", options->real_count > 0, DATA_TAKES_LABELS},
        {"--fake", options->fake_count > 0, DATA_TAKES_LABELS},
        {"--replace", options->replace_count > 0, DATA_TAKES_REPLACE},
        {"--by", options->by != NULL, DATA_TAKES_LISTS},
        {"--parts", options->parts != NULL, DATA_TAKES_LISTS},
        {"--seed", request->seeded, DATA_TAKES_LISTS},
        {"--path-column", request->columns[DATA_COLUMN_PATH] != NULL, DATA_TAKES_COLUMNS},
        {"--label-column", request->columns[DATA_COLUMN_LABEL] != NULL, DATA_TAKES_COLUMNS},
        {"--video-column", request->columns[DATA_COLUMN_VIDEO] != NULL, DATA_TAKES_COLUMNS},
        {"--split-column", request->columns[DATA_COLUMN_SPLIT] != NULL, DATA_TAKES_COLUMNS},
        {"--source-column", request->columns[DATA_COLUMN_SOURCE] != NULL, DATA_TAKES_COLUMNS},
    };
    for (size_t i = 0; i < COUNT_OF(GIVEN); i++)
        if (GIVEN[i].given && !(request->kind->takes & GIVEN[i].takes))
            exit(cli_usage_error("%s: does not apply to lists %s; remove it", GIVEN[i].name,
                                 request->kind->name));
}

/* Takes the arguments after the kind; exits 2 unless it takes as many. */
static void take_files(Request *request, const CliArguments *arguments)
{
    const CliStrings *given = &arguments->positional;
    const char *kind = request->kind->name;
    const bool file = request->kind->takes & DATA_TAKES_FILE;
    const bool lists = request->kind->takes & DATA_TAKES_LISTS;
    if ((file || lists) && given->count < 2)
        exit(cli_usage_error("lists %s: the %s missing; name %s after the kind", kind,
                             file ? "file is" : "lists are", file ? "it" : "them"));
    if (file && given->count > 2)
        exit(cli_usage_error("%s: lists %s takes one file; remove it", given->items[2], kind));
    if (!file && !lists && given->count > 1)
        exit(cli_usage_error("%s: lists %s takes no file; name its folder with --root",
                             given->items[1], kind));
    request->options.file = file ? given->items[1] : NULL;
    request->options.lists = lists ? given->items + 1 : NULL;
    request->options.list_count = lists ? given->count - 1 : 0;
}

/*
 * Appends the sources of --label NAME=real to `real` and of --label NAME=fake to `fake`; both lists
 * have room for every argument. Free the names with free_labels.
 */
static Status split_labels(const CliStrings *labels, CliStrings *real, CliStrings *fake,
                           Error *error)
{
    for (int i = 0; i < labels->count; i++) {
        DataSourceLabel label;
        TRY(cli_label_parse(labels->items[i], &label, error));
        CliStrings *into = label.label ? fake : real;
        into->items[into->count++] = label.source;
    }
    return STATUS_OK;
}

/* Frees the items that split_labels appended after the first `given`. */
static void free_labels(CliStrings *list, int given)
{
    while (list->count > given)
        free((char *)list->items[--list->count]);
}

/* The help text with the list of kinds, in static memory. */
static const char *describe_kinds(void)
{
    static char text[4096];
    int count;
    const DataSetsKind *kinds = data_sets_kinds(&count);
    size_t used = snprintf(
        text, sizeof text,
        "Finds the frames of all videos of a data set. Writes DIR/SPLIT/SOURCE.txt with absolute "
        "paths, and\nDIR/coverage.json with the expected, found and missing videos. Frames are "
        "images of cropped faces, one\nfolder per video; extract and crop them with another tool "
        "first. --frames K keeps K evenly spaced frames\nper video: those at floor(linspace(0, "
        "n-1, K)).\n\nKinds:\n");
    for (int i = 0; i < count && used < sizeof text; i++)
        used += snprintf(text + used, sizeof text - used, "  %-14s %s%s", kinds[i].name,
                         kinds[i].summary, i + 1 < count ? "\n" : "");
    return text;
}

int cmd_lists(int argc, char **argv)
{
    Request request = {0};
    DataSetsOptions *options = &request.options;
    CliStrings real = {0}, fake = {0}, labels = {0}, replace = {0};
    CliOption table[] = {
        {"--root", CLI_STRING, &options->root, 0, 0, "DIR",
         "data set folder (csv, deepfakebench: may be left out)"},
        {"--out", CLI_STRING, &request.out, 0, 0, "DIR", "output folder; must be empty or missing"},
        {"--overwrite", CLI_FLAG, &request.overwrite, 0, 0, NULL,
         "replace existing lists in --out"},
        {"--frames", CLI_INT, &options->frames, 1, 1000000, "K",
         "evenly spaced frames per video (default: all)"},
        {"--splits", CLI_STRING, &options->splits, 0, 0, "DIR",
         "folder of the split files (ff, celebdf2; default: next to the data)"},
        {"--compression", CLI_STRING, &options->compression, 0, 0, "LEVEL",
         "c23 (default), c40 or raw (ff, dfd, deepfakebench)"},
        {"--split", CLI_STRING, &options->split, 0, 0, "NAME",
         "split of a data set without splits (dfd, uadfv, csv,\nfolder; default test)"},
        {"--real", CLI_REPEATED, &real, 0, 0, "NAME",
         "real source: folder below --root, or label in the JSON"},
        {"--fake", CLI_REPEATED, &fake, 0, 0, "NAME", "fake source, likewise"},
        CLI_LABEL_OPTION(labels),
        {"--replace", CLI_REPEATED, &replace, 0, 0, "OLD=NEW",
         "replace the prefix OLD of the paths in the JSON by NEW\n(deepfakebench)"},
        {"--by", CLI_STRING, &options->by, 0, 0, "UNIT",
         "video (default) or person: none is in two parts (split)"},
        {"--parts", CLI_STRING, &options->parts, 0, 0, "A:B:C",
         "shares of train, val and test (split; default 8:1:1)"},
        {"--seed", CLI_UINT64, &options->seed, 0, 0, "N", "random seed (split; default 0)"},
        {"--path-column", CLI_STRING, &request.columns[DATA_COLUMN_PATH], 0, 0, "NAME",
         "column of paths (csv; default: by its name, as for the\nothers)"},
        {"--label-column", CLI_STRING, &request.columns[DATA_COLUMN_LABEL], 0, 0, "NAME",
         "column of labels: 0 or real, 1 or fake (csv)"},
        {"--video-column", CLI_STRING, &request.columns[DATA_COLUMN_VIDEO], 0, 0, "NAME",
         "column of videos (csv; none: by folder)"},
        {"--split-column", CLI_STRING, &request.columns[DATA_COLUMN_SPLIT], 0, 0, "NAME",
         "column of train, val and test (csv; none: do not use it)"},
        {"--source-column", CLI_STRING, &request.columns[DATA_COLUMN_SOURCE], 0, 0, "NAME",
         "column of sources, such as the forgery method (csv)"},
        {"--json", CLI_FLAG, &request.json, 0, 0, NULL, "print coverage.json instead of tables"},
        {0},
    };
    const CliCommand command = {
        .name = "lists",
        .summary = "make frame lists of data sets as they are distributed",
        .usage =
            "lnclip lists KIND [FILE or LIST...] --root DIR --out DIR [--frames K] [OPTION...]",
        .details = describe_kinds(),
        .example =
            "lnclip lists ff --root FaceForensics++ --splits splits --frames 32 --out lists/FF",
        .options = table,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 1, argc, "the kind of data set");
    request.kind = find_kind(arguments.positional.items[0]);
    take_files(&request, &arguments);
    request.seeded = options->seed != 0;
    if (!(request.kind->takes & DATA_FINDS_ROOT))
        cli_expect_option(&arguments, "--root", options->root);
    cli_expect_option(&arguments, "--out", request.out);
    const int given_real = real.count, given_fake = fake.count;
    options->real_count = given_real;
    options->fake_count = given_fake;
    options->replace = replace.items, options->replace_count = replace.count;
    options->columns = request.columns;
    check_options(&request, labels.count > 0);
    Error error = {0};
    Status status = split_labels(&labels, &real, &fake, &error);
    options->real = real.items, options->real_count = real.count;
    options->fake = fake.items, options->fake_count = fake.count;
    if (status == STATUS_OK)
        status = make_lists(&request, &arguments, &error);
    free_labels(&real, given_real);
    free_labels(&fake, given_fake);
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
