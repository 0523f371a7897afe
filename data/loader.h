/*
 * loader.h - batches of preprocessed frames, prefetched by worker threads, in a fixed order.
 *
 * Workers decode, augment, resize and crop into 8-bit pixels; what a slot holds depends on the
 * position in the order alone, so neither the number of workers nor their speed changes a batch.
 * Pixels stay 8-bit (a quarter of the memory) until data_normalize, micro-batch by micro-batch.
 *
 * A loader belongs to one thread: its functions are not to be called at the same time.
 */
#ifndef LNCLIP_DATA_LOADER_H
#define LNCLIP_DATA_LOADER_H

#include "data/augment/augment.h"
#include "data/order.h"

#include "tensor/threads.h"

typedef struct DataLoaderSettings {
    int image_size; /* S */
    int batch_size; /* frames a batch; the last one may be short */
    bool drop_last; /* leave out a short last batch */
    bool shuffle;   /* a permutation drawn from (seed, epoch); else list order */
    bool pairs;     /* these three as DataOrderSettings has them */
    bool blend;
    DataSampling sampling;
    bool tolerant; /* an unreadable frame is marked in the batch instead of ending the run */
    int workers;   /* threads; 0 = decode in the caller */
    int prefetch;  /* batches in flight beyond the one in use, >= 1 */
    uint64_t seed;
    uint32_t first_frame; /* of the list within a longer one: draws go by the sample in that */
    DataAugment augment;
    /*
     * Bytes that the workers' frames may take at one time, as data_loader_frame_bytes counts them;
     * 0 = any number. Workers wait for it in the order of the frames; one that takes more is
     * decoded while no other is.
     */
    size_t decode_bytes;
} DataLoaderSettings;

/*
 * 224 pixels, batches of 32 in list order, two workers, two batches ahead, no augmentation, seed 0.
 */
DataLoaderSettings data_loader_defaults(void);

typedef struct DataBatch {
    int count;             /* frames in it */
    const uint8_t *pixels; /* [count,S,S,3] */
    const int *index;      /* [count] position in the list's frames */
    const int *labels;     /* [count] under which they are trained */
    /* [count] NULL, or why that frame could not be read (tolerant only; pixels are 0). */
    const Error *const *errors;
} DataBatch;

typedef struct DataLoader DataLoader;

/*
 * The most that one frame takes from its file to the batch: its pixels, what decoding them needs or
 * what changes them (augmentation, blending), and the rows of the resize.
 */
size_t data_loader_frame_bytes(const DataLoaderSettings *settings, const DataImageHeader *header);

/*
 * Bytes a loader of these settings will hold, for the memory plan: its slots, for each worker a
 * frame of 512 x 512 pixels, and decode_bytes beside. The order of an epoch adds some 30 a frame.
 */
size_t data_loader_bytes(const DataLoaderSettings *settings);

/*
 * The largest data_loader_frame_bytes in the list, and in *largest the index of that frame. All
 * files are asked for their size, and the headers of the DATA_LOADER_HEADERS / 2 largest and of as
 * many others, evenly spread, are read: the cost is bounded, and a frame that was missed only waits
 * longer for its turn. Frames that cannot be read are passed over. STATUS_FAILED without memory.
 */
enum { DATA_LOADER_HEADERS = 4096 };
Status data_loader_largest(const DataList *list, const DataLoaderSettings *settings,
                           Threads *threads, size_t *bytes, int *largest, Error *error);

/*
 * The decode_bytes for frames that take up to `largest` bytes where `allowed` may be used: enough
 * for all workers at once if that is allowed, and always for the largest frame. 0, no limit, where
 * frames are at most 512 x 512.
 */
size_t data_loader_decode_bytes(const DataLoaderSettings *settings, size_t largest, size_t allowed);

/*
 * Creates the loader and its threads; `list` is borrowed until data_loader_destroy and must not be
 * empty. The threads block all signals. STATUS_FAILED without memory or threads, and where
 * data_order_create fails; *loader is then NULL.
 */
Status data_loader_create(DataLoader **loader, const DataList *list,
                          const DataLoaderSettings *settings, Error *error);

/* Stops the workers, whatever they are doing, and frees everything. NULL is allowed. */
void data_loader_destroy(DataLoader *loader);

/*
 * The order in which a loader of these settings shows `list`: for callers that have what it would
 * decode, or want to know the length of an epoch. As data_order_create otherwise.
 */
Status data_loader_order(DataOrder **order, const DataList *list,
                         const DataLoaderSettings *settings, Error *error);

/*
 * Batches of an epoch of `samples` (data_order_count): ceil(samples / batch_size), or floor with
 * drop_last.
 */
int data_epoch_batches(const DataLoaderSettings *settings, int samples);

/* data_epoch_batches of this loader's order. */
int data_loader_batches(const DataLoader *loader);

/*
 * Starts (or restarts) at batch `first` of `epoch`, 0 <= first <= batches: prefetching begins
 * there. Resume is this call. The order is that of data_order_fill; frame i of the list is
 * augmented from random_stream_part(seed, RANDOM_AUGMENT, first_frame + i, epoch, occurrence). With
 * blend a real frame (data_self_blend_real) and the fake made from it (data_self_blend) share part
 * occurrence / 2 of RANDOM_BLEND, and then of RANDOM_AUGMENT, so that they differ in the blending
 * alone. Batches returned before become invalid. Cannot fail at present; the Status is for orders
 * that need memory.
 */
Status data_loader_start(DataLoader *loader, int epoch, int first, Error *error);

/*
 * Waits for the next batch of the epoch; valid until the next call. STATUS_FAILED names the frame
 * that could not be read (the first in the batch's order, whatever worker met it), and the next
 * call goes on with the batch after it. Asserts past the last batch. A steady run allocates nothing
 * here but what decoding a frame needs.
 */
Status data_loader_next(DataLoader *loader, DataBatch *batch, Error *error);

#endif
