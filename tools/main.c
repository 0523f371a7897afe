/*
 * main.c - the program lnclip: finds the subcommand, runs it, and sees that its output arrived.
 *
 * Everything else is in the files cmd_*.c, one a subcommand, and in the libraries below them.
 */
#include "tools/cli.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct Subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} Subcommand;

static const Subcommand subcommands[] = {
    {"demo", cmd_demo, "the whole method in miniature, nothing to download"},
    {"init", cmd_init, "make a model with random weights"},
    {"synth", cmd_synth, "make a synthetic face-forgery data set"},
    {"lists", cmd_lists, "make frame lists of data sets as they are distributed"},
    {"train", cmd_train, "LN-tune a model on lists of face frames"},
    {"eval", cmd_eval, "score data sets and compute their metrics"},
    {"calibrate", cmd_calibrate, "fit temperature and thresholds on validation frames"},
    {"compare", cmd_compare, "put training runs and evaluations side by side"},
    {"predict", cmd_predict, "print the probability of being fake of each image"},
    {"features", cmd_features, "save the pooled features of images"},
    {"auc", cmd_auc, "metrics of any score file"},
    {"export", cmd_export, "write a model with its adapter merged"},
    {"inspect", cmd_inspect, "what a model, an adapter or a run holds"},
    {"bench", cmd_bench, "speed of this machine, and what share of it is reached"},
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
    const char *const nearest = cli_nearest(name, names, SUBCOMMANDS);
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
    const Subcommand *const subcommand = find_subcommand(argv[1]);
    return subcommand ? subcommand->run(argc - 1, argv + 1) : unknown_subcommand(argv[1]);
}

/*
 * Images come and go by the thousand. Memory that the C library maps for each one and gives back at once costs a
 * page fault every 4 KiB: a tenth of the time it takes to decode a frame.
 */
static void keep_freed_memory(void)
{
#ifdef __GLIBC__
    enum { LARGEST_KEPT = 32 << 20, KEPT = 64 << 20 }; /* bytes */
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT);
    mallopt(M_TRIM_THRESHOLD, KEPT);
#endif
}

int main(int argc, char **argv)
{
    /* A write beyond the file-size limit shall fail like a full disk, not kill the process. */
    signal(SIGXFSZ, SIG_IGN);
    keep_freed_memory();
    return cli_finish(run(argc, argv));
}
