"""Writes learn_expected_hypervolume.json: expected hypervolume improvements of independent normal predictions.

The expectation is the integral of the probability to lie at or below a point over all points that the front does not
dominate: a sum over the cells of the grid through the front's coordinates of products of integrals of the distribution
function, which SciPy's `quad` computes. A sample of 200,000 points estimates the same by the definition.
Needs scipy 1.17.1 and numpy 2.4.6. Run: python learn_expected_hypervolume.py > learn_expected_hypervolume.json
"""

import itertools
import json
import sys

import numpy
import scipy
from scipy.integrate import quad
from scipy.stats import norm

rng = numpy.random.default_rng(20261127)


def cells(front, reference):
    """Lower and upper corners of the cells that the front does not dominate."""
    edges = [[-numpy.inf, *sorted({p for p in axis if p < r}), r] for axis, r in zip(front.T, reference)]
    for corner in itertools.product(*(zip(e, e[1:]) for e in edges)):
        low, high = numpy.array(corner).T
        if not any((p <= low).all() for p in front):
            yield low, high


def expectation(mean, std, front, reference):
    def length(axis, low, high):
        low = max(low, mean[axis] - 12 * std[axis])
        if high <= low:
            return 0.0
        middle = sorted({low, high, *(p for p in (mean[axis],) if low < p < high)})
        return sum(quad(norm(mean[axis], std[axis]).cdf, a, b, epsabs=1e-13)[0] for a, b in zip(middle, middle[1:]))

    return sum(numpy.prod([length(a, l, h) for a, (l, h) in enumerate(zip(*c))]) for c in cells(front, reference))


def sampled(mean, std, front, reference):
    y = rng.normal(mean, std, (200_000, len(mean)))
    added = numpy.zeros(len(y))
    for low, high in cells(front, reference):
        added += numpy.clip(high - numpy.maximum(y, low), 0, None).prod(axis=1)
    return added.mean(), added.std() / len(y) ** 0.5


def case(objectives, points):
    front = rng.uniform(0, 1, (points, objectives)).round(3)
    reference = numpy.full(objectives, 0.9)
    mean, std = rng.uniform(-0.2, 1.1, objectives).round(3), rng.uniform(0.05, 0.5, objectives).round(3)
    exact = expectation(mean, std, front, reference)
    estimate, error = sampled(mean, std, front, reference)
    assert abs(exact - estimate) < 5 * error + 1e-9, (exact, estimate, error)
    return dict(front=front.tolist(), reference=reference.tolist(), mean=mean.tolist(), std=std.tolist(), expected=exact)


json.dump(
    dict(
        origin=f"scipy {scipy.__version__}, numpy {numpy.__version__}, learn_expected_hypervolume.py",
        cases=[case(n, points) for n in (1, 2, 3) for points in (0, 1, 4, 8)],
    ),
    sys.stdout,
)
