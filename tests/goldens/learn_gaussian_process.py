"""Writes learn_gaussian_process.json: scikit-learn's GaussianProcessRegressor with kernels given as matrices.

The covariance is w0 K0 + w1 K1 + 100 + noise: K0 the Tanimoto kernel of counts (sum of the smaller divided by sum of the
larger ones), K1 a linear kernel. The optimum is that of SciPy's Nelder-Mead on scikit-learn's log marginal likelihood,
with normal priors on the logarithms: weights N(0, 1.5), noise N(-5, 2).
Needs scikit-learn 1.9.1, scipy 1.17.1 and numpy 2.4.6. Run: python learn_gaussian_process.py > learn_gaussian_process.json
"""

import json
import sys

import numpy
import scipy
import sklearn
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel

rng = numpy.random.default_rng(20261127)


class Given(Kernel):
    """A kernel of rows by a function without parameters."""

    def __init__(self, function):
        self.function = function

    def __call__(self, x, y=None, eval_gradient=False):
        k = self.function(x, x if y is None else y)
        return (k, numpy.empty((*k.shape, 0))) if eval_gradient else k

    def diag(self, x):
        return numpy.array([self.function(row[None], row[None])[0, 0] for row in x])

    def is_stationary(self):
        return False


def tanimoto(x, y):
    smaller = numpy.minimum(x[:, None], y[None]).sum(-1)
    larger = numpy.maximum(x[:, None], y[None]).sum(-1)
    return numpy.where(larger == 0, 1, smaller / numpy.where(larger == 0, 1, larger))


def linear(x, y):
    return x @ y.T / 81


def kernel(theta):
    weights = [ConstantKernel(numpy.exp(t), (1e-9, 1e9)) for t in theta[:2]]
    return weights[0] * Given(tanimoto) + weights[1] * Given(linear) + ConstantKernel(100, "fixed")


def regressor(theta, x, z):
    noise = numpy.exp(theta[2]) + 1e-6
    return GaussianProcessRegressor(kernel(theta), alpha=noise, optimizer=None).fit(x, z)


def case(name, x, y, x_new):
    z = (y - y.mean()) / (y.std() if y.std() > 1e-12 else 1)
    scale = y.std() if y.std() > 1e-12 else 1

    def cost(theta):
        prior = 0.5 * (theta[0] / 1.5) ** 2 + 0.5 * (theta[1] / 1.5) ** 2 + 0.5 * ((theta[2] + 5) / 2) ** 2
        return prior - regressor(theta, x, z).log_marginal_likelihood_value_

    # The posterior can have several maxima; the best of several starts is the optimum.
    starts = ([0.0, 0.0, -5.0], [1.0, -1.0, -3.0])
    options = dict(xatol=1e-7, fatol=1e-10, maxiter=4000)
    best = min((minimize(cost, start, method="Nelder-Mead", options=options) for start in starts), key=lambda r: r.fun)
    given = numpy.array([0.3, -0.7, -3.0])
    at_given = regressor(given, x, z)
    mean, covariance = at_given.predict(x_new, return_cov=True)
    return dict(
        name=name, x=x.astype(int).tolist(), y=y.tolist(), x_new=x_new.astype(int).tolist(), given=given.tolist(),
        log_likelihood=float(at_given.log_marginal_likelihood_value_),
        mean=(y.mean() + scale * mean).tolist(),
        std=(scale * numpy.sqrt(numpy.diag(covariance) + numpy.exp(given[2]) + 1e-6)).tolist(),
        covariance=(scale**2 * covariance).tolist(), optimum=best.x.tolist(), cost=float(best.fun),
    )


def counts(n, p):
    return rng.poisson(1.5 / numpy.sqrt(numpy.arange(1, p + 1)), (n, p)).astype(float)


def random_case(name, n, p, noise):
    x, x_new, weights = counts(n, p), counts(5, p), rng.normal(0, 0.3, p)
    return case(name, x, x @ weights - 2 + rng.normal(0, noise, n), x_new)


json.dump(
    dict(
        origin=f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, numpy {numpy.__version__}, learn_gaussian_process.py",
        cases=[
            random_case("one row", 1, 4, 0.1),
            random_case("few rows", 6, 8, 0.1),
            random_case("many rows", 40, 12, 0.05),
            random_case("noise", 30, 8, 1.0),
            case("equal values", counts(8, 4), numpy.full(8, -1.3), counts(5, 4)),
            case("unseen key", counts(12, 5) * [1, 1, 1, 1, 0], rng.normal(-4, 1, 12), counts(5, 5)),
        ],
    ),
    sys.stdout,
)
