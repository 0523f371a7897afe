/*
 * list_compare.c - see list_compare.h.
 *
 * All frames of all sets become one array of records. Sorting it by identity finds records of the
 * same file and chooses one of them as representative, so that no file is read twice. Sorting the
 * representatives by size, and then by hash, finds those that need a closer look: each round reads
 * fewer files, and more of each. A last pass in list order does the counting, so that the named
 * examples do not depend on hashes.
 */
#include "data/lists/list_compare.h"

#include "data/image/image.h"
#include "data/lists/identity.h"
#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY /* allows a hash state on the stack */
#include <xxhash.h>

/* ---- one file -------------------------------------------------------------------------------- */

/*
 * Files are read by pread, never mapped: a failing disk must cause an error, not a signal. Threads
 * help because most of the time is spent waiting for small files to open.
 */

/* The key of a file: its size, and the XXH3-128 of a part of it (0 at first). */
typedef struct FileKey {
    int64_t size;
    uint64_t high, low;
} FileKey;

/* How much of a file the key covers. */
typedef enum FilePart {
    FILE_SIZE,  /* its directory entry */
    FILE_BLOCK, /* 4 KiB from its middle; all of a smaller file */
    FILE_WHOLE, /* all of it; keys of files no larger than a block are final already */
} FilePart;

enum { BLOCK_BYTES = 4096, READ_BYTES = 65536 };

static Status cannot_read(const char *path, const char *reason, Error *error)
{
    return error_set(error, STATUS_FAILED,
                     "%s: cannot be read (%s); check the file, or remove it from the list", path,
                     reason);
}

static Status find_size(const char *path, FileKey *key, Error *error)
{
    struct stat info;
    *key = (FileKey){0};
    if (stat(path, &info) != 0)
        return cannot_read(path, strerror(errno), error);
    if (!S_ISREG(info.st_mode))
        return cannot_read(path, "not a regular file", error);
    key->size = info.st_size;
    return STATUS_OK;
}

/* Hashes `length` bytes from `offset` on. */
static Status hash_range(const char *path, int descriptor, int64_t offset, int64_t length,
                         FileKey *key, Error *error)
{
    char buffer[READ_BYTES];
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (int64_t done = 0; done < length;) {
        const int64_t rest = length - done;
        const size_t wanted = min_size(rest, READ_BYTES);
        const ssize_t got = pread(descriptor, buffer, wanted, offset + done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return cannot_read(path, got < 0 ? strerror(errno) : "it shrank while being read",
                               error);
        XXH3_128bits_update(&state, buffer, got);
        done += got;
    }
    const XXH128_hash_t hash = XXH3_128bits_digest(&state);
    key->high = hash.high64;
    key->low = hash.low64;
    return STATUS_OK;
}

/* Computes the given part of *key; BLOCK and WHOLE need key->size. */
static Status find_key(const char *path, FilePart part, FileKey *key, Error *error)
{
    if (part == FILE_SIZE)
        return find_size(path, key, error);
    if (part == FILE_WHOLE && key->size <= BLOCK_BYTES)
        return STATUS_OK;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return cannot_read(path, strerror(errno), error);
    const bool block = part == FILE_BLOCK && key->size > BLOCK_BYTES;
    const int64_t length = block ? BLOCK_BYTES : key->size;
    /* Aligned to a page: one read of one page. */
    const int64_t offset = block ? key->size / 2 / BLOCK_BYTES * BLOCK_BYTES : 0;
    const int64_t after = key->size - offset;
    const Status status =
        hash_range(path, descriptor, offset, after < length ? after : length, key, error);
    close(descriptor);
    return status;
}

/* Compares keys, by size first: -1, 0 or 1. */
static int compare_keys(const FileKey *a, const FileKey *b)
{
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    return (a->low > b->low) - (a->low < b->low);
}

/* ---- many files ------------------------------------------------------------------------------ */

enum { CHUNK = 64 };

typedef Status Visit(void *context, size_t index, Error *error);

typedef struct Visits {
    Visit *visit;
    void *context;
    size_t count;
    unsigned char *failed; /* [count] */
} Visits;

static void visit_chunk(void *context, int task, int worker)
{
    const Visits *visits = context;
    (void)worker;
    const size_t begin = (size_t)task * CHUNK;
    Error unused = {0};
    for (size_t i = begin; i < begin + CHUNK && i < visits->count; i++)
        visits->failed[i] = visits->visit(visits->context, i, &unused) != STATUS_OK;
}

/* Visits the first failures again, in order, to get their messages; the others are only counted. */
static Status report_failures(const Visits *visits, Error *error)
{
    size_t failures = 0;
    Error one = {0};
    for (size_t i = 0; i < visits->count; i++) {
        if (!visits->failed[i])
            continue;
        if (failures < ERROR_MAX_DETAILS && visits->visit(visits->context, i, &one) == STATUS_OK)
            continue; /* readable by now */
        error_detail(error, "%s", one.message);
        failures++;
    }
    if (failures == 0)
        return STATUS_OK;
    if (failures == 1) {
        *error = one;
        return one.status;
    }
    return error_set(
        error, STATUS_FAILED,
        "lists: %zu of %zu images cannot be read; copy or extract them again, or remove "
        "them from the lists",
        failures, visits->count);
}

/*
 * Calls visit(context, i, error) for all i < count on the threads (NULL: on the caller). If any
 * fail: STATUS_FAILED; the failures are counted, and the first ten, in order of index, are details
 * of *error. A single failure is reported with its own message.
 */
static Status visit_all(Visit *visit, void *context, size_t count, Threads *threads, Error *error)
{
    assert(visit && count <= INT32_MAX);
    Visits visits = {visit, context, count, mem_new(count, 1, "reading images", error)};
    if (!visits.failed)
        return error->status;
    threads_run(threads, (int)ceil_div(count, CHUNK), visit_chunk, &visits);
    const Status status = report_failures(&visits, error);
    free(visits.failed);
    return status;
}

/* ---- records --------------------------------------------------------------------------------- */

typedef struct Record {
    const DataFrame *frame;
    int set;
    struct Record *representative; /* the record whose file is read for all records of it */
    FileKey key; /* first computed for the representative, then copied to the others */
    const struct Record *same_file[DATA_COMPARE_SETS]; /* match per earlier set, or NULL */
    /* match per earlier set, and earlier in its own set */
    const struct Record *same_bytes[DATA_COMPARE_SETS];
    const struct Record *contradiction; /* earlier record of its own set with the other label */
} Record;

typedef struct Records {
    Record *items;  /* [count], by set, then in list order */
    Record **order; /* [count], sorted as needed */
    size_t count;
} Records;

static Status records_create(Records *records, const DataList *const *lists, int count,
                             Error *error)
{
    size_t n = 0;
    for (int set = 0; set < count; set++)
        n += lists[set]->count;
    if (!(records->items = mem_new(n, sizeof *records->items, "comparing lists", error)) ||
        !(records->order = mem_new(n, sizeof(Record *), "comparing lists", error)))
        return error->status;
    for (int set = 0; set < count; set++) {
        for (int i = 0; i < lists[set]->count; i++) {
            Record *record = &records->items[records->count];
            *record = (Record){.frame = &lists[set]->frames[i], .set = set};
            records->order[records->count++] = record;
        }
    }
    return STATUS_OK;
}

/*
 * Records are in one array, by set and then in list order, so comparing addresses compares
 * positions.
 */
static int by_position(const Record *a, const Record *b)
{
    return (a > b) - (a < b);
}

static int by_identity(const void *left, const void *right)
{
    const Record *a = *(Record *const *)left, *b = *(Record *const *)right;
    const int order = strcmp(a->frame->identity, b->frame->identity);
    return order != 0 ? order : by_position(a, b);
}

static int by_key(const void *left, const void *right)
{
    const Record *a = *(Record *const *)left, *b = *(Record *const *)right;
    const int order = compare_keys(&a->key, &b->key);
    return order != 0 ? order : by_position(a, b);
}

/* ---- records of one file --------------------------------------------------------------------- */

/*
 * Sorts by identity and links each record to the first record of its file and to the last one in
 * each earlier set. A set may name one file often: links into a content store.
 */
static void link_files(Records *records)
{
    const Record *last[DATA_COMPARE_SETS] = {NULL};
    qsort(records->order, records->count, sizeof(Record *), by_identity);
    for (size_t i = 0, first = 0; i < records->count; i++) {
        Record *record = records->order[i];
        if (strcmp(record->frame->identity, records->order[first]->frame->identity) != 0) {
            first = i;
            memset(last, 0, sizeof last);
        }
        record->representative = records->order[first];
        memcpy(record->same_file, last, sizeof last);
        last[record->set] = record;
    }
}

/* ---- same bytes ------------------------------------------------------------------------------ */

/* Collects the representatives into records->order; keys are computed only for these. */
static size_t gather_representatives(Records *records)
{
    size_t count = 0;
    for (size_t i = 0; i < records->count; i++)
        if (records->items[i].representative == &records->items[i])
            records->order[count++] = &records->items[i];
    return count;
}

/* Sorts order [count] by key and keeps the records that share their key with a neighbour. */
static size_t keep_alike(Record **order, size_t count)
{
    qsort(order, count, sizeof *order, by_key);
    size_t kept = 0;
    bool before = false; /* order[i] has the key of the previous record */
    for (size_t i = 0; i < count; i++) {
        const bool after = i + 1 < count && compare_keys(&order[i]->key, &order[i + 1]->key) == 0;
        if (before || after)
            order[kept++] = order[i];
        before = after;
    }
    return kept;
}

typedef struct Reading {
    Record **order;
    FilePart part;
} Reading;

static Status read_key(void *context, size_t index, Error *error)
{
    const Reading *reading = context;
    Record *record = reading->order[index];
    return find_key(record->frame->file, reading->part, &record->key, error);
}

/* Extends the key of each file until it is unique or complete. */
static Status find_keys(Records *records, Threads *threads, Error *error)
{
    static const FilePart PARTS[] = {FILE_SIZE, FILE_BLOCK, FILE_WHOLE};
    size_t count = gather_representatives(records);
    for (size_t i = 0; i < COUNT_OF(PARTS) && count > 0; i++) {
        Reading reading = {records->order, PARTS[i]};
        TRY(visit_all(read_key, &reading, count, threads, error));
        count = keep_alike(records->order, count);
    }
    for (size_t i = 0; i < records->count; i++)
        records->items[i].key = records->items[i].representative->key;
    return STATUS_OK;
}

/*
 * Links the records of a group of equal bytes, by set and in list order. Equal keys mean equal
 * files: a key that does not cover its entire file is unique.
 */
static void link_group(Record *const *group, size_t count)
{
    const Record *first[DATA_COMPARE_SETS] = {NULL};
    const Record *labelled[DATA_COMPARE_SETS][2] = {{NULL}};
    for (size_t i = 0; i < count; i++) {
        Record *record = group[i];
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
            if (compare_keys(&records->order[i]->key, &records->order[end]->key) != 0)
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
        const Record *record = &records->items[i];
        const int set = record->set;
        for (int a = 0; a < set; a++) {
            DataOverlap *overlap = &comparison->overlap[a][set];
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

/* The FF++ numbers shown by the videos of a set, with one video for each. */
typedef struct People {
    const char *video[FFPP_NUMBERS];
    bool pairs; /* a video is named NNN_NNN: the numbers are those of FF++ */
    bool reals; /* all are real and named NNN: FF++ reals, if the other set has pairs */
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
    People *people = mem_new(count, sizeof *people, "comparing lists", error);
    if (!people)
        return error->status;
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
    Records records = {0};
    Status status = records_create(&records, lists, count, error);
    if (status != STATUS_OK)
        goto done;
    link_files(&records);
    if (contents && (status = link_contents(&records, threads, error)) != STATUS_OK)
        goto done;
    count_matches(&records, comparison);
    status = compare_people(lists, count, comparison, error);
done:
    free(records.items);
    free(records.order);
    return status;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

typedef struct Measuring {
    const DataList *list;
    DataFrameSize *sizes;
} Measuring;

static Status measure(void *context, size_t index, Error *error)
{
    const Measuring *measuring = context;
    DataFrameSize *size = &measuring->sizes[index];
    const char *file = measuring->list->frames[size->frame].file;
    FileKey key;
    TRY(find_key(file, FILE_SIZE, &key, error));
    size->bytes = key.size;
    return data_image_size(file, &size->width, &size->height, error);
}

Status data_list_sizes(const DataList *list, int limit, Threads *threads, DataFrameSize **sizes,
                       int *count, Error *error)
{
    assert(list && limit >= 0 && sizes && count && error);
    const int kept = limit == 0 ? list->count : min_int(list->count, limit);
    Measuring measuring = {list, mem_new(kept, sizeof *measuring.sizes, "sizes of images", error)};
    *sizes = NULL;
    *count = 0;
    if (!measuring.sizes)
        return error->status;
    for (int i = 0; i < kept; i++)
        measuring.sizes[i].frame = data_list_spread(i, kept, list->count);
    const Status status = visit_all(measure, &measuring, kept, threads, error);
    if (status != STATUS_OK) {
        free(measuring.sizes);
        return status;
    }
    *sizes = measuring.sizes;
    *count = kept;
    return STATUS_OK;
}
