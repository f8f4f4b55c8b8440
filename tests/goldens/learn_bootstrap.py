"""Writes learn_bootstrap.json: an ensemble of scikit-learn's BayesianRidge behind its StandardScaler on bootstrap samples,
and the factor of its standard deviations from the errors of rows that members have not seen.

Needs scikit-learn 1.9.1, scipy 1.17.1 and numpy 2.4.6. Run: python learn_bootstrap.py > learn_bootstrap.json
"""

import hashlib
import json
import sys

import numpy
import scipy
import sklearn
from scipy.stats import norm, poisson
from sklearn.linear_model import BayesianRidge
from sklearn.preprocessing import StandardScaler

rng = numpy.random.default_rng(20261128)


def weight(row, member):
    first = int.from_bytes(hashlib.sha256(f"{row}/{member}".encode()).digest()[:8], "big")
    return int(poisson.ppf((first >> 11) / 2**53, 1))


def together(means, stds):
    """Over the members, which are the first axis."""
    return means.mean(0), numpy.sqrt((stds**2).mean(0) + means.var(0))


def case(name, x, y, x_new, members):
    weights = numpy.array([[weight(row, member) for member in range(members)] for row in range(len(y))])
    models, seen_all = [], []
    for w in weights.T:
        seen_all.append(w.sum() == 0)
        w = numpy.ones_like(w) if w.sum() == 0 else w
        sample, values = numpy.repeat(x, w, axis=0), numpy.repeat(y, w)
        scaler = StandardScaler().fit(sample)
        model = BayesianRidge(max_iter=300, tol=1e-3).fit(scaler.transform(sample), values)
        models.append(lambda rows, scaler=scaler, model=model: model.predict(scaler.transform(rows), return_std=True))
    errors = []
    for row, w in enumerate(weights):
        unseen = [models[m](x[row : row + 1]) for m in range(members) if w[m] == 0 and not seen_all[m]]
        if unseen:
            mean, std = together(*(numpy.array(part)[:, 0] for part in zip(*unseen)))
            errors.append(abs(y[row] - mean) / std)
    errors = numpy.sort(errors)
    quantile = lambda q: errors[int(q * (len(errors) - 1) + 0.5)]
    factor = 0.5 * (quantile(0.5) / norm.ppf(0.75) + quantile(0.9) / norm.ppf(0.95))
    factor = (len(errors) * factor + 3) / (len(errors) + 3)
    means, stds = (numpy.array(part) for part in zip(*(model(x_new) for model in models)))
    mean, std = together(means, stds)
    return dict(
        name=name, x=x.tolist(), y=y.tolist(), x_new=x_new.tolist(), members=members,
        calibration=factor, mean=mean.tolist(), std=(std * factor).tolist(),
        covariance=(numpy.cov(means.T, bias=True) * factor**2).tolist(),
    )


def counts(n, p):
    return rng.poisson(1.5 / numpy.sqrt(numpy.arange(1, p + 1)), (n, p)).astype(float)


def random_case(name, n, p, noise, members):
    x, x_new, weights = counts(n, p), counts(7, p), rng.normal(0, 0.3, p)
    return case(name, x, x @ weights - 2 + rng.normal(0, noise, n), x_new, members)


json.dump(
    dict(
        origin=f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, numpy {numpy.__version__}, learn_bootstrap.py",
        cases=[
            random_case("few rows", 4, 2, 0.1, 12),
            random_case("tall", 60, 12, 0.05, 20),
            random_case("wide", 12, 30, 0.05, 5),
        ],
    ),
    sys.stdout,
)
