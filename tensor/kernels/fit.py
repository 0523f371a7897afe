#!/usr/bin/env python3
"""Fits the polynomials of elements_template.h and softmax_avx512.c; prints coefficients and largest relative errors.

Minimax by Lawson's algorithm: least squares on Chebyshev nodes, reweighted by the error until it
levels out. Needs numpy and scipy; run by hand, never by the build.
"""
import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erfcx

GELU_LIMIT, GELU_RATE = 15.0, 0.25


def minimax(function, weight, low, high, degree, rounds=80, nodes=4000):
    u = np.cos((np.arange(nodes) + 0.5) * np.pi / nodes)
    x = (high - low) / 2 * u + (high + low) / 2
    wanted, basis = function(x), chebyshev.chebvander(u, degree)
    lawson, best = np.ones(nodes) / nodes, (np.inf, None)
    for _ in range(rounds):
        scale = np.sqrt(lawson) * weight(x)
        fit = np.linalg.lstsq(basis * scale[:, None], wanted * scale, rcond=None)[0]
        error = np.abs(basis @ fit - wanted) * weight(x)
        best = min(best, (error.max(), fit), key=lambda pair: pair[0])
        lawson = lawson * error / (lawson * error).sum()
    power = chebyshev.Chebyshev(best[1], domain=[low, high]).convert(kind=np.polynomial.Polynomial)
    return best[0], power.coef


def show(name, result):
    print(name, "largest relative error %.1e" % result[0])
    for power, coefficient in enumerate(result[1]):
        print("    %d  %.9gf" % (power, coefficient))


# exp(r) = 1 + r + r^2 E(r) for |r| <= ln(2) / 2
half = np.log(2) / 2
show("E", minimax(lambda r: (np.expm1(r) - r) / r**2, lambda r: r**2 / np.exp(r), -half, half, 4))


# 2^r = 1 + r T(r) for 0 <= r < 1
def power(r):
    return np.expm1(r * np.log(2)) / r


show("T", minimax(power, lambda r: r / 2**r, 0, 1, 3))


# Phi(-a) = exp(-a^2 / 2) t Q(t), t = 1 / (1 + GELU_RATE a), for 0 <= a <= GELU_LIMIT
def tail(t):
    return erfcx((1 / t - 1) / GELU_RATE / np.sqrt(2)) / 2 / t


show("Q", minimax(tail, lambda t: 1 / tail(t), 1 / (1 + GELU_RATE * GELU_LIMIT), 1, 9))
