/*
 * test_coverage.c - how often a 95 % interval holds the truth, over simulated data sets.
 *
 * A frame scores label x delta + sqrt(ICC) u + sqrt(1 - ICC) e, with u shared by its video and all
 * of them standard normal: so the true AUROCs of videos and of frames are known in closed form. A
 * few hundred data sets in the ordinary run; $LNCLIP_COVERAGE_SETS=2000 prints the table of
 * docs/metrics.md (tests/check_long_coverage.sh).
 */
#include "tests/support.h"

#include "tensor/random.h"
#include "train/metrics/bootstrap.h"
#include "train/metrics/delong.h"
#include "train/metrics/uncertainty.h"

#include <math.h>
#include <stdio.h>

static const double icc = 0.7;
enum { FRAMES = 10, MOST_VIDEOS = 600 };

/*
 * A regime: true AUROC over videos, real and fake videos. `judged`: 93 to 97 % is promised here. An
 * AUROC of 0 stands for data sets of all kinds: AUROC uniform in 0.7 to 0.97, 30 to 300 videos of
 * each class.
 */
typedef struct Regime {
    double auroc;
    int real, fake;
    bool judged;
} Regime;

typedef struct Data {
    int videos, rows;
    double scores[MOST_VIDEOS * FRAMES], means[MOST_VIDEOS];
    uint8_t labels[MOST_VIDEOS * FRAMES], video_labels[MOST_VIDEOS];
    uint32_t video[MOST_VIDEOS * FRAMES];
} Data;

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0));
}

/* The inverse, by bisection: exact enough, and no table of constants. */
static double normal_quantile(double p)
{
    double low = -10, high = 10;
    for (int i = 0; i < 80; i++) {
        const double middle = 0.5 * (low + high);
        *(normal_cdf(middle) < p ? &low : &high) = middle;
    }
    return low;
}

/* The distance of the classes that gives `auroc` to the means of FRAMES frames. */
static double class_distance(double auroc)
{
    return normal_quantile(auroc) * sqrt(2 * (icc + (1 - icc) / FRAMES));
}

/* The regime of one data set. */
static Regime pick(const Regime *regime, uint32_t number)
{
    if (regime->auroc > 0)
        return *regime;
    Random random = random_stream(1, RANDOM_TEST, number, 1);
    return (Regime){.auroc = 0.7 + 0.27 * random_uniform(&random),
                    .real = (int)(30 * pow(10, random_uniform(&random))),
                    .fake = (int)(30 * pow(10, random_uniform(&random)))};
}

static void simulate(const Regime *regime, uint32_t number, Data *data)
{
    Random random = random_stream(1, RANDOM_TEST, number, 0);
    const double delta = class_distance(regime->auroc);
    data->videos = regime->real + regime->fake;
    data->rows = 0;
    for (int v = 0; v < data->videos; v++) {
        const uint8_t label = v >= regime->real;
        const double own = label * delta + sqrt(icc) * random_normal(&random);
        data->means[v] = 0;
        data->video_labels[v] = label;
        for (int f = 0; f < FRAMES; f++) {
            const double score = own + sqrt(1 - icc) * random_normal(&random);
            data->scores[data->rows] = score;
            data->labels[data->rows] = label;
            data->video[data->rows++] = (uint32_t)v;
            data->means[v] += score / FRAMES;
        }
    }
}

static MetricsInterval delong_interval(const double *scores, const uint8_t *labels, int n)
{
    static double placements[MOST_VIDEOS * FRAMES];
    Error error = {0};
    ck_ok(metrics_placements(scores, labels, (size_t)n, placements, &error), &error);
    const MetricsDelong delong = metrics_delong(placements, labels, (size_t)n);
    return metrics_delong_interval(&delong);
}

static MetricsInterval bootstrap_interval(const Data *data, Threads *threads, uint32_t number)
{
    enum { RESAMPLES = 1000 };
    static double values[METRICS_NAMES * RESAMPLES];
    MetricsSample *sample = NULL;
    Error error = {0};
    ck_ok(metrics_sample_create(&sample, data->scores, NULL, data->labels, data->video,
                                (size_t)data->rows, &error),
          &error);
    const MetricsSample *const samples[] = {sample};
    const MetricsClusters clusters = {(uint32_t)data->videos, data->video_labels, false};
    char name[16];
    snprintf(name, sizeof name, "%lu", (unsigned long)number);
    const MetricsDraw draw = {RESAMPLES, 0, name, threads};
    ck_ok(metrics_bootstrap(samples, 1, &clusters, &draw, values, &error), &error);
    metrics_sample_free(sample);
    Metrics metrics;
    ck_ok(metrics_compute(data->scores, data->labels, (size_t)data->rows, &metrics, &error),
          &error);
    size_t clusters_of[2] = {0, 0};
    for (int v = 0; v < data->videos; v++)
        clusters_of[data->video_labels[v]]++;
    return metrics_logit_interval(metrics.auroc, values + METRICS_AUROC * RESAMPLES, RESAMPLES,
                                  clusters_of);
}

static int holds(MetricsInterval interval, double truth)
{
    return interval.lower <= truth && truth <= interval.upper;
}

/* Shares of the data sets whose interval holds the truth. */
typedef struct Coverage {
    double videos, frames, naive;
} Coverage;

static Coverage cover(const Regime *regime, int sets, int frame_sets, Threads *threads)
{
    static Data data;
    int videos = 0, frames = 0, naive = 0;
    for (int i = 0; i < sets; i++) {
        const Regime one = pick(regime, (uint32_t)i);
        const double frame_auroc = normal_cdf(class_distance(one.auroc) / sqrt(2.0));
        simulate(&one, (uint32_t)i, &data);
        videos += holds(delong_interval(data.means, data.video_labels, data.videos), one.auroc);
        naive += holds(delong_interval(data.scores, data.labels, data.rows), frame_auroc);
        if (i < frame_sets)
            frames += holds(bootstrap_interval(&data, threads, (uint32_t)i), frame_auroc);
    }
    return (Coverage){(double)videos / sets, frame_sets > 0 ? (double)frames / frame_sets : NAN,
                      (double)naive / sets};
}

static const Regime regimes[] = {
    {0, 0, 0, true},        {0.70, 30, 30, true},    {0.80, 30, 30, true},
    {0.90, 30, 30, true},   {0.95, 30, 30, true},    {0.97, 30, 30, true},
    {0.70, 100, 100, true}, {0.90, 100, 100, true},  {0.97, 100, 100, true},
    {0.70, 30, 300, true},  {0.90, 30, 300, false},  {0.97, 30, 300, false},
    {0.97, 300, 30, false}, {0.90, 10, 10, false},   {0.97, 10, 10, false},
    {0.99, 30, 30, false},  {0.99, 100, 100, false}, {0.999, 100, 100, false},
};

START_TEST(intervals_hold_the_truth)
{
    const char *const wanted = getenv("LNCLIP_COVERAGE_SETS");
    const char *const frames_wanted = getenv("LNCLIP_COVERAGE_FRAME_SETS");
    const int sets = wanted ? atoi(wanted) : 150;
    const int frame_sets = frames_wanted ? atoi(frames_wanted) : wanted ? sets : 8;
    const double slack = 4 * sqrt(0.05 * 0.95 / sets); /* of chance, in the ordinary run */
    Threads *threads = NULL;
    Error error = {0};
    ck_ok(threads_create(&threads, 0, &error), &error);
    printf("mixed: AUROC 0.7 to 0.97, 30 to 300 videos of each class\nAUROC  real fake  videos: "
           "DeLong  frames: bootstrap  frames: DeLong (wrong)\n");
    for (size_t r = 0; r < sizeof regimes / sizeof regimes[0]; r++) {
        const Regime *const regime = &regimes[r];
        const Coverage found = cover(regime, sets, frame_sets, threads);
        if (regime->auroc > 0)
            printf("%.3f  %4d %4d", regime->auroc, regime->real, regime->fake);
        else
            printf("mixed, see above");
        printf("  %14.4f  %17.4f  %22.4f\n", found.videos, found.frames, found.naive);
        fflush(stdout);
        if (regime->judged)
            ck_assert_msg(found.videos >= 0.93 - (wanted ? 0 : slack) &&
                              found.videos <= 0.97 + (wanted ? 0 : slack),
                          "AUROC %g of %d and %d videos: %g", regime->auroc, regime->real,
                          regime->fake, found.videos);
    }
    threads_destroy(threads);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("coverage");
    tcase_add_test(support_case(suite, "coverage", 36000), intervals_hold_the_truth);
    return support_main(suite);
}
