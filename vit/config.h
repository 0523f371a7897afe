/*
 * config.h - the shape of a CLIP vision transformer, and where it comes from.
 */
#ifndef LNCLIP_VIT_CONFIG_H
#define LNCLIP_VIT_CONFIG_H

#include "tensor/ops.h"

typedef struct VitConfig {
    int image_size; /* S, pixels of a side */
    int patch_size; /* P */
    int width;      /* D */
    int layers;     /* L */
    int heads;      /* H; the head width is D / H */
    int mlp;        /* F */
    float eps;      /* of every LayerNorm */
    Activation activation;
    float mean[3], std[3]; /* of the preprocessing, RGB in units of 0..1 */
    char assumptions[256]; /* what no file said and was assumed, for the user; "" if nothing */
} VitConfig;

/* T: patches and the class token. */
int vit_tokens(const VitConfig *config);

/*
 * The shape named `arch`: tiny, vit-b-32, vit-b-16, vit-l-14, vit-l-14-336 (openai/clip on Hugging Face).
 * STATUS_USAGE with the list of names for any other.
 */
Status vit_config_named(const char *arch, VitConfig *config, Error *error);

/*
 * Reads config.json (of CLIPModel, CLIPVisionModel or GenD) and preprocessor_config.json if present.
 * STATUS_FAILED, naming the file and key, for JSON of another shape, another model_type, a hidden_act
 * other than quick_gelu and gelu, a resample other than bicubic, or sizes that do not fit together.
 */
Status vit_config_read(const char *config_json, const char *preprocessor_json, VitConfig *config,
                       Error *error);

/* Writes config.json and preprocessor_config.json as Hugging Face does into `folder`. */
Status vit_config_write(const VitConfig *config, const char *folder, Error *error);

#endif
