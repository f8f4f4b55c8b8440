"""Writes learn_dqn.json: 20 steps of Adam on the pseudo-Huber loss of a small perceptron, by JAX and Optax.

Needs jax 0.10.2 and optax 0.2.8. Run: python learn_dqn.py > learn_dqn.json
"""

import json
import sys

import jax
import jax.numpy as jnp
import numpy
import optax

WIDTHS, BATCH, STEPS, RATE = [12, 8, 5, 1], 6, 20, 0.01

rng = numpy.random.default_rng(20261124)
parameters = []
for inputs, outputs in zip(WIDTHS, WIDTHS[1:]):
    parameters += [rng.normal(0, 0.5, (inputs, outputs)), rng.normal(0, 0.1, outputs)]
start = [p.astype(numpy.float32) for p in parameters]
observations = (rng.random((BATCH, WIDTHS[0])) < 0.3).astype(numpy.float32)
observations[2] = 0
targets = rng.normal(0, 3, BATCH).astype(numpy.float32)


def forward(parameters, x):
    for i in range(0, len(parameters), 2):
        x = (x if i == 0 else jax.nn.relu(x)) @ parameters[i] + parameters[i + 1]
    return x[:, 0]


def loss(parameters):
    error = forward(parameters, observations) - targets
    return jnp.mean(jnp.sqrt(1 + error**2) - 1)


optimiser = optax.adam(RATE)
parameters = [jnp.asarray(p) for p in start]
state, losses = optimiser.init(parameters), []
for _ in range(STEPS):
    value, gradient = jax.value_and_grad(loss)(parameters)
    updates, state = optimiser.update(gradient, state)
    parameters = optax.apply_updates(parameters, updates)
    losses.append(float(value))

json.dump(
    dict(
        origin=f"jax {jax.__version__}, optax {optax.__version__}, learn_dqn.py",
        learning_rate=RATE,
        shapes=[list(p.shape) for p in start],
        parameters=[p.ravel().tolist() for p in start],
        observations=[numpy.flatnonzero(row).tolist() for row in observations],
        targets=targets.tolist(),
        values=forward(start, observations).tolist(),
        losses=losses,
        values_after=forward(parameters, observations).tolist(),
    ),
    sys.stdout,
)
