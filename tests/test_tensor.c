/* test_tensor.c - errors and shapes, which all other files of tensor/ rely on. */
#include "tests/support.h"

#include "tensor/base/error.h"
#include "tensor/tensor.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

START_TEST(an_error_holds_its_message_and_the_first_details)
{
    static Error error;
    memset(&error, 1, sizeof error);
    error_clear(&error);
    ck_assert_int_eq(error.status, STATUS_OK);
    for (int i = 0; i < ERROR_MAX_DETAILS + 5; i++)
        error_detail(&error, "file %d", i);
    ck_assert_int_eq(error_set(&error, STATUS_USAGE, "%s: %s", "lr", "negative"), STATUS_USAGE);
    ck_assert_int_eq(error.status, STATUS_USAGE);
    ck_assert_str_eq(error.message, "lr: negative");
    ck_assert_int_eq(error.problems, ERROR_MAX_DETAILS + 5);
    ck_assert_str_eq(error.detail[0], "file 0");
    ck_assert_str_eq(error.detail[ERROR_MAX_DETAILS - 1], "file 9");
}
END_TEST

START_TEST(longer_texts_are_truncated)
{
    static Error error;
    static char text[2 * ERROR_MESSAGE_SIZE];
    memset(text, 'x', sizeof text - 1);
    error_clear(&error);
    error_detail(&error, "%s", text);
    error_set(&error, STATUS_FAILED, "%s", text);
    ck_assert_uint_eq(strlen(error.message), ERROR_MESSAGE_SIZE - 1);
    ck_assert_uint_eq(strlen(error.detail[0]), ERROR_DETAIL_SIZE - 1);
}
END_TEST

static Status passes_on(Status status, int *reached)
{
    TRY(status);
    *reached = 1;
    return STATUS_OK;
}

START_TEST(try_returns_on_failure_only)
{
    int reached = 0;
    ck_assert_int_eq(passes_on(STATUS_INTERRUPTED, &reached), STATUS_INTERRUPTED);
    ck_assert_int_eq(reached, 0);
    ck_assert_int_eq(passes_on(STATUS_OK, &reached), STATUS_OK);
    ck_assert_int_eq(reached, 1);
}
END_TEST

START_TEST(a_leaf_borrows_its_numbers)
{
    float numbers[24];
    const Tensor leaf = tensor_leaf(numbers, 3, (const int[]){2, 3, 4});
    ck_assert_uint_eq(tensor_count(&leaf), 24);
    ck_assert_int_eq(tensor_rows(&leaf), 6);
    ck_assert_int_eq(tensor_columns(&leaf), 4);
    ck_assert_ptr_eq(tensor_f32(&leaf), numbers);
    ck_assert(!leaf.needs_grad && !leaf.grad && !leaf.owns_data);
}
END_TEST

START_TEST(counts_beyond_int_are_exact)
{
    char byte;
    const Tensor large = tensor_leaf(&byte, 4, (const int[]){65536, 65536, 1024, 3});
    ck_assert_uint_eq(tensor_count(&large), (size_t)65536 * 65536 * 1024 * 3);
}
END_TEST

START_TEST(shapes_compare_by_all_extents)
{
    const Tensor a = tensor_leaf(NULL, 2, (const int[]){2, 3});
    const Tensor b = tensor_leaf(NULL, 2, (const int[]){2, 4});
    const Tensor c = tensor_leaf(NULL, 3, (const int[]){2, 3, 1});
    ck_assert(tensor_same_shape(&a, &a));
    ck_assert(!tensor_same_shape(&a, &b) && !tensor_same_shape(&a, &c));
    tensor_expect(&a, "test", "a", 2, (const int[]){2, 3});
    tensor_expect(&a, "test", "a", 2, (const int[]){0, 3}); /* 0: any extent */
}
END_TEST

START_TEST(a_wrong_extent_aborts)
{
    const Tensor a = tensor_leaf(NULL, 2, (const int[]){2, 3});
    tensor_expect(&a, "test", "a", 2, (const int[]){0, 4});
}
END_TEST

START_TEST(a_missing_operand_aborts)
{
    tensor_expect(NULL, "test", "a", 1, (const int[]){1});
}
END_TEST

START_TEST(an_overflowing_count_aborts)
{
    const Tensor a = tensor_leaf(NULL, 4, (const int[]){INT_MAX, INT_MAX, INT_MAX, INT_MAX});
    tensor_count(&a);
}
END_TEST

START_TEST(an_empty_extent_aborts)
{
    tensor_leaf(NULL, 2, (const int[]){2, 0});
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("tensor");
    TCase *const all = support_case(suite, "tensor", 60);
    tcase_add_test(all, an_error_holds_its_message_and_the_first_details);
    tcase_add_test(all, longer_texts_are_truncated);
    tcase_add_test(all, try_returns_on_failure_only);
    tcase_add_test(all, a_leaf_borrows_its_numbers);
    tcase_add_test(all, counts_beyond_int_are_exact);
    tcase_add_test(all, shapes_compare_by_all_extents);
    TCase *const misuse = support_case(suite, "misuse", 60);
    tcase_add_test_raise_signal(misuse, a_wrong_extent_aborts, SIGABRT);
    tcase_add_test_raise_signal(misuse, a_missing_operand_aborts, SIGABRT);
    tcase_add_test_raise_signal(misuse, an_overflowing_count_aborts, SIGABRT);
    tcase_add_test_raise_signal(misuse, an_empty_extent_aborts, SIGABRT);
    return support_main(suite);
}
