/*
 * config.h - the shape of a CLIP vision transformer, and where it comes from.
 *
 * Nothing is guessed in silence. A key that a file lacks has the default of Hugging Face's
 * CLIPVisionConfig or CLIPImageProcessor, as their own loaders apply it. What no file says is
 * assumed and reported where all published CLIP models agree on it; else the caller must say it
 * (VitHints).
 */
#ifndef LNCLIP_VIT_CONFIG_H
#define LNCLIP_VIT_CONFIG_H

#include "tensor/ops/ops.h"
#include "vit/towers/tower.h"

typedef struct VitConfig {
    const VitTower *tower; /* the family: names of tensors, defaults */
    int image_size;        /* S, pixels of a side */
    int patch_size;        /* P */
    int width;             /* D; 0 while only the tensors can tell the shape (a GenD config.json) */
    int layers;            /* L */
    int heads;             /* H; the head width is D / H */
    int mlp;               /* F */
    float eps;             /* of every LayerNorm */
    Activation activation; /* ACTIVATION_NONE while no file has said it */
    float mean[3], std[3]; /* of the preprocessing, RGB in units of 0..1 */
    char head[16];         /* the head a config.json names: "LinearNorm" or "linear"; else "" */
    char backbone[256];    /* the model that a GenD config.json leaves the shape to; else "" */
    char assumptions[512]; /* what no file said and was assumed, for the user; "" if nothing */
} VitConfig;

/*
 * What the caller says of files that do not say it themselves; {0} says nothing. What contradicts a
 * file is an error.
 */
typedef struct VitHints {
    int heads;             /* H, or 0 */
    Activation activation; /* or ACTIVATION_NONE */
    char head[16];         /* "LinearNorm" or "linear", or "" */
} VitHints;

/* T: patches and the class token. */
int vit_tokens(const VitConfig *config);

/*
 * The shape named `arch`: tiny, vit-b-32, vit-b-16, vit-l-14, vit-l-14-336 (openai/clip on Hugging
 * Face). STATUS_USAGE with the list of names for any other.
 */
Status vit_config_named(const char *arch, VitConfig *config, Error *error);

/* The inverse: the name of this shape, or "vit" if it has none. Static string. */
const char *vit_config_name(const VitConfig *config);

/*
 * Everything unknown: no shape (width 0) and no activation; eps 1e-5 and the preprocessing are
 * those of openai's checkpoints.
 */
VitConfig vit_config_unknown(void);

/* "quick_gelu" or "gelu"; false for another name. */
bool vit_activation_parse(const char *name, Activation *activation);
const char *vit_activation_name(Activation activation);

/* Adds a sentence to config->assumptions; what does not fit is dropped. */
void vit_config_assume(VitConfig *config, const char *sentence);

/*
 * Reads config.json (of CLIPModel, CLIPVisionModel or GenD) at this path. A GenD file names no
 * shape: width is then 0, `backbone` names the model that has it. STATUS_FAILED, naming the file
 * and key, for JSON of another shape, another model_type, a hidden_act other than quick_gelu and
 * gelu, or sizes that do not fit together.
 */
Status vit_config_read(const char *config_json, VitConfig *config, Error *error);

/* The same for the text of a config.json; `origin` names it in messages. */
Status vit_config_parse(const char *text, const char *origin, VitConfig *config, Error *error);

/*
 * Which head the config.json beside `path` (a file) names: "LinearNorm" or "linear" into `head`, ""
 * if there is no such file or it is not of a detector. STATUS_FAILED for a GenD config.json with
 * another head.
 */
Status vit_config_head_beside(const char *path, char head[16], Error *error);

/*
 * Reads how `folder` prepares images into a config whose image size is known (or 0: then it is
 * set): the "image_processor" of processor_config.json (transformers 5) or
 * preprocessor_config.json. *found is false, and nothing changes, if there is neither.
 * STATUS_FAILED, naming file and key, for a step, resize filter or size that is not CLIP's, and
 * when both files exist and differ.
 */
Status vit_config_read_preprocessor(const char *folder, VitConfig *config, bool *found,
                                    Error *error);

/* The same for the text of either file; `origin` names it in messages. */
Status vit_config_parse_preprocessor(const char *text, const char *origin, VitConfig *config,
                                     Error *error);

/*
 * STATUS_FAILED, naming `origin` and the key, unless every size is positive and within reason,
 * patches fit the image and heads divide the width.
 */
Status vit_config_check(const VitConfig *config, const char *origin, Error *error);

/*
 * What decides a feature and is in no tensor, as texts to compare: "heads 16, quick_gelu, eps
 * 9.99999975e-06", and size, mean and std of the preprocessing.
 */
enum { VIT_CONFIG_TEXT = 192 };
void vit_config_describe_network(const VitConfig *config, char text[VIT_CONFIG_TEXT]);
void vit_config_describe_preprocessing(const VitConfig *config, char text[VIT_CONFIG_TEXT]);

/*
 * The texts of config.json and preprocessor_config.json as Hugging Face writes them for a
 * CLIPVisionModel; free() them. NULL and the error filled: out of memory.
 */
char *vit_config_format(const VitConfig *config, Error *error);
char *vit_config_format_preprocessor(const VitConfig *config, Error *error);

/* Writes config.json and preprocessor_config.json as Hugging Face does into `folder`. */
Status vit_config_write(const VitConfig *config, const char *folder, Error *error);

/* The same with GenD's config.json, which names backbone (UTF-8) and head ("LinearNorm" or
 * "linear"). */
Status vit_config_write_gend(const VitConfig *config, const char *backbone, const char *head,
                             const char *folder, Error *error);

#endif
