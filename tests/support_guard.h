/*
 * support_guard.h - memory between two inaccessible pages: accesses outside it crash the test.
 */
#ifndef LNCLIP_TESTS_SUPPORT_GUARD_H
#define LNCLIP_TESTS_SUPPORT_GUARD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct SupportGuarded {
    char *map; /* an inaccessible page, `room` bytes, an inaccessible page */
    size_t room;
    void *data; /* the last aligned address where all bytes fit */
} SupportGuarded;

/*
 * Allocates `bytes` (> 0) zeros that end less than `alignment` (a power of two) bytes before the
 * second inaccessible page.
 */
SupportGuarded support_guarded(size_t bytes, size_t alignment);

void support_guarded_free(SupportGuarded *guarded);

/*
 * The address for another operand of at most as many bytes in the same memory: before the second
 * inaccessible page if `at_end`, else right after the first. The contents of the memory are kept.
 */
void *support_guarded_place(const SupportGuarded *guarded, size_t bytes, size_t alignment,
                            bool at_end);

/* The start of the second inaccessible page. */
const char *support_guarded_end(const SupportGuarded *guarded);

#endif
