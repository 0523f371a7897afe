/*
 * interval.h - how sure a metric is: 95 % intervals and where they come from.
 */
#ifndef LNCLIP_TRAIN_METRICS_INTERVAL_H
#define LNCLIP_TRAIN_METRICS_INTERVAL_H

#include "train/metrics/metrics.h"

/* The 97.5 % point of the standard normal distribution. */
#define TRAIN_NORMAL_975 1.959963984540054

/* 95 %, both ends NaN if undefined. */
typedef struct TrainInterval {
    double lower, upper;
} TrainInterval;

typedef enum TrainIntervalMethod {
    TRAIN_INTERVAL_NONE,
    TRAIN_INTERVAL_DELONG,         /* over videos, on the logit scale */
    TRAIN_INTERVAL_BOOTSTRAP,      /* over videos */
    TRAIN_INTERVAL_DELONG_ROWS,    /* over rows: assumes independent rows */
    TRAIN_INTERVAL_BOOTSTRAP_ROWS, /* over rows: assumes independent rows */
    TRAIN_INTERVAL_METHODS
} TrainIntervalMethod;

/* "delong_videos", "bootstrap_videos", "delong_rows", "bootstrap_rows" as in metrics.json; "" for none. */
const char *train_interval_method_name(TrainIntervalMethod method);

/* The intervals of one TrainMetrics. */
typedef struct TrainIntervals {
    TrainInterval of[TRAIN_METRIC_NAMES]; /* by TrainMetric */
    TrainIntervalMethod auroc;            /* how of[TRAIN_AUROC] was found */
    TrainIntervalMethod others;           /* and all others */
} TrainIntervals;

/* No interval at all: every end NaN. */
TrainIntervals train_intervals_none(void);

/* One metric of two score files. */
typedef struct TrainDifference {
    double a, b;
    double difference;      /* a - b */
    TrainInterval interval; /* 95 %, of the difference */
    double p;               /* two-sided, of "no difference"; NaN if undefined */
    TrainIntervalMethod method;
} TrainDifference;

#endif
