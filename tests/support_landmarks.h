/*
 * support_landmarks.h - the golden landmarks of tests/golden/make_sbi.py.
 */
#ifndef LNCLIP_TESTS_SUPPORT_LANDMARKS_H
#define LNCLIP_TESTS_SUPPORT_LANDMARKS_H

#include "data/augment/sbi.h"

/* Path of tests/golden/sbi/NAME.npy, and of the frame beside which it would lie; the frame is not
 * there. */
void support_landmarks_path(char out[4096], const char *name);
void support_landmarks_frame(char out[4096], const char *name);

/* The landmarks in that file. */
DataLandmarks support_landmarks(const char *name);

#endif
