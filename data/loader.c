/*
 * loader.c - see loader.h: a ring of slots, filled frame by frame, returned batch by batch.
 *
 * Batch b uses slot b mod slot_count. Workers claim frames in epoch order, so the batch needed next
 * is always filled first. They wait while the ring is full. One mutex guards the claims
 * and the counts. Pixels are written outside of it and become visible when the frame is counted as
 * done.
 */
#include "data/loader.h"

#include "data/augment/sbi.h"
#include "data/image/preprocess.h"
#include "tensor/base/arithmetic.h"
#include "tensor/base/mem.h"
#include "tensor/threads.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A batch being filled or in use. The arrays have batch_size rows. */
typedef struct Slot {
    uint8_t *pixels; /* [batch_size,S,S,3] */
    int *index;      /* [batch_size] */
    int *labels;     /* [batch_size] */
    Error **errors;  /* [batch_size] NULL, or owned: allocated when a frame fails */
    int done;        /* frames finished */
} Slot;

struct DataLoader {
    const DataList *list;
    DataLoaderSettings settings;
    int batches, epoch;
    DataOrder *order;
    int count;           /* samples per epoch */
    DataSample *samples; /* [count] of the current epoch */

    Slot *slots; /* [slot_count] */
    int slot_count;
    pthread_t *threads; /* [thread_count] */
    int thread_count;
    DataResizer own_resizer; /* used by the caller if there are no workers */

    pthread_mutex_t mutex;
    pthread_cond_t claimable; /* workers wait for a free slot or the end */
    pthread_cond_t finished;  /* the caller waits for a finished frame or an idle worker */
    int claim_batch;          /* next to be claimed: this batch, ... */
    int claim_frame;          /* ... this frame of it */
    int next_batch;           /* the batch that data_loader_next returns next */
    int busy;                 /* workers with a claimed frame */
    pthread_cond_t room;      /* workers wait for free bytes and for their turn */
    uint64_t claimed, served; /* total frames claimed, and frames that have reserved their bytes */
    size_t decoding;          /* bytes reserved by frames in progress */
    bool paused;              /* no claims while the epoch is set up */
    bool stopping;
};

/* Replaces a frame's error if even that cannot be allocated. */
static Error out_of_memory = {.status = STATUS_FAILED,
                              .message = "reading frames: out of memory; close other programs or "
                                         "allow this one more"};

DataLoaderSettings data_loader_defaults(void)
{
    return (DataLoaderSettings){.image_size = 224, .batch_size = 32, .workers = 2, .prefetch = 2};
}

static size_t frame_bytes(const DataLoaderSettings *settings)
{
    return (size_t)settings->image_size * settings->image_size * 3;
}

size_t data_loader_frame_bytes(const DataLoaderSettings *settings, const DataImageHeader *header)
{
    assert(settings && header);
    const int width = header->width, height = header->height;
    const size_t pixels = (size_t)width * height * 3;
    const size_t augmenting = data_augment_bytes(&settings->augment, width, height);
    const size_t blending = settings->blend ? data_self_blend_bytes(width, height) : 0;
    const size_t most = max_size(header->decoding_bytes, max_size(augmenting, blending));
    return pixels + most + (size_t)height * 3 * settings->image_size;
}

/*
 * Bytes that a worker keeps between frames, enough for 512 x 512 pixels. It releases the memory of
 * larger frames.
 */
static size_t usual_bytes(const DataLoaderSettings *settings)
{
    enum { SIDE = 512 };
    return data_loader_frame_bytes(
        settings, &(const DataImageHeader){SIDE, SIDE, data_image_decoding_bytes(SIDE, SIDE)});
}

static size_t workers_of(const DataLoaderSettings *settings)
{
    return max_int(settings->workers, 1);
}

size_t data_loader_bytes(const DataLoaderSettings *settings)
{
    assert(settings);
    const size_t per_frame = frame_bytes(settings) + 2 * sizeof(int) + sizeof(Error *);
    const size_t slots = (size_t)settings->prefetch + 1;
    return slots * settings->batch_size * per_frame + workers_of(settings) * usual_bytes(settings) +
           settings->decode_bytes;
}

size_t data_loader_decode_bytes(const DataLoaderSettings *settings, size_t largest, size_t allowed)
{
    if (largest <= usual_bytes(settings))
        return 0;
    return max_size(largest, min_size(workers_of(settings) * largest, allowed));
}

/* ---- the largest frame of a list ------------------------------------------------------------- */

typedef struct Sized {
    int64_t bytes; /* file size; then data_loader_frame_bytes, -1 if unreadable */
    int frame;
} Sized;

typedef struct Measuring {
    const DataList *list;
    const DataLoaderSettings *settings;
    Sized *frames;
} Measuring;

static void measure_file(void *context, int index, int worker)
{
    const Measuring *measuring = context;
    struct stat info;
    (void)worker;
    const bool known =
        stat(measuring->list->frames[index].file, &info) == 0 && S_ISREG(info.st_mode);
    measuring->frames[index] = (Sized){known ? info.st_size : 0, index};
}

static void measure_header(void *context, int index, int worker)
{
    const Measuring *measuring = context;
    Sized *sized = &measuring->frames[index];
    DataImageHeader header;
    Error unused = {0};
    (void)worker;
    const char *file = measuring->list->frames[sized->frame].file;
    sized->bytes = -1;
    if (data_image_header(file, &header, &unused) == STATUS_OK)
        sized->bytes = data_loader_frame_bytes(measuring->settings, &header);
}

/* Sorts by size, largest first; equal sizes in list order. */
static int compare_sized(const void *a, const void *b)
{
    const Sized *p = a, *q = b;
    if (p->bytes != q->bytes)
        return p->bytes > q->bytes ? -1 : 1;
    return (p->frame > q->frame) - (p->frame < q->frame);
}

Status data_loader_largest(const DataList *list, const DataLoaderSettings *settings,
                           Threads *threads, size_t *bytes, int *largest, Error *error)
{
    assert(list && list->count > 0 && settings && bytes && largest && error);
    const int count = list->count;
    Sized *frames = mem_new(count, sizeof *frames, "the sizes of frames", error);
    if (!frames)
        return error->status;
    Measuring measuring = {list, settings, frames};
    threads_run(threads, count, measure_file, &measuring);
    int asked = count;
    if (count > DATA_LOADER_HEADERS) {
        const int half = DATA_LOADER_HEADERS / 2;
        qsort(frames, count, sizeof *frames, compare_sized);
        /* count - half >= half, so no element is overwritten before it is read */
        for (int i = 0; i < half; i++)
            frames[half + i] = frames[half + data_list_spread(i, half, count - half)];
        asked = 2 * half;
    }
    threads_run(threads, asked, measure_header, &measuring);
    qsort(frames, asked, sizeof *frames, compare_sized);
    *bytes = frames[0].bytes > 0 ? (size_t)frames[0].bytes : 0;
    *largest = frames[0].frame;
    free(frames);
    return STATUS_OK;
}

/* ---- frames into slots ----------------------------------------------------------------------- */

static int frames_in_batch(const DataLoader *loader, int batch)
{
    const int size = loader->settings.batch_size;
    return min_int(size, loader->count - batch * size);
}

static void forget_errors(const DataLoader *loader, Slot *slot)
{
    for (int i = 0; i < loader->settings.batch_size; i++) {
        if (slot->errors[i] != &out_of_memory)
            free(slot->errors[i]);
        slot->errors[i] = NULL;
    }
}

/* The random stream of one sample for one purpose. */
static Random draws_of(const DataLoader *loader, const DataSample *sample, RandomPurpose purpose)
{
    const int part = loader->settings.blend ? sample->occurrence / 2 : sample->occurrence;
    const uint32_t frame = loader->settings.first_frame + sample->frame;
    return random_stream_part(loader->settings.seed, purpose, frame, loader->epoch, part);
}

/* Turns the frame into a self-blended fake, or into the real frame that belongs to that fake. */
static Status blend_frame(const DataLoader *loader, const DataSample *sample, DataImage *image,
                          Error *error)
{
    Random random = draws_of(loader, sample, RANDOM_BLEND);
    if (!sample->blend)
        return data_self_blend_real(image, &random, error);
    DataLandmarks landmarks;
    TRY(data_landmarks_read(loader->list->frames[sample->frame].file, &landmarks, error));
    return data_self_blend(image, &landmarks, &random, error);
}

/* Decodes, blends, augments, resizes and crops the frame of one sample: pixels [S,S,3]. */
static Status prepare_frame(const DataLoader *loader, const DataSample *sample,
                            DataResizer *resizer, uint8_t *pixels, Error *error)
{
    const DataLoaderSettings *settings = &loader->settings;
    const char *file = loader->list->frames[sample->frame].file;
    DataImage image;
    TRY(data_image_read(file, &image, error));
    Status status = STATUS_OK;
    if (settings->blend && (status = blend_frame(loader, sample, &image, error)) != STATUS_OK)
        goto done;
    if (data_augment_active(&settings->augment)) {
        Random random = draws_of(loader, sample, RANDOM_AUGMENT);
        status = data_augment_apply(&settings->augment, &random, &image, error);
        if (status != STATUS_OK)
            goto done;
    }
    status = data_resize_crop(resizer, &image, settings->image_size, pixels, error);
done:
    data_image_free(&image);
    if (status != STATUS_OK) { /* the messages of resizing and augmenting do not name the file */
        const Error cause = *error;
        error_set(error, status, "%s: %s", file, cause.message);
    }
    return status;
}

/* Fills frame `i` of `batch`. Needs no mutex: only the worker that claimed the frame writes it. */
static void fill_frame(const DataLoader *loader, int batch, int i, DataResizer *resizer)
{
    Slot *slot = &loader->slots[batch % loader->slot_count];
    const DataSample *sample = &loader->samples[batch * loader->settings.batch_size + i];
    uint8_t *pixels = slot->pixels + i * frame_bytes(&loader->settings);
    Error error = {0};
    slot->index[i] = sample->frame;
    slot->labels[i] = data_sample_label(loader->list, sample);
    slot->errors[i] = NULL;
    if (prepare_frame(loader, sample, resizer, pixels, &error) == STATUS_OK)
        return;
    memset(pixels, 0, frame_bytes(&loader->settings));
    slot->errors[i] = malloc(sizeof error);
    if (slot->errors[i])
        *slot->errors[i] = error;
    else
        slot->errors[i] = &out_of_memory;
}

/*
 * Waits until the frame with this claim number may reserve `bytes`. Frames are served in the order
 * of the claims, so that the batch needed next comes first and a large frame is not starved. If no
 * frame is in progress any size is allowed, so no wait is endless. The caller holds the mutex.
 */
static void reserve_bytes(DataLoader *loader, uint64_t number, size_t bytes)
{
    const size_t limit = loader->settings.decode_bytes;
    while (loader->served != number || (loader->decoding > 0 && (loader->decoding >= limit ||
                                                                 bytes > limit - loader->decoding)))
        pthread_cond_wait(&loader->room, &loader->mutex);
    loader->served++;
    loader->decoding += bytes;
    pthread_cond_broadcast(&loader->room);
}

static void release_bytes(DataLoader *loader, size_t bytes)
{
    loader->decoding -= bytes;
    pthread_cond_broadcast(&loader->room);
}

/* Bytes that the frame will need; 0 if its header cannot be read, which fill_frame then reports. */
static size_t bytes_of(const DataLoader *loader, int batch, int i)
{
    const DataSample *sample = &loader->samples[batch * loader->settings.batch_size + i];
    DataImageHeader header;
    Error unused = {0};
    if (data_image_header(loader->list->frames[sample->frame].file, &header, &unused) != STATUS_OK)
        return 0;
    return data_loader_frame_bytes(&loader->settings, &header);
}

/* True if a frame may be claimed: the epoch has not ended, and the slot is not in use. */
static bool can_claim(const DataLoader *loader)
{
    return !loader->paused && loader->claim_batch < loader->batches &&
           loader->claim_batch < loader->next_batch + loader->settings.prefetch;
}

static void *work(void *argument)
{
    DataLoader *loader = argument;
    DataResizer resizer = {0};
    pthread_mutex_lock(&loader->mutex);
    while (!loader->stopping) {
        if (!can_claim(loader)) {
            pthread_cond_wait(&loader->claimable, &loader->mutex);
            continue;
        }
        const int batch = loader->claim_batch, frame = loader->claim_frame;
        if (++loader->claim_frame == frames_in_batch(loader, batch)) {
            loader->claim_frame = 0;
            loader->claim_batch++;
        }
        loader->busy++;
        const uint64_t number = loader->claimed++;
        pthread_mutex_unlock(&loader->mutex);
        const bool limited = loader->settings.decode_bytes > 0;
        const size_t bytes = limited ? bytes_of(loader, batch, frame) : 0;
        if (limited) {
            pthread_mutex_lock(&loader->mutex);
            reserve_bytes(loader, number, bytes);
            pthread_mutex_unlock(&loader->mutex);
        }
        fill_frame(loader, batch, frame, &resizer);
        pthread_mutex_lock(&loader->mutex);
        if (limited)
            release_bytes(loader, bytes);
        loader->slots[batch % loader->slot_count].done++;
        loader->busy--;
        pthread_cond_signal(&loader->finished);
    }
    pthread_mutex_unlock(&loader->mutex);
    data_resizer_free(&resizer);
    return NULL;
}

/*
 * Starts up to settings.workers threads. If the system refuses some, the others do the work;
 * without any, the caller does it in next_slot.
 */
static void create_threads(DataLoader *loader)
{
    while (loader->thread_count < loader->settings.workers &&
           threads_start(&loader->threads[loader->thread_count], work, loader))
        loader->thread_count++;
}

static Status allocate(DataLoader *loader, Error *error)
{
    static const char WHAT[] = "batches of frames (a smaller batch takes less)";
    const DataLoaderSettings *settings = &loader->settings;
    const int rows = settings->batch_size;
    loader->slot_count = settings->prefetch + 1;
    if (!(loader->samples = mem_new(loader->count, sizeof *loader->samples, WHAT, error)) ||
        !(loader->threads = mem_new(settings->workers, sizeof *loader->threads, WHAT, error)) ||
        !(loader->slots = mem_new(loader->slot_count, sizeof *loader->slots, WHAT, error)))
        return error->status;
    for (int i = 0; i < loader->slot_count; i++) {
        Slot *slot = &loader->slots[i];
        if (!(slot->pixels = mem_new(rows, frame_bytes(settings), WHAT, error)) ||
            !(slot->index = mem_new(rows, sizeof *slot->index, WHAT, error)) ||
            !(slot->labels = mem_new(rows, sizeof *slot->labels, WHAT, error)) ||
            !(slot->errors = mem_new(rows, sizeof *slot->errors, WHAT, error)))
            return error->status;
    }
    return STATUS_OK;
}

/* All steps that may fail; each needs the ones before it. */
static Status open_loader(DataLoader *loader, Error *error)
{
    TRY(data_loader_order(&loader->order, loader->list, &loader->settings, error));
    loader->count = data_order_count(loader->order);
    loader->batches = data_epoch_batches(&loader->settings, loader->count);
    /* nothing to claim before the start */
    loader->next_batch = loader->claim_batch = loader->batches;
    TRY(allocate(loader, error));
    create_threads(loader);
    return STATUS_OK;
}

Status data_loader_create(DataLoader **result, const DataList *list,
                          const DataLoaderSettings *settings, Error *error)
{
    assert(result && list && list->count > 0 && settings && error);
    assert(settings->image_size > 0 && settings->batch_size > 0 && settings->workers >= 0 &&
           settings->prefetch >= 1);
    *result = NULL;
    DataLoader *loader = mem_new(1, sizeof *loader, "the loader", error);
    if (!loader)
        return error->status;
    loader->list = list;
    loader->settings = *settings;
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->claimable, NULL);
    pthread_cond_init(&loader->finished, NULL);
    pthread_cond_init(&loader->room, NULL);
    const Status status = open_loader(loader, error);
    if (status != STATUS_OK)
        data_loader_destroy(loader);
    else
        *result = loader;
    return status;
}

void data_loader_destroy(DataLoader *loader)
{
    if (!loader)
        return;
    pthread_mutex_lock(&loader->mutex);
    loader->stopping = true;
    pthread_cond_broadcast(&loader->claimable);
    pthread_mutex_unlock(&loader->mutex);
    for (int i = 0; i < loader->thread_count; i++)
        pthread_join(loader->threads[i], NULL);
    for (int i = 0; loader->slots && i < loader->slot_count; i++) {
        Slot *slot = &loader->slots[i];
        if (slot->errors)
            forget_errors(loader, slot);
        free(slot->errors);
        free(slot->labels);
        free(slot->index);
        free(slot->pixels);
    }
    data_resizer_free(&loader->own_resizer);
    pthread_cond_destroy(&loader->finished);
    pthread_cond_destroy(&loader->room);
    pthread_cond_destroy(&loader->claimable);
    pthread_mutex_destroy(&loader->mutex);
    free(loader->slots);
    free(loader->threads);
    free(loader->samples);
    data_order_destroy(loader->order);
    free(loader);
}

int data_loader_batches(const DataLoader *loader)
{
    return loader->batches;
}

int data_epoch_batches(const DataLoaderSettings *settings, int samples)
{
    const bool rest = samples % settings->batch_size != 0;
    return samples / settings->batch_size + (rest && !settings->drop_last);
}

Status data_loader_order(DataOrder **order, const DataList *list,
                         const DataLoaderSettings *settings, Error *error)
{
    const DataOrderSettings wanted = {
        .seed = settings->seed,
        .batch_size = settings->batch_size,
        .shuffle = settings->shuffle,
        .pairs = settings->pairs,
        .blend = settings->blend,
        .sampling = settings->sampling,
    };
    return data_order_create(order, list, &wanted, error);
}

Status data_loader_start(DataLoader *loader, int epoch, int first, Error *error)
{
    assert(loader && epoch >= 0 && first >= 0 && first <= loader->batches && error);
    pthread_mutex_lock(&loader->mutex);
    loader->paused = true;
    while (loader->busy > 0)
        pthread_cond_wait(&loader->finished, &loader->mutex);
    loader->epoch = epoch;
    data_order_fill(loader->order, epoch, loader->samples);
    for (int i = 0; i < loader->slot_count; i++) {
        forget_errors(loader, &loader->slots[i]);
        loader->slots[i].done = 0;
    }
    loader->next_batch = loader->claim_batch = first;
    loader->claim_frame = 0;
    loader->paused = false;
    pthread_cond_broadcast(&loader->claimable);
    pthread_mutex_unlock(&loader->mutex);
    return STATUS_OK;
}

/* Frees the slot of the previous batch and waits for the next slot; without workers, fills it. */
static Slot *next_slot(DataLoader *loader)
{
    const int batch = loader->next_batch, count = frames_in_batch(loader, batch);
    Slot *slot = &loader->slots[batch % loader->slot_count];
    if (loader->thread_count == 0) {
        forget_errors(loader, slot);
        for (int i = 0; i < count; i++)
            fill_frame(loader, batch, i, &loader->own_resizer);
        loader->next_batch++;
        return slot;
    }
    pthread_mutex_lock(&loader->mutex);
    /* The previous batch's slot is the one that batch + prefetch will use. */
    Slot *used = &loader->slots[(batch + loader->slot_count - 1) % loader->slot_count];
    if (used->done > 0) {
        forget_errors(loader, used);
        used->done = 0;
    }
    loader->next_batch++;
    pthread_cond_broadcast(&loader->claimable);
    while (slot->done < count)
        pthread_cond_wait(&loader->finished, &loader->mutex);
    pthread_mutex_unlock(&loader->mutex);
    return slot;
}

Status data_loader_next(DataLoader *loader, DataBatch *batch, Error *error)
{
    assert(loader && batch && error);
    assert(loader->next_batch < loader->batches);
    const int count = frames_in_batch(loader, loader->next_batch);
    const Slot *slot = next_slot(loader);
    *batch = (DataBatch){.count = count,
                         .pixels = slot->pixels,
                         .index = slot->index,
                         .labels = slot->labels,
                         .errors = (const Error *const *)slot->errors};
    for (int i = 0; i < count && !loader->settings.tolerant; i++) {
        if (slot->errors[i]) {
            *error = *slot->errors[i];
            return error->status;
        }
    }
    return STATUS_OK;
}
