/*
 * list_compare.c - see list_compare.h.
 *
 * All frames of all sets become one array of records. Sorting it by identity finds what is one file, and
 * picks one record to stand for it, so that no file is read twice. Sorting these by size, and then by hash,
 * finds what has to be looked at more closely; each round reads less files and more of them. A last walk in
 * the order of the lists counts, so that what is named does not depend on hashes.
 */
#include "data/lists/list_compare.h"

#include "data/image/image.h"
#include "data/lists/identity.h"
#include "data/lists/list_files_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- records --------------------------------------------------------------------------------- */

typedef struct Record {
    const DataFrame *frame;
    int set;
    struct Record *stands; /* the record of the same file that is read for all of them */
    DataFileKey key;       /* of `stands` alone, until it is copied to the others */
    const struct Record *same_file[DATA_COMPARE_SETS];  /* in earlier sets, or NULL */
    const struct Record *same_bytes[DATA_COMPARE_SETS]; /* in earlier sets and, earlier, its own */
    const struct Record *contradiction; /* earlier in its own set, of the other label */
} Record;

typedef struct Records {
    Record *items;  /* [count], in order of set and list */
    Record **order; /* [count], sorted in the way that is needed */
    size_t count;
} Records;

static Status no_memory(Error *error)
{
    return error_set(error, STATUS_FAILED, "comparing lists: no memory; close other programs");
}

static Status records_create(Records *records, const DataList *const *lists, int count,
                             Error *error)
{
    size_t n = 0;
    for (int set = 0; set < count; set++)
        n += (size_t)lists[set]->count;
    *records = (Records){.items = calloc(n + 1, sizeof *records->items),
                         .order = calloc(n + 1, sizeof(Record *))};
    if (!records->items || !records->order)
        return no_memory(error);
    for (int set = 0; set < count; set++) {
        for (int i = 0; i < lists[set]->count; i++) {
            Record *const record = &records->items[records->count];
            *record = (Record){.frame = &lists[set]->frames[i], .set = set};
            records->order[records->count++] = record;
        }
    }
    return STATUS_OK;
}

static void records_free(Records *records)
{
    free(records->items);
    free(records->order);
}

/* Records stand in one array in order of set and list: where their addresses differ is where they do. */
static int by_position(const Record *a, const Record *b)
{
    return (a > b) - (a < b);
}

static int by_identity(const void *left, const void *right)
{
    const Record *const a = *(Record *const *)left, *const b = *(Record *const *)right;
    const int order = strcmp(a->frame->identity, b->frame->identity);
    return order != 0 ? order : by_position(a, b);
}

static int by_key(const void *left, const void *right)
{
    const Record *const a = *(Record *const *)left, *const b = *(Record *const *)right;
    const int order = data_file_key_compare(&a->key, &b->key);
    return order != 0 ? order : by_position(a, b);
}

/* ---- one file -------------------------------------------------------------------------------- */

/*
 * Sorts by identity and links the records of one file: to the first of them, and to the last one of each earlier set.
 * A set may name one file often: links into a store of contents.
 */
static void link_files(Records *records)
{
    const Record *last[DATA_COMPARE_SETS] = {NULL};
    qsort(records->order, records->count, sizeof(Record *), by_identity);
    for (size_t i = 0, first = 0; i < records->count; i++) {
        Record *const record = records->order[i];
        if (strcmp(record->frame->identity, records->order[first]->frame->identity) != 0) {
            first = i;
            memset(last, 0, sizeof last);
        }
        record->stands = records->order[first];
        memcpy(record->same_file, last, sizeof last);
        last[record->set] = record;
    }
}

/* ---- same bytes ------------------------------------------------------------------------------ */

/* Gathers the records that are read for their file; of these alone keys are found. */
static size_t gather_standing(Records *records)
{
    size_t count = 0;
    for (size_t i = 0; i < records->count; i++)
        if (records->items[i].stands == &records->items[i])
            records->order[count++] = &records->items[i];
    return count;
}

/* Keeps those of order [count] that share their key with a neighbour; sorts by key. */
static size_t keep_alike(Record **order, size_t count)
{
    qsort(order, count, sizeof *order, by_key);
    size_t kept = 0;
    bool before = false; /* order[i] is like the one before it */
    for (size_t i = 0; i < count; i++) {
        const bool after =
            i + 1 < count && data_file_key_compare(&order[i]->key, &order[i + 1]->key) == 0;
        if (before || after)
            order[kept++] = order[i];
        before = after;
    }
    return kept;
}

typedef struct Reading {
    Record **order;
    DataFilePart part;
} Reading;

static Status read_key(void *context, size_t index, Error *error)
{
    const Reading *const reading = context;
    Record *const record = reading->order[index];
    return data_file_key(record->frame->file, reading->part, &record->key, error);
}

/* Finds the key of each file as far as it takes to tell it from all others. */
static Status find_keys(Records *records, Threads *threads, Error *error)
{
    static const DataFilePart PARTS[] = {DATA_FILE_SIZE, DATA_FILE_BLOCK, DATA_FILE_WHOLE};
    size_t count = gather_standing(records);
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0] && count > 0; i++) {
        Reading reading = {records->order, PARTS[i]};
        TRY(data_files_each(read_key, &reading, count, threads, error));
        count = keep_alike(records->order, count);
    }
    for (size_t i = 0; i < records->count; i++)
        records->items[i].key = records->items[i].stands->key;
    return STATUS_OK;
}

/*
 * Links the records of one group of equal bytes, in order of set and list. Files of one key are equal: a key
 * that was not followed to the end of its file is the only one of its kind.
 */
static void link_group(Record *const *group, size_t count)
{
    const Record *first[DATA_COMPARE_SETS] = {NULL};
    const Record *labelled[DATA_COMPARE_SETS][2] = {{NULL}};
    for (size_t i = 0; i < count; i++) {
        Record *const record = group[i];
        const int set = record->set, label = record->frame->label;
        memcpy(record->same_bytes, first, sizeof first);
        record->contradiction = labelled[set][!label];
        if (!first[set])
            first[set] = record;
        if (!labelled[set][label])
            labelled[set][label] = record;
    }
}

static Status link_contents(Records *records, Threads *threads, Error *error)
{
    TRY(find_keys(records, threads, error));
    for (size_t i = 0; i < records->count; i++)
        records->order[i] = &records->items[i];
    qsort(records->order, records->count, sizeof(Record *), by_key);
    for (size_t i = 0, end; i < records->count; i = end) {
        for (end = i + 1; end < records->count; end++)
            if (data_file_key_compare(&records->order[i]->key, &records->order[end]->key) != 0)
                break;
        link_group(records->order + i, end - i);
    }
    return STATUS_OK;
}

/* ---- counting -------------------------------------------------------------------------------- */

static void add_match(DataMatches *matches, const char *first, const char *second)
{
    if (matches->count < DATA_COMPARE_NAMED) {
        matches->first[matches->count] = first;
        matches->second[matches->count] = second;
    }
    matches->count++;
}

static void add_record(DataMatches *matches, const Record *partner, const Record *record)
{
    if (partner)
        add_match(matches, partner->frame->path, record->frame->path);
}

static void count_matches(const Records *records, DataComparison *comparison)
{
    for (size_t i = 0; i < records->count; i++) {
        const Record *const record = &records->items[i];
        const int set = record->set;
        for (int a = 0; a < set; a++) {
            DataOverlap *const overlap = &comparison->overlap[a][set];
            if (record->same_file[a])
                add_record(&overlap->files, record->same_file[a], record);
            else
                add_record(&overlap->contents, record->same_bytes[a], record);
        }
        if (record->contradiction)
            add_record(&comparison->contradictions[set], record->contradiction, record);
        else
            add_record(&comparison->duplicates[set], record->same_bytes[set], record);
    }
}

/* ---- people ---------------------------------------------------------------------------------- */

enum { FFPP_NUMBERS = 1000 };

/* Which FF++ numbers the videos of a set show, and one of these videos each. */
typedef struct People {
    const char *video[FFPP_NUMBERS];
    bool pairs; /* a video is called NNN_NNN: the numbers are those of FF++ */
    bool reals; /* all are real and called NNN: FF++'s own, if others beside them are pairs */
} People;

static void find_people(const DataList *list, People *people)
{
    *people = (People){.reals = true};
    for (int i = 0; i < list->video_count; i++) {
        DataIdentity identity;
        data_identity(list->videos[i], &identity);
        people->reals &= identity.ffpp && list->video_label[i] == 0;
        if (!identity.ffpp)
            continue;
        people->pairs |= identity.ffpp_pair;
        const int target = atoi(identity.target), source = atoi(identity.source);
        if (!people->video[target])
            people->video[target] = list->videos[i];
        if (identity.ffpp_pair && !people->video[source])
            people->video[source] = list->videos[i];
    }
}

static void match_people(const People *people, const DataList *list, DataMatches *matches)
{
    for (int i = 0; i < list->video_count; i++) {
        DataIdentity identity;
        data_identity(list->videos[i], &identity);
        if (!identity.ffpp)
            continue;
        const char *first = people->video[atoi(identity.target)];
        if (!first && identity.ffpp_pair)
            first = people->video[atoi(identity.source)];
        if (first)
            add_match(matches, first, list->videos[i]);
    }
}

static Status compare_people(const DataList *const *lists, int count, DataComparison *comparison,
                             Error *error)
{
    People *const people = calloc((size_t)count, sizeof *people);
    if (!people)
        return no_memory(error);
    for (int set = 0; set < count; set++)
        find_people(lists[set], &people[set]);
    for (int a = 0; a < count; a++)
        for (int b = a + 1; b < count; b++)
            if ((people[a].pairs && (people[b].pairs || people[b].reals)) ||
                (people[a].reals && people[b].pairs))
                match_people(&people[a], lists[b], &comparison->overlap[a][b].people);
    free(people);
    return STATUS_OK;
}

Status data_list_compare(const DataList *const *lists, int count, bool contents, Threads *threads,
                         DataComparison *comparison, Error *error)
{
    assert(lists && 0 < count && count <= DATA_COMPARE_SETS && comparison && error);
    *comparison = (DataComparison){0};
    Records records;
    Status status = records_create(&records, lists, count, error);
    if (status == STATUS_OK) {
        link_files(&records);
        status = contents ? link_contents(&records, threads, error) : STATUS_OK;
    }
    if (status == STATUS_OK) {
        count_matches(&records, comparison);
        status = compare_people(lists, count, comparison, error);
    }
    records_free(&records);
    return status;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

typedef struct Measuring {
    const DataList *list;
    DataFrameSize *sizes;
} Measuring;

static Status measure(void *context, size_t index, Error *error)
{
    const Measuring *const measuring = context;
    DataFrameSize *const size = &measuring->sizes[index];
    const char *const file = measuring->list->frames[size->frame].file;
    DataFileKey key;
    TRY(data_file_key(file, DATA_FILE_SIZE, &key, error));
    size->bytes = key.size;
    return data_image_size(file, &size->width, &size->height, error);
}

Status data_list_sizes(const DataList *list, int limit, Threads *threads, DataFrameSize **sizes,
                       int *count, Error *error)
{
    assert(list && limit >= 0 && sizes && count && error);
    const int kept = limit == 0 || list->count < limit ? list->count : limit;
    Measuring measuring = {list, calloc((size_t)kept + 1, sizeof *measuring.sizes)};
    *sizes = NULL;
    *count = 0;
    if (!measuring.sizes)
        return no_memory(error);
    for (int i = 0; i < kept; i++)
        measuring.sizes[i].frame = data_list_spread(i, kept, list->count);
    const Status status = data_files_each(measure, &measuring, (size_t)kept, threads, error);
    if (status != STATUS_OK) {
        free(measuring.sizes);
        return status;
    }
    *sizes = measuring.sizes;
    *count = kept;
    return STATUS_OK;
}
