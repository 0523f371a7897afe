/*
 * test_crop_check.c - which shapes pass for a face crop.
 */
#include "data/lists/crop_check.h"
#include "tests/support.h"

START_TEST(shapes)
{
    static const struct {
        int width, height;
        DataCropShape shape;
    } cases[] = {
        {224, 224, DATA_CROP_FACE},          {64, 64, DATA_CROP_FACE},
        {2000, 2000, DATA_CROP_FACE}, /* large, but square */
        {100, 95, DATA_CROP_FACE},           {95, 100, DATA_CROP_FACE},
        {100, 94, DATA_CROP_NOT_SQUARE},     {94, 100, DATA_CROP_NOT_SQUARE},
        {160, 90, DATA_CROP_NOT_SQUARE}, /* too small for a video frame */
        {800, 500, DATA_CROP_NOT_SQUARE},    {801, 500, DATA_CROP_WHOLE_FRAME},
        {500, 801, DATA_CROP_WHOLE_FRAME},   {320, 240, DATA_CROP_WHOLE_FRAME},
        {240, 320, DATA_CROP_WHOLE_FRAME},   {640, 360, DATA_CROP_WHOLE_FRAME},
        {1920, 1080, DATA_CROP_WHOLE_FRAME}, {854, 480, DATA_CROP_WHOLE_FRAME}, /* 16:9 rounded */
        {1, 60000, DATA_CROP_WHOLE_FRAME},   {63, 64, DATA_CROP_SMALL},
        {63, 63, DATA_CROP_SMALL},           {1, 1, DATA_CROP_SMALL},
        {63, 50, DATA_CROP_NOT_SQUARE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const DataCropShape shape = data_crop_shape(cases[i].width, cases[i].height);
        ck_each(shape == cases[i].shape, "%d x %d: %s, expected %s", cases[i].width,
                cases[i].height, data_crop_shape_name(shape), data_crop_shape_name(cases[i].shape));
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("crop_check");
    tcase_add_test(support_case(suite, "shapes", 10), shapes);
    return support_main(suite);
}
