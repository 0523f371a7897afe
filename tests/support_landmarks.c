/*
 * support_landmarks.c - see support_landmarks.h.
 */
#include "tests/support_landmarks.h"

#include "tests/support.h"

#include <stdio.h>

void support_landmarks_path(char out[4096], const char *name)
{
    char file[80];
    snprintf(file, sizeof file, "sbi/%s.npy", name);
    support_golden(out, file);
}

void support_landmarks_frame(char out[4096], const char *name)
{
    char file[80];
    snprintf(file, sizeof file, "sbi/%s.png", name);
    support_golden(out, file);
}

DataLandmarks support_landmarks(const char *name)
{
    Error error = {0};
    DataLandmarks landmarks;
    char frame[4096];
    support_landmarks_frame(frame, name);
    ck_ok(data_landmarks_read(frame, &landmarks, &error), &error);
    return landmarks;
}
