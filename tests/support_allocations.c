/*
 * support_allocations.c - see support_allocations.h.
 */
#include <stdlib.h> /* before the header: it defines __GLIBC__ */

#include "tests/support_allocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_long allocations, fail_at;
static atomic_bool fail_on;

long support_allocations(void)
{
    return atomic_load(&allocations);
}

void support_fail_allocation(long n, int on)
{
    atomic_store(&fail_at, 0);
    atomic_store(&fail_on, on != 0);
    if (n > 0)
        atomic_store(&fail_at, atomic_load(&allocations) + n);
}

#if SUPPORT_ALLOCATIONS

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static bool fails(void)
{
    const long now = atomic_fetch_add(&allocations, 1) + 1, at = atomic_load(&fail_at);
    if (at == 0 || now < at || (now > at && !atomic_load(&fail_on)))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return fails() ? NULL : __libc_realloc(block, size);
}

#endif
