/*
 * sets_split.c - divides lists into train, val and test, so that no video, or no person, is in two
 * of them.
 *
 * Videos that must stay together form groups: by person, those connected by the identities in their
 * names (identity.h), where a forged video of two persons connects both. Groups are placed one by
 * one, the largest first, each in the part where it brings the shares of its sources, of its
 * classes and of all videos nearest to the wanted ones. Groups of equal size come in an order drawn
 * from the seed and the names of their videos, not from their positions.
 */
#include "data/lists/identity.h"
#include "data/lists/list.h"
#include "data/sets/sets_build_private.h"
#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"
#include "tensor/base/number.h"
#include "tensor/base/table.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char WHAT[] = "the division of lists";

/* A group of videos. */
typedef struct Group {
    int first;      /* its first video; the others follow in Division.next */
    int size;       /* number of videos */
    uint64_t drawn; /* decides among groups of equal size */
} Group;

typedef struct Division {
    DataSetsBuilder *builder;
    const DataList *list;
    double share[DATA_SPLITS]; /* sum 1 */
    int *parent;               /* [videos] union-find: the lowest video of a group is its root */
    int *next;                 /* [videos] next video of the same group, or -1 */
    int *source;               /* [videos] */
    int *part;                 /* [videos] the result, a DataSplit */
    Group *groups;             /* [group_count] */
    int group_count;
    int strata;     /* sources, then the two classes, then all videos */
    int *total;     /* [strata] videos */
    int *have;      /* [DATA_SPLITS, strata] videos placed */
    int *adding;    /* [strata] videos of the group that is being placed */
    char **persons; /* [2 * videos] "f071": kind and person; NULL: none */
} Division;

/* ---- groups ---------------------------------------------------------------------------------- */

static int find_root(const Division *division, int video)
{
    int *parent = division->parent;
    while (parent[video] != video)
        video = parent[video] = parent[parent[video]];
    return video;
}

static void join(const Division *division, int a, int b)
{
    a = find_root(division, a);
    b = find_root(division, b);
    division->parent[max_int(a, b)] = min_int(a, b);
}

static TableKey key_of_person(const void *persons, uint32_t i)
{
    const char *text = ((char *const *)persons)[i];
    return (TableKey){text, strlen(text), 0};
}

/* Connects the videos of the persons in their names. */
static Status connect_persons(Division *division, Error *error)
{
    const DataList *list = division->list;
    Table table = {0};
    Status status = STATUS_OK;
    for (int video = 0; video < list->video_count && status == STATUS_OK; video++) {
        DataIdentity identity;
        data_identity(list->videos[video], &identity);
        const bool known =
            identity.ffpp || identity.source[0] || strcmp(identity.target, identity.origin) != 0;
        const char *const names[] = {identity.target, identity.source};
        for (int i = 0; known && i < 2 && names[i][0] && status == STATUS_OK; i++) {
            uint32_t at = (uint32_t)(2 * video + i);
            bool added;
            division->persons[at] =
                mem_print(WHAT, error, "%c%s", identity.ffpp ? 'f' : 'p', names[i]);
            status = division->persons[at]
                         ? table_find(&table, key_of_person(division->persons, at), key_of_person,
                                      division->persons, &at, &added, error)
                         : error->status;
            if (status == STATUS_OK)
                join(division, video, (int)at / 2);
        }
    }
    table_free(&table);
    return status;
}

/* The last two parts of a path, which a data set keeps when it is moved. */
static const char *short_name(const char *video)
{
    const char *name = video + strlen(video);
    for (int slashes = 0; name > video; name--)
        if (name[-1] == '/' && ++slashes == 2)
            break;
    return name;
}

static int compare_groups(const void *left, const void *right)
{
    const Group *a = left, *b = right;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    if (a->drawn != b->drawn)
        return a->drawn < b->drawn ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

/* Makes the groups from the union-find, sorted by size. */
static void make_groups(Division *division, uint64_t seed)
{
    const DataList *list = division->list;
    int *const place = division->part; /* index of the group of a root, until parts are chosen */
    for (int video = 0; video < list->video_count; video++) {
        const int root = find_root(division, video);
        const char *name = short_name(list->videos[video]);
        const uint64_t drawn = XXH3_64bits_withSeed(name, strlen(name), seed);
        division->next[video] = -1;
        if (root == video) {
            place[video] = division->group_count++;
            division->groups[place[video]] = (Group){.first = video, .size = 1, .drawn = drawn};
            continue;
        }
        Group *group = &division->groups[place[root]];
        group->size++;
        group->drawn ^= drawn;
        division->next[video] = division->next[root]; /* after the root */
        division->next[root] = video;
    }
    qsort(division->groups, division->group_count, sizeof *division->groups, compare_groups);
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* Adds `sign` for the video to its strata in counts [strata]. */
static void count_video(const Division *division, int video, int *counts, int sign)
{
    const int sources = division->list->source_count;
    counts[division->source[video]] += sign;
    counts[sources + division->list->video_label[video]] += sign;
    counts[sources + 2] += sign;
}

/* By how much the squared errors of all shares grow if division->adding goes to `part`. */
static double cost_of(const Division *division, int part)
{
    const int *have = division->have + (size_t)part * division->strata;
    double cost = 0;
    for (int s = 0; s < division->strata; s++) {
        if (division->adding[s] == 0)
            continue;
        const double before = (double)have[s] / division->total[s] - division->share[part];
        const double after =
            (double)(have[s] + division->adding[s]) / division->total[s] - division->share[part];
        cost += after * after - before * before;
    }
    return cost;
}

static void place_groups(Division *division)
{
    for (int g = 0; g < division->group_count; g++) {
        const Group *group = &division->groups[g];
        memset(division->adding, 0, division->strata * sizeof *division->adding);
        for (int video = group->first; video >= 0; video = division->next[video])
            count_video(division, video, division->adding, 1);
        int best = -1;
        double lowest = 0;
        for (int part = 0; part < DATA_SPLITS; part++) {
            const double cost = division->share[part] > 0 ? cost_of(division, part) : 0;
            if (division->share[part] > 0 && (best < 0 || cost < lowest)) {
                best = part;
                lowest = cost;
            }
        }
        for (int s = 0; s < division->strata; s++)
            division->have[(size_t)best * division->strata + s] += division->adding[s];
        for (int video = group->first; video >= 0; video = division->next[video])
            division->part[video] = best;
    }
}

/* Fails if a wanted part is empty; warns if the largest group spoils the shares. */
static Status check_parts(const Division *division, const char *parts, bool persons, Error *error)
{
    const int all = division->strata - 1, videos = division->list->video_count;
    const int largest = division->groups[0].size;
    for (int part = 0; part < DATA_SPLITS; part++)
        if (division->share[part] > 0 && division->have[(size_t)part * division->strata + all] == 0)
            return error_set(
                error, STATUS_FAILED,
                "split: %s would be empty: %d videos form %d group%s, the largest of %d%s; %s",
                data_split_names[part], videos, division->group_count,
                division->group_count > 1 ? "s" : "", largest,
                persons ? " (forged videos connect the persons in them)" : "",
                largest > videos / 2 ? "use --by video, or split the real videos by person and "
                                       "leave out fakes of persons of two parts"
                                     : "give it a larger share with --parts");
    double most = 0;
    for (int part = 0; part < DATA_SPLITS; part++)
        most = division->share[part] > most ? division->share[part] : most;
    if (largest > most * videos + 1)
        data_sets_warn(division->builder,
                       "split: %d of %d videos are connected by their persons and stay together, "
                       "so %s cannot be kept",
                       largest, videos, parts);
    return STATUS_OK;
}

/* ---- input and output ------------------------------------------------------------------------ */

/* Parses A:B:C, not negative, not all 0. */
static Status parse_parts(const char *text, double share[DATA_SPLITS], Error *error)
{
    const char *at = text;
    double sum = 0;
    bool valid = true;
    for (int part = 0; part < DATA_SPLITS && valid; part++) {
        const size_t length = strcspn(at, ":");
        valid = number_parse(at, length, &share[part]) && share[part] >= 0 && share[part] < 1e9 &&
                (at[length] == ':') == (part + 1 < DATA_SPLITS);
        sum += valid ? share[part] : 0;
        at += length + (at[length] == ':');
    }
    if (!valid || sum <= 0)
        return error_set(error, STATUS_USAGE,
                         "--parts %s: is not of the form 8:1:1; give the shares of train, val and "
                         "test",
                         text);
    for (int part = 0; part < DATA_SPLITS; part++)
        share[part] /= sum;
    return STATUS_OK;
}

/* Reads the lists, with the labels of --real, --fake and --label. */
static Status read_lists(const DataSetsOptions *options, DataList *list, Error *error)
{
    const int count = options->real_count + options->fake_count;
    DataSourceLabel *labels = mem_new(count, sizeof *labels, WHAT, error);
    if (!labels)
        return error->status;
    for (int i = 0; i < count; i++)
        labels[i] = i < options->real_count
                        ? (DataSourceLabel){options->real[i], 0, false}
                        : (DataSourceLabel){options->fake[i - options->real_count], 1, false};
    Status status = data_list_read_labelled(list, options->lists, options->list_count, DATA_SPLITS,
                                            labels, count, error);
    for (int i = 0; i < count && status == STATUS_OK; i++)
        if (!labels[i].used) {
            status = error_set(error, STATUS_USAGE,
                               "--label %s: no list has a source of this name; correct it",
                               labels[i].source);
            data_list_free(list);
        }
    free(labels);
    return status;
}

/* Adds the video whose frames are `frames` [count] of the list. */
static Status add_video(const Division *division, int video, const int *frames, int count,
                        const char **files, Error *error)
{
    DataSetsBuilder *builder = division->builder;
    const DataList *list = division->list;
    const DataFrame *first = &list->frames[frames[0]];
    const char *name = list->videos[video], *source_name = list->sources[first->source];
    const size_t folder = file_name(first->file) - first->file;
    const size_t source_length = strlen(source_name);
    const bool own = strcmp(name, first->file) == 0;
    const bool is_folder =
        folder == 0 ? name[0] == '\0'
                    : strlen(name) == folder - 1 && strncmp(name, first->file, folder - 1) == 0;
    const bool named = !own && !is_folder && strncmp(name, source_name, source_length) == 0 &&
                       name[source_length] == '/';
    int source;
    for (int i = 0; i < count; i++) {
        char path[FILE_PATH_SIZE];
        TRY(file_join(path, builder->root, list->frames[frames[i]].file, error));
        if (!(files[i] = mem_pool_text(builder->pool, path, strlen(path), WHAT, error)))
            return error->status;
    }
    char file_of_source[FILE_PATH_SIZE]; /* real/id1 of list.c */
    TRY(file_join(file_of_source, "", source_name, error));
    for (char *c = file_of_source; *c; c++)
        *c = (char)(*c == '/' ? '_' : *c);
    TRY(data_sets_source(builder, (DataSplit)division->part[video], file_of_source, first->label,
                         &source, error));
    TRY(data_sets_frames(builder, source,
                         own     ? file_name(name)
                         : named ? name + source_length + 1
                         : *name ? name
                                 : ".",
                         files, count, "", error));
    DataSetsSource *into = &builder->sets->sources[source];
    into->videos[into->count - 1].named = named;
    return STATUS_OK;
}

/* A frame and its video, for sorting. */
typedef struct Placed {
    int video, frame;
} Placed;

static int compare_placed(const void *left, const void *right)
{
    const Placed *a = left, *b = right;
    return a->video != b->video ? (a->video > b->video) - (a->video < b->video)
                                : (a->frame > b->frame) - (a->frame < b->frame);
}

static Status add_videos(const Division *division, Error *error)
{
    const DataList *list = division->list;
    Placed *placed = mem_new(list->count, sizeof *placed, WHAT, error);
    int *frames = mem_new(list->count, sizeof *frames, WHAT, error);
    const char **files = mem_new(list->count, sizeof *files, WHAT, error);
    Status status = placed && frames && files ? STATUS_OK : error->status;
    if (status == STATUS_OK) {
        for (int i = 0; i < list->count; i++)
            placed[i] = (Placed){list->frames[i].video, i};
        qsort(placed, list->count, sizeof *placed, compare_placed);
        for (int i = 0; i < list->count; i++)
            frames[i] = placed[i].frame;
    }
    for (int begin = 0, end; begin < list->count && status == STATUS_OK; begin = end) {
        for (end = begin; end < list->count && placed[end].video == placed[begin].video;)
            end++;
        status =
            add_video(division, placed[begin].video, frames + begin, end - begin, files, error);
    }
    free(placed);
    free(frames);
    free(files);
    return status;
}

static Status allocate(Division *division, Error *error)
{
    const DataList *list = division->list;
    const size_t videos = list->video_count, strata = list->source_count + 3;
    division->strata = (int)strata;
    division->parent = mem_new(videos, sizeof *division->parent, WHAT, error);
    division->next = mem_new(videos, sizeof *division->next, WHAT, error);
    division->source = mem_new(videos, sizeof *division->source, WHAT, error);
    division->part = mem_new(videos, sizeof *division->part, WHAT, error);
    division->groups = mem_new(videos, sizeof *division->groups, WHAT, error);
    division->total = mem_new(strata, sizeof *division->total, WHAT, error);
    division->adding = mem_new(strata, sizeof *division->adding, WHAT, error);
    division->have = mem_new(DATA_SPLITS * strata, sizeof *division->have, WHAT, error);
    division->persons = mem_new(2 * videos, sizeof *division->persons, WHAT, error);
    return division->parent && division->next && division->source && division->part &&
                   division->groups && division->total && division->adding && division->have &&
                   division->persons
               ? STATUS_OK
               : error->status;
}

static void release(Division *division)
{
    for (int i = 0; division->persons && i < 2 * division->list->video_count; i++)
        free(division->persons[i]);
    free(division->persons);
    free(division->parent);
    free(division->next);
    free(division->source);
    free(division->part);
    free(division->groups);
    free(division->total);
    free(division->adding);
    free(division->have);
}

static Status divide(Division *division, bool persons, Error *error)
{
    const DataSetsOptions *options = division->builder->options;
    const char *parts = options->parts ? options->parts : "8:1:1";
    const DataList *list = division->list;
    TRY(parse_parts(parts, division->share, error));
    TRY(allocate(division, error));
    for (int video = 0; video < list->video_count; video++)
        division->parent[video] = video;
    for (int i = 0; i < list->count; i++)
        division->source[list->frames[i].video] = list->frames[i].source;
    for (int video = 0; video < list->video_count; video++)
        count_video(division, video, division->total, 1);
    if (persons)
        TRY(connect_persons(division, error));
    make_groups(division, options->seed);
    place_groups(division);
    TRY(check_parts(division, parts, persons, error));
    return add_videos(division, error);
}

Status data_sets_divide(DataSetsBuilder *builder, Error *error)
{
    const DataSetsOptions *options = builder->options;
    const bool persons = options->by && strcmp(options->by, "person") == 0;
    if (options->by && !persons && strcmp(options->by, "video") != 0)
        return error_set(error, STATUS_USAGE, "--by %s: unknown unit; use video or person",
                         options->by);
    DataList list;
    TRY(read_lists(options, &list, error));
    for (int i = 0; i < list.note_count; i++)
        if (list.notes[i].warning)
            data_sets_warn(builder, "%s", list.notes[i].text);
    if (list.duplicates > 0)
        data_sets_warn(builder, "%d lines repeat a frame; each frame counts once", list.duplicates);
    Division division = {.builder = builder, .list = &list};
    Status status = divide(&division, persons, error);
    if (status == STATUS_OK) {
        char note[200];
        snprintf(note, sizeof note, "%d videos in %d groups by %s, parts %.60s, seed %llu",
                 list.video_count, division.group_count, persons ? "person" : "video",
                 options->parts ? options->parts : "8:1:1", (unsigned long long)options->seed);
        builder->sets->note = mem_pool_text(builder->pool, note, strlen(note), WHAT, error);
        status = builder->sets->note ? STATUS_OK : error->status;
    }
    release(&division);
    data_list_free(&list);
    return status;
}
