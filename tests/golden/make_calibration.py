#!/usr/bin/python3
"""Temperatures by SciPy for tests/test_calibration.c: `case n temperature nll` a line.

Margins are made by splitmix64 on both sides. SciPy finds the root of the slope in log T with brentq, in a formulation
of its own (expit and logaddexp), so that agreement to many digits says something.
"""
import os

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from splitmix import SplitMix

CASES = 60


def margins_of_case(number):
    draw = SplitMix(number).next
    n = 20 + draw() % 2000
    scale = [1.0, 0.25, 12.0, 80.0][number % 4]
    gap = [0.5, 1.0, 2.0][number % 3]
    margins, labels = [], []
    for i in range(n):
        label = i if i < 2 else draw() % 3 % 2
        spread = (draw() % 65536 + draw() % 65536 + draw() % 65536) / 65536 - 1.5
        margins.append((spread + (gap / 2 if label else -gap / 2)) * scale)
        labels.append(label)
    margins[0], margins[1] = scale, -scale  # one of each class on the wrong side: a minimum exists
    return np.array(margins), np.array(labels)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "calibration.txt"), "w", encoding="ascii") as out:
        for number in range(CASES):
            margins, labels = margins_of_case(number)
            s = np.where(labels == 1, margins, -margins)
            log_t = brentq(lambda t: np.sum(-s * expit(-s * np.exp(-t))), np.log(0.01), np.log(100),
                           xtol=1e-15, rtol=1e-15)
            nll = np.mean(np.logaddexp(0, -s * np.exp(-log_t)))
            out.write(f"{number} {len(s)} {np.exp(log_t):.17g} {nll:.17g}\n")


main()
