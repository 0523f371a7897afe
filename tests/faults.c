/*
 * faults.c - makes calls of the C library fail, for tests/check_long_faults.sh: a library for
 * LD_PRELOAD.
 *
 * Environment:
 *   FAULTS_COUNT=FILE   the number of allocations goes to FILE at exit
 *   FAULTS_MALLOC=N     allocation N (from 1) fails; with FAULTS_ALL=1 all later ones, too
 *   FAULTS_SHORT=1      read and write move 1 to 7 bytes; every third call fails with EINTR
 *
 * Only calls that a program makes itself are seen: stdio's own reads and writes stay whole (strace
 * injects into them).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_long allocations, calls;
static long fail_at;
static bool fail_all, is_short, started;
static const char *count_file;

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((constructor)) static void start(void)
{
    fail_at = number("FAULTS_MALLOC");
    fail_all = number("FAULTS_ALL") != 0;
    is_short = number("FAULTS_SHORT") != 0;
    count_file = getenv("FAULTS_COUNT");
    started = true;
}

__attribute__((destructor)) static void stop(void)
{
    char text[32];
    const int length = snprintf(text, sizeof text, "%ld\n", (long)allocations);
    const int descriptor = count_file ? open(count_file, O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;
    if (descriptor < 0)
        return;
    is_short = false;
    if (write(descriptor, text, (size_t)length) != length)
        _exit(99);
    close(descriptor);
}

/* Counts an allocation; true if it is to fail. */
static bool fails(void)
{
    if (!started)
        return false;
    const long count = atomic_fetch_add(&allocations, 1) + 1;
    if (fail_at == 0 || count < fail_at || (count > fail_at && !fail_all))
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

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    *block = fails() ? NULL : __libc_memalign(alignment, size);
    return *block ? 0 : ENOMEM;
}

/* How many of `size` bytes to move; 0 where the call is to fail with EINTR. */
static size_t shortened(size_t size)
{
    if (!is_short || size <= 1)
        return size;
    const long count = atomic_fetch_add(&calls, 1);
    const size_t some = 1 + (size_t)count % 7;
    if (count % 3 != 2)
        return some < size ? some : size;
    errno = EINTR;
    return 0;
}

ssize_t read(int descriptor, void *bytes, size_t size)
{
    static ssize_t (*real)(int, void *, size_t);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "read");
    const size_t some = shortened(size);
    return some == 0 && size > 0 ? -1 : real(descriptor, bytes, some);
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    const size_t some = shortened(size);
    return some == 0 && size > 0 ? -1 : real(descriptor, bytes, some);
}
