#!/usr/bin/env python3
"""Writes learn_pareto.json: hypervolumes, non-dominated fronts and crowding distances from pymoo.

    pip install pymoo==0.6.2
    tests/goldens/learn_pareto.py > tests/goldens/learn_pareto.json
"""

import json

import numpy
import pymoo
from pymoo.indicators.hv import HV
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting


def case(random, count, coordinates, spread):
    points = random.uniform(0.0, 1.0, (count, coordinates))
    if spread == "front":
        # Close to a sphere about the reference point, so that most points are on the front.
        away = 1.1 - points
        points = 1.1 - away / numpy.linalg.norm(away, axis=1, keepdims=True) * (0.9 + 0.1 * points[:, :1])
    points = numpy.round(points, 3)
    reference = numpy.full(coordinates, 0.9)
    fronts = [sorted(map(int, front)) for front in NonDominatedSorting().do(points)]
    crowding = {}
    for front in fronts:
        distances = calc_crowding_distance(points[front])
        crowding.update({index: (None if numpy.isinf(d) else float(d) * coordinates) for index, d in zip(front, distances)})
    new = numpy.round(random.uniform(0.2, 0.6, coordinates), 3)
    hv = HV(ref_point=reference)
    return {
        "points": points.tolist(),
        "reference": reference.tolist(),
        "hypervolume": float(hv(points)),
        "fronts": fronts,
        "crowding": [crowding[index] for index in range(count)],
        "new": new.tolist(),
        "with_new": float(hv(numpy.vstack([points, new]))),
    }


def main():
    random = numpy.random.default_rng(11)
    shapes = [(count, coordinates, spread) for coordinates in (2, 3) for count in (1, 2, 7, 30) for spread in ("cube", "front")]
    cases = [case(random, *shape) for shape in shapes]
    print('{"origin": "pymoo %s, tests/goldens/learn_pareto.py", "cases": [' % pymoo.__version__)
    print(",\n".join(map(json.dumps, cases)))
    print("]}")


if __name__ == "__main__":
    main()
