/*
 * report_facts.c - what was scored, with what, and what the figures mean: the end of report.html.
 */
#include "tools/report/report_parts.h"

#include "tensor/base/text.h"
#include "tools/cli/cli.h"
#include "train/run/run_record.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- coverage -------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Least, median and most frames of a video, as a cell. */
static Status write_spread(FILE *stream, const MetricsScores *scores, Error *error)
{
    uint32_t *const frames = calloc((size_t)scores->videos + 1, sizeof *frames);
    if (!frames)
        return error_set(error, STATUS_FAILED, "report: no memory to count frames; free some");
    for (size_t i = 0; i < scores->frames && scores->has_videos; i++)
        frames[scores->frame_video[i]]++;
    const uint32_t n = scores->videos;
    if (n == 0) {
        fputs("<td>&ndash;</td>", stream);
    } else {
        qsort(frames, n, sizeof *frames, by_size);
        fprintf(stream, "<td>%lu / %g / %lu</td>", (unsigned long)frames[0],
                ((double)frames[(n - 1) / 2] + frames[n / 2]) / 2, (unsigned long)frames[n - 1]);
    }
    free(frames);
    return STATUS_OK;
}

static void write_list_names(FILE *stream, const EvalSet *set)
{
    fputs("<td class=\"word long\">", stream);
    for (int i = 0; i < set->list_count; i++)
        report_text(stream, "%s%s", i > 0 ? ", " : "", set->lists[i]);
    fputs("</td><td class=\"word\"><code>", stream);
    report_text(stream, "%s", set->hash);
    fputs("</code></td>", stream);
}

Status report_write_coverage(FILE *stream, const Report *report, Error *error)
{
    const EvalResult *const first = &report->results[0];
    const bool lists = first->sets->sets[0].list_count > 0;
    fputs("<section id=\"coverage\"><h2>Coverage</h2>\n<p class=\"soft\">Nearly nobody has every "
          "video of a data set: a figure on fewer is another figure.</p>\n",
          stream);
    report_open_table(stream,
                      "What was scored of each data set; frames a video: least / median / most");
    fputs("<thead><tr>", stream);
    report_head(stream, false, "data set");
    static const char *const heads[] = {"real videos", "fake videos", "real frames", "fake frames",
                                        "frames a video"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        report_head(stream, true, heads[i]);
    if (lists) {
        report_head(stream, false, "lists");
        report_head(stream, false, "hash of paths and labels");
    }
    fputs("</tr></thead><tbody>\n", stream);
    for (int s = 0; s < first->sets->set_count; s++) {
        const MetricsReport *const of = &first->reports[s];
        fputs("<tr><th scope=\"row\">", stream);
        report_text(stream, "%s", of->dataset);
        fputs("</th>", stream);
        report_count_cell(stream, of->video.n_real);
        report_count_cell(stream, of->video.n_fake);
        report_count_cell(stream, of->frame.n_real);
        report_count_cell(stream, of->frame.n_fake);
        TRY(write_spread(stream, &first->scores[s], error));
        if (lists)
            write_list_names(stream, &first->sets->sets[s]);
        fputs("</tr>\n", stream);
    }
    fputs("</tbody>", stream);
    report_close_table(stream);
    fputs("</section>\n", stream);
    return STATUS_OK;
}

/* ---- provenance ------------------------------------------------------------------------------ */

/* Every leaf of `value` as a fact, named by its path: "train hash". */
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
        char *const item = json_dumps(json_array_get(value, i), JSON_ENCODE_ANY);
        const char *const text = json_string_value(json_array_get(value, i));
        report_text(stream, "%s%s", i > 0 ? ", " : "", text ? text : item ? item : "");
        free(item);
    }
    if (json_is_string(value)) {
        text_print_xml(stream, json_string_value(value));
    } else if (!json_is_array(value)) {
        char *const text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
        report_text(stream, "%s", json_is_null(value) ? "none" : text ? text : "");
        free(text);
    }
    report_close_fact(stream);
}

/* The record of the run, member by member; as it is if it is no JSON. */
static void write_record(FILE *stream, const char *record)
{
    json_t *const json = json_loads(record, 0, NULL);
    if (json)
        write_leaves(stream, "", json);
    else
        report_fact(stream, "record", "%s", record);
    json_decref(json);
}

/* Lines as they are. */
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
    report_fact(stream, "thresholds", "%.6g for frames, %.6g for videos: FPR %g on validation",
                calibration->threshold_frame, calibration->threshold_video, calibration->fpr);
    report_fact(stream, "calibrated on", "%s", calibration->on);
}

static void write_adapter(FILE *stream, const Report *report, const EvalResult *result)
{
    const EvalAdapter *const adapter = result->adapter;
    fputs("<h3>", stream);
    report_text(stream, "%s", report_result_name(report, result));
    fputs("</h3>\n<dl class=\"facts\">\n", stream);
    if (adapter->path) {
        report_fact(stream, "adapter", "%s", adapter->path);
        report_fact(stream, "hash of the file", "%s", adapter->hash);
    } else {
        report_fact(stream, "adapter", "none: the head is the model's own");
    }
    if (adapter->selected_on)
        report_fact(stream, "weights selected on", "%s", adapter->selected_on);
    if (adapter->calibrated)
        write_calibration(stream, &adapter->calibration);
    fputs("</dl>\n", stream);
    if (adapter->record) {
        fputs("<details><summary>The run that made it</summary>\n<dl class=\"facts\">\n", stream);
        write_record(stream, adapter->record);
        fputs("</dl></details>\n", stream);
    }
    if (adapter->recipe) {
        fputs("<details><summary>Its recipe</summary>\n", stream);
        write_lines(stream, adapter->recipe);
        fputs("</details>\n", stream);
    }
}

static void write_model(FILE *stream, const EvalProvenance *from)
{
    report_fact(stream, "model", "%s", from->model);
    report_fact(stream, "architecture", "%s, %d x %d pixels", from->arch, from->image_size,
                from->image_size);
    report_fact(stream, "fingerprint of the encoder", "%s", from->fingerprint);
    report_fact(stream, "precision", "%s, kernels %s", from->precision, from->kernels);
    report_fact(stream, "image decoders", "%s", from->decoders);
    if (from->frames_per_video > 0)
        report_fact(stream, "frames a video", "at most %d, %s", from->frames_per_video,
                    strcmp(from->frame_choice, "even") == 0 ? "spread evenly" : "drawn at random");
    else
        report_fact(stream, "frames a video", "all");
    if (from->limit > 0)
        report_fact(stream, "frames a set", "at most %d, random videos", from->limit);
}

void report_write_provenance(FILE *stream, const Report *report)
{
    const EvalProvenance *const from = &report->results[0].provenance;
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
        report_fact(stream, "intervals", "no bootstrap was made");
    fputs("</dl>\n", stream);
    for (int i = 0; i < report->count; i++)
        if (report->results[i].adapter)
            write_adapter(stream, report, &report->results[i]);
    fputs("</section>\n", stream);
}

/* ---- definitions ----------------------------------------------------------------------------- */

typedef struct Definition {
    const char *term, *meaning, *caution;
} Definition;

static const Definition definitions[] = {
    {"Video and frame", "A video's score is the mean p_fake of its frames; a frame's is its own.",
     "Figures of the two levels differ by several points: never compare one with the other."},
    {"AUROC", "The chance that a random fake scores above a random real one; ties count half.",
     "It says nothing about any one threshold, nor whether p_fake is a probability."},
    {"95 % interval",
     "AUROC of videos by DeLong's method on the logit scale, all else by a bootstrap that draws "
     "videos, for frames of one video resemble each other.",
     "It covers the choice of test videos, not other seeds of training and not other data. Two "
     "intervals that overlap do not show that there is no difference."},
    {"AP", "Average precision: precision, averaged over the recall that each score adds.",
     "It grows with the share of fakes: do not compare it between data sets."},
    {"EER", "The error rate at which misses and false alarms are equally frequent.",
     "Its threshold is chosen on these very scores, which no detector in use can do."},
    {"TPR at FPR 0.01", "The share of fakes found when one real in a hundred is called fake.",
     "With a few hundred real ones it hangs on the two or three that score highest."},
    {"Brier score", "The mean squared distance between p_fake and the label.",
     "It mixes ranking and calibration, and depends on the share of fakes."},
    {"ECE",
     "Over 15 bins of p_fake, the mean distance between mean score and share of fakes, weighted "
     "by frames.",
     "A small one makes no good detector: a constant at the share of fakes has none at all."},
    {"Source", "One kind of fake against all real ones of the data set.",
     "All share the same real ones: a bad row of them moves every source."},
    {"Mean of data sets", "The plain mean of the figures above it; each data set counts the same.",
     "It has no interval, and is no figure of the pooled frames."},
    {"Difference and p",
     "Both adapters on the same videos: DeLong's paired method for the AUROC of videos, a paired "
     "bootstrap for all else.",
     "With many comparisons some p fall below 0.05 by chance."},
    {"Robustness", "The same frames after the perturbation named, scored again.",
     "Only these kinds at these strengths: what comes next on the way to a viewer is another."},
    {"Hardest frames", "Those that lie farthest on the wrong side.",
     "They show where the detector errs, not how often; and some may carry a wrong label."},
};

void report_write_definitions(FILE *stream)
{
    fputs("<section id=\"definitions\"><h2>What the figures mean</h2>\n"
          "<p class=\"soft\">The positive class is fake. All figures are fractions, never per "
          "cent.</p>\n<dl class=\"terms\">\n",
          stream);
    for (size_t i = 0; i < sizeof definitions / sizeof definitions[0]; i++) {
        const Definition *const of = &definitions[i];
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
