/*
 * attention_operands_private.h - a head's matrices as operands of the product kernels. Private to
 * tensor/.
 *
 * The kernels multiply a lhs operand, rows of 32-bit groups along k, with a rhs one, panels of
 * 64 columns of such groups (KernelProduct). A matrix of one head serves in up to three places:
 *
 *     lhs               q, do, P and dS     rows as they are; in f32 six side by side
 *     rhs              v, k, P and dS      its rows are k: in bf16 two of them are paired
 *     rhs, transposed  k and v             its columns are k: its rows become columns of panels
 *     lhs, transposed   do and q            its columns become rows
 *
 * dv = P^T do and dk = dS^T q are computed as their transposes, do^T P and q^T dS: then it is do
 * and q that are transposed, and the results, all 64 wide, instead of P and dS, which are 257 wide.
 */
#ifndef LNCLIP_TENSOR_OPS_ATTENTION_OPERANDS_PRIVATE_H
#define LNCLIP_TENSOR_OPS_ATTENTION_OPERANDS_PRIVATE_H

#include "tensor/kernels/kernels.h"

/*
 * Rows of the lhs operand that are multiplied at once: whole tiles of every kernel, six rows in
 * f32 and twice sixteen on AMX, and an even number, so that pairs of rows do not straddle.
 */
enum { ATTENTION_ROWS = 96 };

/* A matrix [rows,columns] as it lies in memory, in f32 or bf16. */
typedef struct AttentionMatrix {
    DType type;
    int rows, columns;
    ptrdiff_t ld; /* elements between rows */
    const void *elements;
} AttentionMatrix;

/* A lhs operand. */
typedef struct AttentionLhs {
    DType type;
    int rows, groups;
    ptrdiff_t ld; /* bytes between rows, in bf16 */
    const char *a;
} AttentionLhs;

/* A rhs operand [ceil(columns/64)][groups][64] groups. */
typedef struct AttentionRhs {
    DType type;
    int groups, columns;
    uint32_t *panels;
} AttentionRhs;

/* The rows begin .. begin + count; begin is a multiple of ATTENTION_ROWS. */
AttentionLhs attention_lhs_rows(const AttentionLhs *lhs, int begin, int count);

/* 32-bit groups that `depth` elements along k take: whole lines in bf16. */
int attention_groups(DType type, int depth);

/* Scratch memory handed out piece by piece; with a NULL base it is only measured. */
typedef struct AttentionScratch {
    char *base;
    size_t used; /* bytes, whole lines */
} AttentionScratch;

void *attention_allocate(AttentionScratch *scratch, size_t bytes);

/* Matrices that will soon be read or written, and that are fetched into the second-level cache row
 * by row. */
typedef struct AttentionPrefetch {
    int count, row; /* matrices, and the row of each that comes next */
    struct {
        const char *elements;
        ptrdiff_t row_bytes; /* from row to row */
        int rows, bytes;     /* bytes: of each row */
    } matrix[7];
} AttentionPrefetch;

void attention_prefetch_add(AttentionPrefetch *prefetch, const AttentionMatrix *m);
/* Fetches the next `rows` rows of every matrix, of those that have as many. */
void attention_prefetch_rows(AttentionPrefetch *prefetch, int rows);

/* Take the memory for a [rows,columns] matrix in each of the places; what is copied
 * is not filled. */
void *attention_allocate_padded(AttentionScratch *scratch, DType type, int rows, int columns);
void *attention_allocate_lhs(AttentionScratch *scratch, DType type, int rows, int columns);
void *attention_allocate_lhs_transposed(AttentionScratch *scratch, DType type, int rows,
                                        int columns);
AttentionRhs attention_allocate_rhs(AttentionScratch *scratch, DType type, int rows, int columns);
AttentionRhs attention_allocate_rhs_transposed(AttentionScratch *scratch, DType type, int rows,
                                               int columns);

/* The same matrix with rows that may be read in whole groups; where they cannot, copied into
 * `memory`. */
AttentionMatrix attention_pad_rows(const AttentionMatrix *m, void *memory);

/* `m`, of whole rows, on the lhs. In bf16 it stays where it is, and `memory` is NULL. */
AttentionLhs attention_lhs(const AttentionMatrix *m, void *memory);

/* Some columns of `m`, at most 64, as rows of a lhs operand. */
AttentionLhs attention_lhs_transposed(const AttentionMatrix *m, int column, void *memory);

/* In f32, the rows begin .. begin + count of a rhs operand, on the lhs. */
AttentionLhs attention_lhs_of_rhs(const AttentionRhs *rhs, int begin, int count, void *memory);

/* Fills `rhs` with `m`. */
void attention_fill_rhs(const AttentionMatrix *m, AttentionRhs *rhs);

/* The groups of row `row` in the first panel, in bf16 of an even row and the one after it. */
void *attention_rhs_row(const AttentionRhs *rhs, int row);
/* Groups from there to those of the same row in the next panel. */
ptrdiff_t attention_step(const AttentionRhs *rhs);

/* Clears what follows the first `rows` rows of `rhs` in the last line of groups. */
void attention_clear_rest(AttentionRhs *rhs, int rows);

/* Fills `rhs` with the transpose of `m`, of whole rows. */
void attention_fill_rhs_transposed(const AttentionMatrix *m, AttentionRhs *rhs);

/*
 * sums [lhs->rows, rhs->columns] = lhs rhs: 64 columns, rows ld apart; the next 64 columns
 * are `step` elements further on. Room for whole panels.
 */
void attention_sums(const AttentionLhs *lhs, const AttentionRhs *rhs, float *sums, ptrdiff_t ld,
                    ptrdiff_t step);

/* The product as `store` and `epilogue` store it; epilogue->columns is ignored, c and residual start
 * at column 0. */
void attention_product(const AttentionLhs *lhs, const AttentionRhs *rhs,
                       void (*store)(const Epilogue *, int, int, const void *),
                       const Epilogue *epilogue);

/* The transpose of the product of at most 64 rows, stored by the usual kernel as epilogue says. */
void attention_product_transposed(const AttentionLhs *lhs, const AttentionRhs *rhs,
                                  const Epilogue *epilogue);

#endif
