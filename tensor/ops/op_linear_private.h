/*
 * op_linear_private.h - what the files of op_linear share: the part that LoRA trains, and weights that train in bf16.
 *
 * Nothing here is an operation of its own: op_linear calls it around its product, so that bias, activation and
 * residual stay one with it. Work is cut by shapes alone, and sums are made sample by sample, in order
 * (op.h). What takes a tape plans its scratch memory on it too.
 */
#ifndef LNCLIP_TENSOR_OPS_OP_LINEAR_PRIVATE_H
#define LNCLIP_TENSOR_OPS_OP_LINEAR_PRIVATE_H

#include "tensor/ops/op.h"

/* Numbers that u = D(x) A^T has a row, of all parts together: 0 if no part has LoRA. */
int op_linear_lora_width(const Linear *linear);

/* Asserts that A and B fit each part. */
void op_linear_lora_check(const Linear *linear);

/*
 * Operands of both directions: z += s (D(x) A^T) B^T for each part that has A [rank,in] and
 * B [out_p,rank], where D is the dropout of the tape. What it drops is computed wherever it is
 * needed, never stored.
 */
typedef struct LinearLora {
    const Linear *linear;
    int B, M; /* samples, rows of one */
    DType x_type;
    const void *x; /* [B,M,in] */
    float *u;      /* [B,M,width] D(x) A^T: the forward makes it, the backward reads it */
} LinearLora;

/*
 * z = residual + s (D(x) A^T) B^T, all of z [B,M,out], of `z_type`: where a part has no LoRA,
 * residual or zeros.
 * residual: f32 [B,M,out] or NULL.
 */
void op_linear_lora_forward(Tape *tape, const LinearLora *lora, const float *residual, DType z_type,
                            void *z);

/*
 * From dz [B,M,out] of `dz_type`: dA += s (dz B)^T D(x), dB += s dz^T u, of those that need
 * gradients, and dx += D(s (dz B) A), of x's type, unless dx is NULL.
 */
void op_linear_lora_backward(Tape *tape, const LinearLora *lora, DType dz_type, const void *dz,
                             void *dx);

/*
 * W, or W^T if `transposed`, of all parts, packed in bf16 from the f32 weights as they are now. Its panels are a
 * block of the tape's arena, which the caller frees.
 */
PackedMatrix op_linear_pack(Tape *tape, const Linear *linear, bool transposed);

/* dW[part] += dz^T x in f32, where it is not NULL; dz [B,M,out] of `dz_type`, x [B,M,in] in bf16. */
void op_linear_bf16_weights(Tape *tape, const Linear *linear, int B, int M, DType dz_type,
                            const void *dz, const void *x, float *const dW[LINEAR_MAX_PARTS]);

#endif
