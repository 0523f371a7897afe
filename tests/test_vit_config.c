/* test_vit_config.c - config.json and preprocessor_config.json: values, defaults and errors. */
#include "tensor/base/file.h"
#include "tests/support_folder.h"
#include "vit/config.h"

#include <string.h>

static const char *write_text(const char *name, const char *text)
{
    Error error = {0};
    const char *path = support_in_folder(name);
    ck_ok(file_write(path, text, strlen(text), &error), &error);
    return path;
}

START_TEST(named_shapes)
{
    static const struct {
        const char *name;
        int tokens, width, layers, heads, mlp, image, patch;
    } table[] = {
        {"tiny", 17, 64, 3, 2, 256, 64, 16},
        {"vit-b-32", 50, 768, 12, 12, 3072, 224, 32},
        {"vit-b-16", 197, 768, 12, 12, 3072, 224, 16},
        {"vit-l-14", 257, 1024, 24, 16, 4096, 224, 14},
        {"vit-l-14-336", 577, 1024, 24, 16, 4096, 336, 14},
    };
    Error error = {0};
    VitConfig config;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_ok(vit_config_named(table[i].name, &config, &error), &error);
        ck_assert_int_eq(vit_tokens(&config), table[i].tokens);
        ck_assert_int_eq(config.width, table[i].width);
        ck_assert_int_eq(config.layers, table[i].layers);
        ck_assert_int_eq(config.heads, table[i].heads);
        ck_assert_int_eq(config.mlp, table[i].mlp);
        ck_assert_int_eq(config.image_size, table[i].image);
        ck_assert_int_eq(config.patch_size, table[i].patch);
        ck_assert_int_eq(config.activation, ACTIVATION_QUICK_GELU);
        ck_assert(config.eps == 1e-5F && config.mean[0] == 0.48145466F &&
                  config.std[2] == 0.27577711F);
        ck_assert_str_eq(vit_config_name(&config), table[i].name);
        ck_ok(vit_config_check(&config, "named", &error), &error);
    }
    config.layers = 5;
    ck_assert_str_eq(vit_config_name(&config), "vit");
    ck_assert_int_eq(vit_config_named("vit-h-14", &config, &error), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(error.message, "vit-l-14-336"));
}
END_TEST

/* The relevant keys of openai/clip-vit-large-patch14's config.json. */
START_TEST(full_clip)
{
    Error error = {0};
    VitConfig config;
    const char *path = write_text(
        "config.json",
        "{\"architectures\":[\"CLIPModel\"],\"model_type\":\"clip\",\"projection_dim\":768,"
        "\"logit_scale_init_value\":2.6592,\"text_config\":{\"hidden_size\":768},"
        "\"vision_config\":{\"hidden_size\":1024,\"intermediate_size\":4096,"
        "\"num_hidden_layers\":24,\"num_attention_heads\":16,\"patch_size\":14,"
        "\"image_size\":224,\"hidden_act\":\"gelu\",\"layer_norm_eps\":1e-6}}");
    ck_ok(vit_config_read(path, &config, &error), &error);
    ck_assert_str_eq(vit_config_name(&config), "vit-l-14");
    ck_assert_int_eq(config.activation, ACTIVATION_GELU);
    ck_assert(config.eps == 1e-6F);
    bool found;
    ck_ok(vit_config_read_preprocessor(support_in_folder(""), &config, &found, &error), &error);
    ck_assert(!found && config.mean[0] == 0.48145466F);
    ck_assert_str_eq(config.head, "");

    ck_ok(vit_config_parse("{\"model_type\":\"clip\",\"vision_config\":{\"patch_size\":14},"
                           "\"vision_config_dict\":{\"patch_size\":16,\"hidden_act\":\"gelu\"}}",
                           "text", &config, &error),
          &error);
    ck_assert_str_eq(vit_config_name(&config), "vit-b-16");
    ck_assert_int_eq(config.activation, ACTIVATION_GELU);
    ck_ok(vit_config_parse("{\"model_type\":\"clip\",\"vision_config\":{\"patch_size\":16},"
                           "\"vision_config_dict\":null}",
                           "text", &config, &error),
          &error);
    ck_assert_str_eq(vit_config_name(&config), "vit-b-16");
}
END_TEST

/* Missing keys have the defaults of CLIPVisionConfig, a ViT-B/32. */
START_TEST(defaults)
{
    static const char *const texts[] = {
        "{\"model_type\":\"clip_vision_model\"}",
        "{\"model_type\":\"clip\"}",
        "{\"model_type\":\"clip\",\"vision_config\":{}}",
        "{\"vision_config\":{\"hidden_act\":null}}",
        "{\"hidden_size\":768}",
    };
    Error error = {0};
    VitConfig config;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_ok(vit_config_parse(texts[i], "text", &config, &error), &error);
        ck_assert_str_eq(vit_config_name(&config), "vit-b-32");
        ck_assert_int_eq(config.activation, ACTIVATION_QUICK_GELU);
        ck_assert(config.eps == 1e-5F);
    }
}
END_TEST

START_TEST(gend)
{
    Error error = {0};
    VitConfig config;
    ck_ok(vit_config_parse(
              "{\"architectures\":[\"GenD\"],\"backbone\":\"openai/clip-vit-large-patch14\","
              "\"head\":\"LinearNorm\",\"model_type\":\"GenD\"}",
              "text", &config, &error),
          &error);
    ck_assert_int_eq(config.width, 0);
    ck_assert_int_eq(config.activation, ACTIVATION_NONE);
    ck_assert_str_eq(config.backbone, "openai/clip-vit-large-patch14");
    ck_assert_str_eq(config.head, "LinearNorm");
    ck_ok(vit_config_parse("{\"backbone\":\"x/CLIP\"}", "text", &config, &error), &error);
    ck_assert_str_eq(config.head, "linear"); /* default of GenD's class */
}
END_TEST

static const struct {
    const char *text, *why;
} bad_configs[] = {
    {"", "not valid JSON"},
    {"[]", "not a JSON object"},
    {"{}", "model_type \"(none)\""},
    {"{\"model_type\":\"clip\",\"model_type\":\"clip\"}", "duplicate object key"},
    {"{\"model_type\":\"bert\"}", "model_type \"bert\" is not a CLIP"},
    {"{\"model_type\":\"siglip\",\"vision_config\":{}}", "model_type \"siglip\""},
    {"{\"model_type\":5}", "model_type"},
    {"{\"model_type\":\"clip\",\"vision_config\":[]}", "vision_config"},
    {"{\"model_type\":\"clip\",\"vision_config_dict\":1}",
     "vision_config_dict is not a JSON object"},
    {"{\"model_type\":\"clip_vision_model\",\"hidden_act\":\"relu\"}", "hidden_act \"relu\""},
    {"{\"model_type\":\"clip_vision_model\",\"hidden_act\":\"gelu_new\"}",
     "hidden_act \"gelu_new\""},
    {"{\"model_type\":\"clip_vision_model\",\"hidden_act\":1}", "hidden_act"},
    {"{\"model_type\":\"clip_vision_model\",\"hidden_size\":\"768\"}", "hidden_size"},
    {"{\"model_type\":\"clip_vision_model\",\"hidden_size\":768.0}", "hidden_size"},
    {"{\"model_type\":\"clip_vision_model\",\"hidden_size\":-1}", "hidden_size"},
    {"{\"model_type\":\"clip_vision_model\",\"hidden_size\":4294968064}", "hidden_size"},
    {"{\"model_type\":\"clip_vision_model\",\"hidden_size\":100000}", "hidden_size is 100000"},
    {"{\"model_type\":\"clip_vision_model\",\"num_hidden_layers\":0}", "num_hidden_layers"},
    {"{\"model_type\":\"clip_vision_model\",\"num_hidden_layers\":100000}",
     "num_hidden_layers is 100000"},
    {"{\"model_type\":\"clip_vision_model\",\"num_attention_heads\":7}",
     "multiple of num_attention_heads"},
    {"{\"model_type\":\"clip_vision_model\",\"patch_size\":225}", "does not fit into image_size"},
    {"{\"model_type\":\"clip_vision_model\",\"num_channels\":1}", "num_channels"},
    {"{\"model_type\":\"clip_vision_model\",\"layer_norm_eps\":0}", "layer_norm_eps"},
    {"{\"model_type\":\"clip_vision_model\",\"layer_norm_eps\":\"1e-5\"}", "layer_norm_eps"},
    {"{\"model_type\":\"GenD\",\"backbone\":\"facebook/dinov3\"}",
     "facebook/dinov3\" is not a CLIP"},
    {"{\"model_type\":\"GenD\",\"backbone\":\"clip\",\"head\":\"mlp\"}", "head \"mlp\""},
};

START_TEST(bad_config)
{
    Error error = {0};
    VitConfig config;
    const char *path = write_text("config.json", bad_configs[_i].text);
    ck_assert_int_eq(vit_config_read(path, &config, &error), STATUS_FAILED);
    ck_assert_msg(strstr(error.message, bad_configs[_i].why) &&
                      strstr(error.message, "config.json: "),
                  "\"%s\" not in: %s", bad_configs[_i].why, error.message);
}
END_TEST

static const struct {
    const char *text, *why; /* NULL: accepted, mean[0] 0.5 */
} preprocessors[] = {
    {"{\"image_mean\":[0.5,0.5,0.5],\"image_std\":[0.5,0.5,0.5]}", NULL},
    {"{\"crop_size\":224,\"size\":224,\"resample\":3,\"do_resize\":true,\"image_mean\":[0.5,0,0.25]"
     ","
     "\"feature_extractor_type\":\"CLIPFeatureExtractor\",\"image_std\":[1,1,1]}",
     NULL},
    {"{\"crop_size\":{\"height\":224,\"width\":224},\"size\":{\"shortest_edge\":224},"
     "\"do_rescale\":true,\"rescale_factor\":0.00392156862745098,\"image_mean\":[0.5,0.5,0.5],"
     "\"image_processor_type\":\"CLIPImageProcessorFast\"}",
     NULL},
    {"[]", "not a JSON object"},
    {"{\"resample\":2}", "resample 2 is not supported; only 3 (bicubic)"},
    {"{\"resample\":\"bicubic\"}", "resample"},
    {"{\"do_resize\":false}", "do_resize"},
    {"{\"do_center_crop\":false}", "do_center_crop"},
    {"{\"do_rescale\":false}", "do_rescale"},
    {"{\"do_pad\":true}", "do_pad"},
    {"{\"do_normalize\":0}", "do_normalize"},
    {"{\"rescale_factor\":1.0}", "rescale_factor"},
    {"{\"image_processor_type\":\"ViTImageProcessor\"}", "ViTImageProcessor"},
    {"{\"size\":256}", "size 256, crop_size 224 and the model's image_size 224 differ"},
    {"{\"size\":336,\"crop_size\":336}", "differ"},
    {"{\"size\":{\"height\":224,\"width\":224}}", "shortest_edge"},
    {"{\"crop_size\":{\"height\":224,\"width\":225}}", "crop_size"},
    {"{\"crop_size\":{\"height\":224}}", "crop_size"},
    {"{\"crop_size\":\"224\"}", "crop_size"},
    {"{\"image_mean\":[0.5,0.5]}", "image_mean"},
    {"{\"image_mean\":[0.5,0.5,\"x\"]}", "image_mean"},
    {"{\"image_mean\":0.5}", "image_mean"},
    {"{\"image_std\":[0.5,0,0.5]}", "image_std"},
};

START_TEST(preprocessor)
{
    Error error = {0};
    VitConfig config;
    const char *model =
        write_text("config.json", "{\"model_type\":\"clip_vision_model\",\"patch_size\":14}");
    write_text("preprocessor_config.json", preprocessors[_i].text);
    bool found;
    ck_ok(vit_config_read(model, &config, &error), &error);
    const Status status =
        vit_config_read_preprocessor(support_in_folder(""), &config, &found, &error);
    if (!preprocessors[_i].why) {
        ck_assert_msg(status == STATUS_OK, "%s", error.message);
        ck_assert(found && config.mean[0] == 0.5F);
        return;
    }
    ck_assert_int_eq(status, STATUS_FAILED);
    ck_assert_msg(strstr(error.message, preprocessors[_i].why) &&
                      strstr(error.message, "preprocessor_config.json: "),
                  "\"%s\" not in: %s", preprocessors[_i].why, error.message);
}
END_TEST

/* The processor_config.json of a CLIPProcessor in transformers 5. */
#define IMAGE_PROCESSOR                                                                            \
    "{\"crop_size\":{\"height\":224,\"width\":224},\"do_center_crop\":true,\"do_convert_rgb\":"    \
    "true,"                                                                                        \
    "\"do_normalize\":true,\"do_rescale\":true,\"do_resize\":true,\"image_mean\":[0.5,0.5,0.5],"   \
    "\"image_processor_type\":\"CLIPImageProcessorFast\",\"image_std\":[0.25,0.5,0.5],"            \
    "\"resample\":3,\"rescale_factor\":0.00392156862745098,\"size\":{\"shortest_edge\":224}}"

START_TEST(processor_config)
{
    Error error = {0};
    VitConfig config;
    bool found;
    write_text("config.json", "{\"model_type\":\"clip_vision_model\",\"dtype\":\"float32\"}");
    write_text("processor_config.json",
               "{\"processor_class\":\"CLIPProcessor\",\"image_processor\":" IMAGE_PROCESSOR "}");
    char folder[FILE_PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", support_in_folder(""));
    ck_ok(vit_config_read(support_in_folder("config.json"), &config, &error), &error);
    ck_ok(vit_config_read_preprocessor(folder, &config, &found, &error), &error);
    ck_assert(found && config.mean[2] == 0.5F && config.std[0] == 0.25F);

    /* Both files may exist if they agree. */
    write_text("preprocessor_config.json", IMAGE_PROCESSOR);
    ck_ok(vit_config_read_preprocessor(folder, &config, &found, &error), &error);
    config = vit_config_unknown();
    write_text("preprocessor_config.json", "{\"image_mean\":[0.5,0.5,0.5]}");
    ck_assert_int_eq(vit_config_read_preprocessor(folder, &config, &found, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "differs from processor_config.json"));

    /* A file of transformers 4, without the image processor. */
    config = vit_config_unknown();
    write_text("processor_config.json", "{\"processor_class\":\"CLIPProcessor\"}");
    ck_ok(vit_config_read_preprocessor(folder, &config, &found, &error), &error);
    ck_assert(found && config.mean[0] == 0.5F && config.std[0] == 0.26862954F);
    ck_assert_int_eq(remove(support_in_folder("preprocessor_config.json")), 0);
    ck_ok(vit_config_read_preprocessor(folder, &config, &found, &error), &error);
    ck_assert(!found);

    write_text("processor_config.json", "{\"image_processor\":{\"resample\":2}}");
    ck_assert_int_eq(vit_config_read_preprocessor(folder, &config, &found, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "resample 2"));
    write_text("processor_config.json", "{\"image_processor\":[]}");
    ck_assert_int_eq(vit_config_read_preprocessor(folder, &config, &found, &error), STATUS_FAILED);
}
END_TEST

START_TEST(head_in_config)
{
    static const struct {
        const char *config, *head; /* NULL: refused */
    } table[] = {
        {"{\"model_type\":\"GenD\",\"backbone\":\"clip\",\"head\":\"LinearNorm\"}", "LinearNorm"},
        {"{\"model_type\":\"GenD\",\"backbone\":\"clip\"}", "linear"}, /* default of GenD's class */
        {"{\"model_type\":\"lnclip\",\"head\":\"linear\"}", "linear"},
        {"{\"model_type\":\"bert\",\"head\":\"mlp\"}", ""},
        {"{\"model_type\":\"clip\"}", ""},
        {"[1]", ""},
        {"damaged", ""},
        {"{\"model_type\":\"GenD\",\"backbone\":\"clip\",\"head\":\"mlp\"}", NULL},
    };
    char head[16];
    Error error = {0};
    ck_ok(vit_config_read_head(support_in_folder("x.safetensors"), head, &error), &error);
    ck_assert_str_eq(head, "");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        write_text("config.json", table[i].config);
        const Status status =
            vit_config_read_head(support_in_folder("x.safetensors"), head, &error);
        ck_assert_int_eq(status, table[i].head ? STATUS_OK : STATUS_FAILED);
        if (table[i].head)
            ck_assert_str_eq(head, table[i].head);
    }
}
END_TEST

START_TEST(round_trip)
{
    Error error = {0};
    VitConfig config, again;
    ck_ok(vit_config_named("tiny", &config, &error), &error);
    config.activation = ACTIVATION_GELU;
    config.eps = 1.2345678e-6F;
    config.std[1] = 0.1F;
    const char *folder = support_in_folder("a/b");
    ck_ok(vit_config_write(&config, folder, &error), &error);
    bool found;
    ck_ok(vit_config_read(support_in_folder("a/b/config.json"), &again, &error), &error);
    ck_ok(vit_config_read_preprocessor(folder, &again, &found, &error), &error);
    ck_assert(found);
    ck_assert_mem_eq(&config, &again, sizeof config);

    char *text;
    size_t size;
    ck_ok(file_read(support_in_folder("a/b/preprocessor_config.json"), 10000, &text, &size, &error),
          &error);
    ck_assert_ptr_nonnull(strstr(text, "\"shortest_edge\": 64"));
    ck_assert_ptr_nonnull(strstr(text, "0.1,")); /* the shortest decimal, not 0.100000001 */
    free(text);
}
END_TEST

START_TEST(unreadable)
{
    Error error = {0};
    VitConfig config;
    ck_assert_int_eq(vit_config_read(support_in_folder("none"), &config, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot be read"));
    const char *path = support_in_folder("zero");
    ck_ok(file_write(path, "{}\0{}", 5, &error), &error);
    ck_assert_int_eq(vit_config_read(path, &config, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "zero bytes"));
    config = vit_config_unknown();
    for (int i = 0; i < 20; i++)
        vit_config_assume(&config, "a sentence of some length that fills the space");
    ck_assert_uint_lt(strlen(config.assumptions), sizeof config.assumptions);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vit_config");
    TCase *cases = support_case(suite, "config", 20);
    tcase_add_checked_fixture(cases, support_folder_setup, support_folder_teardown);
    tcase_add_test(cases, named_shapes);
    tcase_add_test(cases, full_clip);
    tcase_add_test(cases, defaults);
    tcase_add_test(cases, gend);
    tcase_add_loop_test(cases, bad_config, 0, sizeof bad_configs / sizeof bad_configs[0]);
    tcase_add_loop_test(cases, preprocessor, 0, sizeof preprocessors / sizeof preprocessors[0]);
    tcase_add_test(cases, processor_config);
    tcase_add_test(cases, head_in_config);
    tcase_add_test(cases, round_trip);
    tcase_add_test(cases, unreadable);
    return support_main(suite);
}
