/*
 * cmd_predict.c - lnclip predict: the probability of being fake of each image, as lines or JSON.
 *
 * Lines come as soon as their batch is done, in the order of the arguments, so that a long run can be
 * watched and piped. An image that cannot be read costs its own line only.
 */
#include "tools/cli.h"
#include "tools/cli_json.h"
#include "tools/cli_model.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Work {
    const DataList *list;
    const float *probabilities; /* [count,2] */
    int printed;                /* frames whose line is out */
    int unreadable;
    bool json;
    CliProgress progress;
} Work;

static void print_line(const Work *work, int frame)
{
    const char *const path = work->list->frames[frame].path;
    const double fake = (double)work->probabilities[2 * (size_t)frame + 1];
    if (work->json) {
        fputs(frame == 0 ? "[\n  {\"path\": " : ",\n  {\"path\": ", stdout);
        cli_json_print_string(stdout, path);
        if (isnan(fake))
            fputs(", \"p_fake\": null}", stdout);
        else
            printf(", \"p_fake\": %.9g}", fake);
        return;
    }
    cli_print_escaped(stdout, path); /* a line break in a name must not make two lines */
    if (isnan(fake))
        fputs("\tnan\n", stdout);
    else
        printf("\t%.9g\n", fake);
}

static void print_until(Work *work, int done)
{
    for (; work->printed < done; work->printed++)
        print_line(work, work->printed);
    fflush(stdout);
}

static void show_progress(void *context, int done, int total, double images_per_second)
{
    Work *const work = context;
    print_until(work, done);
    cli_progress_show(&work->progress, done, total, images_per_second);
}

static void note_unreadable(void *context, const DataFrame *frame, const Error *reason)
{
    Work *const work = context;
    (void)frame; /* the reason names the file */
    work->unreadable++;
    cli_warn("%s", reason->message);
}

static Status predict(const CliModelOptions *options, const CliArguments *arguments,
                      const DataList *list, Work *work, Error *error)
{
    CliModel model = {0};
    float *const probabilities = calloc((size_t)list->count, 2 * sizeof *probabilities);
    Status status = probabilities
                        ? STATUS_OK
                        : error_set(error, STATUS_FAILED,
                                    "predict: no memory for %d images; give fewer", list->count);
    if (status == STATUS_OK)
        status = cli_model_load(&model, options, arguments, true, error);
    if (status == STATUS_OK)
        status = vit_pack(model.vit, model.precision, false, model.threads, error);
    if (status == STATUS_OK) {
        work->probabilities = probabilities;
        TrainScoring scoring = cli_model_scoring(options);
        scoring.tolerant = true;
        scoring.stop = cli_catch_signals();
        scoring.progress = show_progress;
        scoring.unreadable = note_unreadable;
        scoring.context = work;
        status = train_score(model.vit, &model.head, list, 0, &scoring, model.threads, NULL,
                             probabilities, error);
        if (status == STATUS_OK)
            print_until(work, list->count);
        if (status == STATUS_INTERRUPTED)
            cli_interrupted("predict", "the images printed so far are complete", error);
        if (work->json && work->printed > 0)
            puts("\n]");
    }
    cli_progress_end(&work->progress);
    cli_model_free(&model);
    free(probabilities);
    if (status == STATUS_OK && work->unreadable > 0)
        status = error_set(error, STATUS_FAILED,
                           "predict: %d of %d images could not be read and have no "
                           "probability; see the warnings above",
                           work->unreadable, list->count);
    return status;
}

int cmd_predict(int argc, char **argv)
{
    CliModelOptions model = {0};
    bool json = false;
    CliOption options[] = {
        CLI_MODEL_OPTION(model),
        CLI_ADAPTER_OPTION(model),
        CLI_SCORING_OPTIONS(model),
        {"--json", CLI_FLAG, &json, 0, 0, NULL, "print a JSON array of {path, p_fake}"},
        {0},
    };
    const CliCommand command = {
        .name = "predict",
        .summary = "print the probability of being fake of each image",
        .usage = "lnclip predict --model M [--adapter A] PATH...",
        .details =
            "A PATH is an image of a cropped face, or a folder, which is walked in bytewise sorted "
            "order. One line\nan image: path, tab, p_fake. An image that cannot be read yields nan "
            "and a warning; the exit code is\nthen 1.",
        .example =
            "lnclip predict --model clip-vit-l-14 --adapter run/best.safetensors faces/ one.png",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_model_expect(&arguments, &model);
    cli_expect_positional(&arguments, 1, argc, "an image or a folder");
    Error error = {0};
    DataList list = {0};
    Work work = {.list = &list, .json = json};
    work.progress = cli_progress_begin(&arguments, "scoring", "images");
    work.progress.silent |= isatty(STDOUT_FILENO); /* the lines themselves show the progress */
    Status status =
        data_list_paths(&list, arguments.positional.items, arguments.positional.count, &error);
    if (status == STATUS_OK) {
        status = predict(&model, &arguments, &list, &work, &error);
        data_list_free(&list);
    }
    return status == STATUS_OK ? CLI_DONE : cli_report(&error);
}
