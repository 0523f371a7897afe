/*
 * loader.c - see loader.h: a ring of slots, filled frame by frame, handed out batch by batch.
 *
 * Batch b lives in slot b mod slots. Workers claim frames in the order of the epoch, so the batch
 * wanted next is always the one being finished, and they stop where the ring is full. One mutex
 * guards the claims and the counts; pixels are written outside it and become visible when the frame
 * is counted as done.
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

/* A batch in the making, or in use. The arrays have batch_size rows. */
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
    int count;           /* samples of an epoch */
    DataSample *samples; /* [count] of the epoch */

    Slot *slots; /* [slot_count] */
    int slot_count;
    pthread_t *threads; /* [thread_count] */
    int thread_count;
    DataResizer own_resizer; /* of the caller, without workers */

    pthread_mutex_t mutex;
    pthread_cond_t claimable; /* workers wait: a slot became free, or the end */
    pthread_cond_t finished;  /* the caller waits: a frame is done, or a worker idle */
    int claim_batch;          /* what is claimed next: this batch, ... */
    int claim_frame;          /* ... this frame of it */
    int next_batch;           /* what data_loader_next returns next */
    int busy;                 /* workers with a claimed frame */
    pthread_cond_t room;      /* workers wait: bytes are free, and it is their turn */
    uint64_t claimed, served; /* frames that were claimed, and that were given their bytes, ever */
    size_t decoding;          /* bytes given to frames at work */
    bool paused;              /* no claims: the epoch is being set up */
    bool stopping;
};

/* The report of a failure for which no memory could be allocated. */
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
 * What a worker keeps of frames of 512 x 512 pixels, or of larger ones until it gives their memory
 * back.
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
    int64_t bytes; /* of the file; then, of those asked, data_loader_frame_bytes; -1: unreadable */
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

/* The largest first; of equal ones that which comes first in the list. */
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
        for (int i = 0; i < half; i++) /* never from before where it goes to: half <= spread */
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

/* The stream from which the frame of a sample is changed. */
static Random draws_of(const DataLoader *loader, const DataSample *sample, RandomPurpose purpose)
{
    const int part = loader->settings.blend ? sample->occurrence / 2 : sample->occurrence;
    const uint32_t frame = loader->settings.first_frame + sample->frame;
    return random_stream_part(loader->settings.seed, purpose, frame, loader->epoch, part);
}

/* Makes the fake of a real frame, or of the frame the real one that stands beside this fake. */
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

/* Decodes, blends, augments, resizes and crops the frame of one sample. */
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
    if (status != STATUS_OK) { /* these messages do not name the file */
        const Error cause = *error;
        error_set(error, status, "%s: %s", file, cause.message);
    }
    return status;
}

/* Fills frame `i` of `batch`. Called without the mutex: nobody else touches that frame. */
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
 * Waits until the frame with this number among the claimed ones may take `bytes`: in the order of
 * the claims, so that the batch wanted next is served first and a large frame is not passed over
 * for ever. With nothing at work any size is let in, so that no wait is without an end. With the
 * mutex.
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

/* What the frame will take; 0 if its header cannot be read, which reading it then says. */
static size_t bytes_of(const DataLoader *loader, int batch, int i)
{
    const DataSample *sample = &loader->samples[batch * loader->settings.batch_size + i];
    DataImageHeader header;
    Error unused = {0};
    if (data_image_header(loader->list->frames[sample->frame].file, &header, &unused) != STATUS_OK)
        return 0;
    return data_loader_frame_bytes(&loader->settings, &header);
}

/* True if a frame may be claimed: not past the epoch's end, nor in a slot that is still in use. */
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

/* Fewer workers than wanted are enough, and without any the caller decodes (next_slot). */
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

/* What may fail, in the order in which each needs what is before it. */
static Status open_loader(DataLoader *loader, Error *error)
{
    TRY(data_loader_order(&loader->order, loader->list, &loader->settings, error));
    loader->count = data_order_count(loader->order);
    loader->batches = data_epoch_batches(&loader->settings, loader->count);
    loader->next_batch = loader->claim_batch = loader->batches; /* nothing to do before the start */
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

/*
 * Frees the slot of the batch returned before, and waits for the next; without workers, fills it.
 */
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
    /* The slot of the batch before this one is the one that batch + prefetch will use. */
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
