/*
 * order_pairs_private.h - the real frame that goes with each fake one: what order.c asks for pairs.
 */
#ifndef LNCLIP_DATA_ORDER_PAIRS_PRIVATE_H
#define LNCLIP_DATA_ORDER_PAIRS_PRIVATE_H

#include "data/lists/list.h"

/*
 * Into partner [list->count]: for a fake frame the real one of the same video and moment, as order.h says; -1
 * for real frames and for fakes whose real video is not in the list. STATUS_FAILED without memory.
 * Thread-safe.
 */
Status data_order_partners(const DataList *list, int *partner, Error *error);

#endif
