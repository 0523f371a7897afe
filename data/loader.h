/*
 * loader.h - batches of preprocessed frames, prefetched by worker threads, in a fixed order.
 *
 * Workers decode, augment, resize and crop into 8-bit pixels. The content of a batch depends only
 * on the order, never on the number or speed of workers. Pixels stay 8-bit (a quarter of the
 * memory) until data_normalize converts them, micro-batch by micro-batch.
 *
 * One loader serves one thread: calls must not overlap.
 *
 * Tests: tests/test_loader.c.
 */
#ifndef LNCLIP_DATA_LOADER_H
#define LNCLIP_DATA_LOADER_H

#include "data/augment/augment.h"
#include "data/order.h"

#include "tensor/threads.h"

typedef struct DataLoaderSettings {
    int image_size; /* S */
    int batch_size; /* frames per batch; the last one may be short */
    bool drop_last; /* skip a short last batch */
    bool shuffle;   /* permute by (seed, epoch); else list order */
    bool pairs;     /* this and the next two: see DataOrderSettings */
    bool blend;
    DataSampling sampling;
    bool tolerant; /* mark an unreadable frame in the batch instead of failing */
    int workers;   /* threads; 0 = decode in the caller */
    int prefetch;  /* batches in flight beyond the one in use, >= 1 */
    uint64_t seed;
    uint32_t first_frame; /* offset of the list within a longer one; random draws use it */
    DataAugment augment;
    /*
     * Limit on the bytes of all frames being decoded at one time, as data_loader_frame_bytes counts
     * them; 0 = no limit. Workers wait for their share in frame order; a frame larger than the
     * limit is decoded while no other is.
     */
    size_t decode_bytes;
} DataLoaderSettings;

/*
 * 224 pixels, batches of 32 in list order, two workers, two prefetched batches, no augmentation,
 * seed 0.
 */
DataLoaderSettings data_loader_defaults(void);

typedef struct DataBatch {
    int count;             /* number of frames */
    const uint8_t *pixels; /* [count,S,S,3] */
    const int *index;      /* [count] index into list->frames */
    const int *labels;     /* [count] training labels, 0 real, 1 fake */
    /* [count] NULL, or why a frame could not be read (tolerant only; its pixels are 0). */
    const Error *const *errors;
} DataBatch;

typedef struct DataLoader DataLoader;

/*
 * Peak bytes of one frame on its way from file to batch: its pixels, the larger of the decoding and
 * the augmentation or blending memory, and the rows between the two passes of the resize.
 */
size_t data_loader_frame_bytes(const DataLoaderSettings *settings, const DataImageHeader *header);

/*
 * Bytes that a loader with these settings will hold, for the memory plan: its slots, a frame of 512
 * x 512 pixels per worker, and decode_bytes. The order of an epoch adds about 30 bytes per frame.
 */
size_t data_loader_bytes(const DataLoaderSettings *settings);

/*
 * Finds the largest data_loader_frame_bytes in the list (*bytes), and the index of that frame
 * (*largest). All files are checked for their size; the headers of the DATA_LOADER_HEADERS / 2
 * largest, and of as many others spread evenly, are read. So the cost is bounded, and a larger
 * frame that was missed only waits longer when it is loaded. Unreadable frames are skipped.
 * STATUS_FAILED when out of memory.
 */
enum { DATA_LOADER_HEADERS = 4096 };
Status data_loader_largest(const DataList *list, const DataLoaderSettings *settings,
                           Threads *threads, size_t *bytes, int *largest, Error *error);

/*
 * The value of decode_bytes for frames of up to `largest` bytes if `allowed` bytes may be used:
 * enough for all workers at once if that is allowed, and always enough for the largest frame. 0 (no
 * limit) if frames are at most 512 x 512.
 */
size_t data_loader_decode_bytes(const DataLoaderSettings *settings, size_t largest, size_t allowed);

/*
 * Creates the loader and its threads; `list` is borrowed until data_loader_destroy and must not be
 * empty. The threads block all signals. STATUS_FAILED when out of memory or threads, or if
 * data_order_create fails; *loader is then NULL.
 */
Status data_loader_create(DataLoader **loader, const DataList *list,
                          const DataLoaderSettings *settings, Error *error);

/* Stops the workers and frees everything; waits for frames in progress. NULL is allowed. */
void data_loader_destroy(DataLoader *loader);

/*
 * Creates the order that a loader with these settings uses for `list`: for callers with precomputed
 * features, or to learn the length of an epoch. Ownership and failures as for data_order_create.
 */
Status data_loader_order(DataOrder **order, const DataList *list,
                         const DataLoaderSettings *settings, Error *error);

/*
 * Number of batches of an epoch of `samples` (data_order_count): ceil(samples / batch_size), or
 * floor with drop_last.
 */
int data_epoch_batches(const DataLoaderSettings *settings, int samples);

/* For tests: data_epoch_batches of this loader's order. */
int data_loader_batches(const DataLoader *loader);

/*
 * Starts (or restarts) at batch `first` of `epoch`, 0 <= first <= batches: prefetching begins
 * there. A resume is this call. The order is that of data_order_fill. Frame i of the list is
 * augmented from random_stream_part(seed, RANDOM_AUGMENT, first_frame + i, epoch, occurrence). With
 * blend, a real frame (data_self_blend_real) and its fake (data_self_blend) share part occurrence /
 * 2 of RANDOM_BLEND and of RANDOM_AUGMENT, so that they differ only in the blending. Batches
 * returned before become invalid. Never fails at present; the Status is for orders that need
 * memory.
 */
Status data_loader_start(DataLoader *loader, int epoch, int first, Error *error);

/*
 * Waits for the next batch of the epoch; *batch is valid until the next call. STATUS_FAILED names
 * the first frame of the batch that could not be read, whichever worker read it; the next call then
 * continues with the next batch. Asserts past the last batch. Allocates nothing but what decoding a
 * frame needs.
 */
Status data_loader_next(DataLoader *loader, DataBatch *batch, Error *error);

#endif
