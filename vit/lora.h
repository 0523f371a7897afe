/*
 * lora.h - LoRA (Hu et al., arXiv 2106.09685): W [N,K] stays frozen, A [R,K] and B [N,R] are
 * trained, and the forward uses W + s B A (op_lora in tensor/ops/ops.h).
 *
 * The scale s is alpha / R; it is 1 unless vit_tune_set_alpha changes it. A is initialised as in
 * peft, B to zero, so the first forward equals that of the loaded model. Entry names are peft's:
 * "q_proj.lora_A.weight" and "q_proj.lora_B.weight" for the weight "q_proj.weight".
 *
 * Tests: tests/test_lora.c.
 */
#ifndef LNCLIP_VIT_LORA_H
#define LNCLIP_VIT_LORA_H

#include "vit/part.h"

/* LoRA as a method of `tune`; its parts are A and B, in this order. */
extern const VitMethod vit_lora;

#endif
