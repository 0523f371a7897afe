/*
 * cli_model.h - the options --model, --adapter and --precision, and loading the model: for all
 * commands that use an encoder.
 *
 * Tests: tests/test_tools.sh.
 */
#ifndef LNCLIP_TOOLS_CLI_CLI_MODEL_H
#define LNCLIP_TOOLS_CLI_CLI_MODEL_H

#include "tools/cli/cli.h"
#include "train/evaluate.h"
#include "vit/checkpoint/adapter.h"

typedef struct CliModelOptions {
    const char *model;
    const char *adapter;           /* or NULL */
    const char *precision;         /* "f32" (also if NULL), "bf16" or "int8" */
    const char *activation, *head; /* for files that do not store them (VitHints); or NULL */
    int heads;                     /* 0: not given */
    int batch, workers;            /* 0 = the library's default */
} CliModelOptions;

/* Rows of an option table, for an `o` of type CliModelOptions. */
/* clang-format off */
#define CLI_NETWORK_OPTIONS(o)                                                                     \
    {"--activation", CLI_STRING, &(o).activation, 0, 0, "NAME",                                    \
     "quick_gelu or gelu, for a model without config.json"},                                     \
    {"--heads", CLI_INT, &(o).heads, 1, 65536, "N",                                                \
     "attention heads, for a model without config.json"}
#define CLI_HEAD_OPTION(o)                                                                         \
    {"--head", CLI_STRING, &(o).head, 0, 0, "KIND",                                                \
     "LinearNorm or linear, for a head without its kind stored"}
#define CLI_MODEL_OPTION(o)                                                                        \
    {"--model", CLI_STRING, &(o).model, 0, 0, "M",                                                 \
     "model folder (config.json, model.safetensors) or file,\nor owner/name in Hugging "           \
     "Face's cache"},                                                                              \
        CLI_NETWORK_OPTIONS(o)
#define CLI_ADAPTER_OPTION(o)                                                                      \
    {"--adapter", CLI_STRING, &(o).adapter, 0, 0, "A",                                             \
     "trained parameters and head: a .safetensors file, or a\nrun folder (its best.safetensors)"}
#define CLI_SCORING_OPTIONS(o)                                                                     \
    {"--precision", CLI_STRING, &(o).precision, 0, 0, "P",                                         \
     "arithmetic: f32 (default), bf16 or int8"},                                                   \
    {"--batch", CLI_INT, &(o).batch, 1, 4096, "N",                                                 \
     "batch size; results do not depend on it"},                                     \
    {"--workers", CLI_INT, &(o).workers, 1, 256, "N", "threads for reading images"}
/* clang-format on */

/* A loaded encoder and head. To score, first pack it: vit_pack(vit, precision, ...). */
typedef struct CliModel {
    Threads *threads;
    Precision precision;
    Vit *vit;
    VitHead head;
    bool has_head;     /* the model or the adapter has one */
    bool head_created; /* head owns memory */
} CliModel;

/* How a command uses the head of a model or adapter. */
typedef enum CliHeadUse {
    CLI_HEAD_IF_ANY, /* optional */
    CLI_HEAD_NEEDED, /* required */
    CLI_HEAD_UNUSED, /* not read */
} CliHeadUse;

/*
 * Exits 2 if --model is missing, or for an unknown precision, activation or head: to be called
 * right after cli_parse.
 */
void cli_model_expect(const CliArguments *arguments, const CliModelOptions *options);

/*
 * Resolve what the user named, before any list is read; the result is kept until exit, and a note
 * names the file if it is another. cli_model_find: an existing path, or owner/name in the Hugging
 * Face cache (vit_model_find). cli_adapter_find: a file, or a run folder, which becomes its
 * best.safetensors; also as NAME=PATH. cli_model_find_all: --model and --adapter, if given.
 * STATUS_FAILED if the model or the best.safetensors of a folder does not exist.
 */
Status cli_model_find(const CliArguments *arguments, const char **model, Error *error);
Status cli_adapter_find(const CliArguments *arguments, const char **adapter, Error *error);
Status cli_model_find_all(const CliArguments *arguments, CliModelOptions *options, Error *error);

/* Sets *hints from --activation, --heads and --head. STATUS_USAGE for unknown names. */
Status cli_model_hints(const CliModelOptions *options, VitHints *hints, Error *error);

/*
 * Loads model and adapter. Prints assumptions as warnings, and parameters missing in the adapter as
 * notes. The head comes from the adapter, else from the model. Free with cli_model_free, also after
 * a failure. STATUS_USAGE as cli_model_expect; STATUS_FAILED if a required head is missing, and as
 * vit_load, vit_adapter_read and vit_head_read.
 */
Status cli_model_load(CliModel *model, const CliModelOptions *options,
                      const CliArguments *arguments, CliHeadUse use, Error *error);

/* STATUS_FAILED if the folder exists and is not empty. */
Status cli_model_refuse_existing(const char *folder, Error *error);

/* Frees a model, also one that is partly loaded or {0}. */
void cli_model_free(CliModel *model);

/* The default scoring settings with --batch and --workers applied. */
TrainScoring cli_model_scoring(const CliModelOptions *options);

#endif
