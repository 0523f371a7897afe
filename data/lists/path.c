/*
 * path.c - see path.h.
 */
#include "data/lists/path.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* ---- words ----------------------------------------------------------------------------------- */

/* A word, or a run of letters, within a name. */
typedef struct Word {
    const char *text;
    size_t length;
} Word;

/*
 * ASCII rules, whatever the locale; bytes of other scripts count as letters of the adjacent word.
 */
static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
    return is_upper(c) || is_lower(c) || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_separator(char c)
{
    return c == '/' || c == '\\';
}

/* The next run of letters in name [length] from position `from`; length 0 if there is none. */
static Word next_run(const char *name, size_t length, size_t from)
{
    size_t begin = from;
    while (begin < length && !is_letter(name[begin]))
        begin++;
    size_t end = begin;
    while (end < length && is_letter(name[end]))
        end++;
    return (Word){name + begin, end - begin};
}

/* The word of camel case that begins at run.text + from: Real|Videos, FF|Real. */
static Word next_word(Word run, size_t from)
{
    size_t end = from + (from < run.length);
    for (; end < run.length; end++) {
        const char before = run.text[end - 1], here = run.text[end];
        const char after = end + 1 < run.length ? run.text[end + 1] : '\0';
        if (is_upper(here) && (is_lower(before) || (is_upper(before) && is_lower(after))))
            break;
    }
    return (Word){run.text + from, end - from};
}

static bool is_word(Word word, const char *text)
{
    return strlen(text) == word.length && strncasecmp(word.text, text, word.length) == 0;
}

/* True if the word is one of `words` (NULL-terminated). */
static bool is_among(Word word, const char *const *words)
{
    for (; *words; words++)
        if (is_word(word, *words))
            return true;
    return false;
}

static bool holds_letters(Word run, const char *text)
{
    const size_t length = strlen(text);
    for (size_t i = 0; i + length <= run.length; i++)
        if (strncasecmp(run.text + i, text, length) == 0)
            return true;
    return false;
}

static const char *const REAL[] = {"real", "reals", NULL};
static const char *const FAKE[] = {"fake",      "fakes",       "deepfake", "deepfakes", "synthesis",
                                   "synthetic", "manipulated", "forged",   "forgery",   NULL};

/* ---- splits ---------------------------------------------------------------------------------- */

const char *const data_split_names[DATA_SPLITS] = {"train", "val", "test"};

int data_split_parse(const char *name)
{
    static const char *const NAMES[DATA_SPLITS][6] = {{"train", "training", NULL},
                                                      {"val", "valid", "validation", "dev", NULL},
                                                      {"test", "testing", NULL}};
    for (int split = 0; split < DATA_SPLITS; split++)
        if (is_among((Word){name, strlen(name)}, NAMES[split]))
            return split;
    return -1;
}

/* ---- labels ---------------------------------------------------------------------------------- */

/* What the words of a name imply. */
typedef struct Words {
    bool real, fake;
    bool changed; /* a word next to "real" changes its meaning */
    bool inside;  /* the letters "real" are part of another word */
    bool footage; /* a word that other data sets use for real videos */
} Words;

static void read_run(Word run, Words *words, Word *before, bool *after_real)
{
    /* not-real, sur-real; real-time, Real3D, RealESRGAN (names of forgery methods). */
    static const char *const BEFORE[] = {"not",   "non",  "no",     "un",    "sur",
                                         "hyper", "semi", "pseudo", "quasi", NULL};
    static const char *const BEHIND[] = {"time", "d",   "vis",   "esrgan", "sr",
                                         "nvp",  "ism", "istic", "ity",    NULL};
    static const char *const FOOTAGE[] = {"original", "originals", "youtube",   "actors",
                                          "pristine", "genuine",   "authentic", NULL};
    bool any = false;
    words->footage |= is_among(run, FOOTAGE);
    const bool whole = is_among(run, REAL); /* rEAL is not camel case */
    for (size_t at = 0; at < run.length;) {
        const Word word = whole ? run : next_word(run, at);
        const bool real = is_among(word, REAL);
        words->fake |= is_among(word, FAKE);
        words->changed |=
            (real && is_among(*before, BEFORE)) || (*after_real && is_among(word, BEHIND));
        words->real |= real;
        any |= real;
        *after_real = real;
        *before = word;
        at += word.length;
    }
    words->inside |= !any && holds_letters(run, "real");
}

DataLabel data_label(const char *name, size_t length)
{
    Words words = {0};
    Word before = {"", 0};
    bool after_real = false;
    for (Word run = next_run(name, length, 0); run.length > 0;
         run = next_run(name, length, run.text - name + run.length))
        read_run(run, &words, &before, &after_real);
    const char *doubt = NULL;
    if (words.real && words.fake)
        doubt = "its name has a word for real and one for fake";
    else if (words.changed)
        doubt = "a word next to 'real' in its name may change the meaning";
    else if (words.inside)
        doubt = "the letters 'real' in its name are part of another word";
    if (doubt)
        return (DataLabel){.label = -1, .doubt = doubt};
    if (words.real || words.fake)
        return (DataLabel){.label = words.fake, .by_word = true};
    return (DataLabel){.label = 1,
                       .doubt = words.footage ? "its name suggests real footage" : NULL};
}

/*
 * 0 or 1 if the folder name [length] consists of a class and nothing else: real, fake, 0_real,
 * 1_fake, real_images, FakeFaces; else -1. (0000_fake is a video of UADFV.)
 */
static int class_folder(const char *name, size_t length)
{
    static const char *const OTHERS[] = {"image", "images",  "img",      "imgs",   "face",
                                         "faces", "frame",   "frames",   "crop",   "crops",
                                         "photo", "photos",  "video",    "videos", "class",
                                         "set",   "picture", "pictures", NULL};
    static const char *const CLASS[2][3] = {{"real", "reals", NULL}, {"fake", "fakes", NULL}};
    int label = -1;
    for (size_t i = 0; i < length; i++) /* 0_real, 1_fake; but 0000_fake is a video */
        if (is_digit(name[i]) && (i > 0 || (length > 1 && is_digit(name[1]))))
            return -1;
    for (Word run = next_run(name, length, 0); run.length > 0;
         run = next_run(name, length, run.text - name + run.length)) {
        for (size_t at = 0; at < run.length;) {
            const bool whole = is_among(run, CLASS[0]) || is_among(run, CLASS[1]);
            const Word word = whole ? run : next_word(run, at);
            at += word.length;
            const int found = is_among(word, CLASS[0]) ? 0 : is_among(word, CLASS[1]) ? 1 : -1;
            if ((found >= 0 && label >= 0) || (found < 0 && !is_among(word, OTHERS)))
                return -1;
            label = found >= 0 ? found : label;
        }
    }
    return label;
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* The last part before path[end], ignoring empty parts and "."; length 0 if there is none. */
static Word part_before(const char *path, size_t end)
{
    for (;;) {
        while (end > 0 && is_separator(path[end - 1]))
            end--;
        size_t begin = end;
        while (begin > 0 && !is_separator(path[begin - 1]))
            begin--;
        if (end - begin != 1 || path[begin] != '.')
            return (Word){path + begin, end - begin};
        end = begin;
    }
}

static bool is_container(Word part)
{
    static const char *const NAMES[] = {"frames", "faces", "crops", "images", "videos",
                                        "c23",    "c40",   "c0",    "raw",    NULL};
    return is_among(part, NAMES);
}

/* The label that the folders above imply for a source whose own name says nothing. */
static DataLabel label_from_above(const char *path, Word source, size_t top, bool walked)
{
    DataLabel label = {.label = 1};
    Word above = part_before(path, source.text - path);
    if (is_container(source)) { /* Celeb-real/frames/000: `frames` is not a source */
        while (is_container(above))
            above = part_before(path, above.text - path);
        const DataLabel named = data_label(above.text, above.length);
        if (named.label != 1 || named.doubt)
            label = (DataLabel){
                .label = -1, .doubt = "its name says nothing, and a folder above says it is real"};
        above = part_before(path, source.text - path);
    }
    for (; walked && above.length > 0 && (size_t)(above.text - path) >= top;
         above = part_before(path, above.text - path)) {
        const int class = class_folder(above.text, above.length);
        if (class >= 0)
            return (DataLabel){.label = class, .by_word = true};
    }
    if (!walked && is_word(above, "real"))
        label = (DataLabel){.label = -1, .doubt = "it is in a folder named real"};
    return label;
}

DataPath data_path_read(const char *path)
{
    const size_t length = strlen(path);
    const Word frame = part_before(path, length);
    const Word folder = part_before(path, frame.text - path);
    const Word source = part_before(path, folder.text - path);
    const size_t end = folder.length > 0 ? folder.text - path + folder.length
                                         : frame.length > 0 && is_separator(path[0]);
    if (class_folder(folder.text, folder.length) >= 0)
        return (DataPath){folder.text, folder.length, length, true};
    const bool named = source.length > 0 && !is_word(source, "..");
    return (DataPath){source.text, named ? source.length : 0, end, false};
}

const char *data_path_video(const char *path, char *buffer, size_t size, size_t *length)
{
    *length = data_path_read(path).video_length;
    bool plain = true; /* the path already has this form */
    for (size_t i = 0; i < *length && plain; i++)
        plain = path[i] != '\\' && !(path[i] == '/' && i > 0 && path[i - 1] == '/') &&
                !(path[i] == '.' && (i == 0 || path[i - 1] == '/') &&
                  (i + 1 == *length || path[i + 1] == '/'));
    if (plain || *length >= size)
        return path;
    size_t used = 0;
    bool part = is_separator(path[0]); /* a separator is due */
    for (size_t at = 0; at < *length;) {
        size_t end = at;
        while (end < *length && !is_separator(path[end]))
            end++;
        const bool counts = end > at && !(end - at == 1 && path[at] == '.');
        if (counts && part)
            buffer[used++] = '/';
        for (size_t i = at; counts && i < end; i++)
            buffer[used++] = path[i];
        part |= counts;
        at = end + 1;
    }
    *length = used;
    return buffer;
}

/*
 * True if the name of the frame's folder says real: D/Celeb-real/0.png, with D listed, looks like a
 * video of D.
 */
static bool looks_real(const char *path, const DataPath *parts, size_t top)
{
    const Word folder = part_before(path, parts->video_length);
    const DataLabel label = data_label(folder.text, folder.length);
    return (size_t)(parts->source - path) <= top && label.by_word && label.label == 0;
}

DataLabel data_path_label(const char *path, const DataPath *parts, size_t top, bool walked,
                          bool *above)
{
    const Word source = {parts->source, parts->source_length};
    *above = false;
    if (source.length == 0)
        return (DataLabel){.label = -1};
    if (parts->own_video)
        return (DataLabel){.label = class_folder(source.text, source.length), .by_word = true};
    DataLabel label = data_label(source.text, source.length);
    const DataLabel higher = label_from_above(path, source, top, walked);
    if (label.by_word) {
        if (higher.by_word && higher.label != label.label)
            label = (DataLabel){.label = -1, .doubt = "it is in a folder of the other class"};
        return label;
    }
    if (higher.by_word || (higher.label < 0 && label.label >= 0))
        label = higher;
    *above = higher.by_word;
    if (walked && !label.by_word && looks_real(path, parts, top))
        label =
            (DataLabel){.label = -1,
                        .doubt = "a folder below it whose name says real directly contains images "
                                 "and looks like a video"};
    return label;
}

int data_path_compare(const char *a, const char *b)
{
    const char *all_a = a, *all_b = b;
    while (*a && *b) {
        if (!is_digit(*a) || !is_digit(*b)) {
            if (*a != *b)
                return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            a++;
            b++;
            continue;
        }
        while (*a == '0' && is_digit(a[1]))
            a++;
        while (*b == '0' && is_digit(b[1]))
            b++;
        size_t digits_a = 0, digits_b = 0;
        while (is_digit(a[digits_a]))
            digits_a++;
        while (is_digit(b[digits_b]))
            digits_b++;
        if (digits_a != digits_b)
            return digits_a < digits_b ? -1 : 1;
        const int order = memcmp(a, b, digits_a);
        if (order != 0)
            return order;
        a += digits_a;
        b += digits_b;
    }
    return *a || *b ? (*a ? 1 : -1) : strcmp(all_a, all_b);
}

/* ---- skipped files --------------------------------------------------------------------------- */

const char *data_path_suffix(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot > name ? dot : "";
}

/* True if the suffix is one of `suffixes` (NULL-terminated). */
static bool has_suffix(const char *name, const char *const *suffixes)
{
    const char *suffix = data_path_suffix(name);
    return is_among((Word){suffix, strlen(suffix)}, suffixes);
}

/* True if the name has the suffix of an image, in any case. */
static bool is_image(const char *name)
{
    static const char *const SUFFIXES[] = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", NULL};
    return has_suffix(name, SUFFIXES);
}

bool data_is_video(const char *name, size_t *stem)
{
    static const char *const SUFFIXES[] = {".mp4", ".avi",  ".mov", ".mkv", ".webm", ".m4v",
                                           ".mpg", ".mpeg", ".wmv", ".flv", ".mts",  NULL};
    const bool video = has_suffix(name, SUFFIXES);
    if (stem)
        *stem = (size_t)(video ? data_path_suffix(name) - name : (ptrdiff_t)strlen(name));
    return video;
}

DataSkip data_path_skip(const char *name, bool folder)
{
    static const char *const SYSTEM[] = {"@eaDir",       "__MACOSX",  "#recycle",    "@Recycle",
                                         "lost+found",   "Thumbs.db", "desktop.ini", "ehthumbs.db",
                                         "$RECYCLE.BIN", NULL};
    static const char *const MASKS[] = {"masks", "mask", "target_mask", "landmarks", NULL};
    static const char *const FORMATS[] = {".webp", ".heic", ".heif", ".avif", ".tif", ".tiff",
                                          ".gif",  ".jp2",  ".jxl",  ".tga",  ".psd", ".dng",
                                          ".exr",  ".hdr",  ".jfif", ".jpe",  ".pnm", NULL};
    const Word whole = {name, strlen(name)};
    if (name[0] == '.' || is_among(whole, SYSTEM))
        return DATA_SKIP_SYSTEM;
    if (folder)
        return is_among(whole, MASKS) ? DATA_SKIP_MASKS : DATA_SKIP_NONE;
    if (is_image(name))
        return DATA_SKIP_NONE;
    if (has_suffix(name, FORMATS))
        return DATA_SKIP_FORMAT;
    return data_is_video(name, NULL) ? DATA_SKIP_VIDEO : DATA_SKIP_OTHER;
}

const char *data_skip_reason(DataSkip skip)
{
    static const char *const REASONS[DATA_SKIPS] = {
        [DATA_SKIP_NONE] = "frames",
        [DATA_SKIP_SYSTEM] = "hidden or system files",
        [DATA_SKIP_MASKS] = "masks or landmarks",
        [DATA_SKIP_FORMAT] = ("images of an unsupported format or suffix; save them as PNG or "
                              "JPEG"),
        [DATA_SKIP_VIDEO] = "videos; extract frames and crop the faces first",
        [DATA_SKIP_OTHER] = "not images",
    };
    assert(skip >= 0 && skip < DATA_SKIPS);
    return REASONS[skip];
}
