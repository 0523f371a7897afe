/*
 * explain.c - see explain.h.
 *
 * Only the class token's row of R is needed. It is multiplied by one matrix after another, from the
 * last block to the first, so no [T,T] product is computed:
 *
 *     row <- keep row + gain row M_l,   M_l = A_l, keep = gain = 1/2, or M_l = C_l, keep = gain = 1
 *
 * The row starts as the unit vector of the class token, the only query of the last block.
 */
#include "vit/explain.h"

#include "tensor/base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { HEAD_OPERATIONS = 4 }; /* normalise, linear, and a margin */

struct VitExplainer {
    const Vit *vit;
    VitHead *head;
    Threads *threads;
    Arena *arena;
    Tape *tape;
    Tensor *probabilities; /* [L] leaves [1,H,Tq,T] */
    double *row, *next;    /* [T] */
};

int vit_explain_grid(const VitConfig *config)
{
    return config->image_size / config->patch_size;
}

/* Applies one block to row [T]: gradient x attention if `gradient`, else rollout. */
static void apply_block(VitExplainer *explainer, const Tensor *attention, bool gradient)
{
    const int H = attention->shape[1], Tq = attention->shape[2], T = attention->shape[3];
    const double keep = gradient ? 1 : 0.5, gain = keep / H;
    const float *A = tensor_f32(attention), *dA = tensor_grad(attention);
    double *row = explainer->row, *next = explainer->next;
    for (int j = 0; j < T; j++)
        next[j] = keep * row[j];
    for (int h = 0; h < H; h++) {
        for (int i = 0; i < Tq; i++) {
            const size_t at = ((size_t)h * Tq + i) * T;
            const double weight = gain * row[i];
            for (int j = 0; j < T && !gradient; j++)
                next[j] += weight * (double)A[at + j];
            for (int j = 0; j < T && gradient; j++)
                next[j] += weight * fmax(0, (double)A[at + j] * (double)dA[at + j]);
        }
    }
    explainer->row = next;
    explainer->next = row;
}

/* Computes map [T-1] from the attention, and its gradient, of all blocks. */
static void relevance(VitExplainer *explainer, bool gradient, float *map)
{
    const VitConfig *config = &explainer->vit->config;
    const int T = vit_tokens(config);
    for (int j = 0; j < T; j++)
        explainer->row[j] = j == 0;
    for (int l = config->layers - 1; l >= 0; l--)
        apply_block(explainer, &explainer->probabilities[l], gradient);
    double sum = 0;
    for (int j = 1; j < T; j++)
        sum += explainer->row[j];
    for (int j = 1; j < T; j++)
        map[j - 1] = sum > 0 ? (float)(explainer->row[j] / sum) : 0;
}

/* Creates the leaves for the attention of all blocks in one allocation, which is returned. */
static float *lay_out_probabilities(VitExplainer *explainer, bool gradient)
{
    const VitConfig *config = &explainer->vit->config;
    const int T = vit_tokens(config), H = config->heads, L = config->layers;
    const size_t row = (size_t)H * T, block_size = row * T;
    float *block = arena_alloc(explainer->arena, ((L - 1) * block_size + row) * sizeof(float));
    for (int l = 0; l < L; l++) {
        const int Tq = l == L - 1 ? 1 : T;
        explainer->probabilities[l] =
            tensor_leaf(block + l * block_size, 4, (const int[]){1, H, Tq, T});
        explainer->probabilities[l].needs_grad = gradient;
    }
    return block;
}

void vit_explain(VitExplainer *explainer, const float *pixels, float *rollout, float *gradient)
{
    const int S = explainer->vit->config.image_size;
    const bool planning = tape_is_planning(explainer->tape);
    /* A leaf takes a writable pointer, but nothing writes to an input. */
    Tensor input = tensor_leaf((void *)(uintptr_t)pixels, 4, (const int[]){1, 3, S, S});
    float *block = lay_out_probabilities(explainer, gradient != NULL);
    Tensor *features =
        vit_model_forward(explainer->vit, explainer->tape, &input, explainer->probabilities);
    if (rollout && !planning)
        relevance(explainer, false, rollout);
    if (gradient) {
        Tensor *logits =
            vit_head_forward(explainer->head, explainer->tape, features, NULL); /* [1,1,2] */
        tape_backward(explainer->tape, logits, (const float[VIT_CLASSES]){-1, 1});
        if (!planning)
            relevance(explainer, true, gradient);
    }
    tape_reset(explainer->tape);
    arena_free(explainer->arena, block);
}

/* Replaces arena and tape. `bytes` is the arena's capacity; 0: a measuring arena. */
static Status open_tape(VitExplainer *explainer, size_t bytes, Error *error)
{
    const int operations = vit_model_operations(explainer->vit) + HEAD_OPERATIONS;
    tape_destroy(explainer->tape);
    arena_destroy(explainer->arena);
    explainer->tape = NULL;
    explainer->arena = NULL;
    if (bytes == 0)
        TRY(arena_create_measuring(&explainer->arena, error));
    else
        TRY(arena_create(&explainer->arena, bytes, error));
    return tape_create(&explainer->tape, explainer->arena, explainer->threads, operations, error);
}

/* Measures the memory for both maps and creates an arena of that size. */
static Status open_measured(VitExplainer *explainer, Error *error)
{
    float unread[1];
    TRY(open_tape(explainer, 0, error));
    vit_explain(explainer, unread, unread, unread);
    return open_tape(explainer, arena_peak(explainer->arena), error);
}

Status vit_explainer_create(VitExplainer **explainer, const Vit *vit, VitHead *head,
                            Threads *threads, Error *error)
{
    assert(explainer && vit && head && error);
    assert(!head->weight.needs_grad && op_linear_type(&vit->blocks[0].kv) == DTYPE_F32);
    for (int i = 0; i < vit->parameter_count; i++)
        assert(!vit->parameters[i].tensor.needs_grad);
    *explainer = NULL;
    static const char what[] = "the explanation";
    const int T = vit_tokens(&vit->config);
    VitExplainer *e = mem_new(1, sizeof *e, what, error);
    if (!e)
        return STATUS_FAILED;
    *e = (VitExplainer){.vit = vit, .head = head, .threads = threads};
    e->probabilities = mem_new(vit->config.layers, sizeof *e->probabilities, what, error);
    e->row = mem_new(T, sizeof *e->row, what, error);
    e->next = mem_new(T, sizeof *e->next, what, error);
    const bool complete = e->probabilities && e->row && e->next;
    const Status status = complete ? open_measured(e, error) : STATUS_FAILED;
    if (status == STATUS_OK)
        *explainer = e;
    else
        vit_explainer_destroy(e);
    return status;
}

void vit_explainer_destroy(VitExplainer *explainer)
{
    if (!explainer)
        return;
    tape_destroy(explainer->tape);
    arena_destroy(explainer->arena);
    free(explainer->probabilities);
    free(explainer->row);
    free(explainer->next);
    free(explainer);
}
