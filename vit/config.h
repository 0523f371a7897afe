/*
 * config.h - the shape of a CLIP vision transformer, and where it comes from.
 *
 * Nothing is guessed silently. A missing key has the default of Hugging Face's CLIPVisionConfig or
 * CLIPImageProcessor. A value that no file gives is assumed, and reported, if all published CLIP
 * models agree on it; otherwise the caller must give it (VitHints).
 *
 * Tests: tests/test_vit_config.c.
 */
#ifndef LNCLIP_VIT_CONFIG_H
#define LNCLIP_VIT_CONFIG_H

#include "tensor/ops/ops.h"
#include "vit/towers/tower.h"

typedef struct VitConfig {
    const VitTower *tower; /* the family: tensor names and defaults */
    int image_size;        /* S, side in pixels */
    int patch_size;        /* P, side in pixels */
    int width;             /* D; 0 while the shape is unknown (a GenD config.json) */
    int layers;            /* L */
    int heads;             /* H; the head width is D / H */
    int mlp;               /* F */
    float eps;             /* eps of every LayerNorm */
    Activation activation; /* ACTIVATION_NONE while unknown */
    float mean[3], std[3]; /* normalisation of RGB values in 0..1 */
    char head[16];         /* head kind in config.json: "LinearNorm" or "linear"; else "" */
    char backbone[256];    /* backbone named by a GenD config.json; else "" */
    char assumptions[512]; /* assumed values, as text for the user; "" if none */
} VitConfig;

/*
 * Values from the caller for files that lack them; {0} gives none. A hint that contradicts a file
 * is an error.
 */
typedef struct VitHints {
    int heads;             /* H; 0: not given */
    Activation activation; /* ACTIVATION_NONE: not given */
    char head[16];         /* "LinearNorm" or "linear"; "": not given */
} VitHints;

/* T: the number of patches plus one for the class token. */
int vit_tokens(const VitConfig *config);

/*
 * Gives the configuration of a named architecture: tiny, vit-b-32, vit-b-16, vit-l-14 or
 * vit-l-14-336 (openai/clip on Hugging Face). STATUS_USAGE, listing the names, for any other name.
 */
Status vit_config_named(const char *arch, VitConfig *config, Error *error);

/* The name of this shape, or "vit" if it has none. Static string. */
const char *vit_config_name(const VitConfig *config);

/*
 * A configuration without shape (width 0) and activation. eps 1e-5 and the preprocessing are those
 * of OpenAI's checkpoints.
 */
VitConfig vit_config_unknown(void);

/* Parses "quick_gelu" or "gelu"; false for any other name. */
bool vit_activation_parse(const char *name, Activation *activation);

/* The name of an activation. Static string. */
const char *vit_activation_name(Activation activation);

/* Appends a sentence to config->assumptions, or drops it if it does not fit. */
void vit_config_assume(VitConfig *config, const char *sentence);

/*
 * Reads the config.json of a CLIPModel, CLIPVisionModel or GenD. A GenD file does not give the
 * shape: width is then 0 and `backbone` names the model that has it. STATUS_FAILED, naming file and
 * key: invalid JSON or value types, another model_type, a hidden_act other than quick_gelu and
 * gelu, or inconsistent sizes.
 */
Status vit_config_read(const char *config_json, VitConfig *config, Error *error);

/* vit_config_read for the text of a config.json; `origin` names it in messages. */
Status vit_config_parse(const char *text, const char *origin, VitConfig *config, Error *error);

/*
 * Reads the head kind from the config.json next to the file `path`: "LinearNorm" or "linear"; "" if
 * there is no config.json or it does not describe a detector. STATUS_FAILED for a GenD config.json
 * with another head.
 */
Status vit_config_read_head(const char *path, char head[16], Error *error);

/*
 * Reads the preprocessing of a model folder: the "image_processor" of processor_config.json
 * (transformers 5) or preprocessor_config.json. Sets mean, std and, if it is 0, image_size of
 * `config`. If neither file describes images, *found is false and `config` is unchanged.
 * STATUS_FAILED, naming file and key: a step, resize filter or size that is not CLIP's, or two
 * files that differ.
 */
Status vit_config_read_preprocessor(const char *folder, VitConfig *config, bool *found,
                                    Error *error);

/* vit_config_read_preprocessor for the text of either file; `origin` names it in messages. */
Status vit_config_parse_preprocessor(const char *text, const char *origin, VitConfig *config,
                                     Error *error);

/*
 * Checks that every size is positive and below its limit, that patches fit the image and that heads
 * divide the width. Otherwise STATUS_FAILED, naming `origin` and the key.
 */
Status vit_config_check(const VitConfig *config, const char *origin, Error *error);

/*
 * The settings that affect a feature but are not in the tensors, as texts to compare: "heads 16,
 * quick_gelu, eps 9.99999975e-06", and size, mean and std of the preprocessing.
 */
enum { VIT_CONFIG_TEXT = 192 };
void vit_config_describe_network(const VitConfig *config, char text[VIT_CONFIG_TEXT]);
void vit_config_describe_preprocessing(const VitConfig *config, char text[VIT_CONFIG_TEXT]);

/*
 * The texts of config.json and preprocessor_config.json in Hugging Face's format for a
 * CLIPVisionModel. The caller frees them. Out of memory: NULL, and *error is set.
 */
char *vit_config_format(const VitConfig *config, Error *error);
char *vit_config_format_preprocessor(const VitConfig *config, Error *error);

/* Writes config.json and preprocessor_config.json, in Hugging Face's format, into `folder`,
 * which is created if needed. STATUS_FAILED: a file cannot be written, or out of memory. */
Status vit_config_write(const VitConfig *config, const char *folder, Error *error);

/* vit_config_write with GenD's config.json, which names backbone (UTF-8) and head ("LinearNorm" or
 * "linear"). */
Status vit_config_write_gend(const VitConfig *config, const char *backbone, const char *head,
                             const char *folder, Error *error);

#endif
