/*
 * hash.c - see hash.h.
 */
#include "tensor/base/hash.h"

#include <stdio.h>
#include <string.h>

void hash_begin(Hash *hash)
{
    XXH3_128bits_reset(&hash->state);
}

void hash_bytes(Hash *hash, const void *data, size_t bytes)
{
    XXH3_128bits_update(&hash->state, data, bytes);
}

void hash_text(Hash *hash, const char *text)
{
    hash_bytes(hash, text, strlen(text) + 1);
}

void hash_end(const Hash *hash, char digits[HASH_TEXT_SIZE])
{
    const XXH128_hash_t digest = XXH3_128bits_digest(&hash->state);
    snprintf(digits, HASH_TEXT_SIZE, "%016llx%016llx", (unsigned long long)digest.high64,
             (unsigned long long)digest.low64);
}
