/*
 * support_allocations.h - counts allocations, and makes a chosen one fail.
 *
 * The replacements of malloc and others are linked into every test program, except with
 * AddressSanitizer and ThreadSanitizer, whose allocators cannot be replaced.
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

/*
 * The number of calls of malloc, calloc and realloc in the process so far, including those of
 * Check's assertions.
 */
long support_allocations(void);

/*
 * Makes the n-th call from now (from 1) fail, and all later ones if `on`; 0 ends this. Do not
 * assert anything in between.
 */
void support_fail_allocation(long n, int on);

#endif
