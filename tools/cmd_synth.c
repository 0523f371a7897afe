/*
 * cmd_synth.c - lnclip synth: a synthetic face-forgery data set on disk.
 */
#include "tools/cli/cli.h"

#include "data/synth/synth.h"

#include <stdlib.h>

typedef struct Work {
    CliProgress progress;
    const char *folder;
} Work;

static void show_progress(void *context, int done, int total)
{
    Work *work = context;
    cli_progress_show(&work->progress, done, total, 0);
    Error error = {0};
    if (done < total &&
        cli_interrupted(work->folder,
                        "the data set is incomplete; delete the folder and start again",
                        &error) != STATUS_OK)
        exit(cli_finish(cli_report(&error)));
}

int cmd_synth(int argc, char **argv)
{
    const char *out = NULL;
    DataSynthSettings settings = data_synth_defaults();
    CliOption options[] = {
        {"--out", CLI_STRING, &out, 0, 0, "DIR", "output folder; must be empty or missing"},
        {"--videos", CLI_INT, &settings.videos, DATA_SYNTH_MIN_VIDEOS, DATA_SYNTH_MAX_VIDEOS, "N",
         "videos per source in all splits (default 40)"},
        {"--frames", CLI_INT, &settings.frames, 1, 999, "N", "frames per video (default 8)"},
        {"--size", CLI_INT, &settings.size, DATA_SYNTH_MIN_SIZE, DATA_SYNTH_MAX_SIZE, "PX",
         "width and height of a frame in pixels (default 224)"},
        {"--seed", CLI_UINT64, &settings.seed, 0, 0, "N", "random seed (default 0)"},
        {0},
    };
    const CliCommand command = {
        .name = "synth",
        .summary = "make a synthetic face-forgery data set",
        .usage = "lnclip synth --out DIR [--videos N] [--frames N] [--size PX] [--seed N]",
        .details = "Draws procedural faces and forgeries of them (swap, reenact, resynthesis, "
                   "warp, splice) as\nDIR/SOURCE/VIDEO/NNN.png, with lists in "
                   "DIR/lists/{train,val,test}/SOURCE.txt; no face is in two\nsplits. For tests "
                   "and examples; results on it say nothing about real data.",
        .example = "lnclip synth --videos 20 --frames 4 --out synth",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 0, 0, "");
    cli_expect_option(&arguments, "--out", out);
    cli_catch_signals();
    Work work = {cli_progress_begin(&arguments, "drawing", "frames"), out};
    Error error = {0};
    Status status = threads_create(&settings.threads, arguments.threads, &error);
    if (status == STATUS_OK)
        status = data_synth_write(out, &settings, show_progress, &work, &error);
    threads_destroy(settings.threads);
    cli_progress_end(&work.progress);
    if (status != STATUS_OK)
        return cli_report(&error);
    cli_note(&arguments, "%s: %d videos per source, %d frames per video, lists in %s/lists", out,
             settings.videos, settings.frames, out);
    return CLI_DONE;
}
