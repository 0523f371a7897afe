/*
 * packed.h - the matrix product with a weight that was packed beforehand.
 *
 * A frozen weight is the same in every step, so it is laid out once as the kernel reads it: in
 * panels of 64 columns, each contiguous along k, in the precision of the computation. The general
 * product (gemm.h) packs on every call, and cannot fuse bias, residual, activation and rounding
 * with the store.
 *
 * Each element of the result is a sum over k in an order that depends on K alone. So results do not
 * depend on the number of threads, on the number of rows, or on the other rows.
 *
 * int8. Weights get one scale per output channel, inputs a scale and a zero point per row (Dettmers
 * et al., arXiv 2208.07339, section 2: vector-wise and zeropoint quantisation). Input channels much
 * larger than the others would leave the others only a few of the 255 steps. So each channel is
 * first divided by a factor, and its weights are multiplied by it (Xiao et al., arXiv 2211.10438,
 * equation 4, with alpha 1/2).
 *
 * Tests: tests/test_packed.c.
 */
#ifndef LNCLIP_TENSOR_PACKED_H
#define LNCLIP_TENSOR_PACKED_H

#include "tensor/arena.h"
#include "tensor/kernels/kernels.h"
#include "tensor/threads.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A packed matrix B [K,N], in blocks of an arena. */
typedef struct PackedMatrix {
    Precision precision;
    int K, N;
    void *panels;  /* [ceil(N/64)][packed_groups][64] groups along k; zero beyond N and K */
    float *scale;  /* int8: [ceil(N/64) 64], one per column, else NULL */
    int32_t *sum;  /* int8: [ceil(N/64) 64], the sum of each column, else NULL */
    float *factor; /* int8: [K], multiplies each input channel, else NULL */
} PackedMatrix;

/* One part of a weight (Linear in ops.h): a borrowed row-major matrix with `rows` rows. */
typedef struct PackedPart {
    const float *numbers;
    int rows;
} PackedPart;

/*
 * True if weights should be packed in that precision: in f32 if the chosen kernel is faster than
 * OpenBLAS; in bf16 and int8 always, since there is no other product. Thread-safe.
 */
bool packed_pays(Precision precision);

/* Allocates B [K,N], uninitialised, in `arena`, which may be a measuring one. K, N >= 1. */
PackedMatrix packed_place(Arena *arena, Precision precision, int K, int N);

/* Elements along k in a 32-bit group: 1 in f32, 2 in bf16, 4 in int8. */
int packed_group(Precision precision);

/* Groups for `depth` elements along k, including the padding to whole lines in bf16 and int8. */
int packed_depth(Precision precision, int depth);

/* Groups along k of the matrix's panels. */
int packed_groups(const PackedMatrix *packed);

/*
 * Fill packs from a matrix W, which is borrowed for the call and given as `parts` [count], one
 * below the other:
 *
 *     packed_fill             B = W, for dx = dz W; parts [rows,N], K rows in all; not in int8
 *     packed_fill_transposed  B = W^T, for z = x W^T; parts [rows,K], N rows in all
 *     packed_fill_both        both, of the same precision, reading W once
 *
 * `magnitude` [K], for int8 only: the expected relative magnitudes (> 0) of the channels of x, from
 * which the factors are computed; NULL: no factors. An infinite or NaN weight makes its column of
 * an int8 product NaN. Spread over `threads` (may be NULL).
 */
void packed_fill(PackedMatrix *packed, const PackedPart *parts, int count, Threads *threads);
void packed_fill_transposed(PackedMatrix *packed, const PackedPart *parts, int count,
                            const float *magnitude, Threads *threads);
void packed_fill_both(PackedMatrix *transposed, PackedMatrix *plain, const PackedPart *parts,
                      int count, Threads *threads);

/*
 * A [M,K], row-major and contiguous: numbers, or numbers times the derivative of an activation at
 * z. It is converted to the pack's type; bf16 is read in place if K is a multiple of 32 and z is
 * NULL, unless the chosen kernel is faster with rows further apart (product_wants_odd_rows).
 */
typedef struct PackedInput {
    DType type; /* type of numbers and z: f32 for f32 packs; f32 or bf16 for bf16 and int8 packs */
    const void *numbers; /* [M,K]; finite for int8 packs */
    const void *z;       /* [M,K] or NULL; NULL for int8 packs */
    void (*backward)(const float *z, const float *dy, float *dz, size_t n); /* with z */
} PackedInput;

/*
 * Bytes of scratch memory that packed_product needs for M rows of `input`. Reads the sizes and
 * types, not the data.
 */
size_t packed_scratch(int M, const PackedInput *input, const PackedMatrix *B);

/*
 * C[M,N] = activate(A B + bias + residual). `epilogue` gives C (member c) and its type, and bias
 * [N], residual [M,N], z [M,N] and activate, each of which may be NULL; its other members are
 * ignored. C is row-major, contiguous, f32 (with bf16 and int8 packs also bf16), and must not
 * overlap A. M >= 1. scratch [packed_scratch], 64-byte aligned. Spread over `threads` (may be
 * NULL).
 */
void packed_product(Threads *threads, int M, const PackedInput *A, const PackedMatrix *B,
                    const Epilogue *epilogue, void *scratch);

#endif
