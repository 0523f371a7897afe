/*
 * main.c - the program lnclip: runs the subcommand and checks that its output was written.
 *
 * Each subcommand is in cmd_*.c, except help, which needs the table of subcommands.
 */
#include "tensor/base/mem.h"
#include "tools/cli/cli.h"
#include "train/json.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
    bool prints; /* the result goes to stdout: SIGPIPE ends it */
} Subcommand;

static int cmd_help(int argc, char **argv);

static const Subcommand subcommands[] = {
    {"demo", cmd_demo, "small complete example of the method; no downloads", false},
    {"init", cmd_init, "make a model with random weights", false},
    {"synth", cmd_synth, "make a synthetic face-forgery data set", false},
    {"faces", cmd_faces, "crop the faces of images, videos, folders and lists", false},
    {"lists", cmd_lists, "make frame lists of data sets as they are distributed", false},
    {"train", cmd_train, "LN-tune a model on lists of face frames", false},
    {"eval", cmd_eval, "score data sets and compute their metrics", false},
    {"calibrate", cmd_calibrate, "fit temperature and thresholds on validation frames", false},
    {"compare", cmd_compare, "compare training runs and evaluations", true},
    {"predict", cmd_predict, "print the probability that each image is fake", true},
    {"features", cmd_features, "save the pooled features of images", false},
    {"auc", cmd_auc, "metrics of any score file", true},
    {"export", cmd_export, "write a model with its adapter merged", false},
    {"inspect", cmd_inspect, "show the contents of a model, an adapter or a run", true},
    {"bench", cmd_bench, "measure speed and fraction of the machine's peak", true},
    {"help", cmd_help, "help for a command, or completion for a shell", true},
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static void print_help(FILE *stream)
{
    fputs("lnclip - face-forgery detection by tuning the LayerNorms of CLIP's vision transformer\n"
          "\n"
          "Images are cropped faces, one frame per file: .../SOURCE/VIDEO/FRAME.png\n"
          "\n"
          "usage: lnclip COMMAND [OPTION...] [ARGUMENT...]\n"
          "\n",
          stream);
    for (int i = 0; i < SUBCOMMANDS; i++)
        fprintf(stream, "  %-10s %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\n"
          "lnclip help COMMAND (or lnclip COMMAND --help) lists its options and shows an example.\n"
          "lnclip --version (-V) prints the version. To try it: lnclip demo\n",
          stream);
}

static const Subcommand *find_subcommand(const char *name)
{
    for (int i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

/* Commands of other programs. */
static const struct {
    const char *word, *name;
} command_synonyms[] = {
    {"score", "eval"},
    {"evaluate", "eval"},
    {"evaluation", "eval"},
    {"test", "eval"},
    {"validate", "eval"},
    {"val", "eval"},
    {"fit", "train"},
    {"finetune", "train"},
    {"fine-tune", "train"},
    {"tune", "train"},
    {"resume", "train"},
    {"run", "train"},
    {"infer", "predict"},
    {"inference", "predict"},
    {"detect", "predict"},
    {"classify", "predict"},
    {"explain", "predict"},
    {"convert", "export"},
    {"merge", "export"},
    {"save", "export"},
    {"onnx", "export"},
    {"info", "inspect"},
    {"show", "inspect"},
    {"summary", "inspect"},
    {"dataset", "lists"},
    {"datasets", "lists"},
    {"data", "lists"},
    {"prepare", "lists"},
    {"split", "lists"},
    {"extract", "features"},
    {"embed", "features"},
    {"embeddings", "features"},
    {"metrics", "auc"},
    {"roc", "auc"},
    {"benchmark", "bench"},
    {"speed", "bench"},
    {"generate", "synth"},
    {"synthesize", "synth"},
    {"new", "init"},
    {"create", "init"},
    {"diff", "compare"},
    {"calibration", "calibrate"},
    {"threshold", "calibrate"},
    {"version", "--version"},
    {"completion", "help --completion"},
    {"man", "help"},
    {"crop", "faces"},
    {"preprocess", "faces"},
    {"align", "faces"},
};

static int unknown_subcommand(const char *name)
{
    const char *names[SUBCOMMANDS];
    for (int i = 0; i < SUBCOMMANDS; i++)
        names[i] = subcommands[i].name;
    const char *nearest = cli_nearest(name, names, SUBCOMMANDS);
    for (size_t i = 0; i < COUNT_OF(command_synonyms); i++)
        if (strcasecmp(name, command_synonyms[i].word) == 0)
            nearest = command_synonyms[i].name;
    if (nearest)
        return cli_usage_error("%s: unknown command; did you mean '%s'? See lnclip --help", name,
                               nearest);
    return cli_usage_error("%s: unknown command; see lnclip --help", name);
}

/* ---- help and completion --------------------------------------------------------------------- */

/* Runs a command in a child process, since cli_parse exits; false if it failed. */
static bool run_apart(const Subcommand *subcommand, const char *option)
{
    char *argv[] = {(char *)(uintptr_t)subcommand->name, (char *)(uintptr_t)option, NULL};
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0)
        _exit(cli_finish(subcommand->run(2, argv)));
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/*
 * Prints the body of both completion scripts: a case for each command that sets `options` and, for
 * train, `keys`. Each command prints its own case from its table of options (cli_parse.c).
 */
static bool print_cases(void)
{
    bool done = true;
    for (int i = 0; i < SUBCOMMANDS && done; i++)
        done = run_apart(&subcommands[i], CLI_COMPLETION_OPTION);
    return done;
}

static void print_names(void)
{
    for (int i = 0; i < SUBCOMMANDS; i++)
        printf("%s ", subcommands[i].name);
}

/* Files complete where no option, key or command does. */
static bool print_bash(void)
{
    fputs("# bash completion of lnclip, written by: lnclip help --completion bash\n"
          "_lnclip() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} options= keys= commands='",
          stdout);
    print_names();
    fputs("'\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
          "        COMPREPLY=($(compgen -W \"$commands --help --version\" -- \"$word\"))\n"
          "        return\n"
          "    fi\n"
          "    case ${COMP_WORDS[1]} in\n",
          stdout);
    if (!print_cases())
        return false;
    fputs("    esac\n"
          "    [ \"${COMP_WORDS[1]}\" != help ] || keys=$commands\n"
          "    case $word in\n"
          "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
          "    ?*)\n"
          "        COMPREPLY=($(compgen -W \"$keys\" -- \"$word\"))\n"
          "        if [ ${#COMPREPLY[@]} != 0 ]; then\n"
          "            compopt -o nospace 2>/dev/null\n"
          "            local IFS=$'\\n'\n"
          "            COMPREPLY+=($(compgen -f -- \"$word\"))\n"
          "        fi\n"
          "        ;;\n"
          "    esac\n"
          "}\n"
          "complete -o default -o bashdefault -F _lnclip lnclip\n",
          stdout);
    return true;
}

static bool print_zsh(void)
{
    fputs("#compdef lnclip\n"
          "# zsh completion of lnclip, written by: lnclip help --completion zsh\n"
          "_lnclip() {\n"
          "    local options= keys= commands='",
          stdout);
    print_names();
    fputs("'\n"
          "    if (( CURRENT == 2 )); then\n"
          "        compadd -- ${=commands} --help --version\n"
          "        return\n"
          "    fi\n"
          "    case $words[2] in\n",
          stdout);
    if (!print_cases())
        return false;
    fputs("    esac\n"
          "    [[ $words[2] != help ]] || keys=$commands\n"
          "    if [[ $PREFIX == -* ]]; then\n"
          "        compadd -- ${=options}\n"
          "    else\n"
          "        compadd -S '' -- ${=keys}\n"
          "        _files\n"
          "    fi\n"
          "}\n"
          "if [ \"$funcstack[1]\" = _lnclip ]; then _lnclip \"$@\"; else compdef _lnclip lnclip; "
          "fi\n",
          stdout);
    return true;
}

static int print_completion(const char *shell)
{
    const bool bash = strcmp(shell, "bash") == 0;
    if (!bash && strcmp(shell, "zsh") != 0)
        return cli_usage_error("--completion %s: unknown shell; use bash or zsh", shell);
    if (bash ? print_bash() : print_zsh())
        return CLI_DONE;
    Error error = {0};
    error_set(&error, STATUS_FAILED,
              "completion: the options of a command could not be listed; close other programs, and "
              "try again");
    return cli_report(&error);
}

static int cmd_help(int argc, char **argv)
{
    const char *shell = NULL;
    CliOption options[] = {
        {"--completion", CLI_STRING, &shell, 0, 0, "SHELL",
         "print the completion script for bash or zsh"},
        {0},
    };
    const CliCommand command = {
        .name = "help",
        .summary = "help for a command, or completion for a shell",
        .usage = "lnclip help [COMMAND] [--completion bash|zsh]",
        .details = "make install installs both completion scripts. Without it: "
                   "source <(lnclip help --completion bash)",
        .example = "lnclip help train",
        .options = options,
    };
    CliArguments arguments;
    cli_parse(&command, argc, argv, &arguments);
    cli_expect_positional(&arguments, 0, 1, "a command");
    if (shell)
        return print_completion(shell);
    if (arguments.positional.count == 0) {
        print_help(stdout);
        return CLI_DONE;
    }
    const char *name = arguments.positional.items[0];
    const Subcommand *subcommand = find_subcommand(name);
    char *words[] = {(char *)(uintptr_t)name, (char *)(uintptr_t) "--help", NULL};
    return subcommand ? subcommand->run(2, words) : unknown_subcommand(name);
}

/* ---- the program ----------------------------------------------------------------------------- */

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return cli_usage_error("command: missing; name one of the above");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return CLI_DONE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("lnclip " LNCLIP_VERSION);
        return CLI_DONE;
    }
    const Subcommand *subcommand = find_subcommand(argv[1]);
    if (!subcommand)
        return unknown_subcommand(argv[1]);
    /*
     * `lnclip predict | head` ends quietly, even if the caller ignores SIGPIPE (Python). A training
     * run continues if the reader of its progress ends (tee after Ctrl-C).
     */
    signal(SIGPIPE, subcommand->prints ? SIG_DFL : SIG_IGN);
    return subcommand->run(argc - 1, argv + 1);
}

/*
 * Keeps the freed memory of images for the next ones. Mapping it anew for each image costs a page
 * fault every 4 KiB: a tenth of the time to decode a frame. Memory of images larger than a face
 * crop is returned, or each worker would keep its largest.
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
 * When OpenBLAS is loaded, before main, it starts a thread for each available processor, and ends
 * the process if the limits (RLIMIT_NPROC, pids.max) do not allow that many. We use none of them:
 * gemm calls OpenBLAS from our own threads. So the process is restricted to one processor until
 * main restores the others. Setting an environment variable here would be too late: functions in
 * .preinit_array run before the constructors of shared libraries, but the C library has copied the
 * environment by then.
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
    CPU_SET_S(current, sizeof one, one);
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
 * Occupies the descriptors of standard streams that the caller closed. Otherwise a file opened
 * later would get the number, and progress would be printed into it. Reading and writing an O_PATH
 * descriptor still fails (EBADF).
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
        return CLI_FAILED; /* without a message: standard error may be closed */
    /* A write beyond the file-size limit must fail like a full disk, not kill the process. */
    signal(SIGXFSZ, SIG_IGN);
    keep_freed_memory();
    train_json_start();
    return cli_finish(run(argc, argv));
}
