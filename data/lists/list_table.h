/*
 * list_table.h - tables of paths and labels (.csv, .tsv): which column holds what, and what each
 * row says.
 *
 * A column is found by its name, in any case: path, file, image, img_path, label, target, class,
 * video, split... (docs/formats.md). Two columns that would both do are an error that asks for the
 * option; a name given by the caller is always taken.
 *
 * Tests: tests/test_list_table.c.
 */
#ifndef LNCLIP_DATA_LISTS_LIST_TABLE_H
#define LNCLIP_DATA_LISTS_LIST_TABLE_H

#include "data/lists/path.h"
#include "tensor/base/error.h"
#include "tensor/base/mem.h"

#include <stdbool.h>
#include <stddef.h>

/* The columns of a table. */
typedef enum DataColumn {
    DATA_COLUMN_PATH,
    DATA_COLUMN_LABEL,
    DATA_COLUMN_VIDEO,
    DATA_COLUMN_SPLIT,
    DATA_COLUMN_SOURCE,
    DATA_COLUMNS
} DataColumn;

/* What names the video of a row. */
typedef enum DataVideoBy {
    DATA_VIDEO_FOLDER, /* the folder of the image */
    DATA_VIDEO_IMAGE,  /* the image is a video of its own */
    DATA_VIDEO_NAME,   /* the column of videos */
} DataVideoBy;

typedef struct DataTableRow {
    const char *path;   /* as written */
    const char *source; /* valid as the name of a list */
    const char *video;  /* DATA_VIDEO_NAME: its name; else NULL */
    DataVideoBy video_by;
    int label; /* 0 real, 1 fake */
    int split; /* a DataSplit; -1 without a column of splits */
    size_t line;
} DataTableRow;

typedef struct DataTable {
    DataTableRow *rows; /* [count], in file order */
    int count;
    size_t capacity;
    bool has_split;
    char *taken;  /* a sentence: the columns that were used */
    char *doubts; /* a warning, or NULL */
    MemPool pool; /* owns the texts of the rows */
} DataTable;

/*
 * Reads the table at `path`. names[DATA_COLUMNS] are the columns given by the user; NULL: found by
 * name; "none": not used, although there. `names` may be NULL.
 *
 * The source of a row is that of the column source, method or manipulation, else that of its path;
 * if a source would be real and fake, or there are more than DATA_TABLE_SOURCES of them, "real" and
 * "fake". Without a column of videos, the video is the folder; in folders of images named after a
 * class (path.h), and in those with real and fake images, each image is a video.
 *
 * STATUS_FAILED, with line and column, for a missing or doubtful column, a label that is not 0, 1,
 * real or fake, a split that is not train, val or test, an empty path, a row of another width, a
 * video with two labels, labels that contradict the folders of all rows (1 may mean real), and when
 * out of memory. *table is then empty; else the caller frees it (data_table_free). Thread-safe.
 */
enum { DATA_TABLE_SOURCES = 50 };
Status data_table_read(DataTable *table, const char *path, const char *const *names, Error *error);
void data_table_free(DataTable *table);

/* True if the first line [length] names a column of paths and one of labels. Changes the text. */
bool data_table_has_header(char *line, size_t length);

/* 0 for "0" and "real", 1 for "1" and "fake", in any case, else -1; blanks are dropped. */
int data_label_of_cell(const char *text, size_t length);

#endif
