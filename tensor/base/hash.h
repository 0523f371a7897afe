/*
 * hash.h - XXH3-128 as 32 hexadecimal digits, to identify files, lists and models.
 *
 * Thread-safe on distinct objects. Cannot fail.
 *
 * Tests: tests/test_base.c.
 */
#ifndef LNCLIP_TENSOR_BASE_HASH_H
#define LNCLIP_TENSOR_BASE_HASH_H

#define XXH_STATIC_LINKING_ONLY /* for a state without allocation */
#include <stddef.h>
#include <xxhash.h>

enum { HASH_TEXT_SIZE = 33 };

typedef struct Hash {
    XXH3_state_t state;
} Hash;

void hash_begin(Hash *hash);
void hash_bytes(Hash *hash, const void *data, size_t bytes);
/* Adds the text with its terminator, so that ("a", "bc") and ("ab", "c") differ. */
void hash_text(Hash *hash, const char *text);
/* Writes the digest of everything added, high 64 bits first. */
void hash_end(const Hash *hash, char digits[HASH_TEXT_SIZE]);

#endif
