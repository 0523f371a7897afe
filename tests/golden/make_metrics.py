#!/usr/bin/python3
"""Expected metrics of 1,000 random score files, by scikit-learn: writes metrics.txt beside itself.

The score files themselves are not stored: tests/test_metrics.c draws the same ones from the same
integers. `scores_of_case` here and `make_case` there must stay equal, line by line.

scikit-learn knows no equal error rate; it is computed here from its roc_curve in exact fractions. Nor does it know
the expected calibration error: NumPy sums it up in bins. nan: undefined, for scores that are no probabilities.
"""
import os
from fractions import Fraction

import numpy as np
from sklearn import metrics as sk

from splitmix import SplitMix

CASES = 1000


SIZES = [10, 100, 600, 2000]
FAKES_IN_1000 = [500, 100, 900, 10, 990]
LEVELS = [2, 3, 10, 100, 5000, 1 << 40, 1]
SCALES = [1.0, 1.0, 1.0, 2.0 ** -55, -40.0, 1e300]


def scores_of_case(case):
    random = SplitMix(case)
    n = 2 + random.next() % SIZES[case % 4]
    fakes = FAKES_IN_1000[case // 4 % 5]
    levels = LEVELS[case // 20 % 7]
    scale = SCALES[case // 140 % 6]
    favoured = random.next() % 3  # 0: real scores higher, 1: fake scores higher, 2: neither
    labels, scores = [], []
    for i in range(n):
        label = i if i < 2 else int(random.next() % 1000 < fakes)
        level = random.next() % levels
        other = random.next() % levels
        if label == favoured:
            level = max(level, other)
        labels.append(label)
        scores.append(level / levels * scale)
    return np.array(labels), np.array(scores)


def equal_error(labels, scores):
    """EER and its threshold: see metrics.h."""
    fpr, tpr, thresholds = sk.roc_curve(labels, scores, drop_intermediate=False)
    n_real, n_fake = int((labels == 0).sum()), int((labels == 1).sum())
    fpr = [Fraction(round(x * n_real), n_real) for x in fpr]
    tpr = [Fraction(round(x * n_fake), n_fake) for x in tpr]
    distinct = [float(x) for x in thresholds[1:]]  # the first one stands for "above all"

    def threshold(i):
        if i == 0:
            return distinct[0]
        if i == len(distinct):
            return distinct[-1]
        return 0.5 * distinct[i - 1] + 0.5 * distinct[i]

    b = next(i for i in range(len(fpr)) if fpr[i] + tpr[i] >= 1)
    a = b - 1
    before, after = fpr[a] + tpr[a] - 1, fpr[b] + tpr[b] - 1
    t = -before / (after - before)
    nearest = b if after < -before else a
    return float(fpr[a] + t * (fpr[b] - fpr[a])), threshold(nearest)


def tpr_at(labels, scores, x):
    fpr, tpr, _ = sk.roc_curve(labels, scores)
    return float(np.interp(x, fpr, tpr))  # takes the last of equal fpr: the highest tpr


def decisions(labels, scores, threshold):
    fake = (scores > threshold).astype(int)
    return [sk.accuracy_score(labels, fake), sk.balanced_accuracy_score(labels, fake),
            sk.f1_score(labels, fake, average="macro", zero_division=0)]


def calibration(labels, scores):
    """Brier score, log loss, expected calibration error in 15 bins of equal width."""
    if scores.min() < 0 or scores.max() > 1:
        return [float("nan")] * 3
    bins = np.minimum((scores * 15).astype(int), 14)
    gaps = [abs(float(np.sum(scores[bins == b])) - int(np.sum(labels[bins == b]))) for b in range(15)]
    return [sk.brier_score_loss(labels, scores), sk.log_loss(labels, scores), sum(gaps) / len(labels)]


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.txt")
    with open(path, "w") as out:
        for case in range(CASES):
            labels, scores = scores_of_case(case)
            ap = sk.average_precision_score(labels, scores)
            ap_real = sk.average_precision_score(1 - labels, 1 - scores)
            eer, threshold = equal_error(labels, scores)
            row = [sk.roc_auc_score(labels, scores), ap, (ap + ap_real) / 2, eer, threshold]
            row += decisions(labels, scores, 0.5) + decisions(labels, scores, threshold)
            row += [tpr_at(labels, scores, x) for x in (0.001, 0.01, 0.05)]
            row += [sk.roc_auc_score(labels, scores, max_fpr=0.1)] + calibration(labels, scores)
            out.write(" ".join("%.15g" % float(x) for x in row) + "\n")


main()
