/*
 * records.h - faces.csv: one row for each frame, also for frames without a face.
 *
 * While a job runs, rows are appended in the order of work. A killed job leaves complete rows and
 * perhaps the beginning of one, which the next job removes. At the end the file is replaced by one
 * whose rows are sorted by path and frame, so it does not depend on the order of work, on
 * interruptions, or on the number of threads.
 *
 * Tests: tests/test_faces.sh.
 */
#ifndef LNCLIP_DATA_FACES_RECORDS_H
#define LNCLIP_DATA_FACES_RECORDS_H

#include "data/faces/crop.h"
#include "tensor/base/error.h"

#include <stdbool.h>

typedef struct DataRecords DataRecords;

/*
 * Opens FOLDER/faces.csv, or creates it, and locks it for this process. Rows whose crop is missing
 * in the folder are dropped. STATUS_FAILED if it is not a faces.csv, is locked by another process,
 * cannot be read or written, or when out of memory. *records is owned by the caller
 * (data_records_close); it is NULL on failure.
 */
Status data_records_open(DataRecords **records, const char *folder, Error *error);

/* What faces.csv said of a frame when it was opened. */
typedef enum DataRow { DATA_ROW_NONE, DATA_ROW_NO_FACE, DATA_ROW_CROP } DataRow;

/* Finds the row of this path and frame (-1: no number). */
DataRow data_records_find(const DataRecords *records, const char *path, int frame);

/*
 * Appends a row, which is in the file when the function returns. `crop` is the path of the crop
 * below the folder; it is ignored if found->found is false. A row of the same path and frame is
 * replaced. STATUS_FAILED if it cannot be written (disk full) or when out of memory.
 */
Status data_records_add(DataRecords *records, const char *path, int frame, const DataCrop *found,
                        const char *crop, Error *error);

/* Replaces the file by its sorted rows. On failure the unsorted file remains. */
Status data_records_finish(DataRecords *records, Error *error);

/*
 * Counts the rows, those with a crop, and the videos (folders of images) without any crop. `first`
 * [limit] are the paths of the first of these videos, borrowed until data_records_close. Call after
 * data_records_finish.
 */
typedef struct DataCoverage {
    int frames, crops, videos, empty_videos;
} DataCoverage;
Status data_records_coverage(DataRecords *records, DataCoverage *coverage, const char **first,
                             int limit, Error *error);

/* Closes the file and frees the rows. NULL is allowed. */
void data_records_close(DataRecords *records);

#endif
