/*
 * test_tape.c - what the tape records, keeps and frees, and how gradients add up.
 * test_ops_gradients.c checks the operations; here add, scale and gelu stand for all.
 */
#include "tests/support.h"
#include "tests/support_allocations.h"

#include "tensor/ops/op.h"

#include <signal.h>
#include <string.h>

enum { COUNT = 100, CAPACITY = 1 << 20, MAX_NODES = 64 };

static Error error;

static void ones(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = 1;
}

/* A leaf of COUNT elements, and a tape over an arena. */
typedef struct Fixture {
    Arena *arena;
    Tape *tape;
    float x_data[COUNT], x_grad[COUNT], seed[COUNT]; /* seed: all ones */
    Tensor x;
} Fixture;

static void open_fixture(Fixture *f, Arena *arena)
{
    memset(f, 0, sizeof *f);
    f->arena = arena;
    ck_ok(tape_create(&f->tape, arena, NULL, MAX_NODES, &error), &error);
    support_fill_normal(f->x_data, COUNT, 1, 1);
    ones(f->seed, COUNT);
    f->x = tensor_leaf(f->x_data, 1, (const int[]){COUNT});
    f->x.grad = f->x_grad;
    f->x.needs_grad = true;
}

static Arena *new_arena(void)
{
    Arena *arena;
    ck_ok(arena_create(&arena, CAPACITY, &error), &error);
    return arena;
}

static void close_fixture(Fixture *f)
{
    tape_destroy(f->tape);
    ck_assert_uint_eq(arena_used(f->arena), 0); /* tape_destroy freed all its blocks */
    arena_destroy(f->arena);
}

static void expect_all(const float *values, float wanted)
{
    for (int i = 0; i < COUNT; i++)
        ck_each(values[i] == wanted, "[%d] = %g, expected %g", i, (double)values[i],
                (double)wanted);
}

START_TEST(gradients_of_all_uses_add_up)
{
    Fixture f;
    open_fixture(&f, new_arena());
    for (int run = 1; run <= 3; run++) { /* the leaf's gradient also adds up across resets */
        Tensor *const tripled = op_scale(f.tape, &f.x, 3);
        Tensor *const sum = op_add(f.tape, tripled, &f.x); /* 4 x */
        Tensor *const y = op_add(f.tape, sum, tripled);    /* 7 x */
        Tensor *const z = op_add(f.tape, y, y);            /* 14 x */
        ck_assert_int_eq(tape_nodes(f.tape), 4);
        ck_close(tensor_f32(z)[5], 14 * f.x_data[5], 1e-5);
        tape_backward(f.tape, z, f.seed);
        expect_all(f.x_grad, 14.0f * (float)run);
        tape_reset(f.tape);
        ck_assert_uint_eq(arena_used(f.arena), 0);
    }
    close_fixture(&f);
}
END_TEST

START_TEST(seed_scales_the_gradient_and_one_is_the_default)
{
    Fixture f;
    open_fixture(&f, new_arena());
    Tensor one = tensor_leaf(f.x_data, 1, (const int[]){1});
    one.grad = f.x_grad;
    one.needs_grad = true;
    tape_backward(f.tape, op_scale(f.tape, &one, 5), NULL);
    ck_assert(f.x_grad[0] == 5);
    tape_reset(f.tape);
    tape_backward(f.tape, op_scale(f.tape, &one, 5), (const float[]){-2});
    ck_assert(f.x_grad[0] == -5);
    close_fixture(&f);
}
END_TEST

START_TEST(nothing_is_recorded_without_need)
{
    Fixture f;
    open_fixture(&f, new_arena());
    f.x.needs_grad = false;
    Tensor *y = op_gelu(f.tape, &f.x);
    ck_assert(!y->needs_grad);
    ck_assert_int_eq(tape_nodes(f.tape), 0);
    ck_assert_uint_eq(tape_kept_bytes(f.tape), 0);

    f.x.needs_grad = true;
    tape_set_recording(f.tape, false);
    y = op_gelu(f.tape, &f.x);
    ck_assert(!y->needs_grad);
    ck_assert_int_eq(tape_nodes(f.tape), 0);
    tape_set_recording(f.tape, true);
    ck_assert(op_gelu(f.tape, &f.x)->needs_grad);
    ck_assert_int_eq(tape_nodes(f.tape), 1);
    close_fixture(&f);
}
END_TEST

START_TEST(frozen_inputs_get_no_gradient)
{
    Fixture f;
    float frozen_data[COUNT] = {0};
    open_fixture(&f, new_arena());
    Tensor frozen = tensor_leaf(frozen_data, 1, (const int[]){COUNT});
    Tensor *const branch = op_scale(f.tape, &frozen, 2);
    ck_assert_int_eq(tape_nodes(f.tape), 0);
    Tensor *const y = op_add(f.tape, &f.x, branch);
    tape_backward(f.tape, y, f.seed);
    expect_all(f.x_grad, 1);
    ck_assert(!frozen.grad && !branch->grad);
    close_fixture(&f);
}
END_TEST

/* Bytes that the arena uses for the data of `value`. */
static size_t block(const Fixture *f, const Tensor *value)
{
    return arena_block_size(f->arena, value->data);
}

START_TEST(numbers_live_as_long_as_someone_needs_them)
{
    Fixture f;
    open_fixture(&f, new_arena());
    Tensor *const a = op_scale(f.tape, &f.x, 2); /* keeps nothing */
    Tensor *const b = op_gelu(f.tape, a);        /* keeps a */
    Tensor *const c = op_scale(f.tape, b, 3);
    const size_t size = block(&f, a);
    ck_assert_uint_eq(arena_used(f.arena), 3 * size);
    ck_assert_uint_eq(tape_kept_bytes(f.tape), size);

    tape_release(f.tape, a); /* the node of gelu still needs it */
    ck_assert_ptr_nonnull(a->data);
    ck_assert_uint_eq(arena_used(f.arena), 3 * size);
    tape_release(f.tape, b); /* no node keeps it */
    ck_assert_ptr_null(b->data);
    ck_assert_uint_eq(arena_used(f.arena), 2 * size);
    tape_release(f.tape, &f.x); /* leaves and NULL are ignored */
    tape_release(f.tape, NULL);

    tape_backward(f.tape, c, f.seed);
    ck_assert_ptr_null(a->data); /* its node has run */
    ck_assert(!a->grad && !b->grad && !c->grad);
    ck_assert_uint_eq(arena_used(f.arena), size); /* c, not released */
    ck_assert_uint_eq(tape_kept_bytes(f.tape), 0);
    tape_release(f.tape, c);
    ck_assert_uint_eq(arena_used(f.arena), 0);
    close_fixture(&f);
}
END_TEST

START_TEST(a_reset_gives_back_what_backward_did_not)
{
    Fixture f;
    open_fixture(&f, new_arena());
    for (int i = 0; i < 3; i++) {
        Tensor *const a = op_scale(f.tape, &f.x, 2);
        op_gelu(f.tape, op_gelu(f.tape, a));
        tape_release(f.tape, a);
        tape_reset(f.tape);
        ck_assert_uint_eq(arena_used(f.arena), 0);
        ck_assert_int_eq(tape_nodes(f.tape), 0);
    }
    close_fixture(&f);
}
END_TEST

START_TEST(retained_gradients_survive_until_reset)
{
    Fixture f;
    open_fixture(&f, new_arena());
    Tensor *const a = op_scale(f.tape, &f.x, 2);
    Tensor *const b = op_add(f.tape, a, &f.x);
    Tensor *const c = op_scale(f.tape, b, 5);
    tape_retain_grad(f.tape, a);
    tape_retain_grad(f.tape, b);
    tape_retain_grad(f.tape, &f.x); /* leaves always keep theirs */
    tape_backward(f.tape, c, f.seed);
    ck_assert_ptr_null(c->grad);
    expect_all(a->grad, 5);
    expect_all(b->grad, 5);
    expect_all(f.x_grad, 15);
    close_fixture(&f);
}
END_TEST

START_TEST(a_branch_the_root_does_not_need_is_skipped)
{
    Fixture f;
    open_fixture(&f, new_arena());
    Tensor *const a = op_scale(f.tape, &f.x, 2);
    Tensor *const aside = op_gelu(f.tape, a);
    Tensor *const root = op_scale(f.tape, a, 3);
    Tensor *const later = op_gelu(f.tape, root);
    tape_backward(f.tape, root, f.seed);
    expect_all(f.x_grad, 6);
    ck_assert(!aside->grad && !later->grad);
    ck_assert_uint_eq(tape_kept_bytes(f.tape), 0); /* skipped nodes free their values too */
    close_fixture(&f);
}
END_TEST

START_TEST(a_leaf_without_a_buffer_is_given_one)
{
    Fixture f;
    open_fixture(&f, new_arena());
    f.x.grad = NULL;
    tape_backward(f.tape, op_scale(f.tape, &f.x, 4), f.seed);
    ck_assert_ptr_nonnull(f.x.grad);
    expect_all(f.x.grad, 4);
    tape_reset(f.tape);
    ck_assert_ptr_null(f.x.grad);
    ck_assert_uint_eq(arena_used(f.arena), 0);
    close_fixture(&f);
}
END_TEST

/*
 * Calls op_pass_grad on outputs of no operation, so the test does not depend on which operations
 * use it.
 */
START_TEST(passing_a_gradient_moves_or_adds)
{
    Fixture f;
    open_fixture(&f, new_arena());
    Tensor *const in = op_output(f.tape, 1, (const int[]){COUNT});
    Tensor *const out = op_output(f.tape, 1, (const int[]){COUNT});
    Tensor *const out2 = op_output(f.tape, 1, (const int[]){COUNT});
    in->needs_grad = out->needs_grad = out2->needs_grad = true;
    float *const buffer = op_grad(f.tape, out);
    expect_all(buffer, 0);
    ones(buffer, COUNT);
    op_pass_grad(f.tape, out, NULL); /* no input: does nothing */
    ck_assert_ptr_eq(out->grad, buffer);
    op_pass_grad(f.tape, out, in);
    ck_assert_ptr_eq(in->grad, buffer);
    ck_assert_ptr_null(out->grad);

    ones(op_grad(f.tape, out2), COUNT);
    op_pass_grad(f.tape, out2, in);
    ck_assert_ptr_eq(in->grad, buffer);
    expect_all(in->grad, 2);
    op_pass_grad(f.tape, in, &f.x); /* a leaf keeps its own buffer */
    ck_assert_ptr_eq(f.x.grad, f.x_grad);
    expect_all(f.x_grad, 2);

    Tensor *const retained = op_output(f.tape, 1, (const int[]){COUNT});
    Tensor *const other = op_output(f.tape, 1, (const int[]){COUNT});
    retained->needs_grad = other->needs_grad = true;
    tape_retain_grad(f.tape, retained);
    ones(op_grad(f.tape, retained), COUNT);
    op_pass_grad(f.tape, retained, other);
    expect_all(retained->grad, 1);
    expect_all(other->grad, 1);
    close_fixture(&f);
}
END_TEST

/* Fills its scratch memory, then counts the elements that no other task has overwritten. */
static void scratch_task(const void *context, int task, float *scratch)
{
    int *const seen = *(int *const *)context;
    for (int i = 0; i < 20; i++)
        scratch[i] = (float)task;
    for (int i = 0; i < 20; i++)
        seen[task] += scratch[i] == (float)task;
}

START_TEST(scratch_is_apart_for_each_worker)
{
    Arena *const arena = new_arena();
    Threads *threads;
    Tape *tape;
    int seen[64] = {0}, *const context = seen;
    ck_ok(threads_create(&threads, 3, &error), &error);
    ck_ok(tape_create(&tape, arena, threads, 1, &error), &error);
    ck_assert_ptr_eq(tape_threads(tape), threads);
    op_run_scratch(tape, 64, 20, scratch_task, &context);
    for (int task = 0; task < 64; task++)
        ck_assert_int_eq(seen[task], 20);
    ck_assert_uint_eq(arena_used(arena), 0);
    /*
     * 20 floats rounded up to 32 for each of three; AddressSanitizer adds a red zone behind the
     * block.
     */
    ck_assert_uint_ge(arena_peak(arena), 3 * 32 * sizeof(float));
    ck_assert_uint_le(arena_peak(arena), 3 * 32 * sizeof(float) + ARENA_ALIGNMENT);
    tape_destroy(tape);
    threads_destroy(threads);
    arena_destroy(arena);
}
END_TEST

/* One step of a small network. Its values are released before, during or after their last use. */
static void step(Tape *tape, Tensor *x, const float *seed)
{
    Tensor *const a = op_gelu(tape, x);
    Tensor *const b = op_add(tape, a, x);
    tape_release(tape, a);
    Tensor *const c = op_gelu(tape, b);
    Tensor *const d = op_add(tape, b, c);
    tape_release(tape, b);
    tape_release(tape, c);
    Tensor *const e = op_scale(tape, d, 0.5f);
    tape_release(tape, d);
    tape_retain_grad(tape, e);
    tape_backward(tape, e, seed);
    tape_reset(tape);
}

START_TEST(planning_predicts_the_memory_exactly)
{
    Fixture plan, real;
    Arena *measuring, *exact;
    ck_ok(arena_create_measuring(&measuring, &error), &error);
    open_fixture(&plan, measuring);
    ck_assert(tape_is_planning(plan.tape));
    step(plan.tape, &plan.x, plan.seed);
    expect_all(plan.x_grad, 0); /* nothing was computed */
    ck_assert_uint_gt(arena_peak(measuring), 0);

    ck_ok(arena_create(&exact, arena_peak(measuring), &error), &error);
    open_fixture(&real, exact);
    ck_assert(!tape_is_planning(real.tape));
    step(real.tape, &real.x, real.seed);
    ck_assert_uint_eq(arena_peak(exact), arena_peak(measuring));
    close_fixture(&plan);
    close_fixture(&real);
}
END_TEST

START_TEST(several_tapes_share_an_arena)
{
    Fixture f;
    open_fixture(&f, new_arena());
    Tape *other;
    ck_ok(tape_create(&other, f.arena, NULL, MAX_NODES, &error), &error);
    Tensor *const a = op_gelu(f.tape, &f.x);
    Tensor *const b = op_gelu(other, &f.x);
    Tensor *const c = op_gelu(f.tape, a);
    Tensor *const d = op_gelu(other, b);
    ck_assert_mem_eq(c->data, d->data, COUNT * sizeof(float));
    tape_backward(other, d, f.seed);
    float first[COUNT];
    memcpy(first, f.x_grad, sizeof first);
    tape_reset(other); /* does not touch the values of the first tape */
    tape_backward(f.tape, c, f.seed);
    for (int i = 0; i < COUNT; i++)
        ck_assert(f.x_grad[i] == 2 * first[i]);
    tape_destroy(other);
    close_fixture(&f);
}
END_TEST

#if SUPPORT_ALLOCATIONS
START_TEST(a_step_allocates_nothing)
{
    Fixture f;
    const long at_start = support_allocations();
    open_fixture(&f, new_arena());
    ck_assert_int_gt(support_allocations(), at_start); /* allocations are counted */
    step(f.tape, &f.x, f.seed);
    const long before = support_allocations();
    for (int i = 0; i < 10; i++)
        step(f.tape, &f.x, f.seed);
    const long made = support_allocations() - before;
    ck_assert_int_eq(made, 0);
    close_fixture(&f);
}
END_TEST
#endif

START_TEST(every_operation_has_a_name_and_a_backward)
{
    for (int i = 0; i < OP_COUNT; i++) {
        ck_each(op_table[i].name && op_table[i].backward, "operation %d", i);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(op_table[i].name, op_table[j].name);
    }
}
END_TEST

START_TEST(backward_twice_aborts)
{
    Fixture f;
    open_fixture(&f, new_arena());
    Tensor *const y = op_scale(f.tape, &f.x, 2);
    tape_backward(f.tape, y, f.seed);
    tape_backward(f.tape, y, f.seed);
}
END_TEST

START_TEST(releasing_twice_aborts)
{
    Fixture f;
    open_fixture(&f, new_arena());
    Tensor *const a = op_scale(f.tape, &f.x, 2);
    op_gelu(f.tape, a);
    tape_release(f.tape, a);
    tape_release(f.tape, a); /* would otherwise drop the node's use */
}
END_TEST

START_TEST(backward_from_a_value_without_gradient_aborts)
{
    Fixture f;
    open_fixture(&f, new_arena());
    f.x.needs_grad = false;
    tape_backward(f.tape, op_scale(f.tape, &f.x, 2), f.seed);
}
END_TEST

START_TEST(a_missing_seed_aborts)
{
    Fixture f;
    open_fixture(&f, new_arena());
    tape_backward(f.tape, op_scale(f.tape, &f.x, 2), NULL);
}
END_TEST

START_TEST(too_many_operations_abort)
{
    Fixture f;
    open_fixture(&f, new_arena());
    for (int i = 0; i <= MAX_NODES; i++)
        op_scale(f.tape, &f.x, 2);
}
END_TEST

START_TEST(wrong_shapes_abort)
{
    Fixture f;
    open_fixture(&f, new_arena());
    Tensor shorter = tensor_leaf(f.x_data, 1, (const int[]){COUNT - 1});
    op_add(f.tape, &f.x, &shorter);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("tape");
    TCase *const all = support_case(suite, "tape", 60);
    tcase_add_test(all, gradients_of_all_uses_add_up);
    tcase_add_test(all, seed_scales_the_gradient_and_one_is_the_default);
    tcase_add_test(all, nothing_is_recorded_without_need);
    tcase_add_test(all, frozen_inputs_get_no_gradient);
    tcase_add_test(all, numbers_live_as_long_as_someone_needs_them);
    tcase_add_test(all, a_reset_gives_back_what_backward_did_not);
    tcase_add_test(all, retained_gradients_survive_until_reset);
    tcase_add_test(all, a_branch_the_root_does_not_need_is_skipped);
    tcase_add_test(all, a_leaf_without_a_buffer_is_given_one);
    tcase_add_test(all, passing_a_gradient_moves_or_adds);
    tcase_add_test(all, scratch_is_apart_for_each_worker);
    tcase_add_test(all, planning_predicts_the_memory_exactly);
    tcase_add_test(all, several_tapes_share_an_arena);
#if SUPPORT_ALLOCATIONS
    tcase_add_test(all, a_step_allocates_nothing);
#endif
    tcase_add_test(all, every_operation_has_a_name_and_a_backward);
    TCase *const misuse = support_case(suite, "misuse", 60);
    tcase_add_test_raise_signal(misuse, backward_twice_aborts, SIGABRT);
    tcase_add_test_raise_signal(misuse, releasing_twice_aborts, SIGABRT);
    tcase_add_test_raise_signal(misuse, backward_from_a_value_without_gradient_aborts, SIGABRT);
    tcase_add_test_raise_signal(misuse, a_missing_seed_aborts, SIGABRT);
    tcase_add_test_raise_signal(misuse, too_many_operations_abort, SIGABRT);
    tcase_add_test_raise_signal(misuse, wrong_shapes_abort, SIGABRT);
    return support_main(suite);
}
