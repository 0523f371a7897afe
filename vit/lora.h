/*
 * lora.h - LoRA (Hu et al., arXiv 2106.09685): W [N,K] stays frozen, A [R,K] and B [N,R] are
 * trained, and W + s B A is used (op_lora in tensor/ops/ops.h).
 *
 * The scale s is alpha / R, 1 unless vit_tune_set_alpha sets another. A starts as peft starts
 * it, B at zero, so that the first forward is that of the model as loaded. Files name the two as
 * peft does: "....q_proj.lora_A.weight" and "....q_proj.lora_B.weight" in the place of
 * "....q_proj.weight".
 */
#ifndef LNCLIP_VIT_LORA_H
#define LNCLIP_VIT_LORA_H

#include "vit/part.h"

/* The method: its parts are A and B in this order. */
extern const VitMethod vit_lora;

#endif
