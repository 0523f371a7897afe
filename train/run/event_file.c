/*
 * event_file.c - see event_file.h.
 *
 * Minimal protobuf encoder and decoder. A field is a key (number << 3 | wire type) and a value: a
 * varint (type 0), 8 bytes (1), a length and that many bytes (2), or 4 bytes (5).
 *
 *     Event   { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary }
 *     Summary { 1: repeated Value { 1: string tag, 2: float simple_value } }
 */
#include "train/run/event_file.h"

#include "tensor/base/arithmetic.h"
#include "tensor/base/file.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MOST_VALUES = 16,
    TAG_SIZE = 40,
    VALUE_SIZE = TAG_SIZE + 16,                 /* maximum size of an encoded value */
    EVENT_SIZE = MOST_VALUES * VALUE_SIZE + 64, /* maximum size of an Event that we write */
    FRAME_TAIL = 4,                             /* the checksum after an event */
};

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static const size_t FILE_LIMIT = (size_t)1 << 32; /* ten million steps */

/* ---- CRC-32C --------------------------------------------------------------------------------- */

uint32_t train_event_crc32c(const void *bytes, size_t count)
{
    const uint32_t polynomial = 0x82f63b78; /* 0x1edc6f41, bits reversed */
    const unsigned char *at = bytes;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < count; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
    }
    return ~crc;
}

uint32_t train_event_masked(uint32_t crc)
{
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct Buffer {
    unsigned char bytes[EVENT_SIZE];
    size_t count;
} Buffer;

static void put_little_endian(Buffer *buffer, uint64_t value, int bytes)
{
    assert(buffer->count + (size_t)bytes <= sizeof buffer->bytes);
    for (int i = 0; i < bytes; i++)
        buffer->bytes[buffer->count++] = (unsigned char)(value >> (8 * i));
}

static void put_varint(Buffer *buffer, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_little_endian(buffer, (value & 0x7f) | 0x80, 1);
    put_little_endian(buffer, value, 1);
}

static void put_key(Buffer *buffer, unsigned field, unsigned wire)
{
    put_varint(buffer, field << 3 | wire);
}

static void put_bytes(Buffer *buffer, unsigned field, const void *bytes, size_t count)
{
    put_key(buffer, field, WIRE_BYTES);
    put_varint(buffer, count);
    assert(buffer->count + count <= sizeof buffer->bytes);
    memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
}

static void put_double(Buffer *buffer, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(buffer, field, WIRE_64);
    put_little_endian(buffer, bits, 8);
}

static void put_float(Buffer *buffer, unsigned field, float value)
{
    put_key(buffer, field, WIRE_32);
    put_little_endian(buffer, float_bits(value), 4);
}

static void write_record(FILE *stream, const Buffer *event)
{
    Buffer frame = {.count = 0};
    put_little_endian(&frame, event->count, 8);
    put_little_endian(&frame, train_event_masked(train_event_crc32c(frame.bytes, 8)), 4);
    fwrite(frame.bytes, 1, frame.count, stream);
    fwrite(event->bytes, 1, event->count, stream);
    frame.count = 0;
    put_little_endian(&frame, train_event_masked(train_event_crc32c(event->bytes, event->count)),
                      4);
    fwrite(frame.bytes, 1, frame.count, stream);
}

static double time_of_day(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

Status train_event_file_open(FILE **stream, const char *path, Error *error)
{
    static const char version[] = "brain.Event:2";
    *stream = fopen(path, "ae");
    if (!*stream)
        return error_set(error, STATUS_FAILED,
                         "%s: cannot be opened for writing (%s); choose another --out", path,
                         strerror(errno));
    fseeko(*stream, 0, SEEK_END);
    if (ftello(*stream) == 0) {
        Buffer event = {.count = 0};
        put_double(&event, 1, time_of_day());
        put_bytes(&event, 3, version, sizeof version - 1);
        write_record(*stream, &event);
    }
    return STATUS_OK;
}

void train_event_file_write(FILE *stream, int64_t step, const TrainEventValue *values, int count)
{
    assert(count <= MOST_VALUES && step >= 0);
    Buffer event = {.count = 0}, summary = {.count = 0};
    for (int i = 0; i < count; i++) {
        Buffer value = {.count = 0};
        assert(strlen(values[i].tag) <= TAG_SIZE);
        if (!isfinite(values[i].value))
            continue;
        put_bytes(&value, 1, values[i].tag, strlen(values[i].tag));
        put_float(&value, 2, (float)values[i].value);
        put_bytes(&summary, 1, value.bytes, value.count);
    }
    put_double(&event, 1, time_of_day());
    put_key(&event, 2, WIRE_VARINT);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, summary.bytes, summary.count);
    write_record(stream, &event);
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* A position in encoded bytes; `bad` after a decoding error. */
typedef struct Reader {
    const unsigned char *at, *end;
    bool bad;
} Reader;

static uint64_t get_little_endian(Reader *reader, int bytes)
{
    uint64_t value = 0;
    if (reader->end - reader->at < bytes) {
        reader->bad = true;
        return 0;
    }
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)reader->at[i] << (8 * i);
    reader->at += bytes;
    return value;
}

static uint64_t get_varint(Reader *reader)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const uint64_t byte = get_little_endian(reader, 1);
        value |= (byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    reader->bad = true;
    return 0;
}

/* Reads one field: *number = varint or fixed value, *inside = bytes. False at the end or if bad. */
static bool get_field(Reader *reader, unsigned *field, uint64_t *number, Reader *inside)
{
    if (reader->bad || reader->at == reader->end)
        return false;
    const uint64_t key = get_varint(reader);
    *field = (unsigned)(key >> 3);
    *number = 0;
    *inside = (Reader){0};
    switch (key & 7) {
    case WIRE_VARINT:
        *number = get_varint(reader);
        break;
    case WIRE_64:
        *number = get_little_endian(reader, 8);
        break;
    case WIRE_32:
        *number = get_little_endian(reader, 4);
        break;
    case WIRE_BYTES: {
        const uint64_t count = get_varint(reader);
        reader->bad |= count > (uint64_t)(reader->end - reader->at);
        if (!reader->bad) {
            *inside = (Reader){.at = reader->at, .end = reader->at + count};
            reader->at += count;
        }
        break;
    }
    default:
        reader->bad = true;
    }
    return !reader->bad;
}

/* The contents of a record that decide if it is kept. */
typedef struct Mark {
    int64_t step;
    double epoch;    /* valid if epoch_ends */
    bool scalars;    /* has a summary; false for the first record of a file */
    bool epoch_ends; /* is the record of an epoch */
} Mark;

/* Reads a Value of a Summary; sets mark->epoch if its tag is TRAIN_EVENT_EPOCH. */
static void read_value(Reader value, Mark *mark)
{
    unsigned field;
    uint64_t number;
    Reader inside;
    bool epoch = false;
    while (get_field(&value, &field, &number, &inside)) {
        if (field == 1)
            epoch = (size_t)(inside.end - inside.at) == strlen(TRAIN_EVENT_EPOCH) &&
                    memcmp(inside.at, TRAIN_EVENT_EPOCH, strlen(TRAIN_EVENT_EPOCH)) == 0;
        if (field == 2 && epoch) {
            mark->epoch = (double)float_from_bits((uint32_t)number);
            mark->epoch_ends = true;
        }
    }
}

/* False if the bytes are not an Event. */
static bool read_event(Reader event, Mark *mark)
{
    unsigned field;
    uint64_t number;
    Reader inside;
    *mark = (Mark){0};
    while (get_field(&event, &field, &number, &inside)) {
        if (field == 2)
            mark->step = (int64_t)number;
        if (field != 5)
            continue;
        Reader value;
        mark->scalars = true;
        while (get_field(&inside, &field, &number, &value))
            read_value(value, mark);
        event.bad |= inside.bad;
    }
    return !event.bad;
}

/* Reads the record at reader->at and moves past it. False if it is damaged or incomplete. */
static bool get_record(Reader *reader, Reader *event)
{
    const unsigned char *head = reader->at;
    Reader at = *reader;
    const uint64_t count = get_little_endian(&at, 8);
    const uint64_t head_crc = get_little_endian(&at, 4);
    if (at.bad || head_crc != train_event_masked(train_event_crc32c(head, 8)) ||
        (uint64_t)(at.end - at.at) < FRAME_TAIL || count > (uint64_t)(at.end - at.at) - FRAME_TAIL)
        return false;
    *event = (Reader){.at = at.at, .end = at.at + count};
    at.at += count;
    if (get_little_endian(&at, 4) !=
        train_event_masked(train_event_crc32c(event->at, (size_t)count)))
        return false;
    *reader = at;
    return true;
}

/* Moves the kept records to the front of content [size]; returns their size. *last: last step. */
static size_t keep_records(unsigned char *content, size_t size, int64_t steps, int epochs,
                           int64_t *last, bool *damaged)
{
    Reader reader = {.at = content, .end = content + size};
    size_t kept = 0;
    *last = -1;
    *damaged = false;
    while (reader.at < reader.end) {
        const unsigned char *record = reader.at;
        Reader event;
        Mark mark;
        if (!get_record(&reader, &event) || !read_event(event, &mark)) {
            *damaged = true;
            break;
        }
        if (mark.epoch_ends ? mark.epoch > epochs : mark.scalars && mark.step >= steps)
            continue;
        if (mark.scalars && !mark.epoch_ends)
            *last = mark.step;
        const size_t bytes = (size_t)(reader.at - record);
        memmove(content + kept, record, bytes);
        kept += bytes;
    }
    return kept;
}

Status train_event_file_cut(const char *path, int64_t steps, int epochs, Error *error)
{
    char *content = NULL;
    size_t size = 0;
    if (!file_exists(path))
        return STATUS_OK;
    TRY(file_read(path, FILE_LIMIT, &content, &size, error));
    int64_t last;
    bool damaged;
    const size_t kept =
        keep_records((unsigned char *)content, size, steps, epochs, &last, &damaged);
    Status status = STATUS_OK;
    if (damaged && last < steps - 1)
        status = error_set(error, STATUS_FAILED,
                           "%s: the record after step %lld is damaged, but the checkpoint counts "
                           "%lld steps; remove the file (no result depends on it), or restore it",
                           path, (long long)last, (long long)steps);
    else if (kept < size)
        status = file_write(path, content, kept, error);
    free(content);
    return status;
}
