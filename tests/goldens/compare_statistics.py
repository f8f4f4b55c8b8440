#!/usr/bin/env python3
"""Writes compare_statistics.json: curves, areas and confidence bands by numpy 2.4.6 and scipy 1.17.1.

    pip install numpy==2.4.6 scipy==1.17.1
    tests/goldens/compare_statistics.py > tests/goldens/compare_statistics.json
"""

import json

import numpy as np
from scipy import stats

TOP = 10


def curves(costs, evaluations, best, median):
    """Best, mean of the ten best and mean score of the ten best after each evaluation."""
    lowest, top_ten, score = [], [], []
    for n in range(1, evaluations + 1):
        known = np.sort([cost for cost in costs[:n] if cost is not None])[:TOP]
        lowest.append(known[0] if len(known) else None)
        top_ten.append(known.mean() if len(known) else None)
        scores = np.clip((median - known) / (median - best), 0, None)
        score.append(scores.mean() if len(known) else 0.0)
    return {"best": lowest, "top_ten": top_ten, "score": score, "area": float(np.mean(score))}


def estimate(values):
    mean, deviation = np.mean(values), np.std(values, ddof=1)
    low, high = stats.t.interval(0.95, len(values) - 1, mean, deviation / np.sqrt(len(values)))
    return {"values": list(values), "mean": mean, "low": low, "high": high, "deviation": deviation}


def main():
    random = np.random.default_rng(7)
    searches = []
    for length in (40, 25):
        costs = [None if random.random() < 0.2 else float(round(random.normal(), 6)) for _ in range(length)]
        costs[0] = None
        best, median = -3.0, 0.25
        searches.append({"costs": costs, "evaluations": 40, "best": best, "median": median,
                         "curves": curves(costs, 40, best, median)})
    estimates = [estimate(random.normal(size=n).round(6)) for n in (2, 3, 5, 10, 11, 12, 20, 50)]
    print(json.dumps({"searches": searches, "estimates": estimates}, indent=1))


if __name__ == "__main__":
    main()
