/*
 * cli_model.h - the options --model, --adapter, --precision and what they load: shared by the
 * commands that run an encoder (eval, predict, features, inspect).
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
    const char *activation, *head; /* what files do not tell (VitHints), or NULL */
    int heads;                     /* 0: not given */
    int batch, workers;            /* 0 = the library's default */
} CliModelOptions;

/* Rows of an option table, for an `o` of type CliModelOptions. */
/* clang-format off */
#define CLI_NETWORK_OPTIONS(o)                                                                     \
    {"--activation", CLI_STRING, &(o).activation, 0, 0, "NAME",                                    \
     "quick_gelu or gelu, for a model without configuration"},                                     \
    {"--heads", CLI_INT, &(o).heads, 1, 65536, "N",                                                \
     "attention heads, for a model without configuration"}
#define CLI_HEAD_OPTION(o)                                                                         \
    {"--head", CLI_STRING, &(o).head, 0, 0, "KIND",                                                \
     "LinearNorm or linear, for a head that does not say it"}
#define CLI_MODEL_OPTION(o)                                                                        \
    {"--model", CLI_STRING, &(o).model, 0, 0, "M",                                                 \
     "folder with config.json and model.safetensors, or one file"},                                \
        CLI_NETWORK_OPTIONS(o)
#define CLI_ADAPTER_OPTION(o)                                                                      \
    {"--adapter", CLI_STRING, &(o).adapter, 0, 0, "A",                                             \
     "what training changed, with the head (.safetensors)"}
#define CLI_SCORING_OPTIONS(o)                                                                     \
    {"--precision", CLI_STRING, &(o).precision, 0, 0, "P",                                         \
     "arithmetic: f32 (default), bf16 or int8"},                                                   \
    {"--batch", CLI_INT, &(o).batch, 1, 4096, "N",                                                 \
     "images in memory at once; results do not depend on it"},                                     \
    {"--workers", CLI_INT, &(o).workers, 1, 256, "N", "threads that read images"}
/* clang-format on */

/* An encoder ready to score, once packed: vit_pack(vit, precision, ...). */
typedef struct CliModel {
    Threads *threads;
    Precision precision;
    Vit *vit;
    VitHead head;
    bool has_head;     /* from the model's file or the adapter */
    bool head_created; /* head owns memory */
} CliModel;

/* What a command does with the classifier of a model or adapter. */
typedef enum CliHeadUse {
    CLI_HEAD_IF_ANY, /* uses it if there is one */
    CLI_HEAD_NEEDED, /* fails without */
    CLI_HEAD_UNUSED, /* needs the encoder alone: the head is not read */
} CliHeadUse;

/*
 * Exits 2 without --model and for an unknown precision, activation or head: for use right after
 * cli_parse, before any work.
 */
void cli_model_expect(const CliArguments *arguments, const CliModelOptions *options);

/* The hints that --activation, --heads and --head give. STATUS_USAGE for unknown names. */
Status cli_model_hints(const CliModelOptions *options, VitHints *hints, Error *error);

/*
 * Loads model and adapter, printing notes (what the adapter lacks) and, as warnings, assumptions.
 * The head is the adapter's, else the model's own. The caller ends it with cli_model_free, also
 * after a failure. STATUS_USAGE for what cli_model_expect refuses; STATUS_FAILED if a head is
 * needed and none is found, and for everything vit_load, vit_adapter_read and vit_head_read refuse.
 */
Status cli_model_load(CliModel *model, const CliModelOptions *options,
                      const CliArguments *arguments, CliHeadUse use, Error *error);

/* STATUS_FAILED if a folder holds anything: it is replaced as a whole. */
Status cli_model_refuse_existing(const char *folder, Error *error);

/* Frees a model, loaded or half-loaded; {0} is allowed. */
void cli_model_free(CliModel *model);

/* The library's scoring defaults with --batch and --workers applied. */
TrainScoring cli_model_scoring(const CliModelOptions *options);

#endif
