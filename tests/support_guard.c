/*
 * support_guard.c - see support_guard.h.
 */
#include "tests/support_guard.h"

#include <check.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

SupportGuarded support_guarded(size_t bytes, size_t alignment)
{
    SupportGuarded g = {.room = (bytes + alignment + PAGE - 1) / PAGE * PAGE};
    g.map = mmap(NULL, g.room + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(g.map != MAP_FAILED);
    ck_assert_int_eq(mprotect(g.map + PAGE, g.room, PROT_READ | PROT_WRITE), 0);
    g.data = support_guarded_place(&g, bytes, alignment, true);
    return g;
}

void support_guarded_free(SupportGuarded *guarded)
{
    munmap(guarded->map, guarded->room + 2 * PAGE);
}

void *support_guarded_place(const SupportGuarded *guarded, size_t bytes, size_t alignment,
                            bool at_end)
{
    ck_assert_uint_le(bytes, guarded->room);
    const size_t last = (guarded->room - bytes) / alignment * alignment;
    return guarded->map + PAGE + (at_end ? last : 0);
}

const char *support_guarded_end(const SupportGuarded *guarded)
{
    return guarded->map + PAGE + guarded->room;
}
