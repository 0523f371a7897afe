/*
 * fuzz.c - the table of harnesses, and libFuzzer's entry points.
 *
 * `lnclip_fuzz --list` prints names and maximum input sizes for tests/fuzz/run.sh. `lnclip_fuzz
 * --write-seeds FOLDER` writes the seeds that need the library (tests/fuzz/seeds.sh). `lnclip_fuzz
 * NAME ...` passes the other arguments to libFuzzer: options, folders of inputs, or single inputs,
 * such as one that crashed.
 */
#include "tests/fuzz/fuzz.h"

#include "tensor/base/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Target {
    const char *name;
    void (*run)(const uint8_t *data, size_t size);
    size_t longest;
} Target;

#define ROW(name, longest) {#name, fuzz_##name, longest},
static const Target TARGETS[] = {FUZZ_TARGETS(ROW)};
#undef ROW
enum { TARGET_COUNT = sizeof TARGETS / sizeof TARGETS[0] };

static const Target *target;

/* The name is also in the environment, because libFuzzer restarts itself to merge folders. */
static const char NAME_VARIABLE[] = "LNCLIP_FUZZ";

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);

static const Target *find_target(const char *name)
{
    for (int i = 0; i < TARGET_COUNT; i++)
        if (strcmp(TARGETS[i].name, name) == 0)
            return &TARGETS[i];
    return NULL;
}

/* Makes the paths in the arguments absolute, then changes to a new working directory. */
static void enter_scratch_folder(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *absolute = argv[i][0] == '-' ? NULL : realpath(argv[i], NULL);
        if (absolute)
            argv[i] = absolute; /* never freed */
    }
    const char *parent = getenv("TMPDIR");
    char folder[FILE_PATH_SIZE];
    snprintf(folder, sizeof folder, "%s/lnclip-fuzz-XXXXXX",
             parent                       ? parent
             : file_is_folder("/dev/shm") ? "/dev/shm"
                                          : "/tmp");
    if (!mkdtemp(folder) || chdir(folder) != 0) {
        perror(folder);
        exit(1);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    if (*argc > 1 && strcmp((*argv)[1], "--list") == 0) {
        for (int i = 0; i < TARGET_COUNT; i++)
            printf("%s %zu\n", TARGETS[i].name, TARGETS[i].longest);
        exit(0);
    }
    if (*argc > 2 && strcmp((*argv)[1], "--write-seeds") == 0) {
        enter_scratch_folder(*argc, *argv);
        fuzz_write_model_seeds((*argv)[2]);
        exit(0);
    }
    const char *name = getenv(NAME_VARIABLE);
    if (*argc > 1 && find_target((*argv)[1])) {
        name = (*argv)[1];
        setenv(NAME_VARIABLE, name, 1);
        memmove(*argv + 1, *argv + 2, (size_t)(*argc - 1) * sizeof **argv);
        --*argc;
    }
    target = name ? find_target(name) : NULL;
    if (!target) {
        fputs("usage: lnclip_fuzz NAME [libFuzzer's arguments]; lnclip_fuzz --list; "
              "lnclip_fuzz --write-seeds FOLDER\n",
              stderr);
        exit(2);
    }
    enter_scratch_folder(*argc, *argv);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    target->run(data, size);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    return target->run == fuzz_png || target->run == fuzz_image
               ? fuzz_mutate_png(data, size, capacity, seed)
               : LLVMFuzzerMutate(data, size, capacity);
}

/* External linkage keeps the reads below from being optimised away. */
uint8_t fuzz_sink;

void fuzz_touch(const void *data, size_t size)
{
    uint8_t all = 0;
    for (size_t i = 0; i < size; i++)
        all ^= ((const uint8_t *)data)[i];
    fuzz_sink = all;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text);
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

static void write_all(int descriptor, const void *data, size_t size)
{
    CHECK(ftruncate(descriptor, 0) == 0);
    CHECK(pwrite(descriptor, data, size, 0) == (ssize_t)size);
}

const char *fuzz_file(const void *data, size_t size)
{
    static int descriptor = -1;
    static char path[64];
    if (descriptor < 0) {
        descriptor = memfd_create("input", MFD_CLOEXEC);
        CHECK(descriptor >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    }
    write_all(descriptor, data, size);
    return path;
}

void fuzz_write(const char *path, const void *data, size_t size)
{
    const int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    CHECK(descriptor >= 0);
    write_all(descriptor, data, size);
    close(descriptor);
}

void fuzz_folder(const char *path)
{
    Error error = {0};
    CHECK_OK(file_make_folders(path, &error), error);
}

uint32_t fuzz_take(FuzzInput *input, size_t bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (i < input->size ? (uint32_t)input->data[i] : 0) << 8 * i;
    const size_t used = bytes < input->size ? bytes : input->size;
    input->data += used;
    input->size -= used;
    return value;
}
