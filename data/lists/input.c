/*
 * input.c - see input.h.
 */
#include "data/lists/input.h"

#include "data/lists/list_table.h"
#include "data/lists/path.h"
#include "tensor/base/file.h"

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_SIZE = 4096 };

/* Refusals by kind: "PATH: " comes before. NULL: the kind is read. */
static const char *const REFUSALS[DATA_INPUTS] = {
    [DATA_INPUT_EMPTY] = "the file is empty; give one image path per line",
    [DATA_INPUT_IMAGE] = "is an image, not a list; name its folder (real/ and fake/ in it), a list "
                         "of paths, or score it with lnclip predict",
    [DATA_INPUT_VIDEO] = "is a video; crop its faces first: lnclip faces --out CROPS VIDEO, or the "
                         "preprocessing of DeepfakeBench or GenD, and name the folder of the crops",
    [DATA_INPUT_JSON_LIST] = "is JSON of another kind; a data set in JSON is an object, as "
                             "DeepfakeBench writes it (for FaceForensics++'s splits: lnclip lists "
                             "ff --splits FOLDER)",
    [DATA_INPUT_MODEL] = "is a safetensors file, not a list; name models with --model and adapters "
                         "with --adapter",
    [DATA_INPUT_ZIP] = "is a zip archive or a PyTorch file, not a list; unpack it and name the "
                       "folder, or name a model with --model",
    [DATA_INPUT_ARCHIVE] = "is a compressed file or an archive; unpack it and name the folder",
    [DATA_INPUT_NUMPY] = "is a NumPy file; give a list of image paths",
    [DATA_INPUT_PAGE] = "is HTML or XML; give a list of image paths",
    [DATA_INPUT_UTF16] = "the list is UTF-16 text; save it as UTF-8",
    [DATA_INPUT_BINARY] = "is a binary file; give a list of image paths, a table (.csv), or a "
                          "folder",
};

/* First bytes of files. */
static const struct {
    DataInput input;
    uint8_t offset, length;
    const char *bytes;
} MAGIC[] = {
    {DATA_INPUT_IMAGE, 0, 8, "\x89PNG\r\n\x1a\n"},
    {DATA_INPUT_IMAGE, 0, 3, "\xff\xd8\xff"},
    {DATA_INPUT_IMAGE, 0, 4, "GIF8"},
    {DATA_INPUT_IMAGE, 8, 4, "WEBP"},
    {DATA_INPUT_IMAGE, 0, 4, "II*\0"},
    {DATA_INPUT_IMAGE, 0, 4, "MM\0*"},
    {DATA_INPUT_IMAGE, 4, 8, "ftypheic"},
    {DATA_INPUT_IMAGE, 4, 8, "ftypheix"},
    {DATA_INPUT_IMAGE, 4, 8, "ftypmif1"},
    {DATA_INPUT_IMAGE, 4, 8, "ftypavif"},
    {DATA_INPUT_VIDEO, 4, 4, "ftyp"},
    {DATA_INPUT_VIDEO, 4, 4, "moov"},
    {DATA_INPUT_VIDEO, 4, 4, "mdat"},
    {DATA_INPUT_VIDEO, 8, 4, "AVI "},
    {DATA_INPUT_VIDEO, 0, 4, "\x1a\x45\xdf\xa3"}, /* Matroska, WebM */
    {DATA_INPUT_VIDEO, 0, 4, "\x00\x00\x01\xba"}, /* MPEG */
    {DATA_INPUT_VIDEO, 0, 4, "\x00\x00\x01\xb3"},
    {DATA_INPUT_VIDEO, 0, 3, "FLV"},
    {DATA_INPUT_VIDEO, 0, 4, "\x30\x26\xb2\x75"}, /* WMV */
    {DATA_INPUT_VIDEO, 0, 4, "OggS"},
    {DATA_INPUT_ZIP, 0, 4, "PK\x03\x04"},
    {DATA_INPUT_ARCHIVE, 0, 2, "\x1f\x8b"},
    {DATA_INPUT_ARCHIVE, 0, 6,
     "\xfd"
     "7zXZ\0"},
    {DATA_INPUT_ARCHIVE, 0, 4, "\x28\xb5\x2f\xfd"}, /* zstd */
    {DATA_INPUT_ARCHIVE, 0, 3, "BZh"},
    {DATA_INPUT_ARCHIVE, 0, 4, "7z\xbc\xaf"},
    {DATA_INPUT_ARCHIVE, 0, 4, "Rar!"},
    {DATA_INPUT_NUMPY, 0, 6, "\x93NUMPY"},
    {DATA_INPUT_UTF16, 0, 2, "\xff\xfe"},
    {DATA_INPUT_UTF16, 0, 2, "\xfe\xff"},
};

/* The kind of text. */
static DataInput kind_of_text(const char *path, const char *text, size_t size)
{
    const char *const end = text + size;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    const char *begin = text;
    while (begin < end && strchr(" \t\r\n", *begin))
        begin++;
    if (begin == end)
        return DATA_INPUT_LIST;
    const char *suffix = data_path_suffix(file_name(path));
    const bool json = strcasecmp(suffix, ".json") == 0;
    if (*begin == '{')
        return DATA_INPUT_JSON;
    if (*begin == '[' && (json || (begin + 1 < end && strchr("[{\" \n", begin[1]))))
        return DATA_INPUT_JSON_LIST;
    if (*begin == '<' && begin + 1 < end && strchr("!?hH", begin[1]))
        return DATA_INPUT_PAGE;
    if (strcasecmp(suffix, ".csv") == 0 || strcasecmp(suffix, ".tsv") == 0)
        return DATA_INPUT_TABLE;
    char line[1024];
    const char *newline = memchr(text, '\n', end - text);
    const size_t length = (newline ? newline : end) - text;
    if (length >= sizeof line)
        return DATA_INPUT_LIST;
    memcpy(line, text, length);
    line[length] = '\0';
    return data_table_has_header(line, length) ? DATA_INPUT_TABLE : DATA_INPUT_LIST;
}

/* True for "P5" and "P6" images and BMP, whose first bytes are letters. */
static bool is_plain_image(const unsigned char *bytes, size_t size)
{
    if (size >= 3 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6'))
        return strchr(" \t\r\n#", bytes[2]) != NULL && bytes[2] != '\0';
    return size >= 14 && bytes[0] == 'B' && bytes[1] == 'M' && memchr(bytes, '\0', 14);
}

/* True if a length in 8 bytes and a JSON object follow: safetensors. */
static bool is_safetensors(const unsigned char *bytes, size_t size)
{
    return size > 8 && bytes[8] == '{' && bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0;
}

/* True if more than one byte in twenty is a control character that text does not have. */
static bool is_binary(const unsigned char *bytes, size_t size)
{
    size_t controls = 0;
    for (size_t i = 0; i < size; i++)
        controls += bytes[i] < ' ' && !memchr("\t\n\v\f\r\x1b", bytes[i], 6);
    return 20 * controls > size;
}

DataInput data_input_of_bytes(const char *path, const void *content, size_t size)
{
    const unsigned char *bytes = content;
    if (size == 0)
        return DATA_INPUT_EMPTY;
    for (size_t i = 0; i < sizeof MAGIC / sizeof MAGIC[0]; i++)
        if (size >= (size_t)MAGIC[i].offset + MAGIC[i].length &&
            memcmp(bytes + MAGIC[i].offset, MAGIC[i].bytes, MAGIC[i].length) == 0)
            return MAGIC[i].input;
    if (is_plain_image(bytes, size))
        return DATA_INPUT_IMAGE;
    if (is_safetensors(bytes, size))
        return DATA_INPUT_MODEL;
    if (size > 262 && memcmp(bytes + 257, "ustar", 5) == 0)
        return DATA_INPUT_ARCHIVE;
    return is_binary(bytes, size) ? DATA_INPUT_BINARY : kind_of_text(path, content, size);
}

DataInput data_input(const char *path)
{
    char head[HEAD_SIZE];
    assert(path);
    if (file_is_folder(path))
        return DATA_INPUT_FOLDER;
    if (!file_exists(path))
        return strpbrk(path, "*?[") ? DATA_INPUT_GLOB : DATA_INPUT_LIST;
    const int descriptor =
        open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* never waits for a pipe */
    if (descriptor < 0)
        return DATA_INPUT_LIST;
    struct stat facts;
    const bool regular = fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode);
    const ssize_t size = regular ? read(descriptor, head, sizeof head) : -1;
    close(descriptor);
    return size < 0 ? DATA_INPUT_LIST : data_input_of_bytes(path, head, size);
}

const char *data_input_refusal(DataInput input)
{
    assert(input >= 0 && input < DATA_INPUTS);
    return REFUSALS[input];
}

size_t data_input_first(const char *text)
{
    return file_exists(text) ? strlen(text) : strcspn(text, ",");
}
