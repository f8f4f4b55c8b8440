"""Writes learn_ridge.json: scikit-learn's BayesianRidge behind its StandardScaler, on matrices of several shapes.

Needs scikit-learn 1.9.1 and numpy 2.4.6. Run: python learn_ridge.py > learn_ridge.json
"""

import json
import sys

import numpy
import sklearn
from sklearn.linear_model import BayesianRidge
from sklearn.preprocessing import StandardScaler

rng = numpy.random.default_rng(20261124)


def case(name, x, y, x_new):
    scaler = StandardScaler().fit(x)
    model = BayesianRidge(max_iter=300, tol=1e-3).fit(scaler.transform(x), y)
    mean, std = model.predict(scaler.transform(x_new), return_std=True)
    return dict(
        name=name, x=x.tolist(), y=y.tolist(), x_new=x_new.tolist(), mean=mean.tolist(), std=std.tolist(),
        alpha=float(model.alpha_), lambda_=float(model.lambda_), iterations=int(model.n_iter_),
    )


def counts(n, p):
    """Few groups a row, as in molecules."""
    return rng.poisson(1.5 / numpy.sqrt(numpy.arange(1, p + 1)), (n, p)).astype(float)


def random_case(name, n, p, noise):
    x, x_new, weights = counts(n, p), counts(7, p), rng.normal(0, 0.3, p)
    return case(name, x, x @ weights - 2 + rng.normal(0, noise, n), x_new)


def with_constant_column():
    x, x_new = counts(20, 5), counts(7, 5)
    x[:, 2] = 3
    x_new[:, 2] = [3, 3, 3, 3, 0, 1, 2]
    return case("constant column", x, x @ rng.normal(0, 0.3, 5) + rng.normal(0, 0.05, 20), x_new)


def with_equal_columns():
    x, x_new = counts(30, 6), counts(7, 6)
    x[:, 4] = x[:, 1]
    return case("equal columns", x, x @ rng.normal(0, 0.3, 6) + rng.normal(0, 0.05, 30), x_new)


json.dump(
    dict(
        origin=f"scikit-learn {sklearn.__version__}, numpy {numpy.__version__}, learn_ridge.py",
        cases=[
            random_case("one row, one column", 1, 1, 0.1),
            random_case("one row, four columns", 1, 4, 0.1),
            random_case("one column", 12, 1, 0.1),
            random_case("tall", 60, 12, 0.05),
            random_case("tall, nearly exact", 60, 12, 1e-5),
            random_case("square", 15, 15, 0.05),
            random_case("wide", 10, 40, 0.05),
            with_constant_column(),
            with_equal_columns(),
            case("equal values", counts(10, 4), numpy.full(10, -1.3), counts(7, 4)),
            case("real numbers", rng.normal(1e3, 1, (25, 4)), rng.normal(-4, 1, 25), rng.normal(1e3, 1, (7, 4))),
        ],
    ),
    sys.stdout,
)
