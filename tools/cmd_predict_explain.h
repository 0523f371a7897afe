/*
 * cmd_predict_explain.h - the heat maps of lnclip predict --explain DIR.
 *
 * Each image that was scored gets a picture (heatmap.h) in DIR, named after the image: STEM.png. Where two
 * images have one stem, folders are put before it, joined by "_", until the names differ (real_000_004.png);
 * what still agrees is numbered. A picture that an earlier run left is replaced; an image that was given is
 * never.
 */
#ifndef LNCLIP_TOOLS_CMD_PREDICT_EXPLAIN_H
#define LNCLIP_TOOLS_CMD_PREDICT_EXPLAIN_H

#include "tools/cli/cli_model.h"

typedef struct CmdPredictExplain {
    char **files; /* [count], the picture of each frame of the list */
    int count;
    int failed; /* images that could be scored and then not be read again */
} CmdPredictExplain;

/*
 * Names the pictures and makes the folder; `list` is borrowed for the call. The caller ends it with
 * cmd_predict_explain_free, also after a failure. STATUS_FAILED if one of them would replace an image of the
 * list, if the folder cannot be made, or without memory.
 */
Status cmd_predict_explain_plan(CmdPredictExplain *explain, const char *folder,
                                const DataList *list, Error *error);

void cmd_predict_explain_free(CmdPredictExplain *explain);

/*
 * Draws the pictures of all frames whose probability is no NaN. probabilities [count,2]. STATUS_INTERRUPTED after
 * a signal (`stop`), with complete pictures only; STATUS_FAILED when one cannot be written, or without memory.
 */
Status cmd_predict_explain_draw(CmdPredictExplain *explain, CliModel *model, const DataList *list,
                                const float *probabilities, const CliArguments *arguments,
                                const volatile sig_atomic_t *stop, Error *error);

#endif
