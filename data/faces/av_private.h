/*
 * av_private.h - FFmpeg's functions, loaded at run time; private to data/faces/video.c.
 *
 * The headers give the types, and the sonames of the libraries that belong to them. Versions from
 * FFmpeg 4.4 to 7.1 differ in the place of the display matrix only (video.c).
 *
 * Tests: tests/test_video.c.
 */
#ifndef LNCLIP_DATA_FACES_AV_PRIVATE_H
#define LNCLIP_DATA_FACES_AV_PRIVATE_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#pragma GCC diagnostic pop

/* X(library, function) */
#define AV_FUNCTIONS(X)                                                                            \
    X(AVUTIL, av_dict_free)                                                                        \
    X(AVUTIL, av_dict_set)                                                                         \
    X(AVUTIL, av_display_rotation_get)                                                             \
    X(AVUTIL, av_frame_alloc)                                                                      \
    X(AVUTIL, av_frame_free)                                                                       \
    X(AVUTIL, av_frame_get_plane_buffer)                                                           \
    X(AVUTIL, av_frame_unref)                                                                      \
    X(AVUTIL, av_log_set_level)                                                                    \
    X(AVUTIL, av_pix_fmt_count_planes)                                                             \
    X(AVUTIL, av_pix_fmt_desc_get)                                                                 \
    X(AVUTIL, av_strerror)                                                                         \
    X(AVCODEC, av_packet_alloc)                                                                    \
    X(AVCODEC, av_packet_free)                                                                     \
    X(AVCODEC, av_packet_unref)                                                                    \
    X(AVCODEC, avcodec_alloc_context3)                                                             \
    X(AVCODEC, avcodec_free_context)                                                               \
    X(AVCODEC, avcodec_open2)                                                                      \
    X(AVCODEC, avcodec_parameters_to_context)                                                      \
    X(AVCODEC, avcodec_receive_frame)                                                              \
    X(AVCODEC, avcodec_send_packet)                                                                \
    X(AVCODEC, avcodec_version)                                                                    \
    X(AVFORMAT, av_find_best_stream)                                                               \
    X(AVFORMAT, av_read_frame)                                                                     \
    X(AVFORMAT, avformat_close_input)                                                              \
    X(AVFORMAT, avformat_find_stream_info)                                                         \
    X(AVFORMAT, avformat_open_input)                                                               \
    X(SWSCALE, sws_freeContext)                                                                    \
    X(SWSCALE, sws_getCachedContext)                                                               \
    X(SWSCALE, sws_getCoefficients)                                                                \
    X(SWSCALE, sws_scale)                                                                          \
    X(SWSCALE, sws_setColorspaceDetails)                                                           \
    X(SWSCALE, swscale_version)

/* One member for each function, of its type and name. */
typedef struct AvLibrary {
#define X(library, function) __typeof__(&function) function;
    AV_FUNCTIONS(X)
#undef X
} AvLibrary;

#endif
