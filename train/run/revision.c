/*
 * revision.c - the git revision of the program, in a file of its own so that a commit recompiles
 * only this file.
 */
#include "train/run/run_record.h"

#ifndef LNCLIP_REVISION /* given by the Makefile */
#define LNCLIP_REVISION "unknown"
#endif

const char *train_revision(void)
{
    return LNCLIP_REVISION;
}
