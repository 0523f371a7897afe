#!/usr/bin/python3
"""check_long_metrics.py LNCLIP FILES SEED - see check_long_metrics.sh.

Every file: a random number of videos and frames, class ratio down to 1 : 99, ties from none to all, scores that
are probabilities or not. Expected values are scikit-learn's where it has the metric; the equal error rate, the
calibration error and DeLong's method are written here by their definitions, pair by pair.
"""
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
from scipy import stats
from sklearn import metrics as sk

TOLERANCE = 1e-10


def draw(random):
    """Rows of one file: (video, label, score), two scores a row."""
    videos = int(random.choice([2, 4, 10, 40, 150]))
    ratio = float(random.choice([0.5, 0.1, 0.9, 0.01, 0.99]))
    levels = int(random.choice([1, 2, 5, 50, 0, 0]))
    scale = random.choice([1.0, 1.0, 1.0, -30.0, 1e-12])
    rows = []
    for video in range(videos):
        label = video % 2 if video < 2 else int(random.random() < ratio)
        own = random.normal() + label
        for _ in range(int(random.integers(1, 9))):
            pair = []
            for noise in (0.5, 1.5):
                p = 1 / (1 + math.exp(-own - noise * random.normal()))
                if levels:
                    p = round(p * levels) / levels
                pair.append(p * scale)
            rows.append((video, label, pair))
    order = random.permutation(len(rows))
    return [rows[i] for i in order]


def write(path, rows, which):
    with open(path, "w") as out:
        out.write("files,labels,prob_class_0,prob_class_1,dataset,video\n")
        for i, (video, label, pair) in enumerate(rows):
            kind = "swap%d" % (video % 3) if label else "real"
            out.write("r/%s/%d/%d.png,%d,%r,%r,X,v%d\n" % (kind, video, i, label, 1 - pair[which], pair[which], video))


def equal_error(labels, scores):
    fpr, tpr, thresholds = sk.roc_curve(labels, scores, drop_intermediate=False)
    gap = fpr + tpr - 1
    b = int(np.argmax(gap >= -1e-15))
    t = -gap[b - 1] / (gap[b] - gap[b - 1])
    nearest = b if gap[b] < -gap[b - 1] - 1e-15 else b - 1
    distinct = thresholds[1:]
    if nearest == 0:
        threshold = distinct[0]
    elif nearest == len(distinct):
        threshold = distinct[-1]
    else:
        threshold = 0.5 * distinct[nearest - 1] + 0.5 * distinct[nearest]
        if threshold >= distinct[nearest - 1]:  # neighbouring doubles: their middle rounds up
            threshold = distinct[nearest]
    return fpr[b - 1] + t * (fpr[b] - fpr[b - 1]), threshold


def decisions(labels, scores, threshold, suffix):
    fake = (scores > threshold).astype(int)
    return {"accuracy" + suffix: sk.accuracy_score(labels, fake),
            "balanced_accuracy" + suffix: sk.balanced_accuracy_score(labels, fake),
            "f1_macro" + suffix: sk.f1_score(labels, fake, average="macro", zero_division=0)}


def expected_metrics(labels, scores):
    ap = sk.average_precision_score(labels, scores)
    eer, threshold = equal_error(labels, scores)
    fpr, tpr, _ = sk.roc_curve(labels, scores)
    found = {"n_real": int((labels == 0).sum()), "n_fake": int(labels.sum()),
             "auroc": sk.roc_auc_score(labels, scores), "ap": ap,
             "map": (ap + sk.average_precision_score(1 - labels, 1 - scores)) / 2,
             "eer": eer, "eer_threshold": threshold,
             "partial_auroc_fpr_0.1": sk.roc_auc_score(labels, scores, max_fpr=0.1)}
    found.update(decisions(labels, scores, 0.5, ""))
    found.update(decisions(labels, scores, threshold, "_at_eer"))
    for x in (0.001, 0.01, 0.05):
        found["tpr_at_fpr_%g" % x] = float(np.interp(x, fpr, tpr))
    if scores.min() >= 0 and scores.max() <= 1:
        bins = np.minimum((scores * 15).astype(int), 14)
        found["brier"] = sk.brier_score_loss(labels, scores)
        found["log_loss"] = sk.log_loss(labels, scores)
        found["ece"] = sum(abs(scores[bins == b].sum() - labels[bins == b].sum()) for b in range(15)) / len(labels)
    else:
        found.update(brier=None, log_loss=None, ece=None)
    return found


def placements(labels, scores):
    fake, real = scores[labels == 1], scores[labels == 0]
    pairs = (fake[:, None] > real[None, :]) + 0.5 * (fake[:, None] == real[None, :])
    return pairs.mean(1), pairs.mean(0)


def delong(labels, *scores):
    """AUROCs and their covariance matrix."""
    both = [placements(labels, s) for s in scores]
    fake, real = np.array([b[0] for b in both]), np.array([b[1] for b in both])
    covariance = np.atleast_2d(np.cov(fake)) / fake.shape[1] + np.atleast_2d(np.cov(real)) / real.shape[1]
    return fake.mean(1), covariance


def logit_interval(auroc, variance):
    logit, reach = math.log(auroc / (1 - auroc)), stats.norm.ppf(0.975) * math.sqrt(variance) / (auroc * (1 - auroc))
    return [float(1 / (1 + math.exp(-x))) for x in (logit - reach, logit + reach)]


class Check:
    def __init__(self):
        self.compared, self.worst, self.failures = 0, 0.0, 0

    def value(self, where, found, wanted):
        self.compared += 1
        if wanted is None or found is None:
            good, error = found is wanted, 0.0
        else:
            error = abs(found - wanted) / max(1, abs(wanted))
            good = error <= TOLERANCE
        self.worst = max(self.worst, error if good else 0)
        if not good:
            self.failures += 1
            print("FAIL %s: %r, expected %r" % (where, found, wanted))

    def level(self, where, found, labels, scores):
        for key, wanted in expected_metrics(labels, scores).items():
            self.value(where + " " + key, found[key], wanted)


def by_video(rows, which, middle):
    frames = {}
    for video, label, pair in rows:
        frames.setdefault(video, (label, []))[1].append(pair[which])
    labels = np.array([label for label, _ in frames.values()])
    return labels, np.array([middle(scores) for _, scores in frames.values()])


def in_order(scores):
    total = 0.0
    for score in scores:
        total += score
    return total / len(scores)


def middle_one(scores):
    ordered = sorted(scores)
    n = len(ordered)
    return ordered[n // 2] if n % 2 else 0.5 * ordered[n // 2 - 1] + 0.5 * ordered[n // 2]


def auc(program, *arguments):
    output = subprocess.run([program, "auc", "--json", "--resamples", "100", "--quiet", *arguments],
                            check=True, capture_output=True).stdout
    return json.loads(output)["X"]


def check_file(check, number, program, rows, folder):
    paths = [os.path.join(folder, name) for name in ("a.csv", "b.csv")]
    for which, path in enumerate(paths):
        write(path, rows, which)
    found = auc(program, paths[0])
    where = "file %d" % number
    labels, scores = np.array([r[1] for r in rows]), np.array([r[2][0] for r in rows])
    check.level(where + " frame", found["frame"], labels, scores)
    video_labels, means = by_video(rows, 0, in_order)
    check.level(where + " video", found["video"], video_labels, means)
    check.level(where + " median", found["video_median"], *by_video(rows, 0, middle_one))
    for name, source in found["sources"].items():
        chosen = [r for r in rows if not r[1] or "swap%d" % (r[0] % 3) == name]
        check.level("%s %s frame" % (where, name), source["frame"], np.array([r[1] for r in chosen]),
                    np.array([r[2][0] for r in chosen]))
        check.level("%s %s video" % (where, name), source["video"], *by_video(chosen, 0, in_order))
    if min(video_labels.sum(), (1 - video_labels).sum()) < 2:
        return
    others = by_video(rows, 1, in_order)[1]
    auroc, covariance = delong(video_labels, means, others)
    if 0 < auroc[0] < 1:
        for got, wanted in zip(found["video"]["auroc_ci95"], logit_interval(auroc[0], covariance[0, 0])):
            check.value(where + " DeLong", got, wanted)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance > 1e-20:
        pair = auc(program, *paths)["video"]["auroc"]
        check.value(where + " difference", pair["difference"], auroc[1] - auroc[0])
        check.value(where + " p", pair["p"], 2 * stats.norm.sf(abs(auroc[1] - auroc[0]) / math.sqrt(variance)))


def main():
    program, files, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    check = Check()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(files):
            check_file(check, number, program, draw(np.random.default_rng([seed, number])), folder)
    print("%d files, %d values compared, largest error %.2g, %d failures"
          % (files, check.compared, check.worst, check.failures))
    sys.exit(1 if check.failures else 0)


main()
