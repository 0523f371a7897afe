/*
 * support_op_cases.h - test cases for all operations: operands, options, and a builder.
 *
 * Every operation needs a case here, or test_ops_gradients.c fails.
 */
#ifndef LNCLIP_TESTS_SUPPORT_OP_CASES_H
#define LNCLIP_TESTS_SUPPORT_OP_CASES_H

#include "tensor/ops/op.h"

enum { SUPPORT_OP_OPTIONS = 6 };

typedef struct SupportOpCase SupportOpCase;

/*
 * `build` records the operation on the operands `in` and returns its value; `option` is specific to
 * it. `shapes` are those of the operands, as in "b3x5x7 11x7 11"; b marks an operand whose first
 * dimension is the batch, which micro-batches split.
 */
struct SupportOpCase {
    OpKind kind;
    const char *name;
    Tensor *(*build)(const SupportOpCase *c, Tape *tape, Tensor *const *in);
    int option[SUPPORT_OP_OPTIONS];
    const char *shapes;
};

extern const SupportOpCase support_op_cases[];
extern const int support_op_case_count;

#endif
