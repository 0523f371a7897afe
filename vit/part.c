/*
 * part.c - see part.h.
 */
#include "vit/part.h"

#include "vit/lora.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char WEIGHT[] = ".weight";

const VitMethod *vit_methods[] = {&vit_lora, NULL};
_Static_assert(sizeof vit_methods / sizeof *vit_methods <= VIT_MAX_METHODS + 1, "raise the limit");

VitParameter *vit_parameter_of(const Tensor *weight)
{
    return (VitParameter *)((char *)weight - offsetof(VitParameter, tensor));
}

bool vit_parts_train(const VitParameter *parameter)
{
    return parameter->method && !parameter->owns_parts;
}

bool vit_map_parts(const Linear *linear, const VitMethod *method, int index, VitMapParts *parts)
{
    bool any = false;
    *parts = (VitMapParts){.linear = linear, .index = index};
    for (int i = 0; i < linear->parts; i++) {
        const VitParameter *parameter = vit_parameter_of(linear->weight[i]);
        if (parameter->method != method)
            continue;
        parts->parts[i] = parameter->parts;
        parts->scale = parameter->scale;
        any = true;
    }
    return any;
}

void vit_part_attach(VitParameter *weight, const VitMethod *method, Tensor *parts, int rank)
{
    assert(weight->row->target && "only weights of linear maps have parts");
    vit_part_detach(weight);
    weight->method = method;
    weight->parts = parts;
    weight->rank = rank;
    weight->scale = 1;
}

void vit_part_detach(VitParameter *weight)
{
    if (weight->owns_parts) {
        for (int i = 0; i < weight->method->row_count; i++)
            free(weight->parts[i].data);
        free(weight->parts);
    }
    weight->method = NULL;
    weight->parts = NULL;
    weight->owns_parts = false;
    weight->rank = 0;
}

Tensor vit_part_tensor(const VitPartRow *row, int out, int in, int rank)
{
    const int extents[] = {[VIT_PART_IN] = in, [VIT_PART_OUT] = out, [VIT_PART_RANK] = rank};
    int ndim = 0, shape[TENSOR_MAX_DIMS];
    for (; ndim < TENSOR_MAX_DIMS && row->shape[ndim] != VIT_PART_NONE; ndim++)
        shape[ndim] = extents[row->shape[ndim]];
    return tensor_leaf(NULL, ndim, shape);
}

void vit_part_draw(const VitPartRow *row, const Tensor *part, int in, Random *random)
{
    float *values = tensor_f32(part);
    const size_t count = tensor_count(part);
    const double bound = 1 / sqrt(in);
    for (size_t i = 0; i < count; i++)
        values[i] = row->draw == VIT_PART_UNIFORM
                        ? (float)((2 * random_uniform(random) - 1) * bound)
                        : (float)(row->draw == VIT_PART_ONE);
}

void vit_part_name(const VitPartRow *row, const char *weight, char name[VIT_PART_NAME_SIZE])
{
    const size_t stem = strlen(weight) - strlen(WEIGHT);
    assert(strlen(weight) > strlen(WEIGHT) && strcmp(weight + stem, WEIGHT) == 0);
    const int length = snprintf(name, VIT_PART_NAME_SIZE, "%.*s%s", (int)stem, weight, row->name);
    assert(length > 0 && length < VIT_PART_NAME_SIZE);
    (void)length;
}

/* True if `text` equals the name of a row, with or without peft's ".default" in the middle. */
static bool is_row(const char *text, const char *row)
{
    const char *end = row + strcspn(row + 1, ".") + 1; /* the text after ".lora_A" */
    const size_t first = end - row;
    if (strncmp(text, row, first) != 0)
        return false;
    text += first;
    return strcmp(text, end) == 0 ||
           (strncmp(text, ".default", 8) == 0 && strcmp(text + 8, end) == 0);
}

const VitMethod *vit_part_parse(char *name, int *part)
{
    for (int m = 0; vit_methods[m]; m++)
        for (int r = 0; r < vit_methods[m]->row_count; r++)
            for (char *mark = strchr(name, '.'); mark; mark = strchr(mark + 1, '.'))
                if (is_row(mark, vit_methods[m]->rows[r].name)) {
                    memcpy(mark, WEIGHT, sizeof WEIGHT);
                    *part = r;
                    return vit_methods[m];
                }
    return NULL;
}
