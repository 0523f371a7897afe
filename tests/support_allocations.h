/*
 * support_allocations.h - counting allocations, and making one fail.
 *
 * The functions that replace those of the C library are linked into every test program, except
 * under AddressSanitizer and ThreadSanitizer, which bring an allocator that cannot be replaced.
 */
#ifndef LNCLIP_TESTS_SUPPORT_ALLOCATIONS_H
#define LNCLIP_TESTS_SUPPORT_ALLOCATIONS_H

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&       \
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define SUPPORT_ALLOCATIONS 1
#else
#define SUPPORT_ALLOCATIONS 0
#endif

/* Calls of malloc, calloc and realloc of the whole process so far. Assertions of Check make some,
 * too. */
long support_allocations(void);

/*
 * From now on the n-th call (from 1) fails, and all after it if `on`, until this is called again; 0
 * ends it. Nothing may be asserted meanwhile.
 */
void support_fail_allocation(long n, int on);

#endif
