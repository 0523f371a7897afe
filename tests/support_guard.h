/*
 * support_guard.h - memory between two inaccessible pages: reads and writes beyond it crash the
 * test.
 */
#ifndef LNCLIP_TESTS_SUPPORT_GUARD_H
#define LNCLIP_TESTS_SUPPORT_GUARD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct SupportGuarded {
    char *map; /* a forbidden page, `room` bytes, a forbidden page */
    size_t room;
    void *data; /* the last multiple of the alignment from which all bytes fit */
} SupportGuarded;

/* `bytes` (> 0) of zeros that end less than `alignment` (a power of two) bytes before the page. */
SupportGuarded support_guarded(size_t bytes, size_t alignment);

void support_guarded_free(SupportGuarded *guarded);

/*
 * A place in the same memory for another operand of at most as many bytes: as `data` stands if
 * `at_end`, else right behind the first page. The memory keeps what was written to it.
 */
void *support_guarded_place(const SupportGuarded *guarded, size_t bytes, size_t alignment,
                            bool at_end);

/* Where the last page begins. */
const char *support_guarded_end(const SupportGuarded *guarded);

#endif
