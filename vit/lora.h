/*
 * lora.h - LoRA (Hu et al., arXiv 2106.09685): W [N,K] stays frozen, A [R,K] and B [N,R] are trained, and
 * W + s B A is used (op_lora in tensor/ops/ops.h).
 *
 * The scale s is alpha / R, 1 unless vit_tuned_set_lora_alpha sets another. A starts as peft starts it, B at zero, so that
 * the first forward is that of the model as loaded. Files name the two as peft does:
 * "....q_proj.lora_A.weight" and "....q_proj.lora_B.weight" in the place of "....q_proj.weight".
 */
#ifndef LNCLIP_VIT_LORA_H
#define LNCLIP_VIT_LORA_H

#include "vit/vit.h"

#include <stdint.h>

/*
 * Makes the linear map that `parameter` is a weight of use A (`down`) and B (`up`), borrowed, from
 * now on. Asserts that the parameter is one of a linear map.
 */
void vit_lora_attach(Vit *vit, VitParameter *parameter, Tensor *down, Tensor *up);

/* Sets the scale s of every linear map (Lora). */
void vit_lora_scale(Vit *vit, float scale);

/* A [rank,in] ~ U(-1/sqrt(in), 1/sqrt(in)), a pure function of (shape, seed, index): one index a weight. */
void vit_lora_start(float *down, int rank, int in, uint64_t seed, uint32_t index);

/* merged [out,in] = weight + scale B A; down [rank,in], up [out,rank]. merged may be weight itself. */
void vit_lora_merge(const float *weight, const float *down, const float *up, float scale, int out,
                    int in, int rank, float *merged);

/* The name of A, or of B if `up`, for the weight named `weight` ("....weight"), into out [size]. */
void vit_lora_name(const char *weight, bool up, char *out, size_t size);

/*
 * The inverse, in place: "....lora_A.weight" becomes "....weight", and *up false; "lora_A.default.weight", as peft
 * keeps it in memory, too. False, and nothing changed, for all other names.
 */
bool vit_lora_name_parse(char *name, bool *up);

#endif
