/*
 * test_broken_values.c - NaN and infinity in a model or an adapter never become a score.
 *
 * int8 used to hide them: the range of a row leaves NaN out, so a broken patch embedding gave a
 * plausible p_fake where f32 and bf16 refused. Now files are refused by the name of the tensor, and
 * what arises later, in any precision and kernel, reaches the score and is refused there.
 */
#include "tests/support_folder.h"
#include "tests/support_kernels.h"
#include "tests/support_train.h"

#include "train/evaluate.h"
#include "vit/checkpoint/adapter.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define LAYER "vision_model.encoder.layers."

/* One tensor of each kind, in a first and in the last block, where only the class token has
 * queries. */
static const char *const TENSORS[] = {
    "vision_model.embeddings.class_embedding",
    "vision_model.embeddings.patch_embedding.weight",
    "vision_model.embeddings.position_embedding.weight",
    "vision_model.pre_layrnorm.weight",
    "vision_model.pre_layrnorm.bias",
    LAYER "0.layer_norm1.weight",
    LAYER "0.layer_norm1.bias",
    LAYER "0.self_attn.q_proj.weight",
    LAYER "0.self_attn.q_proj.bias",
    LAYER "0.self_attn.k_proj.weight",
    LAYER "0.self_attn.k_proj.bias",
    LAYER "0.self_attn.v_proj.weight",
    LAYER "0.self_attn.v_proj.bias",
    LAYER "0.self_attn.out_proj.weight",
    LAYER "0.self_attn.out_proj.bias",
    LAYER "0.layer_norm2.weight",
    LAYER "0.layer_norm2.bias",
    LAYER "0.mlp.fc1.weight",
    LAYER "0.mlp.fc1.bias",
    LAYER "0.mlp.fc2.weight",
    LAYER "0.mlp.fc2.bias",
    LAYER "1.layer_norm1.weight",
    LAYER "1.layer_norm1.bias",
    LAYER "1.self_attn.q_proj.weight",
    LAYER "1.self_attn.k_proj.weight",
    LAYER "1.self_attn.v_proj.weight",
    LAYER "1.self_attn.v_proj.bias",
    LAYER "1.self_attn.out_proj.weight",
    LAYER "1.layer_norm2.weight",
    LAYER "1.mlp.fc1.weight",
    LAYER "1.mlp.fc2.weight",
    LAYER "1.mlp.fc2.bias",
    "vision_model.post_layernorm.weight",
    "vision_model.post_layernorm.bias",
    "model.linear.weight",
    "model.linear.bias",
};
enum { TENSOR_COUNT = sizeof TENSORS / sizeof *TENSORS, VALUES = 3 };
static const float BROKEN[VALUES] = {NAN, INFINITY, -INFINITY};

static SupportJob job;

static void setup(void)
{
    const VitConfig config = support_tiny_config();
    support_folder_setup();
    support_write_frames(support_in_folder(""), 2, 1, 32);
    support_job_open(&job, support_in_folder(""), NULL, &config, "threads=1");
}

static void teardown(void)
{
    support_job_close(&job);
    support_folder_teardown();
}

/* A number in the middle of a tensor: of no class token, no first row, no first lane. */
static float *number_in(Vit *vit, VitHead *head, const char *name)
{
    const Tensor *tensor = strcmp(name, "model.linear.weight") == 0 ? &head->weight
                           : strcmp(name, "model.linear.bias") == 0 ? &head->bias
                                                                    : &vit_find(vit, name)->tensor;
    return tensor_f32(tensor) + tensor_count(tensor) / 2;
}

static bool told(const Error *error, const char *text)
{
    bool found = strstr(error->message, text) != NULL;
    for (int i = 0; i < error->problems && i < ERROR_MAX_DETAILS; i++)
        found = found || strstr(error->detail[i], text);
    return found;
}

/* A model file with one such number is refused, and the tensor is named. */
START_TEST(a_model_is_refused_by_tensor)
{
    for (int t = 0; t < TENSOR_COUNT; t++) {
        float *const number = number_in(job.vit, &job.head, TENSORS[t]);
        const float kept = *number;
        for (int v = 0; v < VALUES; v++) {
            Error error = {0};
            char name[32];
            snprintf(name, sizeof name, "model-%d-%d", t, v);
            const char *const folder = support_in_folder(name);
            Vit *vit = NULL;
            VitHead head;
            bool found;
            *number = BROKEN[v];
            ck_ok(vit_save_with_head(job.vit, &job.head, folder, &error), &error);
            ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR_NORM, job.vit->config.width, 0, &error),
                  &error);
            Status status = vit_load(&vit, folder, NULL, &error);
            if (status == STATUS_OK)
                status = vit_head_read(vit, &head, &found, &error);
            ck_assert_msg(status == STATUS_FAILED, "%s %g", TENSORS[t], (double)BROKEN[v]);
            ck_assert_msg(told(&error, TENSORS[t]) && told(&error, "NaN or infinity"), "%s: %s",
                          TENSORS[t], error.message);
            vit_head_destroy(&head);
            vit_destroy(vit);
        }
        *number = kept;
    }
}
END_TEST

/* The same of adapters: of LayerNorms and head, of everything, and of LoRA
 * whose product overflows. */
START_TEST(an_adapter_is_refused_by_tensor)
{
    static const char *const TUNES[] = {"ln", "all"};
    const char *const path = support_in_folder("a.safetensors");
    Error error = {0};
    for (int tune = 0; tune < 2; tune++) {
        for (int t = 0; t < TENSOR_COUNT; t++) {
            Vit *vit;
            VitHead head;
            VitTuned *tuned;
            VitAdapterReport report;
            error = (Error){0};
            ck_ok(vit_create(&vit, &job.vit->config, 3, NULL, &error), &error);
            ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR, vit->config.width, 0, &error), &error);
            ck_ok(vit_tune(&tuned, vit, &head, TUNES[tune], 0, &error), &error);
            const VitParameter *const parameter = vit_find(vit, TENSORS[t]);
            if (!parameter || parameter->tensor.needs_grad) {
                *number_in(vit, &head, TENSORS[t]) = BROKEN[t % VALUES];
                ck_ok(vit_adapter_write(vit, &head, tuned, path, NULL, 0, &error), &error);
                ck_assert_int_eq(vit_adapter_read(job.vit, &job.head, path, &report, &error),
                                 STATUS_FAILED);
                ck_assert_msg(told(&error, TENSORS[t]) && told(&error, "NaN or infinity"), "%s: %s",
                              TENSORS[t], error.message);
            }
            vit_tuned_destroy(tuned);
            vit_head_destroy(&head);
            vit_destroy(vit);
        }
    }
    error = (Error){0};
    float a[64], b[64];
    VitAdapterReport report;
    for (int i = 0; i < 64; i++)
        a[i] = b[i] = 1e30F;
    const char *const names[] = {LAYER "0.self_attn.q_proj.lora_A.weight",
                                 LAYER "0.self_attn.q_proj.lora_B.weight"};
    const SafeTensor tensors[] = {
        {names[0], DTYPE_F32, "F32", 2, {1, 32}, a, 32 * sizeof *a},
        {names[1], DTYPE_F32, "F32", 2, {32, 1}, b, 32 * sizeof *b},
    };
    const SafeTensorsMetadata metadata[] = {{"tune", "lora:1"}, {"lora_scale", "1"}};
    ck_ok(safetensors_write(path, tensors, 2, metadata, 2, &error), &error);
    ck_assert_int_eq(vit_adapter_read(job.vit, &job.head, path, &report, &error), STATUS_FAILED);
    ck_assert_msg(told(&error, names[0]), "%s", error.message);
}
END_TEST

/* Scores the frames in a precision, with one number of the model replaced after it was checked. */
static Status score_with(const char *tensor, float value, Precision precision, float *p,
                         Error *error)
{
    Vit *vit;
    VitHead head;
    ck_ok(vit_create(&vit, &job.vit->config, 3, NULL, error), error);
    ck_ok(vit_head_create(&head, VIT_HEAD_LINEAR_NORM, vit->config.width, 1, error), error);
    if (tensor)
        *number_in(vit, &head, tensor) = value;
    ck_ok(vit_pack(vit, precision, false, NULL, error), error);
    const TrainScoring scoring = train_scoring_defaults();
    const Status status = train_score(vit, &head, &job.train, 0, &scoring, NULL, NULL, p, error);
    vit_head_destroy(&head);
    vit_destroy(vit);
    return status;
}

START_TEST(no_precision_hides_them)
{
    float p[8];
    for (int precision = 0; precision < PRECISION_COUNT; precision++) {
        Error error = {0};
        ck_ok(score_with(NULL, 0, (Precision)precision, p, &error), &error);
        for (int t = 0; t < TENSOR_COUNT; t++) {
            for (int v = 0; v < VALUES; v++) {
                error = (Error){0};
                const Status status =
                    score_with(TENSORS[t], BROKEN[v], (Precision)precision, p, &error);
                ck_assert_msg(status == STATUS_FAILED, "%s: %s = %g gives %g",
                              precision_name((Precision)precision), TENSORS[t], (double)BROKEN[v],
                              (double)p[1]);
                ck_assert_ptr_nonnull(strstr(error.message, "not finite"));
            }
        }
    }
}
END_TEST

/* Finite weights, but a residual stream whose variance, or a logit, is beyond f32. */
START_TEST(overflow_on_the_way_is_refused)
{
    static const char *const tensors[] = {"vision_model.embeddings.class_embedding",
                                          LAYER "0.mlp.fc1.bias", LAYER "0.mlp.fc2.bias",
                                          LAYER "1.mlp.fc2.bias"};
    float p[8];
    for (int precision = 0; precision < PRECISION_COUNT; precision++) {
        for (size_t t = 0; t < sizeof tensors / sizeof *tensors; t++) {
            Error error = {0};
            const Status status = score_with(tensors[t], FLT_MAX, (Precision)precision, p, &error);
            ck_assert_msg(status == STATUS_FAILED, "%s: %s gives %g",
                          precision_name((Precision)precision), tensors[t], (double)p[1]);
        }
    }
}
END_TEST

/* A row with one such number, at any place, has no step; a factor that overflows, too. */
START_TEST(quantising_shows_them)
{
    enum { N = 100 };
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    static const uint16_t WORDS[] = {0x7fc0, 0xffc0, 0x7f80, 0xff80, 0x7f81};
    float factor[N];
    for (int i = 0; i < N; i++)
        factor[i] = 0.5F + (float)i / N;
    for (int n = 1; n <= N; n += 1 + n / 3) {
        for (int at = 0; at < n; at++) {
            for (size_t w = 0; w < sizeof WORDS / sizeof *WORDS; w++) {
                uint16_t x[N];
                uint8_t y[N];
                int32_t zero;
                for (int i = 0; i < n; i++)
                    x[i] = (uint16_t)(i % 3 ? 0x3f80 + i : 0xbf80 + i);
                x[at] = WORDS[w];
                ck_each(isnan(table->quantize(x, NULL, n, y, &zero)), "%s: %d of %d", table->name,
                        at, n);
                ck_each(isnan(table->quantize(x, factor, n, y, &zero)), "%s: %d of %d, factor",
                        table->name, at, n);
                x[at] = 0x7f7f; /* the largest finite one */
                factor[at] *= 4;
                ck_each(isnan(table->quantize(x, factor, n, y, &zero)), "%s: %d of %d, overflow",
                        table->name, at, n);
                factor[at] /= 4;
            }
        }
    }
}
END_TEST

/* A row whose variance is no f32 has no LayerNorm: it used to be beta. */
START_TEST(layer_norm_shows_overflow)
{
    enum { D = 70 };
    const Kernels *const table = support_level(_i);
    if (!table)
        return;
    float x[D], gamma[D], beta[D], y[D], mean, rstd;
    uint16_t narrow[D], xhat[D];
    for (int i = 0; i < D; i++) {
        x[i] = (float)i;
        gamma[i] = 1;
        beta[i] = 2;
    }
    x[33] = 1e25F;
    table->layer_norm(x, gamma, beta, D, 1e-5F, y, &mean, &rstd);
    ck_assert(isfinite(mean) && isnan(rstd) && isnan(y[0]) && isnan(y[D - 1]));
    table->layer_norm_bf16(x, gamma, beta, D, 1e-5F, narrow, xhat, &rstd);
    ck_assert(isnan(rstd) && isnan(support_f32_of(narrow[0])) && isnan(support_f32_of(xhat[1])));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("broken_values");
    TCase *const files = support_case(suite, "files", 120);
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, a_model_is_refused_by_tensor);
    tcase_add_test(files, an_adapter_is_refused_by_tensor);
    tcase_add_test(files, no_precision_hides_them);
    tcase_add_test(files, overflow_on_the_way_is_refused);
    TCase *const all = support_case(suite, "kernels", 60);
    tcase_add_loop_test(all, quantising_shows_them, 0, support_levels());
    tcase_add_loop_test(all, layer_norm_shows_overflow, 0, support_levels());
    return support_main(suite);
}
