/*
 * list_unicode.c - finds a file whose name is the one wanted in the other Unicode normalisation.
 *
 * macOS decomposes letters with accents (NFD), Linux and most programs compose them (NFC). A list
 * written on one and read on the other then names files that do not exist. Names are compared by
 * their shape: a base character with the combining marks that follow it, and a single character
 * that is not ASCII, both count as one accented letter. So no tables are needed, and only the
 * message depends on it.
 */
#include "data/lists/list_collect_private.h"
#include "tensor/base/file.h"

#include <dirent.h>
#include <stdint.h>
#include <string.h>

/* Reads one character of UTF-8 and moves *text behind it; an invalid byte is itself. */
static uint32_t next_character(const char **text)
{
    const unsigned char *bytes = (const unsigned char *)*text;
    const int length = bytes[0] < 0xc2   ? 1
                       : bytes[0] < 0xe0 ? 2
                       : bytes[0] < 0xf0 ? 3
                       : bytes[0] < 0xf5 ? 4
                                         : 1;
    uint32_t value = length == 1 ? bytes[0] : bytes[0] & (0x7fU >> length);
    for (int i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            (*text)++;
            return bytes[0];
        }
        value = value << 6 | (bytes[i] & 0x3fU);
    }
    *text += length;
    return value;
}

/* True for combining marks of Latin, Greek and Cyrillic, of kana, and for Hangul's later jamo. */
static bool is_mark(uint32_t character)
{
    return (character >= 0x300 && character <= 0x36f) ||
           (character >= 0x1160 && character <= 0x11ff) || character == 0x3099 ||
           character == 0x309a;
}

/* The class of a character that is not ASCII, below any ASCII character that names have. */
static char class_of(uint32_t character)
{
    if ((character >= 0xac00 && character <= 0xd7a3) || (character >= 0x1100 && character < 0x1160))
        return 2; /* Hangul */
    if (character >= 0x3040 && character <= 0x30ff)
        return 3; /* kana */
    return 1;
}

/* Writes the shape of a name to shape [size]: ASCII, and a class for any other letter. */
static bool find_shape(const char *name, char *shape, size_t size, bool *marks)
{
    size_t used = 0;
    *marks = false;
    while (*name) {
        const uint32_t character = next_character(&name);
        if (is_mark(character) && used > 0) {
            shape[used - 1] = (char)(shape[used - 1] > 3 ? 1 : shape[used - 1]);
            *marks = true;
            continue;
        }
        if (used + 1 >= size)
            return false;
        shape[used++] = (char)(character < 0x80 ? character : (uint32_t)class_of(character));
    }
    shape[used] = '\0';
    return true;
}

/* True if two names differ in their normalisation only, as far as their shape shows. */
static bool is_twin(const char *a, const char *b)
{
    char shape_a[FILE_PATH_SIZE], shape_b[FILE_PATH_SIZE];
    bool marks_a, marks_b;
    return find_shape(a, shape_a, sizeof shape_a, &marks_a) &&
           find_shape(b, shape_b, sizeof shape_b, &marks_b) && marks_a != marks_b &&
           strcmp(shape_a, shape_b) == 0;
}

bool data_list_has_twin(const char *path)
{
    char folder[FILE_PATH_SIZE] = "", part[FILE_PATH_SIZE], next[FILE_PATH_SIZE];
    Error ignored = {0};
    bool any = false;
    const char *c = path;
    while (*c && (unsigned char)*c < 0x80)
        c++;
    if (!*c) /* ASCII has one form only */
        return false;
    if (path[0] == '/')
        memcpy(folder, "/", 2);
    for (const char *at = path + strspn(path, "/"); *at; at += strspn(at, "/")) {
        const size_t length = strcspn(at, "/");
        if (length >= sizeof part)
            return false;
        memcpy(part, at, length);
        part[length] = '\0';
        at += length;
        if (file_join(next, folder, part, &ignored) != STATUS_OK)
            return false;
        if (!file_exists(next)) {
            DIR *stream = opendir(folder[0] ? folder : ".");
            bool found = false;
            for (const struct dirent *item; stream && !found && (item = readdir(stream));)
                found = is_twin(part, item->d_name) &&
                        file_join(next, folder, item->d_name, &ignored) == STATUS_OK;
            if (stream)
                closedir(stream);
            if (!found)
                return false;
            any = true;
        }
        memcpy(folder, next, strlen(next) + 1);
    }
    return any;
}
