/*
 * interval.h - how sure a metric is: 95 % intervals and where they come from.
 */
#ifndef LNCLIP_TRAIN_METRICS_INTERVAL_H
#define LNCLIP_TRAIN_METRICS_INTERVAL_H

#include "train/metrics/metrics.h"

/* The 97.5 % point of the standard normal distribution. */
#define METRICS_NORMAL_975 1.959963984540054

/* 95 %, both ends NaN if undefined. */
typedef struct MetricsInterval {
    double lower, upper;
} MetricsInterval;

typedef enum MetricsIntervalMethod {
    METRICS_INTERVAL_NONE,
    METRICS_INTERVAL_DELONG,         /* over videos, on the logit scale */
    METRICS_INTERVAL_BOOTSTRAP,      /* over videos */
    METRICS_INTERVAL_DELONG_ROWS,    /* over rows: assumes independent rows */
    METRICS_INTERVAL_BOOTSTRAP_ROWS, /* over rows: assumes independent rows */
    METRICS_INTERVAL_METHODS
} MetricsIntervalMethod;

/* "delong_videos", "bootstrap_videos", "delong_rows", "bootstrap_rows" as in metrics.json; "" for none. */
const char *metrics_interval_method_name(MetricsIntervalMethod method);

/* The intervals of one Metrics. */
typedef struct MetricsIntervals {
    MetricsInterval of[METRICS_NAMES]; /* by Metric */
    MetricsIntervalMethod auroc;       /* how of[METRICS_AUROC] was found */
    MetricsIntervalMethod others;      /* and all others */
} MetricsIntervals;

/* No interval at all: every end NaN. */
MetricsIntervals metrics_intervals_none(void);

/* One metric of two score files. */
typedef struct MetricsDifference {
    double a, b;
    double difference;        /* a - b */
    MetricsInterval interval; /* 95 %, of the difference */
    double p;                 /* two-sided, of "no difference"; NaN if undefined */
    MetricsIntervalMethod method;
} MetricsDifference;

#endif
