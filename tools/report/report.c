/*
 * report.c - see report.h. Sections: header, warnings, summary, differences between adapters, one
 * section per data set, coverage, provenance, definitions of the metrics.
 *
 * Videos and frames have separate tables, marked with their level, because their metrics are not
 * comparable.
 */
#include "tools/report/report_private.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"
#include "tensor/base/text.h"
#include "tools/cli/cli.h"
#include "tools/cli/cli_metrics.h"
#include "train/json.h"
#include "train/plot/chart.h"
#include "train/run/run_record.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The view of all tables of the page. */
static const CliView page = {.format = CLI_HTML};

static int set_count(const Report *report)
{
    return report->results[0].sets->set_count;
}

static bool have_videos(const Report *report)
{
    for (int s = 0; s < set_count(report); s++)
        if (report->results[0].reports[s].has_videos)
            return true;
    return false;
}

static void write_level(FILE *stream, EvalLevel level)
{
    fprintf(stream, "<span class=\"level %s</span>",
            level == EVAL_FRAMES ? "frame\">frames" : "video\">videos");
}

/* ---- top ------------------------------------------------------------------------------------- */

static void count_all(const Report *report, size_t *videos, size_t *frames)
{
    *videos = *frames = 0;
    for (int s = 0; s < set_count(report); s++) {
        const MetricsReport *of = &report->results[0].reports[s];
        *videos += of->video.n_real + of->video.n_fake;
        *frames += of->frame.n_real + of->frame.n_fake;
    }
}

static void write_navigation(FILE *stream, const Report *report)
{
    fputs("<nav aria-label=\"Contents\"><ul>\n<li><a href=\"#summary\">Summary</a></li>\n", stream);
    if (report->comparison_count > 0)
        fputs("<li><a href=\"#differences\">Differences</a></li>\n", stream);
    for (int s = 0; s < set_count(report); s++) {
        fprintf(stream, "<li><a href=\"#set-%d\">", s);
        report_text(stream, "%s", report->results[0].reports[s].dataset);
        fputs("</a></li>\n", stream);
    }
    fputs("<li><a href=\"#coverage\">Coverage</a></li>\n"
          "<li><a href=\"#provenance\">Provenance</a></li>\n"
          "<li><a href=\"#definitions\">Definitions of the metrics</a></li>\n</ul></nav>\n",
          stream);
}

/* Writes a metric in large type, with `note` below it, or its interval if `note` is "". */
static void write_tile(FILE *stream, const char *name, bool main, double value,
                       MetricsInterval interval, const char *note)
{
    fprintf(stream, "<div%s><dt>%s</dt><dd>", main ? " class=\"main\"" : "", name);
    report_number(stream, value);
    fprintf(stream, "<small>%s", note);
    if (!note[0] && isfinite(interval.lower) && isfinite(interval.upper))
        fprintf(stream, "%.4f to %.4f", interval.lower, interval.upper);
    fputs("</small></dd></div>\n", stream);
}

static void write_count_tile(FILE *stream, const char *name, size_t count)
{
    fprintf(stream, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, cli_count(count));
}

/* The AUROCs of a single result, and the counts of videos, frames and data sets. */
static void write_tiles(FILE *stream, const Report *report)
{
    const EvalResult *result = &report->results[0];
    size_t videos, frames;
    count_all(report, &videos, &frames);
    const bool many = set_count(report) > 1;
    fputs("<dl class=\"tiles\">\n", stream);
    for (int i = 0; i < EVAL_LEVELS; i++) {
        const EvalLevel level = i == 0 ? EVAL_VIDEOS : EVAL_FRAMES;
        if (level == EVAL_VIDEOS && !have_videos(report))
            continue;
        write_tile(stream, level == EVAL_FRAMES ? "frame AUROC" : "video AUROC",
                   level == EVAL_VIDEOS, eval_mean(result, level, METRICS_AUROC),
                   eval_intervals(&result->reports[0], level)->of[METRICS_AUROC],
                   many ? "mean over data sets" : "");
    }
    if (videos > 0)
        write_count_tile(stream, "videos", videos);
    write_count_tile(stream, "frames", frames);
    if (many)
        write_count_tile(stream, "data sets", set_count(report));
    fputs("</dl>\n", stream);
}

static void write_header(FILE *stream, const Report *report)
{
    const EvalProvenance *from = &report->results[0].provenance;
    char title[FILE_PATH_SIZE];
    if (report->count == 1)
        snprintf(title, sizeof title, "Evaluation of %s",
                 report_result_name(report, &report->results[0]));
    else
        snprintf(title, sizeof title, "Evaluation of %d adapters", report->count);
    report_open_page(stream, title);
    fputs("<p class=\"lede\">", stream);
    if (from->model)
        report_text(stream, "%s, %s, %d x %d pixels, %s", report_base_name(from->model), from->arch,
                    from->image_size, from->image_size, from->precision);
    else
        report_text(stream, "Scores read from %s", report->subject);
    fputs("</p>\n", stream);
    write_navigation(stream, report);
}

/* ---- warnings -------------------------------------------------------------------------------- */

typedef struct Alerts {
    FILE *stream;
    const char *name; /* of the result; NULL if there is only one */
    bool first;       /* result: warnings about rows are printed once */
    int count;
} Alerts;

static void write_alert(void *context, const char *text, bool of_scores)
{
    Alerts *alerts = context;
    if (!of_scores && !alerts->first)
        return;
    if (alerts->count++ == 0)
        fputs("<section class=\"alerts\" aria-labelledby=\"alerts\"><h2 id=\"alerts\">Warnings</h2>"
              "<ul>\n",
              alerts->stream);
    fputs("<li>", alerts->stream);
    if (of_scores && alerts->name)
        report_text(alerts->stream, "%s: ", alerts->name);
    text_print_xml(alerts->stream, text);
    fputs("</li>\n", alerts->stream);
}

static void write_alerts(FILE *stream, const Report *report)
{
    Alerts alerts = {.stream = stream, .first = true};
    for (int i = 0; i < report->warning_count; i++)
        write_alert(&alerts, report->warnings[i], false);
    for (int r = 0; r < report->count; r++) {
        const EvalResult *result = &report->results[r];
        alerts.name = report->count > 1 ? report_result_name(report, result) : NULL;
        alerts.first = r == 0;
        cli_metrics_each_warning(report->subject, result->predictions.duplicates, result->reports,
                                 set_count(report), write_alert, &alerts);
    }
    if (alerts.count > 0)
        fputs("</ul></section>\n", stream);
}

/* ---- summary --------------------------------------------------------------------------------- */

static Status write_summary_table(FILE *stream, const Report *report, EvalLevel level, Error *error)
{
    const bool frames = level == EVAL_FRAMES;
    fputs("<h3>", stream);
    write_level(stream, level);
    fprintf(stream, "%s level</h3>\n", frames ? "Frame" : "Video");
    if (report->count > 1) {
        CliTable *pivot =
            eval_pivot_table(report->results, report->count, level, METRICS_AUROC, &page);
        cli_table_title(pivot,
                        "AUROC by adapter and data set, with 95%% interval; the best is bold");
        TRY(cli_table_print(pivot, CLI_HTML, stream, error));
    }
    CliTable *table = eval_summary_table(report->results, report->count, level, &page);
    cli_table_title(table, frames ? "Every frame counts by itself; not to be compared with figures "
                                    "of videos"
                                  : "A video's score is the mean p_fake of its frames");
    return cli_table_print(table, CLI_HTML, stream, error);
}

static Status write_summary(FILE *stream, const Report *report, Error *error)
{
    fputs("<section id=\"summary\"><h2>Summary</h2>\n", stream);
    if (report->count == 1)
        write_tiles(stream, report);
    if (have_videos(report))
        TRY(write_summary_table(stream, report, EVAL_VIDEOS, error));
    TRY(write_summary_table(stream, report, EVAL_FRAMES, error));
    fputs("</section>\n", stream);
    return STATUS_OK;
}

/* ---- differences ----------------------------------------------------------------------------- */

static Status write_difference_table(FILE *stream, const Report *report, EvalLevel level,
                                     Error *error)
{
    fputs("<h3>", stream);
    write_level(stream, level);
    fputs("AUROC</h3>\n", stream);
    CliTable *table =
        eval_differences_table(report->comparisons, report->comparison_count, level, &page);
    cli_table_title(table, level == EVAL_FRAMES
                               ? "Differences in frame AUROC, with paired 95%% intervals"
                               : "Differences in video AUROC, with paired 95%% intervals");
    return cli_table_print(table, CLI_HTML, stream, error);
}

static Status write_differences(FILE *stream, const Report *report, Error *error)
{
    if (report->comparison_count == 0)
        return STATUS_OK;
    fputs("<section id=\"differences\"><h2>Differences</h2>\n<p class=\"soft\">", stream);
    report_text(stream, "Each adapter minus %s (baseline), on the same videos.",
                report_result_name(report, report->comparisons[0].first));
    fputs("</p>\n", stream);
    if (have_videos(report))
        TRY(write_difference_table(stream, report, EVAL_VIDEOS, error));
    TRY(write_difference_table(stream, report, EVAL_FRAMES, error));
    fputs("</section>\n", stream);
    return STATUS_OK;
}

/* ---- a data set ------------------------------------------------------------------------------ */

/* Sources belong to videos: without videos there are none. */
static Status write_sources(FILE *stream, const Report *report, int set, Error *error)
{
    if (report->results[0].reports[set].source_count == 0)
        return STATUS_OK;
    fputs("<h3>By fake source</h3>\n", stream);
    return cli_table_print(eval_sources_table(report->results, report->count, set), CLI_HTML,
                           stream, error);
}

/* Error rates at the thresholds stored in the adapter. */
static Status write_thresholds(FILE *stream, const Report *report, int set, Error *error)
{
    bool any = false;
    for (int r = 0; r < report->count; r++)
        any = any || report->results[r].at;
    if (!any)
        return STATUS_OK;
    fputs("<h3>At the validation threshold</h3>\n", stream);
    CliTable *table = eval_thresholds_table(report->results, report->count, set);
    cli_table_title(table, "Error rates at the thresholds chosen on validation frames");
    return cli_table_print(table, CLI_HTML, stream, error);
}

/* All metrics of metrics.json. */
static Status write_all_metrics(FILE *stream, const Report *report, int set, int result,
                                Error *error)
{
    fputs("<details><summary>All metrics", stream);
    if (report->count > 1)
        report_text(stream, " of %s", report_result_name(report, &report->results[result]));
    fputs("</summary>\n", stream);
    CliTable *table = cli_metrics_table(&report->results[result].reports[set], &page);
    cli_table_title(table, "All metrics, by frame and by video");
    TRY(cli_table_print(table, CLI_HTML, stream, error));
    fputs("</details>\n", stream);
    return STATUS_OK;
}

static void write_set_line(FILE *stream, const Report *report, const MetricsReport *of)
{
    fputs("<p class=\"soft\">", stream);
    if (of->has_videos)
        fprintf(stream, "%s real and %s fake videos, ", cli_count(of->video.n_real),
                cli_count(of->video.n_fake));
    fprintf(stream, "%s real and %s fake frames.", cli_count(of->frame.n_real),
            cli_count(of->frame.n_fake));
    if (of->has_videos)
        fputs(" In the charts, solid lines are videos and dashed lines are frames.", stream);
    if (report->count > PLOT_COLOURS)
        fprintf(stream, " They show the first %d of %d adapters.", PLOT_COLOURS, report->count);
    fputs("</p>\n", stream);
}

static Status write_set(FILE *stream, const Report *report, int set, Error *error)
{
    const MetricsReport *first = &report->results[0].reports[set];
    fprintf(stream, "<section id=\"set-%d\"><h2>", set);
    report_text(stream, "%s", first->dataset);
    fputs("</h2>\n", stream);
    write_set_line(stream, report, first);
    TRY(report_write_charts(stream, report, set, error));
    TRY(write_sources(stream, report, set, error));
    TRY(write_thresholds(stream, report, set, error));
    for (int r = 0; r < report->count; r++)
        TRY(write_all_metrics(stream, report, set, r, error));
    TRY(report_write_robustness(stream, report, set, error));
    TRY(report_write_frames(stream, report, set, error));
    fputs("</section>\n", stream);
    return STATUS_OK;
}

/* ---- coverage -------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Adds a cell with minimum, median and maximum frames per video. */
static Status add_spread(CliTable *table, const MetricsScores *scores, Error *error)
{
    const uint32_t n = scores->has_videos ? scores->videos : 0;
    if (n == 0) {
        cli_table_number(table, NAN);
        return STATUS_OK;
    }
    uint32_t *frames = mem_new(n, sizeof *frames, "the report", error);
    if (!frames)
        return error->status;
    for (size_t i = 0; i < scores->frames; i++)
        frames[scores->frame_video[i]]++;
    qsort(frames, n, sizeof *frames, by_size);
    char text[64];
    snprintf(text, sizeof text, "%lu / %g / %lu", (unsigned long)frames[0],
             ((double)frames[(n - 1) / 2] + frames[n / 2]) / 2, (unsigned long)frames[n - 1]);
    cli_table_words(table, text);
    free(frames);
    return STATUS_OK;
}

/* Adds a cell with the lists of a data set. */
static Status add_lists(CliTable *table, const EvalSet *set, Error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    for (int i = 0; stream && i < set->list_count; i++)
        fprintf(stream, "%s%s", i > 0 ? ", " : "", set->lists[i]);
    if (!stream || fclose(stream) != 0 || !text) {
        free(text);
        return mem_full(0, "the report", error);
    }
    cli_table_words(table, text);
    free(text);
    return STATUS_OK;
}

static Status add_coverage(CliTable *table, const EvalResult *result, int set, Error *error)
{
    const MetricsReport *of = &result->reports[set];
    cli_table_words(table, of->dataset);
    cli_table_count(table, of->video.n_real);
    cli_table_count(table, of->video.n_fake);
    cli_table_count(table, of->frame.n_real);
    cli_table_count(table, of->frame.n_fake);
    TRY(add_spread(table, &result->scores[set], error));
    TRY(add_lists(table, &result->sets->sets[set], error));
    cli_table_words(table, result->sets->sets[set].hash);
    return STATUS_OK;
}

static Status write_coverage(FILE *stream, const Report *report, Error *error)
{
    const EvalResult *first = &report->results[0];
    const bool lists = first->sets->sets[0].list_count > 0;
    fputs("<section id=\"coverage\"><h2>Coverage</h2>\n<p class=\"soft\">Results on an incomplete "
          "test set are not comparable with published ones.</p>\n",
          stream);
    const CliColumn columns[] = {
        {.heading = "data set"},
        {.heading = "real videos", .unit = CLI_COUNT},
        {.heading = "fake videos", .unit = CLI_COUNT},
        {.heading = "real frames", .unit = CLI_COUNT},
        {.heading = "fake frames", .unit = CLI_COUNT},
        {.heading = "frames per video", .unit = CLI_FIGURES},
        {.heading = "lists", .style = CLI_LONG, .hidden = !lists},
        {.heading = "hash of paths and labels", .style = CLI_CODE, .hidden = !lists},
    };
    CliTable *table = cli_table_create(
        "Scored videos and frames of each data set; frames per video: min / median / max", columns,
        COUNT_OF(columns));
    Status status = STATUS_OK;
    for (int s = 0; s < first->sets->set_count && status == STATUS_OK; s++)
        status = add_coverage(table, first, s, error);
    if (status != STATUS_OK) {
        cli_table_free(table);
        return status;
    }
    TRY(cli_table_print(table, CLI_HTML, stream, error));
    fputs("</section>\n", stream);
    return STATUS_OK;
}

/* ---- provenance ------------------------------------------------------------------------------ */

/* Writes all leaves of a JSON value as facts; the name of a fact is its path: "train hash". */
static void write_leaves(FILE *stream, const char *path, const json_t *value)
{
    if (json_is_object(value)) {
        const char *key;
        json_t *member;
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            char longer[256];
            snprintf(longer, sizeof longer, "%s%s%s", path, path[0] ? " " : "", key);
            write_leaves(stream, longer, member);
        }
        return;
    }
    report_open_fact(stream, path);
    for (size_t i = 0; i < json_array_size(value); i++) {
        char *item = json_dumps(json_array_get(value, i), JSON_ENCODE_ANY);
        const char *text = json_string_value(json_array_get(value, i));
        report_text(stream, "%s%s", i > 0 ? ", " : "", text ? text : item ? item : "");
        free(item);
    }
    if (json_is_string(value)) {
        text_print_xml(stream, json_string_value(value));
    } else if (!json_is_array(value)) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
        report_text(stream, "%s", json_is_null(value) ? "none" : text ? text : "");
        free(text);
    }
    report_close_fact(stream);
}

/* Writes the record of a training run as facts, or as plain text if it is not JSON. */
static void write_record(FILE *stream, const char *record)
{
    json_t *json = json_loads(record, 0, NULL);
    if (json)
        write_leaves(stream, "", json);
    else
        report_fact(stream, "record", "%s", record);
    json_decref(json);
}

/* Writes preformatted lines. */
static void write_lines(FILE *stream, const char *text)
{
    fputs("<pre tabindex=\"0\">", stream);
    for (const char *line = text; *line;) {
        const size_t length = strcspn(line, "\n");
        report_text(stream, "%.*s", (int)length, line);
        putc('\n', stream);
        line += length + (line[length] == '\n');
    }
    fputs("</pre>\n", stream);
}

static void write_calibration(FILE *stream, const MetricsCalibration *calibration)
{
    report_fact(stream, "temperature", "%.6g, applied to every score", calibration->temperature);
    char rule[METRICS_RULE_SIZE];
    metrics_rule_format(rule, calibration->rule);
    report_fact(stream, "thresholds", "%.6g for frames, %.6g for videos (%s on validation)",
                calibration->threshold_frame, calibration->threshold_video, rule);
    report_fact(stream, "calibrated on", "%s", calibration->on);
}

static void write_adapter(FILE *stream, const Report *report, const EvalResult *result)
{
    const EvalAdapter *adapter = result->adapter;
    fputs("<h3>", stream);
    report_text(stream, "%s", report_result_name(report, result));
    fputs("</h3>\n<dl class=\"facts\">\n", stream);
    if (adapter->path) {
        report_fact(stream, "adapter", "%s", adapter->path);
        report_fact(stream, "file hash", "%s", adapter->hash);
    } else {
        report_fact(stream, "adapter", "none (head of the model)");
    }
    if (adapter->selected_on)
        report_fact(stream, "weights selected on", "%s", adapter->selected_on);
    if (adapter->calibrated)
        write_calibration(stream, &adapter->calibration);
    fputs("</dl>\n", stream);
    if (adapter->record) {
        fputs("<details><summary>Training run</summary>\n<dl class=\"facts\">\n", stream);
        write_record(stream, adapter->record);
        fputs("</dl></details>\n", stream);
    }
    if (adapter->recipe) {
        fputs("<details><summary>Recipe</summary>\n", stream);
        write_lines(stream, adapter->recipe);
        fputs("</details>\n", stream);
    }
}

static void write_model(FILE *stream, const EvalProvenance *from)
{
    report_fact(stream, "model", "%s", from->model);
    report_fact(stream, "architecture", "%s, %d x %d pixels", from->arch, from->image_size,
                from->image_size);
    report_fact(stream, "encoder fingerprint", "%s", from->fingerprint);
    report_fact(stream, "precision", "%s, kernels %s", from->precision, from->kernels);
    report_fact(stream, "image decoders", "%s", from->decoders);
    if (from->frames_per_video > 0)
        report_fact(stream, "frames per video", "at most %d, %s", from->frames_per_video,
                    strcmp(from->frame_choice, "even") == 0 ? "evenly spaced" : "random");
    else
        report_fact(stream, "frames per video", "all");
    if (from->limit > 0)
        report_fact(stream, "frames per set", "at most %d, random videos", from->limit);
}

static void write_provenance(FILE *stream, const Report *report)
{
    const EvalProvenance *from = &report->results[0].provenance;
    fputs("<section id=\"provenance\"><h2>Provenance</h2>\n<dl class=\"facts\">\n", stream);
    report_fact(stream, "program", "lnclip %s, revision %s", LNCLIP_VERSION, train_revision());
    if (from->model)
        write_model(stream, from);
    else
        report_fact(stream, "scores from", "%s", report->subject);
    if (report->resamples > 0)
        report_fact(stream, "intervals", "95 %%; bootstrap of %d resamples, seed %llu",
                    report->resamples, (unsigned long long)from->seed);
    else
        report_fact(stream, "intervals", "no bootstrap");
    fputs("</dl>\n", stream);
    for (int i = 0; i < report->count; i++)
        if (report->results[i].adapter && from->model)
            write_adapter(stream, report, &report->results[i]);
    fputs("</section>\n", stream);
}

/* ---- definitions ----------------------------------------------------------------------------- */

typedef struct Definition {
    const char *term, *meaning, *caution;
} Definition;

static const Definition definitions[] = {
    {"Video and frame", "The score of a video is the mean p_fake of its frames.",
     "Frame and video metrics differ by several points and must not be compared."},
    {"AUROC",
     "The probability that a random fake scores higher than a random real one; ties count half.",
     "It does not measure a particular threshold, nor calibration."},
    {"95% interval",
     "Video AUROC: DeLong's method on the logit scale. Other metrics: bootstrap over videos, since "
     "frames of a video are correlated.",
     "It accounts for the sampling of test videos, not for training seeds or other data. "
     "Overlapping intervals do not prove that there is no difference."},
    {"AP", "Average precision: the mean of precision, weighted by the increase in recall.",
     "It increases with the fraction of fakes: do not compare it between data sets."},
    {"EER", "Equal error rate: the error rate where FPR and miss rate are equal.",
     "Its threshold is chosen on the test scores, so it is optimistic."},
    {"TPR at FPR 0.01",
     "The fraction of fakes detected when 1 % of the real ones are classified as fake.",
     "With a few hundred real ones it depends on the two or three with the highest scores."},
    {"Brier score", "The mean squared difference between p_fake and the label.",
     "It mixes ranking and calibration, and depends on the fraction of fakes."},
    {"ECE",
     "Expected calibration error: the mean difference between mean score and fraction of fakes in "
     "15 bins of p_fake, weighted by frames.",
     "Low ECE does not mean a good detector: always predicting the base rate has ECE 0."},
    {"Source", "One kind of fake against all real videos of the data set.",
     "All sources share the same real videos, so hard reals lower every row."},
    {"Mean over data sets", "The unweighted mean of the rows above.",
     "It has no interval, and differs from the metric of the pooled frames."},
    {"Difference and p",
     "Both adapters on the same videos. Video AUROC: paired DeLong test. Other metrics: paired "
     "bootstrap.",
     "With many comparisons, some p are below 0.05 by chance."},
    {"Robustness", "The same frames, scored after the perturbation.",
     "It covers only these perturbations and strengths; real distribution channels differ."},
    {"Hardest frames", "The frames of each class with the most wrong scores.",
     "They show where the detector fails, not how often; some may be mislabelled."},
};

static void write_definitions(FILE *stream)
{
    fputs("<section id=\"definitions\"><h2>Definitions of the metrics</h2>\n"
          "<p class=\"soft\">The positive class is fake. All metrics are fractions.</p>\n<dl "
          "class=\"terms\">\n",
          stream);
    for (size_t i = 0; i < COUNT_OF(definitions); i++) {
        const Definition *of = &definitions[i];
        fputs("<div><dt>", stream);
        text_print_xml(stream, of->term);
        fputs("</dt><dd>", stream);
        text_print_xml(stream, of->meaning);
        fputs(" <span class=\"soft\">", stream);
        text_print_xml(stream, of->caution);
        fputs("</span></dd></div>\n", stream);
    }
    fputs("</dl></section>\n", stream);
}

/* ---- the page -------------------------------------------------------------------------------- */

/* Write errors are left in the stream; file_commit reports them. */
static Status write_page(FILE *stream, const Report *report, Error *error)
{
    assert(stream && report && report->count > 0 && set_count(report) > 0 && error);
    write_header(stream, report);
    report_open_sections(stream);
    write_alerts(stream, report);
    TRY(write_summary(stream, report, error));
    TRY(write_differences(stream, report, error));
    for (int s = 0; s < set_count(report); s++)
        TRY(write_set(stream, report, s, error));
    TRY(write_coverage(stream, report, error));
    write_provenance(stream, report);
    write_definitions(stream);
    report_close_page(stream);
    return STATUS_OK;
}

Status report_write_file(const char *path, const Report *report, Error *error)
{
    FileWriter writer;
    TRY(file_begin(&writer, path, error));
    Status status = write_page(writer.stream, report, error);
    if (status == STATUS_OK && !train_json_complete())
        status = error_set(error, STATUS_FAILED, "%s: out of memory; close other programs", path);
    if (status == STATUS_OK)
        return file_commit(&writer, error);
    file_abort(&writer);
    return status;
}

/* ---- scores ---------------------------------------------------------------------------------- */

/* An evaluation of scores, with the memory that it points to. */
typedef struct Scored {
    EvalSet *sets;
    EvalSets all;
    EvalAdapter adapter; /* only its name */
    int gathered;        /* number of result.scores */
} Scored;

static Status make_result(EvalResult *result, Scored *memory, const ReportScores *scores,
                          const MetricsUncertainty *settings, Error *error)
{
    memory->sets = mem_new(scores->set_count, sizeof *memory->sets, "the report", error);
    if (!memory->sets)
        return error->status;
    for (int i = 0; i < scores->set_count; i++)
        memory->sets[i].name = scores->reports[i].dataset;
    memory->adapter.name = scores->name;
    memory->all = (EvalSets){
        .sets = memory->sets, .set_count = scores->set_count, .count = scores->predictions->count};
    *result = (EvalResult){.sets = &memory->all,
                           .provenance = {.seed = settings->seed, .ci = settings->mode},
                           .adapter = &memory->adapter,
                           .predictions = *scores->predictions,
                           .reports = scores->reports};
    return metrics_scores_gather(scores->predictions, &result->scores, &memory->gathered, error);
}

/* Compares result `i` with the first. */
static Status compare_scores(EvalComparison *comparison, const EvalResult *results, int i,
                             const MetricsUncertainty *settings, Error *error)
{
    int count = 0;
    *comparison = (EvalComparison){.first = results, .other = &results[i]};
    return metrics_compare(&results[i].predictions, results[i].adapter->name,
                           &results[0].predictions, results[0].adapter->name, settings,
                           &comparison->sets, &count, error);
}

Status report_write_scores(const char *path, const char *subject, const ReportScores *scores,
                           int count, const MetricsUncertainty *settings, int thumbnails,
                           Error *error)
{
    assert(count > 0);
    EvalResult *results = mem_new(count, sizeof *results, "the report", error);
    Scored *memory = mem_new(count, sizeof *memory, "the report", error);
    EvalComparison *comparisons = mem_new(count, sizeof *comparisons, "the report", error);
    Status status = results && memory && comparisons ? STATUS_OK : error->status;
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = make_result(&results[i], &memory[i], &scores[i], settings, error);
    for (int i = 1; i < count && status == STATUS_OK; i++)
        status = compare_scores(&comparisons[i - 1], results, i, settings, error);
    const Report report = {.subject = subject,
                           .results = results,
                           .count = count,
                           .comparisons = comparisons,
                           .comparison_count = count - 1,
                           .resamples = settings->mode == METRICS_CI_OFF ? 0 : settings->resamples,
                           .thumbnails = thumbnails};
    if (status == STATUS_OK)
        status = report_write_file(path, &report, error);
    for (int i = 0; i < count && results && memory && comparisons; i++) {
        metrics_scores_free(results[i].scores, memory[i].gathered);
        free(memory[i].sets);
        free(comparisons[i].sets);
    }
    free(comparisons);
    free(memory);
    free(results);
    return status;
}
