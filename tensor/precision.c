/*
 * precision.c - see precision.h.
 */
#include "tensor/precision.h"

#include <assert.h>
#include <string.h>

static const char *const precision_names[PRECISION_COUNT] = {
    [PRECISION_F32] = "f32", [PRECISION_BF16] = "bf16", [PRECISION_INT8] = "int8"};

const char *precision_name(Precision precision)
{
    assert((unsigned)precision < PRECISION_COUNT);
    return precision_names[precision];
}

bool precision_parse(const char *name, Precision *precision)
{
    assert(name && precision);
    for (int i = 0; i < PRECISION_COUNT; i++) {
        if (strcmp(name, precision_names[i]) == 0) {
            *precision = (Precision)i;
            return true;
        }
    }
    return false;
}
