/*
 * main.c - the program lnclip: finds the subcommand, runs it, and sees that its output arrived.
 *
 * Everything else is in the files cmd_*.c, one a subcommand, and in the libraries below them.
 */
#include "tools/cli/cli.h"
#include "train/json.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
    bool prints; /* its result is its output: without a reader there is nothing to do */
} Subcommand;

static const Subcommand subcommands[] = {
    {"demo", cmd_demo, "the whole method in miniature, nothing to download", false},
    {"init", cmd_init, "make a model with random weights", false},
    {"synth", cmd_synth, "make a synthetic face-forgery data set", false},
    {"lists", cmd_lists, "make frame lists of data sets as they are distributed", false},
    {"train", cmd_train, "LN-tune a model on lists of face frames", false},
    {"eval", cmd_eval, "score data sets and compute their metrics", false},
    {"calibrate", cmd_calibrate, "fit temperature and thresholds on validation frames", false},
    {"compare", cmd_compare, "put training runs and evaluations side by side", true},
    {"predict", cmd_predict, "print the probability of being fake of each image", true},
    {"features", cmd_features, "save the pooled features of images", false},
    {"auc", cmd_auc, "metrics of any score file", true},
    {"export", cmd_export, "write a model with its adapter merged", false},
    {"inspect", cmd_inspect, "what a model, an adapter or a run holds", true},
    {"bench", cmd_bench, "speed of this machine, and what share of it is reached", true},
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static void print_help(FILE *stream)
{
    fputs("lnclip - face-forgery detection by tuning the LayerNorms of CLIP's vision transformer\n"
          "\n"
          "The images are cropped faces, one frame a file: .../SOURCE/VIDEO/FRAME.png\n"
          "\n"
          "usage: lnclip COMMAND [OPTION...] [ARGUMENT...]\n"
          "\n",
          stream);
    for (int i = 0; i < SUBCOMMANDS; i++)
        fprintf(stream, "  %-10s %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\n"
          "lnclip COMMAND --help tells the options of a command and shows an example.\n"
          "lnclip --version prints the version. A first step: lnclip demo\n",
          stream);
}

static const Subcommand *find_subcommand(const char *name)
{
    for (int i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

static int unknown_subcommand(const char *name)
{
    const char *names[SUBCOMMANDS];
    for (int i = 0; i < SUBCOMMANDS; i++)
        names[i] = subcommands[i].name;
    const char *nearest = cli_nearest(name, names, SUBCOMMANDS);
    if (nearest)
        return cli_usage_error("%s: no such command; did you mean '%s'? See lnclip --help", name,
                               nearest);
    return cli_usage_error("%s: no such command; see lnclip --help", name);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return cli_usage_error("command: none was given; name one of the above");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return CLI_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("lnclip " LNCLIP_VERSION);
        return CLI_DONE;
    }
    const Subcommand *subcommand = find_subcommand(argv[1]);
    if (!subcommand)
        return unknown_subcommand(argv[1]);
    /*
     * `lnclip predict | head` ends quietly, also where the caller left SIGPIPE ignored (Python). A
     * training run goes on when the reader of its progress has ended (tee after Ctrl-C).
     */
    signal(SIGPIPE, subcommand->prints ? SIG_DFL : SIG_IGN);
    return subcommand->run(argc - 1, argv + 1);
}

/*
 * Images come and go by the thousand. Memory that the C library maps for each one and gives back at
 * once costs a page fault every 4 KiB: a tenth of the time it takes to decode a frame. Larger ones
 * than a face crop are given back, as each worker would keep the largest it ever had.
 */
static void keep_freed_memory(void)
{
#ifdef __GLIBC__
    enum { LARGEST_KEPT = 1 << 20, KEPT = 4 << 20 }; /* bytes: 512 x 512 pixels are 3/4 MiB */
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT);
    mallopt(M_TRIM_THRESHOLD, KEPT);
#endif
}

/*
 * When OpenBLAS is loaded, before main, it starts a thread for each processor that it sees, and
 * ends the process where that many are not allowed (RLIMIT_NPROC, pids.max). We use none of them:
 * gemm calls it from our own threads. So it is shown one processor only, the one it runs on, until
 * main restores the others. An environment variable would be too late: functions of .preinit_array
 * run before the constructors of shared libraries, but the C library takes its environment only
 * afterwards.
 */
static cpu_set_t allowed_processors[16]; /* bits for 16,384 processors; Linux knows 8,192 */
static bool one_processor_only;

static void show_one_processor(void)
{
    cpu_set_t one[sizeof allowed_processors / sizeof allowed_processors[0]];
    const int current = sched_getcpu();
    if (current < 0 || sched_getaffinity(0, sizeof allowed_processors, allowed_processors) != 0)
        return;
    CPU_ZERO_S(sizeof one, one);
    CPU_SET_S((size_t)current, sizeof one, one);
    one_processor_only = sched_setaffinity(0, sizeof one, one) == 0;
}

__attribute__((section(".preinit_array"),
               used)) static void (*before_libraries)(void) = show_one_processor;

static void show_all_processors(void)
{
    if (one_processor_only)
        (void)sched_setaffinity(0, sizeof allowed_processors, allowed_processors);
}

/*
 * A file opened later must not get the number of a standard stream that the caller closed: progress
 * would be printed into it. An O_PATH descriptor takes the number, and reading and writing still
 * fail (EBADF).
 */
static bool reserve_standard_descriptors(void)
{
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (fcntl(i, F_GETFD) < 0 && open("/", O_PATH) != i)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    show_all_processors();
    if (!reserve_standard_descriptors())
        return CLI_FAILED; /* and no stream to say so: standard error may be the closed one */
    /* A write beyond the file-size limit must fail like a full disk, not kill the process. */
    signal(SIGXFSZ, SIG_IGN);
    keep_freed_memory();
    train_json_start();
    return cli_finish(run(argc, argv));
}
