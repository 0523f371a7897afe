/*
 * report_frames.c - the hardest frames of a data set as thumbnails, which show where a detector
 * fails.
 *
 * Only the hardest frame of each video is shown, since one video could fill the row. A thumbnail is
 * the network's centre crop as a small JPEG in a data: URI.
 */
#include "tools/report/report_private.h"

#include "data/image/preprocess.h"
#include "tensor/base/mem.h"
#include "tensor/base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 96, QUALITY = 80 };

/* A frame of MetricsScores with its scores. */
typedef struct Hard {
    size_t frame;
    double score, rank; /* see MetricsScores */
} Hard;

static bool harder(double a, double b, int label)
{
    return label == 0 ? a > b : a < b;
}

static uint32_t video_of(const MetricsScores *scores, size_t frame)
{
    return scores->has_videos ? scores->frame_video[frame] : METRICS_NO_VIDEO;
}

/*
 * The index in `kept` for a frame: that of its video, else after the last; -1 if it is not hard
 * enough.
 */
static int slot_of(const MetricsScores *scores, const Hard *kept, int count, int wanted,
                   size_t frame, int label)
{
    const uint32_t video = video_of(scores, frame);
    for (int i = 0; i < count && video != METRICS_NO_VIDEO; i++)
        if (video_of(scores, kept[i].frame) == video)
            return harder(scores->ranks[frame], kept[i].rank, label) ? i : -1;
    if (count < wanted)
        return count;
    return harder(scores->ranks[frame], kept[count - 1].rank, label) ? count - 1 : -1;
}

/*
 * Finds the hardest frames of a class, hardest first, at most `wanted` and one per video. Equal
 * frames keep their order. Returns the count.
 */
static int find_hardest(const MetricsScores *scores, int label, int wanted, Hard *kept)
{
    int count = 0;
    for (size_t i = 0; i < scores->frames; i++) {
        if (scores->labels[i] != label)
            continue;
        int slot = slot_of(scores, kept, count, wanted, i, label);
        if (slot < 0)
            continue;
        count += slot == count;
        for (; slot > 0 && harder(scores->ranks[i], kept[slot - 1].rank, label); slot--)
            kept[slot] = kept[slot - 1];
        kept[slot] = (Hard){i, scores->scores[i], scores->ranks[i]};
    }
    return count;
}

/* Four characters of base 64 for every three bytes (RFC 4648). */
static void write_base64(FILE *stream, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned word = (unsigned)bytes[i] << 16 | (left > 1 ? bytes[i + 1] : 0u) << 8 |
                              (left > 2 ? bytes[i + 2] : 0u);
        putc(digits[word >> 18], stream);
        putc(digits[word >> 12 & 63], stream);
        putc(left > 1 ? digits[word >> 6 & 63] : '=', stream);
        putc(left > 2 ? digits[word & 63] : '=', stream);
    }
}

/* Reads an image and encodes its centre crop as JPEG. The caller frees *bytes. */
static Status make_thumbnail(DataResizer *resizer, const char *file, unsigned char **bytes,
                             size_t *size, Error *error)
{
    uint8_t pixels[SIDE * SIDE * 3];
    DataImage image;
    TRY(data_image_read(file, &image, error));
    const Status status = data_resize_crop(resizer, &image, SIDE, pixels, error);
    data_image_free(&image);
    if (status != STATUS_OK)
        return status;
    const DataImage small = {SIDE, SIDE, pixels};
    return data_image_encode_jpeg(&small, QUALITY, bytes, size, error);
}

/* The path of a frame as listed, and as it can be opened. */
typedef struct Location {
    const char *path, *file;
} Location;

static Location locate_frame(const EvalResult *result, int set, size_t frame)
{
    const MetricsScores *scores = &result->scores[set];
    const size_t row = scores->rows ? scores->rows[frame] : frame;
    const EvalSet *from = &result->sets->sets[set];
    const char *path = result->predictions.files ? result->predictions.files[row] : NULL;
    if (row >= from->first && row - from->first < (size_t)from->frames.count)
        return (Location){path, from->frames.frames[row - from->first].file};
    return (Location){path, path};
}

/* A row of thumbnails under construction. */
typedef struct Row {
    const EvalResult *result;
    int set, label;
    DataResizer resizer;
    int missing;
    Error why; /* of the first missing image */
} Row;

/* The source of a fake frame; NULL if it has none. */
static const char *source_of(const Row *row, size_t frame)
{
    const MetricsScores *scores = &row->result->scores[row->set];
    if (row->label == 0 || !scores->has_videos)
        return NULL;
    const int source = scores->video_source[scores->frame_video[frame]];
    return source == METRICS_NO_SOURCE ? NULL : scores->sources[source];
}

/* Writes the source, if any, then folder and name of the file. */
static void write_origin(FILE *stream, const Row *row, const Location *location, size_t frame)
{
    const char *source = source_of(row, frame);
    if (source)
        report_text(stream, "%s", source);
    const char *name = report_base_name(location->path);
    const char *video = name > location->path ? name - 1 : NULL;
    while (video && video > location->path && video[-1] != '/')
        video--;
    if (source)
        fputs("</span><span>", stream);
    if (video) {
        report_text(stream, "%.*s", (int)(name - video), video);
        fputs("<wbr>", stream); /* the line breaks there if it is too long */
    }
    report_text(stream, "%s", name);
}

static void write_frame(FILE *stream, Row *row, const Hard *hard)
{
    const Location location = locate_frame(row->result, row->set, hard->frame);
    unsigned char *bytes = NULL;
    size_t size = 0;
    Error error = {0};
    fputs("<li title=\"", stream);
    text_print_xml(stream, location.path);
    if (make_thumbnail(&row->resizer, location.file, &bytes, &size, &error) == STATUS_OK) {
        fprintf(stream, "\"><img width=\"%d\" height=\"%d\" alt=\"%s frame, p_fake %.4f\" src=\"",
                SIDE, SIDE, row->label ? "fake" : "real", hard->score);
        fputs("data:image/jpeg;base64,", stream);
        write_base64(stream, bytes, size);
        fputs("\">", stream);
    } else {
        if (row->missing++ == 0)
            row->why = error;
        fputs("\"><span class=\"gone\">not available</span>", stream);
    }
    free(bytes);
    fprintf(stream, "<b>%.4f</b><span>", hard->score);
    write_origin(stream, row, &location, hard->frame);
    fputs("</span></li>\n", stream);
}

/* Writes the hardest frames of a class by one result, under its name if there are several. */
static void write_row(FILE *stream, const Report *report, Row *row, Hard *kept)
{
    const int count =
        find_hardest(&row->result->scores[row->set], row->label, report->thumbnails, kept);
    if (report->count > 1) {
        fputs("<h4>", stream);
        report_text(stream, "%s", report_result_name(report, row->result));
        fputs("</h4>\n", stream);
    }
    fputs("<ul class=\"frames\">\n", stream);
    for (int i = 0; i < count; i++)
        write_frame(stream, row, &kept[i]);
    fputs("</ul>\n", stream);
    if (row->missing > 0) {
        fprintf(stream,
                "<p class=\"soft\">%d of %d images cannot be shown. First reason: ", row->missing,
                count);
        report_text(stream, "%s", row->why.message);
        fputs("</p>\n", stream);
    }
}

static bool has_class(const Report *report, int set, int label)
{
    const Metrics *frame = &report->results[0].reports[set].frame;
    return (label ? frame->n_fake : frame->n_real) > 0;
}

static Status write_class(FILE *stream, const Report *report, int set, int label, Error *error)
{
    if (!has_class(report, set, label))
        return STATUS_OK;
    Hard *kept = mem_new(report->thumbnails, sizeof *kept, "the thumbnails", error);
    if (!kept)
        return error->status;
    fprintf(stream, "<h3>Hardest %s frames</h3>\n<p class=\"soft\">%s p_fake first%s</p>\n",
            label ? "fake" : "real", label ? "Lowest" : "Highest",
            report->results[0].scores[set].has_videos ? ", one frame per video." : ".");
    for (int r = 0; r < report->count; r++) {
        Row row = {.result = &report->results[r], .set = set, .label = label};
        write_row(stream, report, &row, kept);
        data_resizer_free(&row.resizer);
    }
    free(kept);
    return STATUS_OK;
}

Status report_write_frames(FILE *stream, const Report *report, int set, Error *error)
{
    assert(report->thumbnails >= 0 && report->thumbnails <= REPORT_THUMBNAILS_MOST);
    const EvalResult *first = &report->results[0];
    if (report->thumbnails == 0 || first->scores[set].frames == 0 ||
        !locate_frame(first, set, 0).path)
        return STATUS_OK;
    TRY(write_class(stream, report, set, 0, error));
    return write_class(stream, report, set, 1, error);
}
