/*
 * order.c - see order.h.
 */
#include "data/order.h"

#include <stddef.h>

const char *data_sampling_name(int sampling)
{
    static const char *const names[] = {[DATA_SAMPLING_ALL] = "all",
                                        [DATA_SAMPLING_CLASS] = "class",
                                        [DATA_SAMPLING_SOURCE] = "source"};
    return sampling >= 0 && sampling <= DATA_SAMPLING_SOURCE ? names[sampling] : NULL;
}
