/*
 * clip.c - CLIP's vision transformer (Radford et al., arXiv 2103.00020), with the names of
 * transformers' CLIPVisionModel.
 *
 * Initial values: CLIPPreTrainedModel._init_weights with initializer_factor 1. Shapes and
 * preprocessing: OpenAI's checkpoints. Defaults: CLIPVisionConfig and CLIPImageProcessor.
 */
#include "tensor/base/mem.h"
#include "vit/towers/tower.h"

#define D VIT_WIDTH
#define F VIT_MLP
#define P VIT_PATCH

static const VitTensorRow rows[] = {
    {VIT_CLASS_EMBEDDING, "embeddings.class_embedding", VIT_EMBEDDING, {D}, VIT_DRAW_WIDTH, NULL},
    {VIT_PATCH_EMBEDDING,
     "embeddings.patch_embedding.weight",
     VIT_EMBEDDING,
     {D, VIT_COLOURS, P, P},
     VIT_DRAW_0_02,
     NULL},
    {VIT_POSITION_EMBEDDING,
     "embeddings.position_embedding.weight",
     VIT_EMBEDDING,
     {VIT_TOKENS, D},
     VIT_DRAW_0_02,
     NULL},
    /* The files have this misspelling. */
    {VIT_PRE_WEIGHT, "pre_layrnorm.weight", VIT_LAYER_NORM, {D}, VIT_DRAW_ONE, NULL},
    {VIT_PRE_BIAS, "pre_layrnorm.bias", VIT_LAYER_NORM, {D}, VIT_DRAW_ZERO, NULL},

    {VIT_LN1_WEIGHT, "layer_norm1.weight", VIT_LAYER_NORM, {D}, VIT_DRAW_ONE, NULL},
    {VIT_LN1_BIAS, "layer_norm1.bias", VIT_LAYER_NORM, {D}, VIT_DRAW_ZERO, NULL},
    {VIT_Q_WEIGHT, "self_attn.q_proj.weight", VIT_WEIGHT, {D, D}, VIT_DRAW_RESIDUAL, "q"},
    {VIT_Q_BIAS, "self_attn.q_proj.bias", VIT_BIAS, {D}, VIT_DRAW_ZERO, NULL},
    {VIT_K_WEIGHT, "self_attn.k_proj.weight", VIT_WEIGHT, {D, D}, VIT_DRAW_RESIDUAL, "k"},
    {VIT_K_BIAS, "self_attn.k_proj.bias", VIT_BIAS, {D}, VIT_DRAW_ZERO, NULL},
    {VIT_V_WEIGHT, "self_attn.v_proj.weight", VIT_WEIGHT, {D, D}, VIT_DRAW_RESIDUAL, "v"},
    {VIT_V_BIAS, "self_attn.v_proj.bias", VIT_BIAS, {D}, VIT_DRAW_ZERO, NULL},
    {VIT_OUT_WEIGHT, "self_attn.out_proj.weight", VIT_WEIGHT, {D, D}, VIT_DRAW_WIDTH, "out"},
    {VIT_OUT_BIAS, "self_attn.out_proj.bias", VIT_BIAS, {D}, VIT_DRAW_ZERO, NULL},
    {VIT_LN2_WEIGHT, "layer_norm2.weight", VIT_LAYER_NORM, {D}, VIT_DRAW_ONE, NULL},
    {VIT_LN2_BIAS, "layer_norm2.bias", VIT_LAYER_NORM, {D}, VIT_DRAW_ZERO, NULL},
    {VIT_FC1_WEIGHT, "mlp.fc1.weight", VIT_WEIGHT, {F, D}, VIT_DRAW_MLP, "fc1"},
    {VIT_FC1_BIAS, "mlp.fc1.bias", VIT_BIAS, {F}, VIT_DRAW_ZERO, NULL},
    {VIT_FC2_WEIGHT, "mlp.fc2.weight", VIT_WEIGHT, {D, F}, VIT_DRAW_RESIDUAL, "fc2"},
    {VIT_FC2_BIAS, "mlp.fc2.bias", VIT_BIAS, {D}, VIT_DRAW_ZERO, NULL},

    {VIT_POST_WEIGHT, "post_layernorm.weight", VIT_LAYER_NORM, {D}, VIT_DRAW_ONE, NULL},
    {VIT_POST_BIAS, "post_layernorm.bias", VIT_LAYER_NORM, {D}, VIT_DRAW_ZERO, NULL},
};

static const VitShape shapes[] = {
    {"tiny", NULL, 64, 16, 64, 3, 2, 256},
    {"vit-b-32", "openai/clip-vit-base-patch32", 224, 32, 768, 12, 12, 3072},
    {"vit-b-16", "openai/clip-vit-base-patch16", 224, 16, 768, 12, 12, 3072},
    {"vit-l-14", "openai/clip-vit-large-patch14", 224, 14, 1024, 24, 16, 4096},
    {"vit-l-14-336", "openai/clip-vit-large-patch14-336", 336, 14, 1024, 24, 16, 4096},
};

static const char *const ignored[] = {"text_projection.weight", "visual_projection.weight",
                                      "logit_scale", NULL};

const VitTower vit_clip = {
    .rows = rows,
    .row_count = COUNT_OF(rows),
    .prefix = "vision_model.",
    .block = "encoder.layers.",
    .ignored = ignored,
    .ignored_prefix = "text_model.",
    .ignored_suffix = ".position_ids",
    .projection = "visual_projection.weight",
    .shapes = shapes,
    .shape_count = COUNT_OF(shapes),
    .shape_names = "tiny, vit-b-32, vit-b-16, vit-l-14 or vit-l-14-336",
    .defaults = {NULL, NULL, 224, 32, 768, 12, 12, 3072},
    .activation = "quick_gelu",
    .eps = 1e-5F,
    .mean = {0.48145466F, 0.4578275F, 0.40821073F},
    .std = {0.26862954F, 0.26130258F, 0.27577711F},
    .known = "openai/clip-vit-",
    .head_width = 64,
    .head_width_limit = 1024, /* wider models have heads of 64, 80, 88, 104 or 112 */
    .model_type = "clip_vision_model",
    .full_type = "clip",
    .architecture = "CLIPVisionModel",
    .image_processor = "CLIPImageProcessor",
    .mark = "CLIP",
};
