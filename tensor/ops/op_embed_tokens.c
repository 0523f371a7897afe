/*
 * op_embed_tokens.c - the token sequence of a vision transformer: class token first, positions
 * added.
 *
 *     y[b,0] = class + position[0]        y[b,1+i] = patches[b,i] + position[1+i]
 *
 * Derivation. The operation is a sum, so each operand's gradient is the sum of dy over the elements
 * it was added to: dpatches = dy without token 0, dclass = sum over b of dy[b,0], dposition = sum
 * over b of dy[b].
 *
 * Shapes. patches [B,T-1,D], class [D], position [T,D] -> y [B,T,D].
 *
 * What is kept: nothing.
 */
#include "tensor/kernels/kernels.h"
#include "tensor/ops/op.h"

#include <string.h>

enum { IN_PATCHES, IN_CLASS, IN_POSITION, INPUTS };

typedef struct Forward {
    int T, D;
    const float *patches;         /* [B,T-1,D] */
    const float *class_embedding; /* [D] */
    const float *position;        /* [T,D] */
    float *y;                     /* [B,T,D] */
} Forward;

static void forward_task(const void *context, int sample)
{
    const Forward *f = context;
    const size_t D = (size_t)f->D, patch_count = (size_t)(f->T - 1) * D;
    float *y = f->y + (size_t)sample * (patch_count + D);
    memcpy(y, f->class_embedding, D * sizeof *y);
    memcpy(y + D, f->patches + (size_t)sample * patch_count, patch_count * sizeof *y);
    kernels()->add(f->position, y, patch_count + D);
}

Tensor *op_embed_tokens(Tape *tape, Tensor *patches, Tensor *class_embedding, Tensor *position)
{
    tensor_expect(patches, "embed_tokens", "patches", 3, (const int[]){0, 0, 0});
    const int B = patches->shape[0], T = patches->shape[1] + 1, D = patches->shape[2];
    tensor_expect(class_embedding, "embed_tokens", "class_embedding", 1, &D);
    tensor_expect(position, "embed_tokens", "position", 2, (const int[]){T, D});
    Tensor *y = op_output(tape, 3, (const int[]){B, T, D});
    Tensor *const inputs[INPUTS] = {patches, class_embedding, position};
    op_record(tape, OP_EMBED_TOKENS, y, inputs, INPUTS);
    const Forward f = {.T = T,
                       .D = D,
                       .patches = op_f32(tape, patches),
                       .class_embedding = op_f32(tape, class_embedding),
                       .position = op_f32(tape, position),
                       .y = op_f32(tape, y)};
    op_run_tasks(tape, B, forward_task, &f);
    return y;
}

typedef struct Backward {
    int B, T, D;
    const float *dy;                      /* [B,T,D] */
    float *dpatches, *dclass, *dposition; /* [B,T-1,D], [D], [T,D], or NULL */
} Backward;

/* One token of all images, in order, so that each sum over images is made by one task. */
static void token_task(const void *context, int token)
{
    const Backward *f = context;
    const size_t D = (size_t)f->D;
    for (int b = 0; b < f->B; b++) {
        const float *dy = f->dy + ((ptrdiff_t)b * f->T + token) * f->D;
        if (f->dposition)
            kernels()->add(dy, f->dposition + (ptrdiff_t)token * f->D, D);
        if (token == 0 && f->dclass)
            kernels()->add(dy, f->dclass, D);
        if (token > 0 && f->dpatches)
            kernels()->add(dy, f->dpatches + ((ptrdiff_t)b * (f->T - 1) + token - 1) * f->D, D);
    }
}

void op_embed_tokens_backward(Tape *tape, Node *node)
{
    const Tensor *y = node->out;
    const Backward f = {.B = y->shape[0],
                        .T = y->shape[1],
                        .D = y->shape[2],
                        .dy = y->grad,
                        .dpatches = op_grad(tape, node->in[IN_PATCHES]),
                        .dclass = op_grad(tape, node->in[IN_CLASS]),
                        .dposition = op_grad(tape, node->in[IN_POSITION])};
    op_run_tasks(tape, f.T, token_task, &f);
}
