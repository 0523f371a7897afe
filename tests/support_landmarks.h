/*
 * support_landmarks.h - the golden landmarks of tests/golden/make_sbi.py.
 */
#ifndef LNCLIP_TESTS_SUPPORT_LANDMARKS_H
#define LNCLIP_TESTS_SUPPORT_LANDMARKS_H

#include "data/augment/sbi.h"

/* The paths of tests/golden/sbi/NAME.npy and of its frame, which does not exist. */
void support_landmarks_path(char out[4096], const char *name);
void support_landmarks_frame(char out[4096], const char *name);

/* Reads the landmarks in that file. */
DataLandmarks support_landmarks(const char *name);

#endif
