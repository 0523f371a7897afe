/*
 * c_locale.c - see c_locale.h.
 */
#include "tensor/base/c_locale.h"

#include <pthread.h>

static locale_t plain;
static pthread_once_t plain_once = PTHREAD_ONCE_INIT;

static void make_plain(void)
{
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t c_locale(void)
{
    pthread_once(&plain_once, make_plain);
    return plain;
}

locale_t c_locale_begin(void)
{
    return uselocale(c_locale()); /* (locale_t)0 changes nothing */
}

void c_locale_end(locale_t before)
{
    uselocale(before);
}
