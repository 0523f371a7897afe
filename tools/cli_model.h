/*
 * cli_model.h - the options --model, --adapter, --precision and what they load: shared by the commands
 * that run an encoder (eval, predict, features, inspect).
 */
#ifndef LNCLIP_TOOLS_CLI_MODEL_H
#define LNCLIP_TOOLS_CLI_MODEL_H

#include "tools/cli.h"
#include "train/evaluate.h"
#include "vit/adapter.h"

typedef struct CliModelOptions {
    const char *model;
    const char *adapter;   /* or NULL */
    const char *precision; /* "f32" (also if NULL), "bf16" or "int8" */
    int batch, workers;    /* 0 = the library's default */
} CliModelOptions;

/* Rows of an option table, for an `o` of type CliModelOptions. */
/* clang-format off */
#define CLI_MODEL_OPTION(o)                                                                        \
    {"--model", CLI_STRING, &(o).model, 0, 0, "M",                                                 \
     "folder with config.json and model.safetensors, or one file"}
#define CLI_ADAPTER_OPTION(o)                                                                      \
    {"--adapter", CLI_STRING, &(o).adapter, 0, 0, "A",                                             \
     "what training changed, with the head (.safetensors)"}
#define CLI_SCORING_OPTIONS(o)                                                                     \
    {"--precision", CLI_STRING, &(o).precision, 0, 0, "P", "arithmetic: f32 (default), bf16 or int8"},           \
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

/*
 * Exits 2 without --model and for an unknown precision: for use right after cli_parse, before any work.
 */
void cli_model_expect(const CliArguments *arguments, const CliModelOptions *options);

/*
 * Loads model and adapter, telling notes (assumptions; what the adapter lacks). The caller ends it with
 * cli_model_free, also after a failure. STATUS_USAGE for what cli_model_expect refuses; STATUS_FAILED if
 * `head_needed` and none is found, and for everything vit_load and vit_adapter_read refuse.
 */
Status cli_model_load(CliModel *model, const CliModelOptions *options,
                      const CliArguments *arguments, bool head_needed, Error *error);

/* STATUS_FAILED if a folder holds any part of a model: weights may be someone's only copy. */
Status cli_model_refuse_existing(const char *folder, Error *error);

/* Frees a model, loaded or half-loaded; {0} is allowed. */
void cli_model_free(CliModel *model);

/* The library's scoring defaults with --batch and --workers applied. */
TrainScoring cli_model_scoring(const CliModelOptions *options);

#endif
