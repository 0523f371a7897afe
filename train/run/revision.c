/*
 * revision.c - the revision of the sources: alone in a file, so that a commit does not rebuild
 * everything.
 */
#include "train/run/run_record.h"

#ifndef LNCLIP_REVISION /* given by the Makefile */
#define LNCLIP_REVISION "unknown"
#endif

const char *train_revision(void)
{
    return LNCLIP_REVISION;
}
