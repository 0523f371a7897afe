/*
 * op.c - see op.h: the table of operations, and how their tasks run.
 */
#include "tensor/ops/op.h"

#include "tensor/base/arithmetic.h"
#include "tensor/kernels/kernels.h"

#include <assert.h>
#include <string.h>

const Op op_table[OP_COUNT] = {
#define X(NAME, name) [OP_##NAME] = {#name, op_##name##_backward},
    OPS(X)
#undef X
};

void *op_data(const Tape *tape, const Tensor *tensor)
{
    assert(tensor->data || tape_is_planning(tape));
    return tensor->data;
}

float *op_f32(const Tape *tape, const Tensor *tensor)
{
    assert(tensor->dtype == DTYPE_F32);
    return op_data(tape, tensor);
}

void *op_settings(Node *node, size_t bytes)
{
    assert(bytes <= OP_SETTINGS_BYTES);
    return node->settings;
}

void op_run(const Tape *tape, void (*function)(const void *context), const void *context)
{
    if (!tape_is_planning(tape))
        function(context);
}

/* Arguments of one run: exactly one of the three task pointers is set. */
typedef struct Run {
    OpTask *task;
    OpRowsTask *rows_task;
    OpScratchTask *scratch_task;
    const void *context;
    int rows, task_rows;
    float *scratch; /* [threads][stride] */
    size_t stride;
} Run;

static void run_task(void *context, int task, int worker)
{
    const Run *run = context;
    if (run->task)
        run->task(run->context, task);
    else if (run->rows_task)
        run->rows_task(run->context, op_range(run->rows, run->task_rows, task));
    else
        run->scratch_task(run->context, task, run->scratch + (size_t)worker * run->stride);
}

static void run_all(Tape *tape, int tasks, Run *run)
{
    if (!tape_is_planning(tape))
        threads_run(tape_threads(tape), tasks, run_task, run);
}

void op_run_tasks(Tape *tape, int tasks, OpTask *task, const void *context)
{
    run_all(tape, tasks, &(Run){.task = task, .context = context});
}

void op_run_rows(Tape *tape, int rows, int columns, OpRowsTask *task, const void *context)
{
    const int task_rows = columns < OP_TASK_ELEMENTS ? OP_TASK_ELEMENTS / columns : 1;
    run_all(tape, ceil_div_int(rows, task_rows),
            &(Run){.rows_task = task, .context = context, .rows = rows, .task_rows = task_rows});
}

void op_run_scratch(Tape *tape, int tasks, size_t floats, OpScratchTask *task, const void *context)
{
    const size_t line = ARENA_ALIGNMENT / sizeof(float);
    Run run = {.scratch_task = task, .context = context};
    run.stride = (floats + line - 1) / line * line;
    run.scratch = arena_alloc(tape_arena(tape), (size_t)threads_count(tape_threads(tape)) *
                                                    run.stride * sizeof *run.scratch);
    run_all(tape, tasks, &run);
    arena_free(tape_arena(tape), run.scratch);
}

void op_pack(Tape *tape, PackedMatrix *packed, const PackedPart *parts, int count, bool transposed)
{
    if (tape_is_planning(tape))
        return;
    if (transposed)
        packed_fill_transposed(packed, parts, count, NULL, tape_threads(tape));
    else
        packed_fill(packed, parts, count, tape_threads(tape));
}

void op_packed_product(Tape *tape, int rows, const PackedInput *input, const PackedMatrix *packed,
                       const Epilogue *epilogue)
{
    Arena *arena = tape_arena(tape);
    void *scratch = arena_alloc(arena, packed_scratch(rows, input, packed));
    if (!tape_is_planning(tape))
        packed_product(tape_threads(tape), rows, input, packed, epilogue, scratch);
    arena_free(arena, scratch);
}

void op_convert(DType from_type, const void *from, DType type, void *to, size_t count)
{
    if (from_type == type)
        memcpy(to, from, count * dtype_size(type));
    else if (type == DTYPE_BF16)
        kernels()->to_bf16(from, to, count);
    else
        kernels()->from_bf16(from, to, count);
}

void op_accumulate(DType from_type, const void *from, DType type, void *to, size_t count)
{
    enum { BLOCK = 512 };
    if (from_type == DTYPE_F32 && type == DTYPE_F32) {
        kernels()->add(from, to, count);
        return;
    }
    for (size_t begin = 0; begin < count; begin += BLOCK) {
        const size_t n = count - begin < BLOCK ? count - begin : BLOCK;
        float term[BLOCK], sum[BLOCK];
        void *place = (char *)to + begin * dtype_size(type);
        op_convert(from_type, (const char *)from + begin * dtype_size(from_type), DTYPE_F32, term,
                   n);
        op_convert(type, place, DTYPE_F32, sum, n);
        kernels()->add(term, sum, n);
        op_convert(DTYPE_F32, sum, type, place, n);
    }
}
