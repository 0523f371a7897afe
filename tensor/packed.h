/*
 * packed.h - the matrix product with a weight that was packed beforehand.
 *
 * A weight that does not train is the same in every step, so it is laid out once as the kernel
 * reads it: panels of 64 columns, each k after k, in the precision of the computation. The general
 * product (gemm.h) does that on every call, and cannot join bias, residual, activation and rounding
 * to the store.
 *
 * Each number of the result is a sum over k in an order that follows from K alone. So neither
 * threads nor the number of rows, nor which rows stand beside each other, change a bit.
 *
 * int8. Weights get one scale per output channel, inputs a scale and a zero point per row (Dettmers
 * et al., arXiv 2208.07339, section 2: vector-wise and zeropoint quantisation). Channels of the
 * input that are much larger than the others would leave these few of the 255 steps, so each is
 * first divided by a factor that its weights are multiplied by (Xiao et al., arXiv 2211.10438,
 * equation 4, with alpha 1/2).
 */
#ifndef LNCLIP_TENSOR_PACKED_H
#define LNCLIP_TENSOR_PACKED_H

#include "tensor/arena.h"
#include "tensor/kernels/kernels.h"
#include "tensor/threads.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A matrix B [K,N], packed. Its memory is a block of an arena. */
typedef struct PackedMatrix {
    Precision precision;
    int K, N;
    void *panels;  /* [ceil(N/64)][packed_groups][64] groups along k; zero beyond N and K */
    float *scale;  /* int8: [ceil(N/64) 64] of each column, else NULL */
    int32_t *sum;  /* int8: [ceil(N/64) 64] of each column, else NULL */
    float *factor; /* int8: [K] what each input channel is multiplied by, else NULL */
} PackedMatrix;

/* Some rows [rows, ...] of a row-major matrix: weights come in parts (Linear in ops.h). */
typedef struct PackedPart {
    const float *numbers;
    int rows;
} PackedPart;

/*
 * True if a product with packed weights in that precision is the better choice: in f32 if the
 * kernel in force beats OpenBLAS; bf16 and int8 know no other way.
 */
bool packed_pays(Precision precision);

/* Takes the memory for B [K,N] from `arena`, which may be a measuring one; K, N >=
 * 1. Not filled. */
PackedMatrix packed_place(Arena *arena, Precision precision, int K, int N);

/* How many numbers along k share 32 bits: 1 in f32, 2 in bf16, 4 in int8. */
int packed_group(Precision precision);

/* Groups that `depth` numbers along k take, counting those of zeros that fill whole lines in bf16
 * and int8. */
int packed_depth(Precision precision, int depth);

/* The same of a panel of the matrix. */
int packed_groups(const PackedMatrix *packed);

/*
 * Fills packs from a matrix W given as parts [count], one below the other. packed_fill: B = W, each
 * part [rows,N], K rows in all: dx = dz W; f32 and bf16 only. packed_fill_transposed: B = W^T, each
 * part [rows,K], N rows in all: z = x W^T. packed_fill_both does the two, which must agree in
 * precision, while reading W once. `magnitude` [K]: how large each channel of x is expected to be,
 * relative to each other, positive, for the factors of int8; NULL leaves all channels as they are.
 * Ignored in f32 and bf16. A number that is not finite makes its column of an int8 product NaN.
 * Spread over `threads` (may be NULL). Borrows W for the call.
 */
void packed_fill(PackedMatrix *packed, const PackedPart *parts, int count, Threads *threads);
void packed_fill_transposed(PackedMatrix *packed, const PackedPart *parts, int count,
                            const float *magnitude, Threads *threads);
void packed_fill_both(PackedMatrix *transposed, PackedMatrix *plain, const PackedPart *parts,
                      int count, Threads *threads);

/*
 * A [M,K], row-major without gaps: numbers, or numbers times the derivative of an activation at z.
 * Whatever is not of the pack's type is converted: bf16 is read where it lies if K is a multiple of
 * 32 and there is no z, unless the kernel in force wants many rows further apart: then they are
 * copied first.
 */
typedef struct PackedInput {
    DType type;          /* of both: f32 for f32 packs; f32 or bf16 for bf16 and int8 packs */
    const void *numbers; /* [M,K]; finite for int8 packs */
    const void *z;       /* [M,K] or NULL; NULL for int8 packs */
    void (*backward)(const float *z, const float *dy, float *dz, size_t n); /* with z */
} PackedInput;

/* Bytes of scratch that packed_product needs for M rows of an input like `input` (its pointers are
 * not read). */
size_t packed_scratch(int M, const PackedInput *input, const PackedMatrix *B);

/*
 * C[M,N] = activate(A B + bias + residual), where `epilogue` gives C (its c), type, bias [N],
 * residual and z [M,N], each or NULL, and activate; its other members are set here. C row-major
 * without gaps, f32, or for bf16 and int8 packs bf16 too; not overlapping A; M >= 1. scratch
 * [packed_scratch], 64-byte aligned. Spread over `threads`.
 */
void packed_product(Threads *threads, int M, const PackedInput *A, const PackedMatrix *B,
                    const Epilogue *epilogue, void *scratch);

#endif
