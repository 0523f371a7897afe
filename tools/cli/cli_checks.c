/*
 * cli_checks.c - see cli_checks.h.
 */
#include "tools/cli/cli_checks.h"

#include "tensor/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* From these on, a note is printed before and after the checks. */
enum { MANY_FRAMES = 50000, MANY_SECONDS = 3 };

TrainChecks cli_checks_expect(const char *text)
{
    static const char *const NAMES[] = {
        [TRAIN_CHECKS_FULL] = "full", [TRAIN_CHECKS_QUICK] = "quick", [TRAIN_CHECKS_OFF] = "off"};
    for (int i = 0; text && i < (int)(sizeof NAMES / sizeof NAMES[0]); i++)
        if (strcmp(text, NAMES[i]) == 0)
            return (TrainChecks)i;
    if (text)
        exit(cli_finish(
            cli_usage_error("--checks %s: unknown level; use full, quick or off", text)));
    return TRAIN_CHECKS_FULL;
}

/* ---- details --------------------------------------------------------------------------------- */

/* Prints an indented line to stderr. */
static void print_detail(const char *text)
{
    fputs("  ", stderr);
    cli_print_escaped(stderr, text);
    fputc('\n', stderr);
}

static void print_rest(int count)
{
    if (count > DATA_COMPARE_NAMED)
        fprintf(stderr, "  ... and %s more\n", cli_count((unsigned)(count - DATA_COMPARE_NAMED)));
}

static int named(int count)
{
    return count < DATA_COMPARE_NAMED ? count : DATA_COMPARE_NAMED;
}

static void print_matches(const DataMatches *matches)
{
    char text[ERROR_DETAIL_SIZE];
    for (int i = 0; i < named(matches->count); i++) {
        snprintf(text, sizeof text, "%s: like %s", matches->second[i], matches->first[i]);
        print_detail(text);
    }
    print_rest(matches->count);
}

static void print_odd_images(const DataList *list, const TrainOddImages *odd)
{
    char text[ERROR_DETAIL_SIZE];
    for (int i = 0; i < named(odd->count); i++) {
        const DataFrameSize *size = &odd->first[i];
        snprintf(text, sizeof text, "%s: %d x %d", list->frames[size->frame].path, size->width,
                 size->height);
        print_detail(text);
    }
    print_rest(odd->count);
}

/* ---- one set --------------------------------------------------------------------------------- */

/* "256", or "180..400 (median 256)", from minimum, median and maximum. */
static const char *range(const int sizes[3], char out[64])
{
    if (sizes[0] == sizes[2])
        snprintf(out, 64, "%d", sizes[0]);
    else
        snprintf(out, 64, "%d..%d (median %d)", sizes[0], sizes[2], sizes[1]);
    return out;
}

static void print_sizes(const CliArguments *arguments, const char *name, const DataList *list,
                        const TrainSizes *sizes)
{
    char width[64], height[64];
    cli_note(arguments, "%s: %s x %s pixels (%s of %s images read)", name,
             range(sizes->width, width), range(sizes->height, height),
             cli_count((unsigned)sizes->images), cli_count((unsigned)list->count));
    if (!isnan(sizes->pixels.auroc))
        cli_note(arguments,
                 "%s: label leakage: AUROC of image size %.3f, of file size %.3f (%s videos; 0.5 = "
                 "none)",
                 name, sizes->pixels.auroc, sizes->bytes.auroc, cli_count((unsigned)sizes->videos));
    if (sizes->pixels.telling)
        cli_warn("%s: real and fake images differ in size (AUROC %.3f by width x height alone), "
                 "which a network may learn; crop both in the same way",
                 name, sizes->pixels.auroc);
    if (sizes->bytes.telling)
        cli_warn("%s: real and fake files differ in size (AUROC %.3f by bytes alone): format, "
                 "compression or sharpness may reveal the label; save both in the same way",
                 name, sizes->bytes.auroc);
}

static void print_shapes(const char *name, const DataList *list, const TrainSizes *sizes)
{
    static const char *const MEANING[TRAIN_CROP_SHAPES] = {
        [DATA_CROP_WHOLE_FRAME] =
            "have the size of full video frames; the method expects aligned face crops",
        [DATA_CROP_NOT_SQUARE] = "are not square; the longer side is cropped at both ends",
        [DATA_CROP_SMALL] = "are smaller than 64 pixels; traces of forgery may be lost",
    };
    for (int shape = 0; shape < TRAIN_CROP_SHAPES; shape++) {
        const TrainOddImages *odd = &sizes->odd[shape];
        if (odd->count == 0)
            continue;
        print_odd_images(list, odd);
        cli_warn("%s: %s of %s checked images %s", name, cli_count((unsigned)odd->count),
                 cli_count((unsigned)sizes->images), MEANING[shape]);
    }
}

static void print_copies(const char *name, const DataMatches *duplicates,
                         const DataMatches *contradictions)
{
    print_matches(duplicates);
    if (duplicates->count > 0)
        cli_warn("%s: %s frames are identical to another frame of the set; these count twice", name,
                 cli_count((unsigned)duplicates->count));
    print_matches(contradictions);
    if (contradictions->count > 0)
        cli_warn("%s: %s frames are identical to frames with the other label; check whether they "
                 "are forged",
                 name, cli_count((unsigned)contradictions->count));
}

static void print_set(const CliArguments *arguments, const char *name, const DataList *list,
                      const TrainListFindings *findings, int set)
{
    print_sizes(arguments, name, list, &findings->sizes[set]);
    print_shapes(name, list, &findings->sizes[set]);
    print_copies(name, &findings->same.duplicates[set], &findings->same.contradictions[set]);
}

/* ---- overlap --------------------------------------------------------------------------------- */

static void detail_matches(Error *error, const CliCheckedSet *a, const CliCheckedSet *b,
                           const DataMatches *matches, const char *how)
{
    for (int i = 0; i < named(matches->count); i++)
        error_detail(error, "%s (%s): %s %s (%s)", matches->second[i], b->name, how,
                     matches->first[i], a->name);
    error->problems += matches->count - named(matches->count);
}

/* Appends `more` to the text, after the separator unless the text is empty. */
static void append(char *text, size_t size, const char *separator, const char *more)
{
    const size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length > 0 ? separator : "", more);
}

/* Appends "train and val share 3 frames, 2 copies of frames, 1 videos of the same FF++ people". */
static void name_overlap(char *text, size_t size, const CliCheckedSet *a, const CliCheckedSet *b,
                         const DataOverlap *overlap)
{
    const struct {
        const DataMatches *matches;
        const char *what;
    } kinds[] = {{&overlap->files, "frames"},
                 {&overlap->contents, "copies of frames"},
                 {&overlap->people, "videos of the same FF++ people"}};
    char shared[256] = "", one[128];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].matches->count == 0)
            continue;
        snprintf(one, sizeof one, "%s %s", cli_count((unsigned)kinds[i].matches->count),
                 kinds[i].what);
        append(shared, sizeof shared, ", ", one);
    }
    char pair[320];
    snprintf(pair, sizeof pair, "%s and %s share %s", a->name, b->name, shared);
    append(text, size, "; ", pair);
}

static Status check_overlap(const CliCheckedSet *sets, int count, const TrainListFindings *findings,
                            bool allowed, Error *error)
{
    char text[ERROR_MESSAGE_SIZE / 2] = "";
    Error found = {0};
    for (int a = 0; a < count; a++) {
        for (int b = a + 1; b < count; b++) {
            if (!train_lists_overlap(findings, a, b))
                continue;
            const DataOverlap *overlap = &findings->same.overlap[a][b];
            name_overlap(text, sizeof text, &sets[a], &sets[b], overlap);
            detail_matches(&found, &sets[a], &sets[b], &overlap->files, "the same file as");
            detail_matches(&found, &sets[a], &sets[b], &overlap->contents, "a copy of");
            detail_matches(&found, &sets[a], &sets[b], &overlap->people, "shows FF++ people of");
        }
    }
    if (found.problems == 0)
        return STATUS_OK;
    if (!allowed) {
        *error = found;
        return error_set(error, STATUS_FAILED,
                         "lists: %s: scores would be optimistic; remove them from one of the "
                         "lists, or continue anyway with --allow-overlap",
                         text);
    }
    for (int i = 0; i < named(found.problems); i++)
        print_detail(found.detail[i]);
    print_rest(found.problems);
    cli_warn("lists: %s: scores will be optimistic (--allow-overlap)", text);
    return STATUS_OK;
}

/* ---- the checks ------------------------------------------------------------------------------ */

static Status find(const CliArguments *arguments, const DataList *const *lists, int count,
                   TrainChecks checks, TrainListFindings *findings, Error *error)
{
    unsigned frames = 0;
    Threads *threads;
    for (int i = 0; i < count; i++)
        frames += (unsigned)lists[i]->count;
    if (frames >= MANY_FRAMES)
        cli_note(arguments, "checking the lists: %s frames", cli_count(frames));
    TRY(threads_create(&threads, arguments->threads, error));
    const Status status = train_check_lists(lists, count, checks, threads, findings, error);
    threads_destroy(threads);
    if (status == STATUS_OK && findings->seconds >= MANY_SECONDS)
        cli_note(arguments, "checked in %s%s", cli_duration(findings->seconds),
                 checks == TRAIN_CHECKS_FULL ? " (--checks quick does not read the files)" : "");
    return status;
}

Status cli_check_training(const CliArguments *arguments, const CliCheckedSet *sets, int count,
                          TrainChecks checks, bool allow_overlap, Error *error)
{
    const DataList *lists[DATA_COMPARE_SETS] = {NULL};
    TrainListFindings findings;
    if (checks == TRAIN_CHECKS_OFF)
        return STATUS_OK;
    for (int i = 0; i < count; i++)
        lists[i] = sets[i].list;
    TRY(find(arguments, lists, count, checks, &findings, error));
    for (int i = 0; i < count; i++)
        print_set(arguments, sets[i].name, sets[i].list, &findings, i);
    return check_overlap(sets, count, &findings, allow_overlap, error);
}

/* Warns if the adapter's metadata has the hash of this list as training or validation list. */
static Status check_adapter(const char *name, const DataList *list, const char *adapter,
                            Error *error)
{
    static const struct {
        const char *key, *did;
    } LISTS[] = {{"train_list", "trained"}, {"val_list", "selected"}};
    SafeTensors *file;
    char hash[HASH_TEXT_SIZE];
    TRY(safetensors_open(&file, adapter, error));
    data_list_hash(list, hash);
    for (int i = 0; i < 2; i++) {
        const char *of_run = safetensors_metadata(file, LISTS[i].key);
        if (of_run && strcmp(of_run, hash) == 0)
            cli_warn("%s: %s was %s on this list: scores will be optimistic", name, adapter,
                     LISTS[i].did);
    }
    safetensors_close(file);
    return STATUS_OK;
}

Status cli_check_evaluated(const CliArguments *arguments, const char *name, const DataList *list,
                           TrainChecks checks, const CliStrings *adapters, Error *error)
{
    TrainListFindings findings;
    if (checks == TRAIN_CHECKS_OFF)
        return STATUS_OK;
    TRY(find(arguments, &list, 1, checks, &findings, error));
    print_set(arguments, name, list, &findings, 0);
    for (int i = 0; i < adapters->count; i++)
        TRY(check_adapter(name, list, adapters->items[i], error));
    return STATUS_OK;
}
