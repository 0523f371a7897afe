/*
 * video.c - see video.h.
 */
#include "data/faces/video.h"

#include "tensor/base/file.h"
#include "tensor/base/mem.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- the order of GenD ----------------------------------------------------------------------- */

/* Frames that are not taken yet, [begin, end), around the middle. */
typedef struct Gap {
    int begin, end;
} Gap;

/* True if `a` comes first: the longer gap, of equals the one further left. */
static bool is_first(Gap a, Gap b)
{
    const int left = a.end - a.begin, right = b.end - b.begin;
    return left != right ? left > right : a.begin < b.begin;
}

/* Restores the heap of gaps [count] after gaps[at] changed. */
static void sift(Gap *gaps, int count, int at)
{
    for (;;) {
        int best = at;
        for (int child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < count && is_first(gaps[child], gaps[best]))
                best = child;
        if (best == at)
            return;
        const Gap gap = gaps[at];
        gaps[at] = gaps[best];
        gaps[best] = gap;
        at = best;
    }
}

Status data_video_gap_order(int count, int *order, Error *error)
{
    Gap *gaps = mem_new((size_t)count + 1, sizeof *gaps, "the order of frames", error);
    if (!gaps)
        return error->status;
    int size = count > 0;
    gaps[0] = (Gap){0, count};
    for (int i = 0; i < count; i++) {
        const Gap gap = gaps[0];
        const int middle = gap.begin + (gap.end - gap.begin) / 2;
        order[i] = middle;
        gaps[0] = (Gap){gap.begin, middle};
        sift(gaps, size, 0);
        if (middle + 1 < gap.end) {
            int at = size++;
            gaps[at] = (Gap){middle + 1, gap.end};
            for (; at > 0 && is_first(gaps[at], gaps[(at - 1) / 2]); at = (at - 1) / 2) {
                const Gap parent = gaps[(at - 1) / 2];
                gaps[(at - 1) / 2] = gaps[at];
                gaps[at] = parent;
            }
        }
    }
    free(gaps);
    return STATUS_OK;
}

#if LNCLIP_WITH_AV

#include "data/faces/av_private.h"

#include <dlfcn.h>
#include <pthread.h>

/* ---- the libraries --------------------------------------------------------------------------- */

#define TEXT_OF(x)      #x
#define SONAME(name, x) "lib" name ".so." TEXT_OF(x)
#define SONAME_AVUTIL   SONAME("avutil", LIBAVUTIL_VERSION_MAJOR)
#define SONAME_AVCODEC  SONAME("avcodec", LIBAVCODEC_VERSION_MAJOR)
#define SONAME_AVFORMAT SONAME("avformat", LIBAVFORMAT_VERSION_MAJOR)
#define SONAME_SWSCALE  SONAME("swscale", LIBSWSCALE_VERSION_MAJOR)

static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static AvLibrary av;
static char load_problem[256]; /* "" if the libraries are loaded */

static void *load_function(const char *soname, const char *name)
{
    void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL); /* stays open */
    void *function = library ? dlsym(library, name) : NULL;
    if (!function && !load_problem[0])
        snprintf(load_problem, sizeof load_problem, "%s", library ? name : soname);
    return function;
}

static void load_libraries(void)
{
#define X(library, function) *(void **)&av.function = load_function(SONAME_##library, #function);
    AV_FUNCTIONS(X)
#undef X
    if (!load_problem[0])
        av.av_log_set_level(AV_LOG_QUIET); /* otherwise its threads print */
}

static Status load(const char *path, Error *error)
{
    pthread_once(&load_once, load_libraries);
    if (load_problem[0])
        return error_set(error, STATUS_FAILED,
                         "%s: FFmpeg's library is missing (%s); run: apt-get install libavformat%d "
                         "libswscale%d, or extract the frames and give their folder",
                         path, load_problem, LIBAVFORMAT_VERSION_MAJOR, LIBSWSCALE_VERSION_MAJOR);
    return STATUS_OK;
}

const char *data_video_decoders(void)
{
    static char text[96];
    Error ignored = {0};
    if (load("", &ignored) != STATUS_OK)
        return "none";
    const unsigned codec = av.avcodec_version(), scale = av.swscale_version();
    snprintf(text, sizeof text, "libavcodec %u.%u.%u, libswscale %u.%u.%u", codec >> 16,
             codec >> 8 & 255, codec & 255, scale >> 16, scale >> 8 & 255, scale & 255);
    return text;
}

/* ---- opening --------------------------------------------------------------------------------- */

struct DataVideo {
    char path[FILE_PATH_SIZE];
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    struct SwsContext *scaler;
    uint8_t *pixels; /* [capacity] a converted frame with its padding */
    size_t capacity;
    int stream;
    int count, position, damaged;
    int turns;     /* by 90 degrees clockwise */
    bool draining; /* all packets were sent */
};

static Status av_failed(const char *path, int code, const char *why, Error *error)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av.av_strerror(code, text, sizeof text);
    return error_set(error, STATUS_FAILED, "%s: %s (%s); check that the file is complete", path,
                     why, text);
}

/* Opens the container and finds the video in it. */
static Status open_format(DataVideo *video, Error *error)
{
    char url[FILE_PATH_SIZE + 8];
    snprintf(url, sizeof url, "file:%s", video->path);
    AVDictionary *options = NULL;
    av.av_dict_set(&options, "protocol_whitelist", "file", 0);
    av.av_dict_set(&options, "format_whitelist",
                   "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,flv,asf,"
                   "ogg",
                   0);
    const int opened = av.avformat_open_input(&video->format, url, NULL, &options);
    av.av_dict_free(&options);
    if (opened < 0)
        return av_failed(video->path, opened,
                         "is not a video in a known container, or was cut off while being written",
                         error);
    const int found = av.avformat_find_stream_info(video->format, NULL);
    if (found < 0)
        return av_failed(video->path, found, "its streams cannot be read", error);
    video->stream = av.av_find_best_stream(video->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (video->stream < 0)
        return av_failed(video->path, video->stream, "has no video stream", error);
    for (unsigned i = 0; i < video->format->nb_streams; i++)
        if ((int)i != video->stream)
            video->format->streams[i]->discard = AVDISCARD_ALL;
    return STATUS_OK;
}

/* Quarter turns, clockwise, that show the frames upright. */
static int read_turns(const AVStream *stream)
{
    const int32_t *matrix = NULL;
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100) /* FFmpeg 6.1 */
    for (int i = 0; i < stream->codecpar->nb_coded_side_data; i++)
        if (stream->codecpar->coded_side_data[i].type == AV_PKT_DATA_DISPLAYMATRIX &&
            stream->codecpar->coded_side_data[i].size >= 9 * sizeof *matrix)
            matrix = (const void *)stream->codecpar->coded_side_data[i].data;
#else
    for (int i = 0; i < stream->nb_side_data; i++)
        if (stream->side_data[i].type == AV_PKT_DATA_DISPLAYMATRIX &&
            (size_t)stream->side_data[i].size >= 9 * sizeof *matrix)
            matrix = (const void *)stream->side_data[i].data;
#endif
    const double degrees = matrix ? -av.av_display_rotation_get(matrix) : 0;
    if (!(degrees >= -360 && degrees <= 360)) /* also NaN: the matrix is singular */
        return 0;
    return ((int)(degrees + 360 + 45) / 90) % 4;
}

static Status open_codec(DataVideo *video, int threads, Error *error)
{
    const AVCodecParameters *parameters = video->format->streams[video->stream]->codecpar;
    const AVCodec *decoder = NULL;
    (void)av.av_find_best_stream(video->format, AVMEDIA_TYPE_VIDEO, video->stream, -1,
                                 (void *)&decoder, 0);
    if (!decoder)
        return error_set(error, STATUS_FAILED,
                         "%s: no decoder for its video; convert it to H.264 first", video->path);
    video->codec = av.avcodec_alloc_context3(decoder);
    if (!video->codec)
        return mem_full(0, video->path, error);
    int code = av.avcodec_parameters_to_context(video->codec, parameters);
    video->codec->thread_count = threads;
    if (code >= 0)
        code = av.avcodec_open2(video->codec, decoder, NULL);
    if (code < 0)
        return av_failed(video->path, code, "its decoder cannot be opened", error);
    video->packet = av.av_packet_alloc();
    video->frame = av.av_frame_alloc();
    return video->packet && video->frame ? STATUS_OK : mem_full(0, video->path, error);
}

/* Counts the packets of the video, each of which holds a frame, and opens the container again. */
static Status count_packets(DataVideo *video, Error *error)
{
    AVPacket *packet = av.av_packet_alloc();
    if (!packet)
        return mem_full(0, video->path, error);
    while (video->count < INT_MAX / 2 && av.av_read_frame(video->format, packet) >= 0) {
        video->count += packet->stream_index == video->stream;
        av.av_packet_unref(packet);
    }
    av.av_packet_free(&packet);
    av.avformat_close_input(&video->format);
    return open_format(video, error);
}

Status data_video_open(DataVideo **video, const char *path, int threads, Error *error)
{
    *video = NULL;
    TRY(load(path, error));
    if (strlen(path) >= FILE_PATH_SIZE)
        return error_set(error, STATUS_FAILED, "%.200s...: the path is too long; use a shorter one",
                         path);
    DataVideo *opened = mem_new(1, sizeof *opened, path, error);
    if (!opened)
        return error->status;
    memcpy(opened->path, path, strlen(path) + 1);
    Status status = open_format(opened, error);
    if (status == STATUS_OK) {
        const int64_t told = opened->format->streams[opened->stream]->nb_frames;
        if (told > 0 && told < INT_MAX / 2)
            opened->count = (int)told;
        else
            status = count_packets(opened, error);
    }
    if (status == STATUS_OK) {
        const AVCodecParameters *size = opened->format->streams[opened->stream]->codecpar;
        if (size->width > DATA_VIDEO_SIDE || size->height > DATA_VIDEO_SIDE)
            status = error_set(error, STATUS_FAILED,
                               "%s: frames of %d x %d pixels are larger than %d; shrink the video",
                               path, size->width, size->height, DATA_VIDEO_SIDE);
        else if (opened->count == 0)
            status = error_set(error, STATUS_FAILED,
                               "%s: has no frames; check that the file is complete", path);
    }
    if (status == STATUS_OK) {
        opened->turns = read_turns(opened->format->streams[opened->stream]);
        status = open_codec(opened, threads, error);
    }
    if (status != STATUS_OK) {
        data_video_close(opened);
        return status;
    }
    *video = opened;
    return STATUS_OK;
}

void data_video_close(DataVideo *video)
{
    if (!video)
        return;
    av.sws_freeContext(video->scaler);
    av.av_frame_free(&video->frame);
    av.av_packet_free(&video->packet);
    av.avcodec_free_context(&video->codec);
    av.avformat_close_input(&video->format);
    free(video->pixels);
    free(video);
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* True if all rows of a width x height picture lie in the buffers of the frame. */
static bool holds(AVFrame *frame, int width, int height)
{
    const AVPixFmtDescriptor *form = av.av_pix_fmt_desc_get(frame->format);
    const int planes = form ? av.av_pix_fmt_count_planes(frame->format) : 0;
    for (int plane = 0; plane < planes; plane++) {
        const AVBufferRef *buffer = av.av_frame_get_plane_buffer(frame, plane);
        const bool chroma = plane == 1 || plane == 2;
        const int rows = chroma ? -(-height >> form->log2_chroma_h) : height;
        const int columns = chroma ? -(-width >> form->log2_chroma_w) : width;
        const ptrdiff_t stride = frame->linesize[plane];
        if (!buffer || frame->data[plane] < buffer->data || stride < columns)
            return false;
        if ((ptrdiff_t)(buffer->size - (size_t)(frame->data[plane] - buffer->data)) < stride * rows)
            return false;
    }
    return planes > 0;
}

/* FFmpeg 7.1 may mark full range in the frame, where earlier versions had a format of its own. */
static void apply_range(DataVideo *video)
{
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const enum AVPixelFormat format = video->frame->format;
    if (video->frame->color_range == AVCOL_RANGE_JPEG &&
        (format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUV422P ||
         format == AV_PIX_FMT_YUV444P)) {
        const int *table = av.sws_getCoefficients(SWS_CS_DEFAULT);
        av.sws_setColorspaceDetails(video->scaler, table, 1, table, 1, 0, 1 << 16, 1 << 16);
    }
#else
    (void)video;
#endif
}

/* The frame as BGR in video->pixels, `*stride` bytes a row: some bytes of RGB would differ. */
static Status convert(DataVideo *video, int *stride, Error *error)
{
    AVFrame *frame = video->frame;
    /* OpenCV scales with the padding of the codec, which changes some bytes of 10-bit video. */
    int width = video->codec->coded_width, height = video->codec->coded_height;
    if (width < frame->width || height < frame->height || width > 2 * DATA_VIDEO_SIDE ||
        height > 2 * DATA_VIDEO_SIDE || !holds(frame, width, height)) {
        width = frame->width;
        height = frame->height;
    }
    video->scaler =
        av.sws_getCachedContext(video->scaler, width, height, frame->format, width, height,
                                AV_PIX_FMT_BGR24, SWS_BICUBIC, NULL, NULL, NULL);
    if (!video->scaler)
        return error_set(error, STATUS_FAILED,
                         "%s: its pixel format cannot be converted; convert it to H.264 first",
                         video->path);
    apply_range(video);
    enum { ALIGNMENT = 64 }; /* of rows; the scaler writes whole vectors */
    *stride = (3 * width + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const size_t bytes = (size_t)*stride * (height + 1);
    if (bytes > video->capacity) {
        free(video->pixels);
        video->capacity = 0;
        video->pixels = aligned_alloc(ALIGNMENT, bytes);
        if (!video->pixels)
            return mem_full(bytes, video->path, error);
        video->capacity = bytes;
    }
    uint8_t *planes[4] = {video->pixels};
    const int strides[4] = {*stride};
    if (av.sws_scale(video->scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, height,
                     planes, strides) != height)
        return error_set(error, STATUS_FAILED, "%s: frame %d cannot be converted; check the file",
                         video->path, video->position);
    return STATUS_OK;
}

/* Copies the frame out of the padding, upright. */
static Status copy_upright(DataVideo *video, DataImage *image, Error *error)
{
    int stride = 0;
    TRY(convert(video, &stride, error));
    const int width = video->frame->width, height = video->frame->height, turns = video->turns;
    const bool aside = turns % 2 == 1;
    TRY(data_image_create(image, aside ? height : width, aside ? width : height, error));
    uint8_t *out = image->pixels;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++, out += 3) {
            const int column = turns == 0   ? x
                               : turns == 1 ? y
                               : turns == 2 ? width - 1 - x
                                            : width - 1 - y;
            const int row = turns == 0   ? y
                            : turns == 1 ? height - 1 - x
                            : turns == 2 ? height - 1 - y
                                         : x;
            const uint8_t *pixel = video->pixels + (size_t)row * stride + 3 * (size_t)column;
            out[0] = pixel[2], out[1] = pixel[1], out[2] = pixel[0];
        }
    return STATUS_OK;
}

/* Decodes the next frame. False at the end. */
static bool decode(DataVideo *video)
{
    for (;;) {
        const int received = av.avcodec_receive_frame(video->codec, video->frame);
        if (received >= 0)
            return true;
        if (received != AVERROR(EAGAIN) || video->draining)
            return false;
        if (av.av_read_frame(video->format, video->packet) < 0) {
            video->draining = true;
            (void)av.avcodec_send_packet(video->codec, NULL);
        } else {
            if (video->packet->stream_index == video->stream)
                (void)av.avcodec_send_packet(video->codec, video->packet);
            av.av_packet_unref(video->packet);
        }
    }
}

Status data_video_next(DataVideo *video, bool wanted, DataImage *image, bool *end, Error *error)
{
    *image = (DataImage){0};
    *end = video->position == INT_MAX || !decode(video);
    if (*end)
        return STATUS_OK;
    AVFrame *frame = video->frame;
    video->damaged += frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0;
    Status status = STATUS_OK;
    if (frame->width > DATA_VIDEO_SIDE || frame->height > DATA_VIDEO_SIDE || frame->width <= 0 ||
        frame->height <= 0)
        status = error_set(error, STATUS_FAILED, "%s: frame %d has %d x %d pixels; check the file",
                           video->path, video->position, frame->width, frame->height);
    else if (wanted)
        status = copy_upright(video, image, error);
    av.av_frame_unref(frame);
    video->position++;
    if (status != STATUS_OK)
        data_image_free(image);
    return status;
}

int data_video_count(const DataVideo *video)
{
    return video->count;
}

int data_video_position(const DataVideo *video)
{
    return video->position;
}

int data_video_damaged(const DataVideo *video)
{
    return video->damaged;
}

#else

struct DataVideo {
    int unused;
};

Status data_video_open(DataVideo **video, const char *path, int threads, Error *error)
{
    (void)threads;
    *video = NULL;
    return error_set(error, STATUS_FAILED,
                     "%s: this build cannot read videos; build with WITH_AV=1, or extract the "
                     "frames and give their folder",
                     path);
}

void data_video_close(DataVideo *video)
{
    assert(!video);
    (void)video;
}

Status data_video_next(DataVideo *video, bool wanted, DataImage *image, bool *end, Error *error)
{
    (void)wanted;
    (void)image;
    (void)end;
    return error_set(error, STATUS_FAILED, "%s: cannot be read; build with WITH_AV=1",
                     video ? "a video" : "no video");
}

int data_video_count(const DataVideo *video)
{
    return video->unused;
}

int data_video_position(const DataVideo *video)
{
    return video->unused;
}

int data_video_damaged(const DataVideo *video)
{
    return video->unused;
}

const char *data_video_decoders(void)
{
    return "none";
}

#endif
