"""Draws one item of the sample catalogue: a coloured shape on white, 60 px wide and 80 px high.

A shape is a list of polygons in a unit box: x from -1 (left) to 1 (right), y from -1 (top) to 1 (bottom).
What a picture tells beside the shape is in its `Look`: the colour, the cut (whom the item is for) and the
pattern (the season).
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 60, 80
_OVERSAMPLE = 4  # drawn four times larger, then averaged down: smooth edges
_HALF_WIDTH, _HALF_HEIGHT = 24.0, 32.0  # px of one unit at scale 1; leaves room for the jitter

Point = tuple[float, float]
Colour = tuple[int, int, int]
Ink = Literal["body", "detail", "trim"]
Pattern = Literal["across", "upright", "dots", "slanting"]

COLOURS: dict[str, Colour] = {
    "Black": (24, 24, 26),
    "Blue": (52, 122, 228),
    "White": (250, 250, 250),
    "Red": (206, 26, 36),
    "Navy Blue": (24, 34, 104),
    "Green": (38, 150, 66),
    "Pink": (248, 138, 186),
    "Brown": (128, 76, 36),
}
_TRIM: Colour = (236, 236, 234)  # soles, dials, buckles


class Cut(NamedTuple):
    """How the item is cut: overall size, breadth, and how far the middle is drawn in (all as fractions)."""

    scale: float
    breadth: float
    waist: float


CUTS = {
    "Men": Cut(1.0, 1.0, 0.0),
    "Women": Cut(1.0, 0.66, 0.3),
    "Boys": Cut(0.66, 1.0, 0.0),
    "Girls": Cut(0.66, 0.66, 0.3),
}
NEUTRAL_CUT = Cut(1.0, 0.82, 0.0)


@dataclass(frozen=True)
class Look:
    """What a picture shows: `colour` None means a picture without colour, `pattern` None a plain item."""

    shape: str
    colour: str | None
    cut: Cut
    pattern: Pattern | None


class _Part(NamedTuple):
    points: tuple[Point, ...]
    ink: Ink = "body"


@dataclass(frozen=True)
class _Pose:
    """Where the unit box lands in the large drawing: centre in px, px per unit, rotation in radians."""

    centre: Point
    scale: float
    turn: float


def _box(left: float, top: float, right: float, bottom: float, ink: Ink = "body") -> _Part:
    return _Part(((left, top), (right, top), (right, bottom), (left, bottom)), ink)


def _oval(x: float, y: float, across: float, down: float, ink: Ink = "body") -> _Part:
    angles = [2 * math.pi * step / 28 for step in range(28)]
    return _Part(tuple((x + across * math.cos(a), y + down * math.sin(a)) for a in angles), ink)


def _mirrored(half: Iterable[Point], ink: Ink = "body") -> _Part:
    """A symmetric outline from its right half, listed from top to bottom."""
    right = tuple(half)
    return _Part(right + tuple((-x, y) for x, y in reversed(right)), ink)


def _pair(part: _Part) -> list[_Part]:
    return [part, _Part(tuple((-x, y) for x, y in part.points), part.ink)]


# fmt: off
_TEE = _mirrored((
    (0.0, -0.7), (0.28, -0.9), (0.6, -0.82), (1.0, -0.4), (0.76, -0.16), (0.56, -0.38), (0.56, 0.9),
))
_SHOE = _Part((
    (-0.95, -0.46), (-0.7, -0.54), (-0.3, -0.34), (0.05, -0.06), (0.7, 0.1), (0.95, 0.3), (0.95, 0.46),
    (-0.95, 0.46),
))
_POUCH = _box(-0.9, -0.42, 0.9, 0.42)

# The plain shapes "tee", "shoe" and "pouch" stand for two article types each: there the title decides.
_SHAPES: dict[str, list[_Part]] = {
    "tee": [_TEE],
    "tshirt": [_TEE, _box(-0.36, -0.36, 0.36, 0.2, "trim"), _box(-0.2, -0.2, 0.2, 0.04, "detail")],
    "top": [
        *_pair(_box(0.26, -0.92, 0.4, -0.5)),
        _mirrored([(0.48, -0.56), (0.5, 0.1), (0.98, 0.78)]),
        _mirrored([(0.46, 0.06), (0.5, 0.18)], "detail"),
    ],
    "shirt": [
        _mirrored((
            (0.2, -0.86), (0.56, -0.8), (0.78, -0.6), (1.0, 0.6), (0.76, 0.64), (0.54, -0.2), (0.54, 0.92),
        )),
        _box(-0.06, -0.8, 0.06, 0.92, "detail"),
        *_pair(_Part(((0.0, -0.66), (0.26, -0.96), (0.36, -0.62)), "trim")),
    ],
    "jeans": [
        _mirrored([(0.56, -0.9), (0.66, 0.94), (0.2, 0.94), (0.04, -0.3)]),
        _mirrored([(0.56, -0.94), (0.57, -0.8)], "detail"),
        *_pair(_Part(((0.2, -0.74), (0.5, -0.74), (0.46, -0.5), (0.24, -0.5)), "detail")),
    ],
    "dress": [
        *_pair(_box(0.22, -0.96, 0.36, -0.6)),
        _mirrored([(0.46, -0.7), (0.36, -0.2), (0.98, 0.94)]),
        _mirrored([(0.36, -0.26), (0.4, -0.12)], "detail"),
    ],
    "shoe": [_SHOE],
    "sports": [
        _SHOE,
        _box(-1.0, 0.36, 1.0, 0.62, "trim"),
        _Part(((-0.6, -0.2), (-0.46, -0.2), (-0.3, 0.36), (-0.44, 0.36)), "trim"),
        _Part(((-0.3, -0.2), (-0.16, -0.2), (0.0, 0.36), (-0.14, 0.36)), "trim"),
    ],
    "casual": [
        _SHOE,
        _box(-0.95, 0.46, 0.95, 0.54, "detail"),
        _Part(((0.5, 0.05), (0.7, 0.1), (0.95, 0.3), (0.95, 0.46), (0.5, 0.46)), "trim"),
    ],
    "heel": [
        _Part((
            (-0.92, -0.62), (-0.66, -0.5), (0.1, 0.2), (0.96, 0.46), (0.96, 0.58), (0.2, 0.52), (-0.5, 0.06),
            (-0.9, -0.1),
        )),
        _Part(((-0.9, -0.14), (-0.62, 0.0), (-0.74, 0.6), (-0.84, 0.6)), "detail"),
    ],
    "handbag": [
        _oval(0.0, -0.2, 0.5, 0.66),
        _oval(0.0, -0.2, 0.36, 0.54, "trim"),
        _mirrored([(0.7, -0.22), (0.96, 0.7)]),
        _box(-0.2, -0.2, 0.2, 0.0, "detail"),
    ],
    "backpack": [
        _oval(0.0, -0.8, 0.24, 0.16, "detail"),
        *_pair(_box(0.68, -0.3, 0.94, 0.72, "detail")),
        _mirrored([(0.4, -0.82), (0.7, -0.5), (0.76, 0.82)]),
        _box(-0.5, 0.16, 0.5, 0.66, "detail"),
    ],
    "pouch": [_POUCH],
    "wallet": [_POUCH, _box(-0.05, -0.42, 0.05, 0.42, "detail"), _box(0.3, -0.16, 0.9, 0.16, "trim")],
    "clutch": [
        _POUCH,
        _Part(((-0.9, -0.42), (0.9, -0.42), (0.0, 0.2)), "detail"),
        _oval(0.0, 0.16, 0.12, 0.1, "trim"),
    ],
    "watch": [
        _box(-0.3, -0.96, 0.3, 0.96),
        _oval(0.0, 0.0, 0.72, 0.5),
        _oval(0.0, 0.0, 0.46, 0.32, "trim"),
        _box(-0.04, -0.24, 0.04, 0.02, "detail"),
        _box(0.0, -0.02, 0.3, 0.04, "detail"),
    ],
    "belt": [
        _box(-0.98, -0.3, 0.98, 0.3),
        _box(-0.98, -0.42, -0.5, 0.42, "trim"),
        _box(-0.86, -0.26, -0.62, 0.26, "detail"),
    ],
    "cap": [
        _mirrored([(0.2, -0.5), (0.56, -0.3), (0.66, 0.16)]),
        _Part(((-0.66, 0.1), (0.66, 0.1), (1.0, 0.36), (-0.2, 0.3)), "detail"),
    ],
    "scarf": [
        *_pair(_Part(((0.1, -0.3), (0.36, -0.4), (0.66, 0.9), (0.26, 0.94)))),
        _oval(0.0, -0.46, 0.6, 0.4),
        _oval(0.0, -0.58, 0.4, 0.16, "trim"),
    ],
}
# fmt: on
# These lie on their side, so their cut is their height and not their breadth.
_LYING = frozenset({"shoe", "sports", "casual", "heel", "pouch", "wallet", "clutch", "belt", "cap"})


def draw(look: Look, rng: random.Random) -> Image.Image:
    """The picture of one item, RGB, 60x80 px (width x height); `rng` varies place, size, turn and tint."""
    canvas = Image.new("RGB", (WIDTH * _OVERSAMPLE, HEIGHT * _OVERSAMPLE), "white")
    body = _tinted(look.colour, rng)
    pose = _random_pose(look.cut, rng)
    cloth = _cloth(canvas.size, body, look.pattern, rng)
    for part in _SHAPES[look.shape]:
        points = [_placed(p, look, pose) for p in _subdivided(part.points)]
        _paint(canvas, points, part.ink, body, cloth)
    return canvas.reduce(_OVERSAMPLE)


def _paint(canvas: Image.Image, points: list[Point], ink: Ink, body: Colour, cloth: Image.Image) -> None:
    outline = _towards_contrast(body, 0.35) if ink != "trim" else (150, 150, 150)
    pen = ImageDraw.Draw(canvas)
    if ink == "body":
        mask = Image.new("L", canvas.size, 0)
        ImageDraw.Draw(mask).polygon(points, fill=255)
        canvas.paste(cloth, mask=mask)
    else:
        pen.polygon(points, fill=_TRIM if ink == "trim" else _towards_contrast(body, 0.5))
    # An outline, because a white garment would vanish on the white ground.
    pen.line([*points, points[0]], fill=outline, width=_OVERSAMPLE, joint="curve")


def _cloth(size: tuple[int, int], body: Colour, pattern: Pattern | None, rng: random.Random) -> Image.Image:
    """The item's colour, with its pattern and a slight shade from left to right, over the whole canvas."""
    cloth = Image.new("RGB", size, body)
    if pattern is not None:
        _print_pattern(ImageDraw.Draw(cloth), size, pattern, _towards_contrast(body, 0.62), rng)
    shade = Image.linear_gradient("L").rotate(rng.choice((90, 270))).resize(size)
    darkest = rng.uniform(0.0, 0.12)
    return Image.composite(
        Image.new("RGB", size, (0, 0, 0)), cloth, shade.point([int(v * darkest) for v in range(256)])
    )


def _print_pattern(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], pattern: Pattern, ink: Colour, rng: random.Random
) -> None:
    width, height = size
    gap = round(rng.uniform(7.4, 8.6) * _OVERSAMPLE)
    line = round(3.2 * _OVERSAMPLE)
    start = rng.randrange(gap)
    if pattern == "across":
        for y in range(start, height, gap):
            pen.line([(0, y), (width, y)], fill=ink, width=line)
    elif pattern == "upright":
        for x in range(start, width, gap):
            pen.line([(x, 0), (x, height)], fill=ink, width=line)
    elif pattern == "slanting":
        for x in range(start - height, width, round(gap * 1.4)):
            pen.line([(x, height), (x + height, 0)], fill=ink, width=line)
    else:
        radius = line * 0.8
        for row, y in enumerate(range(start, height, gap)):
            for x in range(gap // 2 * (row % 2), width, gap):
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


def _tinted(colour: str | None, rng: random.Random) -> Colour:
    """The named colour a little off; without a name a middle grey, which gives no colour away."""
    if colour is None:
        grey = rng.randrange(112, 148)
        return (grey, grey, grey)
    light = rng.uniform(0.92, 1.08)
    red, green, blue = (min(255, max(0, round(v * light + rng.uniform(-6, 6)))) for v in COLOURS[colour])
    return (red, green, blue)


def _towards_contrast(colour: Colour, share: float) -> Colour:
    """Mixed with white, or with black where the colour itself is nearly white."""
    ink = 120 if min(colour) > 200 else 255
    red, green, blue = (round(v + (ink - v) * share) for v in colour)
    return (red, green, blue)


def _random_pose(cut: Cut, rng: random.Random) -> _Pose:
    centre = (WIDTH / 2 + rng.uniform(-2, 2), HEIGHT / 2 + rng.uniform(-3, 3))
    return _Pose(centre, cut.scale * rng.uniform(0.95, 1.05), math.radians(rng.uniform(-5, 5)))


def _subdivided(points: tuple[Point, ...]) -> list[Point]:
    """The same outline in short steps, so that a cut can bend its straight edges."""
    fine: list[Point] = []
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        steps = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / 0.12))
        fine += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(steps)]
    return fine


def _placed(point: Point, look: Look, pose: _Pose) -> Point:
    """A point of the unit box, cut, turned and moved to its place on the large drawing, in px."""
    x, y = point
    if look.shape in _LYING:
        y *= look.cut.breadth * (1 - look.cut.waist * math.exp(-((x / 0.4) ** 2)))
    else:
        x *= look.cut.breadth * (1 - look.cut.waist * math.exp(-((y / 0.4) ** 2)))
    right, down = x * _HALF_WIDTH * pose.scale, y * _HALF_HEIGHT * pose.scale
    cos, sin = math.cos(pose.turn), math.sin(pose.turn)
    across, along = pose.centre[0] + right * cos - down * sin, pose.centre[1] + right * sin + down * cos
    return (across * _OVERSAMPLE, along * _OVERSAMPLE)
