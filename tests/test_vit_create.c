/*
 * test_vit_create.c - the random weights of a new encoder.
 */
#include "tests/support.h"

#include "vit/vit.h"

#include <math.h>
#include <string.h>

/* The standard deviations are those of transformers, and results do not depend on the threads. */
START_TEST(random_weights)
{
    static const struct {
        const char *name;
        double std; /* for D 64, L 3; 0: all zero, -1: all one */
    } table[] = {
        {"vision_model.embeddings.class_embedding", 0.125},
        {"vision_model.embeddings.patch_embedding.weight", 0.02},
        {"vision_model.embeddings.position_embedding.weight", 0.02},
        {"vision_model.pre_layrnorm.weight", -1},
        {"vision_model.encoder.layers.1.layer_norm2.bias", 0},
        {"vision_model.encoder.layers.2.self_attn.q_proj.weight", 0.051031},
        {"vision_model.encoder.layers.2.self_attn.k_proj.weight", 0.051031},
        {"vision_model.encoder.layers.2.self_attn.v_proj.weight", 0.051031},
        {"vision_model.encoder.layers.2.self_attn.v_proj.bias", 0},
        {"vision_model.encoder.layers.0.self_attn.out_proj.weight", 0.125},
        {"vision_model.encoder.layers.0.mlp.fc1.weight", 0.088388},
        {"vision_model.encoder.layers.0.mlp.fc2.weight", 0.051031},
        {"vision_model.post_layernorm.weight", -1},
    };
    Error error = {0};
    Vit *vit[3];
    Threads *threads;
    VitConfig config;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    ck_ok(threads_create(&threads, 2, &error), &error);
    ck_ok(vit_create(&vit[0], &config, 3, NULL, &error), &error);
    ck_ok(vit_create(&vit[1], &config, 3, threads, &error), &error);
    ck_ok(vit_create(&vit[2], &config, 4, threads, &error), &error);
    for (int i = 0; i < vit[0]->parameter_count; i++) {
        const Tensor *one = &vit[0]->parameters[i].tensor;
        ck_assert_mem_eq(tensor_f32(one), tensor_f32(&vit[1]->parameters[i].tensor),
                         tensor_count(one) * sizeof(float));
    }
    ck_assert_str_eq(vit[0]->fingerprint, vit[1]->fingerprint);
    ck_assert_str_ne(vit[0]->fingerprint, vit[2]->fingerprint);
    ck_assert_uint_eq(strlen(vit[0]->fingerprint), 32);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const VitParameter *parameter = vit_find(vit[0], table[i].name);
        ck_assert_ptr_nonnull(parameter);
        const float *x = tensor_f32(&parameter->tensor);
        const size_t count = tensor_count(&parameter->tensor);
        double mean = 0, square = 0, fourth = 0;
        for (size_t k = 0; k < count; k++) {
            mean += x[k] / (double)count;
            square += (double)x[k] * x[k] / (double)count;
            fourth += pow(x[k], 4) / (double)count;
        }
        if (table[i].std <= 0) {
            ck_assert(mean == (table[i].std < 0 ? 1 : 0) && square == mean);
            continue;
        }
        /* Five standard errors of the mean, of the standard deviation and of the kurtosis. */
        const double n = sqrt((double)count), std = sqrt(square);
        ck_assert_msg(fabs(mean) < 5 * table[i].std / n, "%s: mean %g", table[i].name, mean);
        ck_assert_msg(fabs(std / table[i].std - 1) < 5 / (sqrt(2) * n), "%s: std %g", table[i].name,
                      std);
        ck_assert_msg(fabs(fourth / (square * square) - 3) < 5 * sqrt(24) / n, "%s: kurtosis",
                      table[i].name);
    }
    ck_assert_ptr_null(vit_find(vit[0], "vision_model.pre_layrnorm"));
    for (int i = 0; i < 3; i++)
        vit_destroy(vit[i]);
    vit_destroy(NULL);
    threads_destroy(threads);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vit_create");
    TCase *cases = support_case(suite, "create", 60);
    tcase_add_test(cases, random_weights);
    return support_main(suite);
}
