/*
 * packed.h - the matrix product with a weight that was packed beforehand.
 *
 * A weight that does not train is the same in every step, so it is laid out once as the kernel reads it:
 * panels of 64 columns, each k after k. The general product (gemm.h) does that on every call, and
 * cannot join bias, residual and activation to the store. Where the processor has no kernel of its own for it
 * (packed_pays), nothing should be packed: gemm is faster than the portable text.
 *
 * Each number of the result is a sum over k in an order that follows from K alone. So neither threads nor
 * the number of rows, nor which rows stand beside each other, change a bit.
 */
#ifndef LNCLIP_TENSOR_PACKED_H
#define LNCLIP_TENSOR_PACKED_H

#include "tensor/arena.h"
#include "tensor/threads.h"

#include <stdbool.h>
#include <stddef.h>

/* A matrix B [K,N], packed. */
typedef struct PackedMatrix {
    int K, N;
    float *panels; /* [ceil(N/64)][K][64], zero beyond N; a block of an arena */
} PackedMatrix;

/* Some rows [rows, ...] of a row-major matrix: weights come in parts (Linear in ops.h). */
typedef struct PackedPart {
    const float *numbers;
    int rows;
} PackedPart;

/* True if the kernel in force is faster with packed weights than OpenBLAS is without. */
bool packed_pays(void);

/* Takes the memory for B [K,N] from `arena`, which may be a measuring one; K, N >= 1. Not filled. */
PackedMatrix packed_place(Arena *arena, int K, int N);

/*
 * Fills B from parts [count]. packed_fill: B is the parts one below the other, each [rows,N], K rows in
 * all: dx = dz W. packed_fill_transposed: B is the transpose of that, each part [rows,K], N rows in all:
 * z = x W^T. Spread over `threads` (may be NULL).
 */
void packed_fill(PackedMatrix *packed, const PackedPart *parts, int count, Threads *threads);
void packed_fill_transposed(PackedMatrix *packed, const PackedPart *parts, int count,
                            Threads *threads);

/* What happens to the product before it is stored; all zero is the plain product. */
typedef struct PackedEpilogue {
    const float *bias;     /* [N] or NULL */
    const float *residual; /* [M,N] or NULL; may be C, to which the product is then added */
    void (*activate)(const float *z, float *y, size_t n); /* element by element, or NULL */
    float *z; /* [M,N] receives what `activate` was given; NULL if nobody wants it */
} PackedEpilogue;

/* Floats of scratch that packed_product needs for M rows. */
size_t packed_scratch(int M, int K);

/*
 * C[M,N] = activate(A B + bias + residual). A [M,K] and C [M,N] row-major, without gaps, not
 * overlapping each other; M >= 1. scratch [packed_scratch(M, K)], 64-byte aligned. Spread over `threads`.
 */
void packed_product(Threads *threads, int M, const float *A, const PackedMatrix *B,
                    const PackedEpilogue *epilogue, float *scratch, float *C);

#endif
