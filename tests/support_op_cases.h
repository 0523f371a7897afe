/*
 * support_op_cases.h - the cases on which every operation is tried: operands, options, and how to
 * build it.
 *
 * A new kind of operation needs a case here: test_ops_gradients.c fails until it has one.
 */
#ifndef LNCLIP_TESTS_SUPPORT_OP_CASES_H
#define LNCLIP_TESTS_SUPPORT_OP_CASES_H

#include "tensor/ops/op.h"

enum { SUPPORT_OP_OPTIONS = 6 };

typedef struct SupportOpCase SupportOpCase;

/*
 * `build` records the operation on operands `in` and returns its value; what `option` means is its
 * own affair. `shapes` holds the operands' extents, as in "b3x5x7 11x7 11"; b marks an operand
 * whose first dimension is the batch, so that a micro-batch sees a part of it.
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
