"""The compositional pattern-producing network: where a point of the picture lies becomes what grows there."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.demo_engine.palette import words_of
from engines.demo_engine.parameters import MODELS

Floats = NDArray[np.float32]

INPUTS = 9
HIDDEN = 20
OUTPUTS = 3

_MODEL_WORDS: dict[str, tuple[str, ...]] = {
    "loom-mandala": (
        "mandala",
        "kaleidoscope",
        "symmetric",
        "symmetry",
        "star",
        "snowflake",
        "geometric",
        "crystal",
        "temple",
    ),
    "loom-tide": ("sea", "ocean", "wave", "waves", "water", "river", "tide", "wind", "storm", "sky"),
    "loom-bloom": ("flower", "rose", "blossom", "bloom", "lotus", "petal", "petals", "garden", "peony", "orchid"),
    "loom-strata": (
        "mountain",
        "mountains",
        "desert",
        "canyon",
        "stone",
        "agate",
        "marble",
        "dune",
        "dunes",
        "forest",
        "landscape",
    ),
    "loom-silk": ("silk", "smoke", "fabric", "cloth", "velvet", "ribbon", "liquid", "abstract", "dream"),
}


@dataclass(frozen=True)
class Network:
    """Everything one picture is drawn from; made once, evaluated at any resolution."""

    model: str
    folds: int
    twist: float
    zoom: float
    warp: Floats
    layers: tuple[Floats, ...]
    biases: tuple[Floats, ...]


def rng_for(*parts: object) -> np.random.Generator:
    """A generator that depends on nothing but the parts, on every machine."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16])))


def choose_model(model: str, prompt: str, draw: np.random.Generator) -> str:
    """The asked model, or for loom-auto the first one that a word of the prompt speaks for, else a drawn one."""
    drawn = MODELS[1 + int(draw.integers(len(MODELS) - 1))]
    if model != "loom-auto":
        return model
    for word in words_of(prompt):
        for name, speaks_for in _MODEL_WORDS.items():
            if word in speaks_for:
                return name
    return drawn


def grow_network(model: str, prompt: str, negative_prompt: str, seed: int, cfg_scale: float) -> Network:
    """Weights from the seed, bent by cfg_scale towards the prompt's words and away from the negative ones."""
    base = rng_for("seed", seed)
    chosen = choose_model(model, prompt, base)
    shapes = ((INPUTS, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, OUTPUTS))
    pull = min(cfg_scale, 30.0) / 7.0
    layers = []
    for depth, (rows, columns) in enumerate(shapes):
        weights = base.standard_normal((rows, columns))
        for text, sign in ((prompt, 0.45), (negative_prompt, -0.35)):
            for word in words_of(text)[:60]:
                weights += (
                    sign * pull * rng_for("word", depth, word).standard_normal((rows, columns)) / np.sqrt(len(words_of(text)))
                )
        gain = (0.85, 0.95, 1.1)[depth] * (0.75 + 0.25 * pull)
        layers.append((weights * gain / (np.sqrt(rows) * np.sqrt(1 + 0.3 * pull * pull))).astype(np.float32))
    return Network(
        model=chosen,
        folds=int(base.integers(5, 13)) if chosen == "loom-mandala" else int(base.integers(4, 9)),
        twist=float(base.normal(0.0, 1.0)),
        zoom=float(base.uniform(0.85, 1.35)),
        warp=base.uniform(-1.0, 1.0, (3, 6)).astype(np.float32),
        layers=tuple(layers),
        biases=tuple((base.standard_normal(columns) * 0.6).astype(np.float32) for _, columns in shapes),
    )


def evaluate(network: Network, x: Floats, y: Floats) -> Floats:
    """(n,) coordinates, the short side spanning -1..1, to (OUTPUTS, n) smooth fields."""
    zoom = np.float32(network.zoom)
    signal: Floats = _inputs(network, x * zoom, y * zoom) @ network.layers[0] + network.biases[0]
    _activate(signal)
    signal = signal @ network.layers[1] + network.biases[1]
    _activate(signal)
    return np.ascontiguousarray((signal @ network.layers[2] + network.biases[2]).T)


def _activate(signal: Floats) -> None:
    """In place, by column: saturating, periodic and bump-shaped units side by side give folds, ripples and islands."""
    third = signal.shape[1] // 3
    np.tanh(signal[:, :third], out=signal[:, :third])
    signal[:, third : 2 * third] = np.sin(signal[:, third : 2 * third] * np.float32(2.2))
    bump = signal[:, 2 * third :]
    bump[:] = np.exp(-bump * bump) * np.float32(2.0) - np.float32(1.0)


def _inputs(network: Network, x: Floats, y: Floats) -> Floats:
    u, v = _motif(network, x, y)
    for ax, fx, px, ay, fy, py in network.warp:
        u, v = (
            u + np.float32(0.28) * ax * np.sin(v * (1.6 + fx) + px * np.float32(np.pi)),
            v + np.float32(0.28) * ay * np.sin(u * (1.6 + fy) + py * np.float32(np.pi)),
        )
    radius = np.sqrt(x * x + y * y + np.float32(0.03))
    columns: tuple[Floats, ...] = (
        u,
        v,
        radius,
        np.sin(u * 2.1),
        np.cos(v * 2.1),
        np.sin((u + v) * 1.3),
        u * v,
        np.cos(radius * 3.0),
        np.ones_like(u),
    )
    return np.stack(columns, axis=1).astype(np.float32) * np.float32(1.5)


def _motif(network: Network, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Fold the plane the way the model does; every fold is smooth, so that no seam shows."""
    radius = np.sqrt(x * x + y * y) + np.float32(1e-4)
    angle = np.arctan2(y, x)
    if network.model == "loom-mandala":
        spin = angle + np.float32(network.twist * 0.35) * radius
        rings = radius * np.float32(2.2) - np.float32(1.2)
        return rings, np.cos(spin * network.folds) * _calm_centre(radius, network.folds) * np.float32(0.8)
    if network.model == "loom-bloom":
        petals = np.cos(angle * network.folds + np.float32(network.twist * 1.2) * np.log(radius + np.float32(0.25)))
        petals = petals * _calm_centre(radius, network.folds)
        return radius * (np.float32(2.0) + np.float32(0.6) * petals) - np.float32(1.2), petals * np.float32(0.7)
    if network.model == "loom-tide":
        return x * np.float32(0.8) + np.float32(0.2) * np.sin(y * 3 + network.twist), y * np.float32(2.4)
    if network.model == "loom-strata":
        ridge = np.float32(0.35) * np.sin(x * 1.7 + network.twist) + np.float32(0.16) * np.sin(x * 4.3 - network.twist)
        return x * np.float32(0.45), (y + ridge) * np.float32(3.2)
    mirrored = np.sqrt(x * x + np.float32(0.02)) if network.folds % 3 == 0 else x
    turn = np.float32(network.twist)
    along, across = np.cos(turn) * mirrored + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * mirrored
    return along * np.float32(0.6), (across + np.float32(0.22) * np.sin(along * 2.6 + turn)) * np.float32(2.4)


def _calm_centre(radius: Floats, folds: int) -> Floats:
    """0 in the centre, 1 further out: many folds would meet there in a flicker of pixels."""
    return np.asarray(np.tanh((radius * np.float32(9.0 / folds)) ** 2), dtype=np.float32)
