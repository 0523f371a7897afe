/*
 * eval_partial.h - the scores of an unfinished evaluation, saved so that it can be continued.
 *
 * File DIR/predictions-KEY.partial: a header line, then `p_real p_fake margin stamp content` for
 * each frame in order. KEY is a hash of everything that the scores depend on except the images, so
 * an evaluation only finds its own file. Files of other evaluations stay until an evaluation in the
 * folder is finished. Stamp and content are file_stamp and file_content_hash of the image: a
 * replaced image is scored again.
 *
 * Tests: tests/test_eval.sh.
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_PARTIAL_H
#define LNCLIP_TRAIN_EVAL_EVAL_PARTIAL_H

#include "tensor/base/file.h"

enum { EVAL_KEY_SIZE = 33 }; /* 32 hexadecimal digits and a NUL */

/* The images, in the order of the scores. All arrays are [count] and borrowed. */
typedef struct EvalImages {
    const char *const *files;
    const uint64_t *stamps; /* file_stamp, taken before the first image is read */
    size_t count;
} EvalImages;

/* Scores of all frames. */
typedef struct EvalKept {
    float *probabilities; /* [count,2] */
    float *margins;       /* [count] */
} EvalKept;

typedef struct EvalPartial {
    FILE *stream;
    size_t done;          /* number of frames whose scores are in the file */
    const char *replaced; /* first image that was replaced since it was scored; NULL: none */
    bool unlocked;        /* no locks on this file system: two processes could repeat the work */
    char path[FILE_PATH_SIZE];
} EvalPartial;

/*
 * Opens or creates the file of `key` in `folder`, reads its scores into *scores and sets
 * partial->done. Drops an incomplete last line, and all lines from the first replaced image on.
 * STATUS_FAILED if the file cannot be written or another process holds its lock.
 */
Status eval_partial_open(EvalPartial *partial, const char *folder, const char key[EVAL_KEY_SIZE],
                         const EvalImages *images, const EvalKept *scores, Error *error);

/*
 * Appends the scores of frames [partial->done, done). After a failed write (disk full) it returns
 * false once and saves no more scores; the evaluation can continue.
 */
bool eval_partial_append(EvalPartial *partial, const EvalImages *images, const EvalKept *scores,
                         size_t done);

/* Closes the file; deletes it if the evaluation is `finished` or no scores are saved. Accepts {0}.
 */
void eval_partial_close(EvalPartial *partial, bool finished);

/*
 * Deletes the files of other unfinished evaluations in `folder`, whose results have been replaced.
 * Files locked by a running process are kept.
 */
void eval_partial_clean(const char *folder);

#endif
