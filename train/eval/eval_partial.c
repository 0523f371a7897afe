/*
 * eval_partial.c - see eval_partial.h.
 *
 * Nine digits represent an f32 exactly, so scores are restored bit-identically. Lines are appended
 * batch by batch; a killed process loses at most an incomplete line.
 *
 * An image with an equal stamp (size and times) is unchanged. If the stamp differs, as after a copy
 * of the data set, the content hash decides. It is computed right after scoring, while the image is
 * in the page cache, and is valid only if the stamp has not changed meanwhile.
 */
#include "train/eval/eval_partial.h"

#include "tensor/base/number.h"

#include <dirent.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 160 };

typedef struct Line {
    float probabilities[2], margin;
    uint64_t stamp, content; /* 0: unknown */
} Line;

static void format_header(char line[LINE_SIZE], const char *key)
{
    snprintf(line, LINE_SIZE, "lnclip partial evaluation, version 2, key %s\n", key);
}

/* Parses an f32 in [low, high] that ends at `stop`; moves *cursor past `stop`. */
static bool parse_score(const char **cursor, char stop, float low, float high, float *value)
{
    const char *end = strchr(*cursor, stop);
    double number = 0;
    if (!end || !number_parse(*cursor, (size_t)(end - *cursor), &number) ||
        !(number >= (double)low && number <= (double)high))
        return false;
    *value = (float)number;
    *cursor = end + 1;
    return true;
}

static bool parse_line(const char *text, Line *line)
{
    char end = '\0';
    return parse_score(&text, ' ', 0, 1, &line->probabilities[0]) &&
           parse_score(&text, ' ', 0, 1, &line->probabilities[1]) &&
           parse_score(&text, ' ', -FLT_MAX, FLT_MAX, &line->margin) &&
           sscanf(text, "%16" SCNx64 " %16" SCNx64 "%c", &line->stamp, &line->content, &end) == 3 &&
           end == '\n';
}

/* True if the image has not changed since it was scored. */
static bool is_same_image(const Line *line, const EvalImages *images, size_t i)
{
    if (line->stamp != 0 && line->stamp == images->stamps[i])
        return true;
    return line->content != 0 && line->content == file_content_hash(images->files[i]);
}

/* Reads the valid lines, truncates the file after them and leaves the position there. */
static bool read_kept(EvalPartial *partial, const char *key, const EvalImages *images,
                      const EvalKept *scores)
{
    char text[LINE_SIZE], header[LINE_SIZE];
    format_header(header, key);
    long sound = 0;
    if (fgets(text, sizeof text, partial->stream) && strcmp(text, header) == 0) {
        Line line;
        sound = ftell(partial->stream);
        while (partial->done < images->count && fgets(text, sizeof text, partial->stream) &&
               parse_line(text, &line)) {
            const size_t i = partial->done;
            if (!is_same_image(&line, images, i)) {
                partial->replaced = images->files[i];
                break;
            }
            memcpy(scores->probabilities + 2 * i, line.probabilities, sizeof line.probabilities);
            scores->margins[i] = line.margin;
            partial->done++;
            sound = ftell(partial->stream);
        }
    }
    if (sound < 0 || fseek(partial->stream, sound, SEEK_SET) != 0 ||
        ftruncate(fileno(partial->stream), sound) != 0)
        return false;
    return sound > 0 || (fputs(header, partial->stream) >= 0 && fflush(partial->stream) == 0);
}

Status eval_partial_open(EvalPartial *partial, const char *folder, const char key[EVAL_KEY_SIZE],
                         const EvalImages *images, const EvalKept *scores, Error *error)
{
    memset(partial, 0, sizeof *partial);
    char name[EVAL_KEY_SIZE + 32];
    snprintf(name, sizeof name, "predictions-%s.partial", key);
    TRY(file_join(partial->path, folder, name, error));
    partial->stream = fopen(partial->path, "a+"); /* creates it, and never shortens it */
    const FileLock lock =
        partial->stream ? file_lock(fileno(partial->stream)) : FILE_LOCK_UNSUPPORTED;
    partial->unlocked = lock == FILE_LOCK_UNSUPPORTED;
    if (lock == FILE_LOCK_BUSY) {
        fclose(partial->stream);
        partial->stream = NULL;
        return error_set(error, STATUS_FAILED,
                         "%s: another process is running this evaluation; wait for it, or choose "
                         "another --out",
                         folder);
    }
    if (partial->stream)
        rewind(partial->stream);
    if (partial->stream && read_kept(partial, key, images, scores))
        return STATUS_OK;
    error_set(error, STATUS_FAILED,
              "%s: cannot be written (%s); free some disk space or choose another --out",
              partial->path, strerror(errno));
    eval_partial_close(partial, false);
    return STATUS_FAILED;
}

/* Writes the scores of image i. An image that changed while being evaluated gets stamp 0, so that
 * it is scored again next time. */
static bool write_line(FILE *stream, const EvalImages *images, const EvalKept *scores, size_t i)
{
    const float *p = scores->probabilities + 2 * i;
    const float numbers[] = {p[0], p[1], scores->margins[i]};
    uint64_t stamp = images->stamps[i], content = file_content_hash(images->files[i]);
    if (file_stamp(images->files[i]) != stamp)
        stamp = content = 0;
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
        number_write(stream, 9, (double)numbers[k]);
        putc(' ', stream);
    }
    return fprintf(stream, "%016" PRIx64 " %016" PRIx64 "\n", stamp, content) > 0;
}

bool eval_partial_append(EvalPartial *partial, const EvalImages *images, const EvalKept *scores,
                         size_t done)
{
    if (!partial->stream)
        return true;
    bool written = true;
    for (; partial->done < done && written; partial->done++)
        written = write_line(partial->stream, images, scores, partial->done);
    if (written && fflush(partial->stream) == 0)
        return true;
    fclose(partial->stream);
    partial->stream = NULL;
    return false;
}

void eval_partial_close(EvalPartial *partial, bool finished)
{
    if (partial->path[0] && (finished || partial->done == 0))
        unlink(partial->path); /* while still locked, so that no other process opens it */
    if (partial->stream)
        fclose(partial->stream);
    memset(partial, 0, sizeof *partial);
}

/* True for predictions-KEY.partial with a KEY of 32 hexadecimal digits. */
static bool is_partial(const char *name)
{
    static const char before[] = "predictions-", after[] = ".partial";
    const size_t digits = EVAL_KEY_SIZE - 1, start = sizeof before - 1;
    return strncmp(name, before, start) == 0 &&
           strspn(name + start, "0123456789abcdef") == digits &&
           strcmp(name + start + digits, after) == 0;
}

void eval_partial_clean(const char *folder)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        char path[FILE_PATH_SIZE];
        Error error = {0};
        if (!is_partial(entry->d_name) ||
            file_join(path, folder, entry->d_name, &error) != STATUS_OK)
            continue;
        FILE *stream = fopen(path, "r");
        if (stream && file_lock(fileno(stream)) != FILE_LOCK_BUSY)
            unlink(path);
        if (stream)
            fclose(stream);
    }
    if (entries)
        closedir(entries);
}
