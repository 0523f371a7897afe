/*
 * config.h - the shape of a CLIP vision transformer, and where it comes from.
 *
 * Nothing is guessed in silence. A key that a file lacks has the default of Hugging Face's CLIPVisionConfig
 * or CLIPImageProcessor, as their own loaders apply it; what no file says at all is assumed and told.
 */
#ifndef LNCLIP_VIT_CONFIG_H
#define LNCLIP_VIT_CONFIG_H

#include "tensor/ops.h"

typedef struct VitConfig {
    int image_size; /* S, pixels of a side */
    int patch_size; /* P */
    int width;      /* D; 0 while only the tensors can tell the shape (a GenD config.json) */
    int layers;     /* L */
    int heads;      /* H; the head width is D / H */
    int mlp;        /* F */
    float eps;      /* of every LayerNorm */
    Activation activation;
    float mean[3], std[3]; /* of the preprocessing, RGB in units of 0..1 */
    char head[16]; /* the head a GenD config.json names: "LinearNorm" or "linear"; else "" */
    char assumptions[256]; /* what no file said and was assumed, for the user; "" if nothing */
} VitConfig;

/* T: patches and the class token. */
int vit_tokens(const VitConfig *config);

/*
 * The shape named `arch`: tiny, vit-b-32, vit-b-16, vit-l-14, vit-l-14-336 (openai/clip on Hugging Face).
 * STATUS_USAGE with the list of names for any other.
 */
Status vit_config_named(const char *arch, VitConfig *config, Error *error);

/* The inverse: the name of this shape, or "vit" if it has none. Static string. */
const char *vit_config_name(const VitConfig *config);

/*
 * Everything unknown: CLIP's preprocessing, quick_gelu and eps 1e-5, as openai's checkpoints have them,
 * and no shape (width 0).
 */
VitConfig vit_config_unknown(void);

/* Adds a sentence to config->assumptions; what does not fit is dropped. */
void vit_config_assume(VitConfig *config, const char *sentence);

/*
 * Reads config.json (of CLIPModel, CLIPVisionModel or GenD) and, if it exists, preprocessor_config.json;
 * both are paths, the second may be NULL. A GenD file names no shape: width is then 0 and vit_load takes
 * it from the tensors. STATUS_FAILED, naming the file and key, for JSON of another shape, another
 * model_type, a hidden_act other than quick_gelu and gelu, a resample other than bicubic, or sizes that
 * do not fit together.
 */
Status vit_config_read(const char *config_json, const char *preprocessor_json, VitConfig *config,
                       Error *error);

/* The same for the text of a config.json; `origin` names it in messages. */
Status vit_config_parse(const char *text, const char *origin, VitConfig *config, Error *error);

/*
 * Reads preprocessor_config.json, a path or the text itself (of `origin`), into a config whose image size
 * is known (or 0: then it is set).
 */
Status vit_config_read_preprocessor(const char *path, VitConfig *config, Error *error);
Status vit_config_parse_preprocessor(const char *text, const char *origin, VitConfig *config,
                                     Error *error);

/*
 * STATUS_FAILED, naming `origin` and the key, unless every size is positive and within reason, patches
 * fit the image and heads divide the width.
 */
Status vit_config_check(const VitConfig *config, const char *origin, Error *error);

/*
 * The texts of config.json and preprocessor_config.json as Hugging Face writes them for a CLIPVisionModel;
 * free() them. NULL: no memory.
 */
char *vit_config_format(const VitConfig *config);
char *vit_config_format_preprocessor(const VitConfig *config);

/* Writes config.json and preprocessor_config.json as Hugging Face does into `folder`. */
Status vit_config_write(const VitConfig *config, const char *folder, Error *error);

#endif
