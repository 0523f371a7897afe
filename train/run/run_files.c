/*
 * run_files.c - see run_files.h.
 */
#include "train/run/run_files.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/c_locale.h"
#include "tensor/base/mem.h"
#include "train/plot/chart.h"
#include "train/run/event_file.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMN(NAME, name, ...) ",loss_" #name
static const char STEPS_HEADER[] =
    "step,epoch,lr,loss" TRAIN_LOSS_ROWS(COLUMN, TRAIN_LOSS_SKIP) ",grad_norm,images_per_second\n";
#undef COLUMN
static const char EPOCHS_HEADER[] = "epoch,step,lr,train_loss,val_loss,val_auroc_frame,"
                                    "val_auroc_video,val_map_frame,val_map_video,val_eer_video,"
                                    "seconds,best\n";

static const char *const table_names[] = {
    [TRAIN_RUN_STEPS] = "steps.csv", [TRAIN_RUN_EPOCHS] = "epochs.csv"};

static const char *header_of(const TrainRunFiles *files, TrainRunTable table)
{
    return table == TRAIN_RUN_STEPS ? STEPS_HEADER : files->epochs_header;
}

/* Index of column `name` in a header line, from 0; -1 if missing. */
static int column_of(const char *header, const char *name)
{
    const size_t length = strlen(name);
    int column = 0;
    for (const char *at = header; at; column++) {
        if (strncmp(at, name, length) == 0 && strchr(",\n", at[length]))
            return column;
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    return -1;
}

/* Adds a last column for the monitor, by which adapters are kept, if it has no standard column. */
static void choose_columns(TrainRunFiles *files, const char *monitor)
{
    snprintf(files->epochs_header, sizeof files->epochs_header, "%s", EPOCHS_HEADER);
    if (column_of(EPOCHS_HEADER, monitor) >= 0)
        return;
    snprintf(files->monitor, sizeof files->monitor, "%s", monitor);
    snprintf(files->epochs_header, sizeof files->epochs_header, "%.*s,%s\n",
             (int)strcspn(EPOCHS_HEADER, "\n"), EPOCHS_HEADER, files->monitor);
}

static const char EVENTS_NAME[] = "events.out.tfevents.lnclip", CURVES_NAME[] = "curves.svg";

static const char *const run_names[] = {"recipe.txt",       "steps.csv",
                                        "epochs.csv",       "last.safetensors",
                                        "best.safetensors", "state.safetensors"};

/* Ten million rows of 100 bytes: beyond any real run, and a bound on the cost of a wrong file. */
static const size_t CSV_LIMIT = (size_t)1 << 30;

Status train_run_check_new(const char *folder, Error *error)
{
    for (size_t i = 0; i < COUNT_OF(run_names); i++) {
        char path[FILE_PATH_SIZE];
        Error ignored = {0};
        if (file_join(path, folder, run_names[i], &ignored) == STATUS_OK && file_exists(path))
            return error_set(
                error, STATUS_FAILED,
                "%s: already contains a run; continue it with --resume, or choose another --out",
                folder);
    }
    return STATUS_OK;
}

static Status write_recipe(const char *folder, const TrainRecipe *recipe, Error *error)
{
    char path[FILE_PATH_SIZE];
    FileWriter writer;
    TRY(file_join(path, folder, "recipe.txt", error));
    TRY(file_begin(&writer, path, error));
    train_recipe_print(recipe, writer.stream);
    return file_commit(&writer, error);
}

static Status open_for_append(FILE **stream, const char *folder, const char *name, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, folder, name, error));
    *stream = fopen(path, "ae");
    if (!*stream)
        return error_set(error, STATUS_FAILED,
                         "%s: cannot be opened for writing (%s); choose another --out", path,
                         strerror(errno));
    return STATUS_OK;
}

static Status open_tables(TrainRunFiles *files, Error *error)
{
    TRY(open_for_append(&files->steps, files->folder, table_names[TRAIN_RUN_STEPS], error));
    return open_for_append(&files->epochs, files->folder, table_names[TRAIN_RUN_EPOCHS], error);
}

/* Removes newer records of an earlier session, even if this session writes no events. */
static Status reopen_events(TrainRunFiles *files, const TrainRecipe *recipe, int64_t steps,
                            int epochs, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, files->folder, EVENTS_NAME, error));
    TRY(train_event_file_cut(path, steps, epochs, error));
    return recipe->log_tensorboard ? train_event_file_open(&files->events, path, error) : STATUS_OK;
}

/* True if line [begin, end) has `number` in its first column and the given number of commas. */
static bool is_row(const char *begin, const char *end, int64_t number, int commas)
{
    char *stop = NULL;
    for (const char *p = begin; p < end; p++)
        commas -= *p == ',';
    return commas == 0 && !memchr(begin, '\0', (size_t)(end - begin)) &&
           strtoll(begin, &stop, 10) == number && *stop == ',';
}

/*
 * Size in bytes of `header` and of the first `rows` complete rows, numbered from `first` in the
 * first column. *found: number of these rows.
 */
static size_t kept_bytes(const char *content, size_t size, const char *header, int64_t first,
                         int64_t rows, int64_t *found)
{
    size_t end = strlen(header);
    int commas = 0;
    for (const char *p = header; *p; p++)
        commas += *p == ',';
    *found = 0;
    while (*found < rows && end < size) {
        const char *newline = memchr(content + end, '\n', size - end);
        if (!newline || !is_row(content + end, newline, first + *found, commas))
            break;
        end = (size_t)(newline - content) + 1;
        (*found)++;
    }
    return end;
}

/* Truncates a table to its first `rows` rows; creates it if rows is 0. */
static Status cut(const TrainRunFiles *files, TrainRunTable table, int64_t rows, Error *error)
{
    const char *header = header_of(files, table);
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, files->folder, table_names[table], error));
    if (rows == 0)
        return file_write(path, header, strlen(header), error);
    char *content = NULL;
    size_t size = 0;
    TRY(file_read(path, CSV_LIMIT, &content, &size, error));
    Status status = STATUS_OK;
    int64_t found = 0;
    if (strncmp(content, header, strlen(header)) != 0)
        status = error_set(
            error, STATUS_FAILED,
            "%s: the first line is not the expected header; restore the file, or start a new run "
            "in another folder",
            path);
    const int64_t first = table == TRAIN_RUN_EPOCHS ? 1 : 0; /* steps count from 0 */
    const size_t end =
        status == STATUS_OK ? kept_bytes(content, size, header, first, rows, &found) : 0;
    if (status == STATUS_OK && found < rows)
        status = error_set(
            error, STATUS_FAILED,
            "%s: row %lld is missing or damaged, but the checkpoint counts %lld rows; restore "
            "the file, or start a new run in another folder",
            path, (long long)(first + found), (long long)rows);
    if (status == STATUS_OK && end < size)
        status = file_write(path, content, end, error);
    free(content);
    return status;
}

/* Locks the folder against a second process. The kernel releases the lock when the process ends. */
static Status lock_folder(TrainRunFiles *files, const char *folder, Error *error)
{
    files->lock = opendir(folder);
    if (!files->lock)
        return error_set(error, STATUS_FAILED,
                         "%s: the folder cannot be read (%s); check its permissions", folder,
                         strerror(errno));
    const FileLock lock = file_lock(dirfd(files->lock));
    files->unlocked = lock == FILE_LOCK_UNSUPPORTED; /* the caller warns */
    if (lock != FILE_LOCK_BUSY)
        return STATUS_OK;
    train_run_files_close(files);
    return error_set(error, STATUS_FAILED,
                     "%s: another process is training in this folder; wait for it, or choose "
                     "another --out",
                     folder);
}

/* Removes temporary files of killed processes. safetensors_write removes those of its own. */
static Status remove_leftovers(const char *folder, Error *error)
{
    static const char *const names[] = {"recipe.txt", "steps.csv", "epochs.csv", CURVES_NAME,
                                        EVENTS_NAME};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[FILE_PATH_SIZE];
        TRY(file_join(path, folder, names[i], error));
        file_remove_leftovers(path);
    }
    return STATUS_OK;
}

static Status reopen(TrainRunFiles *files, const TrainRecipe *recipe, int64_t steps, int epochs,
                     Error *error)
{
    TRY(remove_leftovers(files->folder, error));
    TRY(cut(files, TRAIN_RUN_STEPS, steps, error));
    TRY(cut(files, TRAIN_RUN_EPOCHS, epochs, error));
    TRY(reopen_events(files, recipe, steps, epochs, error));
    TRY(write_recipe(files->folder, recipe, error));
    return open_tables(files, error);
}

Status train_run_files_resume(TrainRunFiles *files, const char *folder, const TrainRecipe *recipe,
                              int64_t steps, int epochs, Error *error)
{
    *files = (TrainRunFiles){0};
    TRY(file_make_folders(folder, error));
    choose_columns(files, recipe->monitor);
    TRY(file_join(files->folder, folder, "", error));
    TRY(lock_folder(files, folder, error));
    const Status status = reopen(files, recipe, steps, epochs, error);
    if (status != STATUS_OK)
        train_run_files_close(files);
    return status;
}

Status train_run_files_create(TrainRunFiles *files, const char *folder, const TrainRecipe *recipe,
                              Error *error)
{
    *files = (TrainRunFiles){0};
    TRY(train_run_check_new(folder, error));
    return train_run_files_resume(files, folder, recipe, 0, 0, error);
}

Status train_run_files_check_recipe(const char *folder, const TrainRecipe *recipe, Error *error)
{
    char path[FILE_PATH_SIZE];
    TRY(file_join(path, folder, "recipe.txt", error));
    if (!file_exists(path))
        return STATUS_OK;
    TrainRecipe saved = *recipe;
    TRY(train_recipe_read(&saved, path, error));
    return train_recipe_same(&saved, recipe, error);
}

/* Flushes a stream and checks for write errors. */
static Status flush(FILE *stream, const char *folder, const char *name, Error *error)
{
    if (fflush(stream) == 0 && !ferror(stream))
        return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s%s: cannot be written (%s); free some disk space and use --resume", folder,
                     name, strerror(errno));
}

Status train_run_files_step(TrainRunFiles *files, const TrainStepRow *row, Error *error)
{
    if (!files->steps)
        return STATUS_OK;
    const locale_t before = c_locale_begin();
    fprintf(files->steps, "%lld,%d,%.9g,%.9g", (long long)row->step, row->epoch + 1, row->lr,
            (double)row->losses.total);
    for (int i = 0; i < TRAIN_LOSSES; i++)
        fprintf(files->steps, ",%.9g", (double)row->losses.part[i]);
    fprintf(files->steps, ",%.9g,%.9g\n", row->grad_norm, row->images_per_second);
    c_locale_end(before);
    if (files->events) {
#define VALUE(NAME, name, ...) {"loss/" #name, (double)row->losses.part[TRAIN_LOSS_##NAME]},
        const TrainEventValue values[] = {
            {"loss/total", (double)row->losses.total},
            TRAIN_LOSS_ROWS(VALUE, TRAIN_LOSS_SKIP){"lr", row->lr},
            {"grad_norm", row->grad_norm},
            {"images_per_second", row->images_per_second},
        };
#undef VALUE
        train_event_file_write(files->events, row->step, values, COUNT_OF(values));
        TRY(flush(files->events, files->folder, EVENTS_NAME, error));
    }
    return flush(files->steps, files->folder, "steps.csv", error);
}

Status train_run_files_epoch(TrainRunFiles *files, const TrainEpoch *row, Error *error)
{
    if (!files->epochs)
        return STATUS_OK;
    const locale_t before = c_locale_begin();
    fprintf(files->epochs, "%d,%lld,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.3f,%d",
            row->epoch + 1, (long long)row->step, row->lr, row->train_loss, row->val_loss,
            row->frame.auroc, row->video.auroc, row->frame.map, row->video.map, row->video.eer,
            row->seconds, row->best ? 1 : 0);
    const double monitor =
        files->monitor[0] ? train_monitor_value(row, files->monitor) : (double)NAN;
    if (files->monitor[0])
        fprintf(files->epochs, ",%.9g", monitor);
    fputc('\n', files->epochs);
    c_locale_end(before);
    if (files->events) {
        char tag[sizeof files->monitor] = "";
        if (files->monitor[0]) /* val_... */
            snprintf(tag, sizeof tag, "val/%s", files->monitor + strlen("val_"));
        const TrainEventValue values[] = {
            {TRAIN_EVENT_EPOCH, row->epoch + 1},
            {"loss/epoch", row->train_loss},
            {"val/loss", row->val_loss},
            {"val/auroc_frame", row->frame.auroc},
            {"val/auroc_video", row->video.auroc},
            {"val/map_frame", row->frame.map},
            {"val/map_video", row->video.map},
            {"val/eer_video", row->video.eer},
            {tag, monitor},
        };
        const int count = COUNT_OF(values);
        train_event_file_write(files->events, row->step, values, tag[0] ? count : count - 1);
        TRY(flush(files->events, files->folder, EVENTS_NAME, error));
    }
    return flush(files->epochs, files->folder, "epochs.csv", error);
}

Status train_run_files_name(TrainRunFiles *files, const char *folder, const char *monitor,
                            Error *error)
{
    *files = (TrainRunFiles){0};
    choose_columns(files, monitor);
    return file_join(files->folder, "", folder, error);
}

Status train_run_files_column(const TrainRunFiles *files, TrainRunTable table, const char *name,
                              double **values, int *count, Error *error)
{
    *values = NULL;
    *count = 0;
    const char *header = header_of(files, table);
    char path[FILE_PATH_SIZE];
    char *content = NULL;
    size_t size = 0, rows = 0;
    const int column = column_of(header, name);
    assert(column >= 0 && "a column of this file");
    TRY(file_join(path, files->folder, table_names[table], error));
    TRY(file_read(path, CSV_LIMIT, &content, &size, error));
    if (size < strlen(header) || memcmp(content, header, strlen(header)) != 0) {
        free(content);
        return error_set(error, STATUS_FAILED, "%s: the header line is missing; restore the file",
                         path);
    }
    for (size_t i = strlen(header); i < size; i++)
        rows += content[i] == '\n';
    if (!(*values = mem_new(rows, sizeof **values, path, error))) {
        free(content);
        return error->status;
    }
    const char *line = content + strlen(header);
    for (size_t row = 0; row < rows; row++, line = strchr(line, '\n') + 1) {
        const char *field = line, *end = strchr(line, '\n');
        for (int i = 0; i < column && field; i++) {
            field = memchr(field, ',', (size_t)(end - field));
            field = field ? field + 1 : NULL;
        }
        /* A row truncated by another program lacks the field. */
        (*values)[(*count)++] = field ? strtod_l(field, NULL, c_locale()) : (double)NAN;
    }
    free(content);
    return STATUS_OK;
}

Status train_run_files_sync(TrainRunFiles *files, Error *error)
{
    FILE *streams[3] = {files->steps, files->epochs, files->events};
    for (int i = 0; i < 3; i++) {
        if (streams[i] && fsync(fileno(streams[i])) != 0 && errno != EINVAL)
            return error_set(
                error, STATUS_FAILED,
                "%s: rows cannot be written to disk (%s); free some disk space and use --resume",
                files->folder, strerror(errno));
    }
    return STATUS_OK;
}

void train_run_files_close(TrainRunFiles *files)
{
    if (files->steps)
        fclose(files->steps);
    if (files->epochs)
        fclose(files->epochs);
    if (files->events)
        fclose(files->events);
    if (files->lock)
        closedir(files->lock);
    *files = (TrainRunFiles){0};
}

/* ---- curves.svg ------------------------------------------------------------------------------ */

enum { MOST_POINTS = 400 }; /* maximum per curve: about what 640 pixels can show */

/* Losses of all steps, summarised in chunks of `chunk_steps` steps. */
typedef struct Chunks {
    double *step, *mean, *low, *high, *smooth; /* [count] */
    int count;
    int chunk_steps;
} Chunks;

static void free_chunks(Chunks *chunks)
{
    free(chunks->step);
    free(chunks->mean);
    free(chunks->low);
    free(chunks->high);
    free(chunks->smooth);
}

/* Fills out->smooth: the mean over a window around each chunk, a 20th of the curve wide. */
static void smooth(Chunks *out)
{
    const int reach = out->count / 40;
    for (int i = 0; i < out->count; i++) {
        const int first = i > reach ? i - reach : 0, end = min_int(i + reach + 1, out->count);
        double sum = 0;
        for (int k = first; k < end; k++)
            sum += out->mean[k];
        out->smooth[i] = sum / (end - first);
    }
}

/* STATUS_FAILED if out of memory; call free_chunks in every case. */
static Status make_chunks(Chunks *out, const double *losses, int steps, Error *error)
{
    const int chunk = (int)ceil_div(steps, MOST_POINTS);
    const int count = chunk > 0 ? (int)ceil_div(steps, chunk) : 0;
    *out = (Chunks){.count = count, .chunk_steps = chunk};
    if (!(out->step = mem_new(count, sizeof(double), CURVES_NAME, error)) ||
        !(out->mean = mem_new(count, sizeof(double), CURVES_NAME, error)) ||
        !(out->low = mem_new(count, sizeof(double), CURVES_NAME, error)) ||
        !(out->high = mem_new(count, sizeof(double), CURVES_NAME, error)) ||
        !(out->smooth = mem_new(count, sizeof(double), CURVES_NAME, error)))
        return error->status;
    plot_summarise(losses, steps, MOST_POINTS, out->step, out->mean, out->low, out->high);
    smooth(out);
    return STATUS_OK;
}

/* The columns of epochs.csv that are drawn. */
enum { STEP, VAL_LOSS, AUROC_VIDEO, MAP_VIDEO, AUROC_FRAME, MAP_FRAME, BEST, COLUMNS };

static const char *const columns[COLUMNS] = {[STEP] = "step",
                                             [VAL_LOSS] = "val_loss",
                                             [AUROC_VIDEO] = "val_auroc_video",
                                             [MAP_VIDEO] = "val_map_video",
                                             [AUROC_FRAME] = "val_auroc_frame",
                                             [MAP_FRAME] = "val_map_frame",
                                             [BEST] = "best"};

typedef struct Curves {
    Chunks losses;
    double *epochs[COLUMNS]; /* [epoch_count] */
    double *number;          /* [epoch_count] epoch number, from 1 */
    int epoch_count;
} Curves;

/* The index of the best epoch, the last with a 1 in column "best"; -1: none. */
static int best_epoch(const Curves *curves)
{
    for (int i = curves->epoch_count - 1; i >= 0; i--)
        if (curves->epochs[BEST][i] == 1)
            return i;
    return -1;
}

enum { NAME_SIZE = 64 };

/* Formats the legend of a curve: its name and last value. */
static void name_curve(char out[NAME_SIZE], const char *name, const double *values, int count)
{
    if (count > 0 && isfinite(values[count - 1]))
        snprintf(out, NAME_SIZE, "%s, last %.4g", name, values[count - 1]);
    else
        snprintf(out, NAME_SIZE, "%s", name);
}

static void draw(FILE *stream, const Curves *curves, const char *name, bool validated)
{
    const Chunks *losses = &curves->losses;
    const int epochs = curves->epoch_count;
    const int best = validated ? best_epoch(curves) : -1;
    const bool smoothed = losses->count >= 40; /* the window has more than one chunk */
    char training[NAME_SIZE], validation[NAME_SIZE], best_name[NAME_SIZE], named[4][NAME_SIZE];
    name_curve(training, smoothed ? "training, smoothed" : "training", losses->smooth,
               losses->count);
    name_curve(validation, "validation (cross-entropy)", curves->epochs[VAL_LOSS], epochs);
    snprintf(best_name, sizeof best_name, "best epoch: %d", best + 1);
    const PlotSeries loss[] = {
        {.mark = PLOT_BAND,
         .x = losses->step,
         .low = losses->low,
         .high = losses->high,
         .count = losses->chunk_steps > 1 ? losses->count : 0,
         .colour = 0,
         .faint = true},
        {.mark = PLOT_LINE,
         .x = losses->step,
         .y = losses->mean,
         .count = smoothed ? losses->count : 0,
         .colour = 0,
         .faint = true},
        {.mark = PLOT_LINE,
         .name = training,
         .x = losses->step,
         .y = losses->smooth,
         .count = losses->count,
         .colour = 0},
        {.mark = PLOT_LINE,
         .x = curves->epochs[STEP],
         .y = curves->epochs[VAL_LOSS],
         .count = validated ? epochs : 0,
         .colour = 1},
        {.mark = PLOT_POINTS,
         .name = validated ? validation : NULL,
         .x = curves->epochs[STEP],
         .y = curves->epochs[VAL_LOSS],
         .count = validated ? epochs : 0,
         .colour = 1},
        {.mark = PLOT_RULES,
         .name = best >= 0 ? best_name : NULL,
         .x = curves->epochs[STEP] + (best >= 0 ? best : 0),
         .count = best >= 0,
         .colour = PLOT_MUTED},
    };
    PlotSeries metrics[2 * 4 + 1];
    static const char *const names[4] = {"AUROC video", "mAP video", "AUROC frame", "mAP frame"};
    for (int i = 0; i < 4; i++) {
        name_curve(named[i], names[i], curves->epochs[AUROC_VIDEO + i], epochs);
        metrics[i] = (PlotSeries){.mark = PLOT_LINE,
                                  .name = named[i],
                                  .x = curves->number,
                                  .y = curves->epochs[AUROC_VIDEO + i],
                                  .count = epochs,
                                  .colour = i % 2 == 0 ? 2 : 3,
                                  .dashed = i >= 2};
        metrics[4 + i] = metrics[i];
        metrics[4 + i].mark = PLOT_POINTS;
        metrics[4 + i].name = NULL;
    }
    metrics[8] = loss[COUNT_OF(loss) - 1];
    metrics[8].x = curves->number + (best >= 0 ? best : 0);
    const PlotChart charts[2] = {
        {.title = "Loss",
         .x = {.title = "step", .integers = true},
         .series = loss,
         .series_count = COUNT_OF(loss),
         .grows = true},
        {.title = "Validation",
         .x = {.title = "epoch", .integers = true},
         .series = metrics,
         .series_count = COUNT_OF(metrics),
         .grows = true},
    };
    plot_write_file(stream, name, charts, validated ? 2 : 1);
}

static Status read_curves(Curves *curves, const TrainRunFiles *files, Error *error)
{
    double *losses = NULL;
    int steps = 0;
    TRY(train_run_files_column(files, TRAIN_RUN_STEPS, "loss", &losses, &steps, error));
    Status status = make_chunks(&curves->losses, losses, steps, error);
    free(losses);
    for (int i = 0; i < COLUMNS && status == STATUS_OK; i++)
        status = train_run_files_column(files, TRAIN_RUN_EPOCHS, columns[i], &curves->epochs[i],
                                        &curves->epoch_count, error);
    if (status != STATUS_OK)
        return status;
    curves->number = mem_new(curves->epoch_count, sizeof(double), CURVES_NAME, error);
    if (!curves->number)
        return error->status;
    for (int i = 0; i < curves->epoch_count; i++)
        curves->number[i] = i + 1;
    return STATUS_OK;
}

/* The last component of the run's folder; also of one that is given as ".". */
static void name_run(char name[FILE_PATH_SIZE], const char *folder)
{
    char *resolved = realpath(folder, NULL);
    const char *slash = resolved ? strrchr(resolved, '/') : NULL;
    snprintf(name, FILE_PATH_SIZE, "%s", slash && slash[1] ? slash + 1 : folder);
    free(resolved);
}

Status train_run_curves_write(const TrainRunFiles *files, bool validated, Error *error)
{
    Curves curves = {0};
    char path[FILE_PATH_SIZE], name[FILE_PATH_SIZE];
    FileWriter writer;
    Status status = read_curves(&curves, files, error);
    if (status != STATUS_OK ||
        (status = file_join(path, files->folder, CURVES_NAME, error)) != STATUS_OK ||
        (status = file_begin(&writer, path, error)) != STATUS_OK)
        goto done;
    name_run(name, files->folder);
    const locale_t before = c_locale_begin();
    draw(writer.stream, &curves, name, validated);
    c_locale_end(before);
    status = file_commit(&writer, error);
done:
    for (int i = 0; i < COLUMNS; i++)
        free(curves.epochs[i]);
    free(curves.number);
    free_chunks(&curves.losses);
    return status;
}
