/*
 * identity.h - the people in a video, from the name of its folder.
 *
 * A forged video is made from a real one: it keeps that video's frames and shows another person's
 * face, or expression, in them. The names of the usual data sets identify both:
 *
 *   FaceForensics++   000_003                              from 000, face of 003
 *   Celeb-DF          id0_id1_0000                         from id0_0000, face of id1
 *   DFD               01_02__walking_and_outside__YVGY8LOK from 01__walking_and_outside, face of 02
 *
 * (docs/formats.md). Any other name is its own origin and its own only identity.
 *
 * Tests: tests/test_identity.c.
 */
#ifndef LNCLIP_DATA_LISTS_IDENTITY_H
#define LNCLIP_DATA_LISTS_IDENTITY_H

#include <stdbool.h>

enum { DATA_IDENTITY_SIZE = 128 };

typedef struct DataIdentity {
    char origin[DATA_IDENTITY_SIZE]; /* name of the real video that its frames come from */
    char target[DATA_IDENTITY_SIZE]; /* person or FF++ video whose head is visible */
    char source[DATA_IDENTITY_SIZE]; /* whose face or expression was inserted; "" for a real one */
    bool ffpp_pair;                  /* named NNN_NNN */
    bool ffpp; /* named NNN_NNN or NNN: target and source are FF++ video numbers */
} DataIdentity;

/*
 * Parses the last part of `video`, the path of a video's folder. Longer names are truncated: two
 * that agree in their first DATA_IDENTITY_SIZE - 1 bytes count as equal. Cannot fail; thread-safe.
 */
void data_identity(const char *video, DataIdentity *identity);

#endif
