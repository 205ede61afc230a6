"""Draws a picture step by step: first growing sketches, then samples that add up to a clean, finished picture."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.demo_engine.network import Network, evaluate, grow_network, rng_for
from engines.demo_engine.palette import RAMP_SIZE, choose_ramp, to_srgb
from engines.demo_engine.parameters import Parameters

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

POINTS_AT_ONCE = 16384
MOST_SAMPLES = 12


@dataclass(frozen=True)
class Step:
    """One step done: `pixels` (height, width, 3) may be smaller than asked until the last step."""

    number: int
    of: int
    pixels: Pixels


def draw_picture(parameters: Parameters, seed: int) -> Iterator[Step]:
    """Exactly parameters.steps steps; the last one holds the finished picture. Stop iterating to interrupt."""
    network = grow_network(parameters.model, parameters.prompt, parameters.negative_prompt, seed, parameters.cfg_scale)
    ramp = choose_ramp(parameters.prompt, parameters.negative_prompt, rng_for("palette", parameters.prompt, seed))
    size = (parameters.height, parameters.width)
    jitter = rng_for("jitter", parameters.sampler_name, seed)
    sketches = _sketch_count(parameters.steps)
    total: Floats = np.zeros((*size, 3), dtype=np.float32)
    for number in range(1, parameters.steps + 1):
        if number <= sketches:
            yield Step(number, parameters.steps, _encode(_sketch(network, ramp, size, number / (sketches + 1))))
            continue
        sample = number - sketches
        offset = jitter.uniform(-0.5, 0.5, 2) if sample > 1 else np.zeros(2)
        total += _shade(network, ramp, size, offset)
        last = number == parameters.steps
        mean = total / np.float32(sample)
        yield Step(number, parameters.steps, _encode(_grain(mean, seed) if last else mean))


def _sketch_count(steps: int) -> int:
    """About half the steps are sketches; no more than MOST_SAMPLES are full samples, where more would not show."""
    return max(steps // 2, steps - MOST_SAMPLES)


def _sketch(network: Network, ramp: Floats, size: tuple[int, int], share: float) -> Floats:
    scale = 0.10 + 0.55 * share
    return _shade(network, ramp, (max(int(size[0] * scale), 8), max(int(size[1] * scale), 8)), np.zeros(2))


def _shade(network: Network, ramp: Floats, size: tuple[int, int], offset: NDArray[np.float64]) -> Floats:
    """One sample of the whole picture in linear light."""
    fields = _fields(network, size, offset)
    main, second, third = fields
    pixels_per_unit = np.float32(min(size) / 2)
    wave = np.sin(main * np.float32(1.5) + np.float32(0.55) * second)
    tone = np.arcsin(wave * np.float32(0.97)) * np.float32(0.376) + np.float32(0.5)
    relief_y, relief_x = np.gradient(main + np.float32(0.5) * third)
    light = (relief_x * np.float32(-0.62) + relief_y * np.float32(-0.78)) * pixels_per_unit
    light = np.tanh(light * np.float32(0.55))
    place = np.clip(tone * np.float32(0.84) + np.float32(0.06) + light * np.float32(0.13), 0, 1)
    colour = ramp[(place * np.float32(RAMP_SIZE - 1)).astype(np.int32)]
    # Both scale the colour that is there: adding light to dark folds would turn them grey.
    lift = np.float32(0.35) * np.square(np.maximum(light, 0)) - np.float32(0.35) * np.maximum(-light, 0)
    lit = colour * (1 + lift)[..., None]
    return np.asarray(lit * _vignette(size)[..., None], dtype=np.float32)


def _fields(network: Network, size: tuple[int, int], offset: NDArray[np.float64]) -> tuple[Floats, Floats, Floats]:
    height, width = size
    short = min(height, width)
    xs = ((np.arange(width) + 0.5 + offset[0] - width / 2) * (2 / short)).astype(np.float32)
    ys = ((np.arange(height) + 0.5 + offset[1] - height / 2) * (2 / short)).astype(np.float32)
    rows_at_once = max(POINTS_AT_ONCE // width, 1)
    bands = []
    for top in range(0, height, rows_at_once):
        rows = ys[top : top + rows_at_once]
        bands.append(evaluate(network, np.tile(xs, len(rows)), np.repeat(rows, width)))
    fields = np.concatenate(bands, axis=1).reshape(3, height, width)
    return fields[0], fields[1], fields[2]


def _vignette(size: tuple[int, int]) -> Floats:
    y = np.linspace(-1, 1, size[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, size[1], dtype=np.float32)[None, :]
    return np.asarray(1 - np.float32(0.22) * np.square((x * x + y * y) / 2), dtype=np.float32)


def _grain(linear: Floats, seed: int) -> Floats:
    """Film grain, stronger in the middle tones; it also hides the banding of eight bits."""
    noise = rng_for("grain", seed).standard_normal(linear.shape[:2], dtype=np.float32)
    middle = np.sqrt(np.clip(linear.mean(axis=2), 0, 1))
    return np.asarray(linear * (1 + (noise * (np.float32(0.035) * (1 - np.float32(0.5) * middle)))[..., None]), dtype=np.float32)


def _encode(linear: Floats) -> Pixels:
    return np.asarray(to_srgb(linear) * np.float32(255) + np.float32(0.5), dtype=np.uint8)
