/*
 * eval_partial.h - the scores of an unfinished evaluation, kept so that it can go on.
 *
 * A file DIR/predictions-KEY.partial: one line of header, then `p_real p_fake margin stamp content`
 * for each frame in order. KEY stands for everything the scores depend on but the images, so an
 * evaluation only ever finds its own; one of another model or list in the same folder is not
 * touched before an evaluation there is finished. Stamp and content are file_stamp and
 * file_content_hash of the image: a frame that was replaced under its name is scored again.
 */
#ifndef LNCLIP_TRAIN_EVAL_EVAL_PARTIAL_H
#define LNCLIP_TRAIN_EVAL_EVAL_PARTIAL_H

#include "tensor/base/file.h"

enum { EVAL_KEY_SIZE = 33 }; /* 32 hexadecimal digits and a zero */

/* The images, in the order of the scores. All arrays are [count] and borrowed. */
typedef struct EvalImages {
    const char *const *files;
    const uint64_t *stamps; /* file_stamp, taken before the first of them is read */
    size_t count;
} EvalImages;

/* Where scores go. */
typedef struct EvalKept {
    float *probabilities; /* [count,2] */
    float *margins;       /* [count] */
} EvalKept;

typedef struct EvalPartial {
    FILE *stream;
    size_t done;          /* frames whose scores are in the file */
    const char *replaced; /* the first image that is another one than was scored; NULL: none */
    bool unlocked;        /* there are no locks here: two processes could do the same work */
    char path[FILE_PATH_SIZE];
} EvalPartial;

/*
 * Opens or creates the file of `key` in `folder`, reads the scores kept there into *scores, sets
 * partial->done, and drops a last line that was cut short, and everything from the first image on
 * that is not the one that was scored. STATUS_FAILED if it cannot be written, or if another process
 * is evaluating the same thing right now (it holds a lock).
 */
Status eval_partial_open(EvalPartial *partial, const char *folder, const char key[EVAL_KEY_SIZE],
                         const EvalImages *images, const EvalKept *scores, Error *error);

/*
 * Adds the scores of frames [partial->done, done). A failed write (a full disk) ends the keeping,
 * not the evaluation: false is returned, once.
 */
bool eval_partial_append(EvalPartial *partial, const EvalImages *images, const EvalKept *scores,
                         size_t done);

/* Closes the file, and deletes it if the evaluation is `finished` or nothing is in it. {0} is
 * allowed. */
void eval_partial_close(EvalPartial *partial, bool finished);

/*
 * Deletes what other evaluations left unfinished in `folder`: their scores would be for results
 * that have been replaced.
 * Those of a process that is still running stay.
 */
void eval_partial_clean(const char *folder);

#endif
