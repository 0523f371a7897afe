/*
 * attention_operands_private.h - a head's matrices as operands of the product kernels. Private to
 * tensor/.
 *
 * The kernels multiply a left operand (lhs), rows of 32-bit groups along k, by a right operand
 * (rhs), panels of 64 columns of such groups (KernelProduct). A matrix of one head is used in up to
 * three roles:
 *
 *     lhs               q, do, P and dS     rows as they are; in f32 six side by side
 *     rhs               v, k, P and dS      its rows are k: in bf16 two of them are paired
 *     rhs, transposed   k and v             its columns are k: its rows become columns of panels
 *     lhs, transposed   do and q            its columns become rows
 *
 * dv = P^T do and dk = dS^T q are computed as their transposes, do^T P and q^T dS. So do, q and the
 * results are transposed, which have 64 columns, instead of P and dS, which have 257.
 *
 * Tests: tests/test_attention.c.
 */
#ifndef LNCLIP_TENSOR_OPS_ATTENTION_OPERANDS_PRIVATE_H
#define LNCLIP_TENSOR_OPS_ATTENTION_OPERANDS_PRIVATE_H

#include "tensor/kernels/kernels.h"

/*
 * Rows of the left operand that are multiplied at once. A multiple of every kernel's tile (6 rows
 * in f32, 2 x 16 on AMX), and even, so that no pair of rows crosses a block.
 */
enum { ATTENTION_ROWS = 96 };

/* A matrix [rows,columns] in memory, f32 or bf16. */
typedef struct AttentionMatrix {
    DType type;
    int rows, columns;
    ptrdiff_t ld; /* elements between rows */
    const void *elements;
} AttentionMatrix;

/* A left operand. */
typedef struct AttentionLhs {
    DType type;
    int rows, groups;
    ptrdiff_t ld; /* bytes between rows, in bf16 */
    const char *a;
} AttentionLhs;

/* A right operand: [ceil(columns/64)][groups][64] groups. */
typedef struct AttentionRhs {
    DType type;
    int groups, columns;
    uint32_t *panels;
} AttentionRhs;

/* Rows [begin, begin + count) of `lhs`; begin is a multiple of ATTENTION_ROWS. */
AttentionLhs attention_lhs_rows(const AttentionLhs *lhs, int begin, int count);

/* Number of 32-bit groups for `depth` elements along k; rounded up to whole cache lines in bf16. */
int attention_groups(DType type, int depth);

/* Scratch memory, allocated front to back. With a NULL base only the size is measured. */
typedef struct AttentionScratch {
    char *base;
    size_t used; /* bytes, whole lines */
} AttentionScratch;

void *attention_allocate(AttentionScratch *scratch, size_t bytes);

/*
 * Matrices that will soon be read or written; they are prefetched into the second-level cache row
 * by row.
 */
typedef struct AttentionPrefetch {
    int count, row; /* number of matrices; the next row to prefetch of each */
    struct {
        const char *elements;
        ptrdiff_t row_bytes; /* bytes between rows */
        int rows, bytes;     /* bytes: size of a row */
    } matrix[7];
} AttentionPrefetch;

void attention_prefetch_add(AttentionPrefetch *prefetch, const AttentionMatrix *m);
/* Prefetches the next `rows` rows of each matrix, as far as it has them. */
void attention_prefetch_rows(AttentionPrefetch *prefetch, int rows);

/*
 * Allocate uninitialised scratch memory for a [rows,columns] matrix in each of its roles. NULL
 * where the role needs no copy.
 */
void *attention_allocate_padded(AttentionScratch *scratch, DType type, int rows, int columns);
void *attention_allocate_lhs(AttentionScratch *scratch, DType type, int rows, int columns);
void *attention_allocate_lhs_transposed(AttentionScratch *scratch, DType type, int rows,
                                        int columns);
AttentionRhs attention_allocate_rhs(AttentionScratch *scratch, DType type, int rows, int columns);
AttentionRhs attention_allocate_rhs_transposed(AttentionScratch *scratch, DType type, int rows,
                                               int columns);

/*
 * `m` with rows padded by zeros to whole groups: copied into `memory`, or `m` itself where nothing
 * has to be padded.
 */
AttentionMatrix attention_pad_rows(const AttentionMatrix *m, void *memory);

/* `m`, of padded rows, as a left operand. In bf16 it is used in place, and `memory` is NULL. */
AttentionLhs attention_lhs(const AttentionMatrix *m, void *memory);

/* Up to 64 columns of `m`, from `column` on, as the rows of a left operand. */
AttentionLhs attention_lhs_transposed(const AttentionMatrix *m, int column, void *memory);

/* f32 only: rows [begin, begin + count) of a right operand as a left operand. */
AttentionLhs attention_lhs_of_rhs(const AttentionRhs *rhs, int begin, int count, void *memory);

/* Lays `m` out as the right operand `rhs`. */
void attention_fill_rhs(const AttentionMatrix *m, AttentionRhs *rhs);

/*
 * The groups of row `row` in the first panel. In bf16 `row` is even, and the groups hold the next
 * row too.
 */
void *attention_rhs_row(const AttentionRhs *rhs, int row);
/* Groups between panels: from a row to the same row of the next panel. */
ptrdiff_t attention_step(const AttentionRhs *rhs);

/* Sets the padding after the first `rows` rows of `rhs` to zero. */
void attention_clear_rest(AttentionRhs *rhs, int rows);

/* Lays the transpose of `m`, of padded rows, out as the right operand `rhs`. */
void attention_fill_rhs_transposed(const AttentionMatrix *m, AttentionRhs *rhs);

/*
 * sums [lhs->rows, rhs->columns] = lhs rhs, in panels of 64 columns: rows are `ld` elements apart,
 * panels `step` elements. `sums` must have room for whole panels.
 */
void attention_sums(const AttentionLhs *lhs, const AttentionRhs *rhs, float *sums, ptrdiff_t ld,
                    ptrdiff_t step);

/*
 * lhs rhs, stored by `store` with `epilogue`. epilogue->columns is ignored; c and residual start at
 * column 0.
 */
void attention_product(const AttentionLhs *lhs, const AttentionRhs *rhs,
                       void (*store)(const Epilogue *, int, int, const void *),
                       const Epilogue *epilogue);

/* (lhs rhs)^T, stored by the kernel table's epilogue. lhs has at most 64 rows. */
void attention_product_transposed(const AttentionLhs *lhs, const AttentionRhs *rhs,
                                  const Epilogue *epilogue);

#endif
