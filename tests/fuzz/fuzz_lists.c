/*
 * fuzz_lists.c - harnesses for lists of frames, text files of data sets, and names of videos.
 *
 * Oracle for the JSON reader, which splits a file into chunks: jansson on the entire file.
 */
#include "tests/fuzz/fuzz.h"

#include "data/faces/records.h"
#include "data/lists/identity.h"
#include "data/lists/list.h"
#include "data/lists/path.h"
#include "data/order.h"
#include "data/sets/sets.h"
#include "data/sets/sets_text_private.h"
#include "tensor/base/file.h"

#include <string.h>

static void touch(const char *path)
{
    char folder[FILE_PATH_SIZE];
    snprintf(folder, sizeof folder, "%.*s", (int)(file_name(path) - path), path);
    if (folder[0] != '\0')
        fuzz_folder(folder);
    fuzz_write(path, "x", 1);
}

static void use_list(DataList *list)
{
    char hash[33];
    int frames[2], videos[2];
    Error error = {0};
    CHECK(list->count > 0);
    for (int i = 0; i < list->count; i++) {
        const DataFrame *frame = &list->frames[i];
        CHECK(frame->video >= 0 && frame->video < list->video_count);
        CHECK(frame->source >= 0 && frame->source < list->source_count);
        CHECK(frame->label == list->video_label[frame->video]);
        CHECK(frame->label == list->source_label[frame->source]);
        CHECK(i == 0 || strcmp(list->frames[i - 1].path, frame->path) <= 0);
    }
    data_list_hash(list, hash);
    CHECK(data_list_overlap(list, list) == list->count);
    data_list_counts(list, frames, videos);
    CHECK(frames[0] + frames[1] == list->count && videos[0] + videos[1] == list->video_count);
    int *partners = calloc((size_t)list->count, sizeof *partners);
    CHECK(partners);
    if (data_order_partners(list, partners, &error) == STATUS_OK)
        for (int i = 0; i < list->count; i++)
            CHECK(partners[i] < 0 ||
                  (list->frames[partners[i]].label == 0 && list->frames[i].label == 1));
    free(partners);
    (void)data_list_limit_videos(list, 2, &error);
    CHECK_OK(data_list_choose_frames(list, 1, (DataFrameChoice)0, 1, &error), error);
    CHECK(list->count > 0 && list->count <= list->video_count);
}

void fuzz_list(const uint8_t *data, size_t size)
{
    static bool made;
    if (!made) {
        made = true;
        touch("real/v1/a.png");
        touch("real/v1/b.png");
        touch("real/000/2.png");
        touch("real/000/10.png");
        touch("fake/000_001/2.png");
        touch("fake/v1/a.png");
    }
    const char *path = fuzz_file(data, size);
    DataList list;
    Error error = {0};
    if (data_list_read(&list, &path, 1, &error) != STATUS_OK)
        return;
    use_list(&list);
    data_list_free(&list);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/*
 * True if `node` of the outline has the value `wanted`. Arrays are compared only if they contain no
 * object.
 */
static bool same_value(DataJson *json, const json_t *node, json_t *wanted)
{
    const json_t *borrowed;
    Error error = {0};
    CHECK_OK(data_json_value(json, node, &borrowed, &error), error);
    json_t *value = json_deep_copy(borrowed); /* borrowed values are valid until the next call */
    CHECK(value);
    bool same = json_typeof(value) == json_typeof(wanted);
    if (same && json_is_object(value)) {
        const char *key;
        json_t *member;
        same = json_object_size(value) == json_object_size(wanted);
        json_object_foreach(value, key, member)
        {
            json_t *other = json_object_get(wanted, key);
            same = same && other && same_value(json, member, other);
        }
    } else if (same && !json_is_array(value)) {
        same = json_equal(value, wanted);
    }
    json_decref(value);
    return same;
}

void fuzz_json(const uint8_t *data, size_t size)
{
    static DataJson json;
    static const char mark[] = "\xef\xbb\xbf"; /* byte order mark: allowed here, not in jansson */
    Error error = {0};
    json_error_t reason;
    if (size == 0 || (size >= 3 && memcmp(data, mark, 3) == 0))
        return;
    json_t *whole = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &reason);
    const Status status = data_json_open(&json, fuzz_file(data, size), NULL, &error);
    if (whole) {
        CHECK_OK(status, error);
        CHECK(same_value(&json, json.outline, whole));
    }
    if (status == STATUS_OK)
        data_json_close(&json);
    json_decref(whole);
}

/* ---- data sets ------------------------------------------------------------------------------- */

/* Written lists can be read back, with the same number of frames. */
static void write_and_read(const DataSets *sets)
{
    Error error = {0};
    CHECK_OK(data_sets_write(sets, "lists", true, "{}", 2, &error), error);
    for (int i = 0; i < sets->count; i++) {
        const DataSetsSource *source = &sets->sources[i];
        char path[FILE_PATH_SIZE];
        const char *paths = path;
        DataList list;
        int frames = 0;
        for (int v = 0; v < source->count; v++)
            frames += source->videos[v].count;
        if (frames == 0)
            continue;
        snprintf(path, sizeof path, "lists/%s/%s.txt", data_split_names[source->split],
                 source->name);
        CHECK_OK(data_list_read(&list, &paths, 1, &error), error);
        CHECK(list.count + list.duplicates == frames);
        CHECK(list.source_count == 1 && list.source_label[0] == source->label);
        data_list_free(&list);
    }
}

static void read_set(const char *kind, const char *root, const char *file, const uint8_t *data,
                     size_t size)
{
    int count;
    const DataSetsKind *kinds = data_sets_kinds(&count);
    const DataSetsKind *chosen = NULL;
    for (int i = 0; i < count; i++)
        if (strcmp(kinds[i].name, kind) == 0)
            chosen = &kinds[i];
    CHECK(chosen);
    fuzz_write(file, data, size);
    const DataSetsOptions options = {.root = root,
                                     .file = chosen->takes & DATA_TAKES_FILE ? file : NULL};
    DataSets sets;
    Error error = {0};
    if (data_sets_read(&sets, chosen, &options, &error) != STATUS_OK)
        return;
    if (size % 4 == 0) /* writing is slow */
        write_and_read(&sets);
    data_sets_free(&sets);
}

static void touch_all(bool *made, const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count && !*made; i++)
        touch(paths[i]);
    *made = true;
}
#define TOUCH_ONCE(...)                                                                            \
    do {                                                                                           \
        static bool made;                                                                          \
        static const char *const paths[] = {__VA_ARGS__};                                          \
        touch_all(&made, paths, sizeof paths / sizeof paths[0]);                                   \
    } while (0)

void fuzz_sets_dfb(const uint8_t *data, size_t size)
{
    TOUCH_ONCE("dfb/real/a/0.png", "dfb/real/a/1.png", "dfb/fake/a/0.png");
    read_set("deepfakebench", "dfb", "dfb/set.json", data, size);
}

void fuzz_sets_dfdc(const uint8_t *data, size_t size)
{
    TOUCH_ONCE("dfdc/dfdc_train_part_0/frames/aa/0.png", "dfdc/dfdc_train_part_0/frames/bb/0.png");
    read_set("dfdc", "dfdc", "dfdc/dfdc_train_part_0/metadata.json", data, size);
}

void fuzz_sets_dfdc_csv(const uint8_t *data, size_t size)
{
    TOUCH_ONCE("dfdc/test/frames/aa/0.png", "dfdc/test/frames/bb/0.png");
    read_set("dfdc", "dfdc", "dfdc/test/labels.csv", data, size);
}

void fuzz_sets_dfdcp(const uint8_t *data, size_t size)
{
    TOUCH_ONCE("dfdcp/original_videos/1/frames/a/0.png", "dfdcp/method_A/1/frames/b/0.png");
    read_set("dfdcp", "dfdcp", "dfdcp/dataset.json", data, size);
}

void fuzz_sets_celeb(const uint8_t *data, size_t size)
{
    TOUCH_ONCE("celeb/Celeb-real/frames/id0_0000/0.png", "celeb/YouTube-real/frames/00000/0.png",
               "celeb/Celeb-synthesis/frames/id0_id1_0000/0.png");
    read_set("celebdf2", "celeb", "celeb/List_of_testing_videos.txt", data, size);
}

void fuzz_sets_ff(const uint8_t *data, size_t size)
{
    TOUCH_ONCE("ff/real/000/0.png", "ff/real/001/0.png", "ff/DF/000_001/0.png",
               "ff/DF/001_000/0.png");
    static bool made;
    if (!made)
        fuzz_write("ff/val.json", "[]", 2);
    if (!made)
        fuzz_write("ff/test.json", "[]", 2);
    made = true;
    read_set("ff", "ff", "ff/train.json", data, size);
}

/* ---- names ----------------------------------------------------------------------------------- */

void fuzz_identity(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    DataIdentity identity;
    data_identity(text, &identity);
    CHECK(memchr(identity.origin, '\0', sizeof identity.origin));
    CHECK(memchr(identity.target, '\0', sizeof identity.target));
    CHECK(memchr(identity.source, '\0', sizeof identity.source));
    CHECK(!identity.ffpp_pair || identity.ffpp);
    free(text);
}

/*
 * Finds partners in a list of frames without files: the first lines are frames of the real video
 * 000, the others of the fake 000_001. Oracle: the nearest frame number, the lower of two.
 */
void fuzz_pairs(const uint8_t *data, size_t size)
{
    enum { MOST = 24 };
    static const char *videos[] = {"real/000", "fake/000_001"}, *sources[] = {"real", "fake"};
    static int labels[] = {0, 1};
    DataFrame frames[MOST] = {{0}};
    uint64_t numbers[MOST];
    char paths[MOST][32];
    FuzzInput input = {data, size};
    const int reals = 1 + (int)fuzz_take(&input, 1) % 12,
              fakes = 1 + (int)fuzz_take(&input, 1) % 12;
    uint64_t number = 0;
    for (int i = 0; i < reals + fakes; i++) {
        number = (i == reals ? 0 : number) + 1 + fuzz_take(&input, 1) % 40;
        numbers[i] = number;
        const int fake = i >= reals;
        snprintf(paths[i], sizeof paths[i], "%s/%06u.png", videos[fake], (unsigned)number);
        frames[i] = (DataFrame){
            .path = paths[i], .file = paths[i], .label = fake, .video = fake, .source = fake};
    }
    const DataList list = {.frames = frames,
                           .count = reals + fakes,
                           .videos = videos,
                           .video_label = labels,
                           .video_count = 2,
                           .sources = sources,
                           .source_label = labels,
                           .source_count = 2};
    int partners[MOST];
    Error error = {0};
    CHECK_OK(data_order_partners(&list, partners, &error), error);
    for (int i = 0; i < reals + fakes; i++) {
        int nearest = -1;
        for (int r = 0; i >= reals && r < reals; r++) {
            const int64_t distance = llabs((int64_t)(numbers[r] - numbers[i]));
            if (nearest < 0 || distance < llabs((int64_t)(numbers[nearest] - numbers[i])))
                nearest = r;
        }
        CHECK(partners[i] == nearest);
    }
}

/*
 * The text with all numbers zero-padded to NUMBER digits, so that a bytewise comparison orders
 * numbers.
 */
static void pad_numbers(const char *text, char *key)
{
    enum { NUMBER = 64 };
    while (*text != '\0') {
        const size_t digits = strspn(text, "0123456789");
        if (digits == 0) {
            *key++ = *text++;
            continue;
        }
        memset(key, '0', NUMBER - digits);
        memcpy(key + NUMBER - digits, text, digits);
        key += NUMBER;
        text += digits;
    }
    *key = '\0';
}

/* Compares the order of two names with that of their padded forms. */
void fuzz_natural_order(const uint8_t *data, size_t size)
{
    enum { MOST = 40 };
    static char keys[2][MOST * 64 + 1];
    char names[2][MOST + 1] = {{0}};
    FuzzInput input = {data, size};
    for (int n = 0; n < 2; n++)
        for (size_t i = 0; i < MOST && (names[n][i] = (char)fuzz_take(&input, 1)) != '\0'; i++)
            continue;
    pad_numbers(names[0], keys[0]);
    pad_numbers(names[1], keys[1]);
    const int padded = strcmp(keys[0], keys[1]);
    const int wanted = padded ? padded : strcmp(names[0], names[1]);
    const int order = data_path_compare(names[0], names[1]);
    CHECK((order > 0) == (wanted > 0) && (order < 0) == (wanted < 0));
    const int reverse = data_path_compare(names[1], names[0]);
    CHECK((reverse > 0) == (order < 0) && (reverse < 0) == (order > 0));
}

/* Rows that were read are written sorted, and read again as they are. */
void fuzz_faces_csv(const uint8_t *data, size_t size)
{
    fuzz_folder("crops");
    fuzz_write("crops/a.png", "", 0);
    fuzz_write("crops/faces.csv", data, size);
    DataRecords *records;
    DataCoverage before, after;
    Error error = {0};
    if (data_records_open(&records, "crops", &error) != STATUS_OK)
        return;
    CHECK(data_records_finish(records, &error) == STATUS_OK);
    CHECK(data_records_coverage(records, &before, NULL, 0, &error) == STATUS_OK);
    CHECK(before.crops <= before.frames && before.empty_videos <= before.videos);
    data_records_close(records);
    CHECK(data_records_open(&records, "crops", &error) == STATUS_OK);
    CHECK(data_records_finish(records, &error) == STATUS_OK);
    CHECK(data_records_coverage(records, &after, NULL, 0, &error) == STATUS_OK);
    CHECK(before.frames == after.frames && before.crops == after.crops);
    data_records_close(records);
}
