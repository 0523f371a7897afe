/*
 * cmd_eval_partial.c - see cmd_eval_partial.h.
 *
 * Nine digits carry an f32 exactly, so scores read back are the bits that were computed. Lines are
 * appended batch by batch; a process killed in the middle of one loses that line only.
 */
#include "tools/cmd_eval_partial.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { LINE_SIZE = 128 };

static void format_header(char line[LINE_SIZE], const char *key)
{
    snprintf(line, LINE_SIZE, "lnclip partial evaluation, version 1, key %s\n", key);
}

/* Parses "p_real p_fake\n": two probabilities and nothing else. */
static bool parse_line(const char *line, float probabilities[2])
{
    char *end;
    probabilities[0] = strtof(line, &end);
    if (end == line || *end != ' ')
        return false;
    const char *const second = end + 1;
    probabilities[1] = strtof(second, &end);
    return end != second && strcmp(end, "\n") == 0 && probabilities[0] >= 0 &&
           probabilities[0] <= 1 && probabilities[1] >= 0 && probabilities[1] <= 1;
}

/* Reads what is sound from the start of the file, cuts off the rest, and leaves the position there. */
static bool read_kept(CmdEvalPartial *partial, const char *key, float *probabilities, size_t count)
{
    char line[LINE_SIZE], header[LINE_SIZE];
    format_header(header, key);
    long sound = 0;
    if (fgets(line, sizeof line, partial->stream) && strcmp(line, header) == 0) {
        sound = ftell(partial->stream);
        while (partial->done < count && fgets(line, sizeof line, partial->stream) &&
               parse_line(line, probabilities + 2 * partial->done)) {
            partial->done++;
            sound = ftell(partial->stream);
        }
    }
    if (sound < 0 || fseek(partial->stream, sound, SEEK_SET) != 0 ||
        ftruncate(fileno(partial->stream), sound) != 0)
        return false;
    return sound > 0 || (fputs(header, partial->stream) >= 0 && fflush(partial->stream) == 0);
}

Status cmd_eval_partial_open(CmdEvalPartial *partial, const char *folder,
                             const char key[CMD_EVAL_KEY_SIZE], float *probabilities, size_t count,
                             Error *error)
{
    memset(partial, 0, sizeof *partial);
    char name[CMD_EVAL_KEY_SIZE + 32];
    snprintf(name, sizeof name, "predictions-%s.partial", key);
    TRY(file_join(partial->path, folder, name, error));
    partial->stream = fopen(partial->path, "a+"); /* creates it, and never shortens it */
    if (partial->stream && flock(fileno(partial->stream), LOCK_EX | LOCK_NB) != 0) {
        fclose(partial->stream);
        partial->stream = NULL;
        return error_set(error, STATUS_FAILED,
                         "%s: another process is running this evaluation; wait for it, or choose "
                         "another --out",
                         folder);
    }
    if (partial->stream)
        rewind(partial->stream);
    if (partial->stream && read_kept(partial, key, probabilities, count))
        return STATUS_OK;
    error_set(error, STATUS_FAILED,
              "%s: cannot be written: %s; free some space or choose another --out", partial->path,
              strerror(errno));
    cmd_eval_partial_close(partial, false);
    return STATUS_FAILED;
}

bool cmd_eval_partial_append(CmdEvalPartial *partial, const float *probabilities, size_t done)
{
    if (!partial->stream)
        return true;
    bool written = true;
    for (; partial->done < done && written; partial->done++)
        written = fprintf(partial->stream, "%.9g %.9g\n", (double)probabilities[2 * partial->done],
                          (double)probabilities[2 * partial->done + 1]) > 0;
    if (written && fflush(partial->stream) == 0)
        return true;
    fclose(partial->stream);
    partial->stream = NULL;
    return false;
}

void cmd_eval_partial_close(CmdEvalPartial *partial, bool finished)
{
    if (partial->path[0] && (finished || partial->done == 0))
        unlink(partial->path); /* before the lock goes, so that no one else opens it in between */
    if (partial->stream)
        fclose(partial->stream);
    memset(partial, 0, sizeof *partial);
}

/* predictions-KEY.partial, KEY of 32 hexadecimal digits. */
static bool is_partial(const char *name)
{
    static const char before[] = "predictions-", after[] = ".partial";
    const size_t digits = CMD_EVAL_KEY_SIZE - 1, start = sizeof before - 1;
    return strncmp(name, before, start) == 0 &&
           strspn(name + start, "0123456789abcdef") == digits &&
           strcmp(name + start + digits, after) == 0;
}

void cmd_eval_partial_clean(const char *folder)
{
    DIR *const entries = opendir(folder);
    const struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        char path[FILE_PATH_SIZE];
        Error error = {0};
        if (!is_partial(entry->d_name) ||
            file_join(path, folder, entry->d_name, &error) != STATUS_OK)
            continue;
        FILE *const stream = fopen(path, "r");
        if (stream && flock(fileno(stream), LOCK_EX | LOCK_NB) == 0)
            unlink(path);
        if (stream)
            fclose(stream);
    }
    if (entries)
        closedir(entries);
}
