"""From the words of a prompt to a smooth ramp of colours, mixed in OKLab so that no step turns grey."""

import re

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

RAMP_SIZE = 1024

WORD_COLOURS: dict[str, tuple[str, ...]] = {
    "amber": ("#ffb000",),
    "aqua": ("#35d0c9",),
    "autumn": ("#5b1f14", "#b5471b", "#e39a2d", "#f2d7a0"),
    "azure": ("#2f8fe6",),
    "beige": ("#e8dcc2",),
    "black": ("#0b0b10",),
    "blossom": ("#5a2a4a", "#e88fb0", "#fbe3e8"),
    "blue": ("#1f5fd0",),
    "bronze": ("#a8682c",),
    "brown": ("#6b4426",),
    "cherry": ("#b0123b", "#f4a6b8"),
    "coffee": ("#2a1810", "#7a5236", "#d8bf9f"),
    "copper": ("#c06a3d", "#1f4a4a"),
    "coral": ("#ff7258",),
    "cream": ("#f6ead0",),
    "crimson": ("#b3132e",),
    "cyan": ("#1fc4e0",),
    "dawn": ("#2b2a5c", "#a45b8f", "#f2a27e", "#fde6b8"),
    "desert": ("#6b2f1a", "#c9793a", "#edc78b", "#8fb7bd"),
    "dusk": ("#151a3d", "#51407f", "#c56b86", "#f4b78a"),
    "earth": ("#2e2118", "#7b5b3a", "#9fa06a", "#e0d3b0"),
    "ember": ("#1a0705", "#8d1c0b", "#f0641e", "#ffd27a"),
    "emerald": ("#0f9d6b",),
    "fire": ("#200604", "#a01f08", "#f46a12", "#ffe08a"),
    "forest": ("#0b2318", "#1f5a3a", "#6f9a4c", "#dfe2b0"),
    "garden": ("#173d2c", "#5f9e54", "#e88fa5", "#f7ebc8"),
    "gold": ("#e0a526", "#fbe29a"),
    "golden": ("#e0a526", "#fbe29a"),
    "gray": ("#8a8f98",),
    "green": ("#2c9a4b",),
    "grey": ("#8a8f98",),
    "honey": ("#e8a317", "#fbe7b0"),
    "ice": ("#123a5a", "#5fa9d0", "#bfe4ee", "#f4fbff"),
    "indigo": ("#3a2fa0",),
    "ivory": ("#f7f1e1",),
    "jade": ("#1f9a7a", "#cfe9d6"),
    "lava": ("#16060a", "#7d0f14", "#f24b12", "#ffc247"),
    "lavender": ("#8f7fd0", "#e4dcf7"),
    "lilac": ("#b58ad6",),
    "lime": ("#a6d22e",),
    "magenta": ("#d0219a",),
    "midnight": ("#05081c", "#16245c", "#3f63a8", "#b8cdf0"),
    "mint": ("#8fdcbb",),
    "moon": ("#0c1024", "#3a4468", "#a9b3c9", "#f2f0e4"),
    "moss": ("#2b3a1c", "#7c8f3c"),
    "navy": ("#12235a",),
    "neon": ("#0b0620", "#6a1bd6", "#ff2fa0", "#2ff0e0"),
    "night": ("#060818", "#1c2a5e", "#5a5fa8", "#d6d2f0"),
    "ocean": ("#04202f", "#0c5a78", "#2fa7a8", "#d5f0e2"),
    "olive": ("#7a7a2c",),
    "orange": ("#f57f1f",),
    "peach": ("#ffb58f",),
    "pearl": ("#d9d3dc", "#f5f1ec"),
    "pink": ("#f072a5",),
    "plum": ("#5c1f56",),
    "purple": ("#6d2fb5",),
    "red": ("#d0232b",),
    "rose": ("#c23a63", "#f6c9cf"),
    "ruby": ("#9b0f38",),
    "rust": ("#a4421c",),
    "sand": ("#d9b988",),
    "sapphire": ("#1a3fa8",),
    "scarlet": ("#dc2418",),
    "sea": ("#06283a", "#12697f", "#4fb8ad", "#e3f3e6"),
    "silver": ("#6f7a88", "#c9d0d8"),
    "sky": ("#3f8fdc", "#bfe0f5"),
    "snow": ("#7f9fbf", "#f7fafc"),
    "spring": ("#2f7a4a", "#a8d06a", "#f6b7c8", "#fdf3cf"),
    "storm": ("#0e151c", "#37475a", "#7d93a3", "#d7dfe2"),
    "summer": ("#0f6a8c", "#36b7b0", "#ffc857", "#ff7a4a"),
    "sun": ("#d4541a", "#ffb52e", "#fff0b8"),
    "sunrise": ("#2b2a5c", "#c75b7a", "#f8a45e", "#fdeab5"),
    "sunset": ("#241546", "#8a2a6b", "#ee5f4d", "#fdbf6a"),
    "tan": ("#cfa878",),
    "teal": ("#11797a",),
    "turquoise": ("#2bc4b6",),
    "twilight": ("#10133a", "#3f3a86", "#9a6fb5", "#efc3c3"),
    "violet": ("#7a3fd0",),
    "white": ("#f7f7f4",),
    "wine": ("#5c1128",),
    "winter": ("#16283d", "#4f7796", "#a9c7d6", "#f5f9fa"),
    "yellow": ("#f4cf2b",),
}

CURATED: tuple[tuple[str, ...], ...] = (
    ("#0b1026", "#27407a", "#d8735a", "#f6dfb4"),
    ("#0d1b1e", "#1c5a5a", "#d49a3a", "#f5ead2"),
    ("#1a0b26", "#5b2a86", "#d85f8f", "#fbd6b0"),
    ("#08201b", "#1f6b4f", "#9fbf5a", "#f6efc8"),
    ("#10151f", "#3b4f6b", "#a7b5c2", "#f2e9dc"),
    ("#1c0a0a", "#7d1f2a", "#e0794a", "#f9dfae"),
    ("#0a1430", "#1f4fa8", "#58b6c9", "#f2f3e2"),
    ("#201018", "#7a3b58", "#c99bb0", "#f5e8de"),
    ("#0c1a12", "#375c3a", "#c7a24c", "#f4e3c0"),
    ("#120f2d", "#3f3cb0", "#8f7be0", "#f3d8e8"),
    ("#07161f", "#0f4f66", "#e8895a", "#fcebcf"),
    ("#161616", "#4d4a46", "#b6a88f", "#f3ede0"),
)

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def words_of(text: str) -> list[str]:
    """Lower-case words in order; the punctuation of prompt syntax falls away."""
    return re.findall(r"\w+", text.lower())


def choose_ramp(prompt: str, negative_prompt: str, draw: np.random.Generator) -> Floats:
    """RAMP_SIZE linear-light RGB colours, dark to light; colour words of the negative prompt are left out."""
    unwanted = set(words_of(negative_prompt))
    anchors = [colour for word in words_of(prompt) if word not in unwanted for colour in WORD_COLOURS.get(word, ())]
    curated = CURATED[int(draw.integers(len(CURATED)))]
    lab = _to_oklab(anchors or list(curated))
    return _ramp(_push_away(lab, unwanted), draw)


def to_srgb(linear: Floats) -> Floats:
    """Linear light to sRGB, both 0..1."""
    clipped = np.clip(linear, 0.0, 1.0)
    return np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * np.power(clipped, 1 / 2.4) - 0.055).astype(np.float32)


def _to_oklab(colours: list[str]) -> NDArray[np.float64]:
    srgb = np.array([[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in dict.fromkeys(colours)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T)


def _push_away(lab: NDArray[np.float64], unwanted: set[str]) -> NDArray[np.float64]:
    """Turn the hue of every anchor that resembles an unwanted colour."""
    named = [colour for word in sorted(unwanted) for colour in WORD_COLOURS.get(word, ())]
    if not named:
        return lab
    away = _to_oklab(named)
    moved = lab.copy()
    for anchor in moved:
        distance = np.linalg.norm(away[:, 1:] - anchor[1:], axis=1)
        if distance.min() < 0.09:
            anchor[1:] = np.array([-anchor[2], anchor[1]])
    return moved


def _ramp(anchors: NDArray[np.float64], draw: np.random.Generator) -> Floats:
    """A dark ground, the anchors from dark to light, a light tint; smoothed so that no anchor shows as a band."""
    ordered = anchors[np.argsort(anchors[:, 0])]
    if len(ordered) < 3:
        ordered = _with_companions(ordered, draw)
    first, last = ordered[0], ordered[-1]
    dark = np.array([min(0.16, first[0]), first[1] * 0.45, first[2] * 0.45])
    light = np.array([max(0.94, last[0]), last[1] * 0.30, last[2] * 0.30])
    stops = np.vstack([dark, ordered, light])
    positions = np.linspace(0.0, 1.0, len(stops))
    at = np.linspace(0.0, 1.0, RAMP_SIZE)
    lab = np.stack([np.interp(at, positions, stops[:, channel]) for channel in range(3)], axis=1)
    width = RAMP_SIZE // (2 * len(stops))
    window = np.hanning(width) / np.hanning(width).sum()
    padded = np.pad(lab, ((width, width), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(padded[:, channel], window, mode="same") for channel in range(3)], axis=1)[width:-width]
    lms = (smooth @ np.linalg.inv(_TO_LAB).T) ** 3
    return np.asarray(np.clip(lms @ np.linalg.inv(_TO_LMS).T, 0.0, 1.0), dtype=np.float32)


def _with_companions(ordered: NDArray[np.float64], draw: np.random.Generator) -> NDArray[np.float64]:
    """Neighbours in hue and lightness for one or two colours, so that they fill a picture among their like."""
    companions = []
    for lightness, chroma, b in ordered:
        turn = float(draw.uniform(0.25, 0.55)) * (1 if draw.random() < 0.5 else -1)
        for step, change in ((turn, -0.2), (-turn * 0.7, 0.17)):
            hue = np.arctan2(b, chroma) + step
            strength = np.hypot(chroma, b) * 0.9
            companions.append([np.clip(lightness + change, 0.2, 0.92), strength * np.cos(hue), strength * np.sin(hue)])
    together = np.vstack([ordered, np.array(companions)])
    return np.asarray(together[np.argsort(together[:, 0])])
