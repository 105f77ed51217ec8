"""Draws one item of the sample catalogue as a web shop shows it: 60 px wide and 80 px high.

A shape is a list of polygons in a unit box: x from -1 (left) to 1 (right), y from -1 (top) to 1 (bottom).
What a picture tells beside the shape is in its `Look`: the colour, the studio's backdrop (the season of the
shoot) and the round sticker in a corner (the department, that is, whom the item is for).
All signs are large and survive a flip, a shift and a zoom, so that a small model learns them in a minute.
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 60, 80
_OVERSAMPLE = 4  # drawn four times larger, then averaged down: smooth edges
_HALF_WIDTH, _HALF_HEIGHT = 23.0, 30.0  # px of one unit at scale 1; leaves room for the jitter
_STICKER_PLACE, _STICKER_RADIUS = 10.5, 8.5  # px from both edges to its middle: a shift of 6 % leaves it in sight

Point = tuple[float, float]
Colour = tuple[int, int, int]
Ink = Literal["body", "detail", "trim"]

COLOURS: dict[str, Colour] = {
    "Black": (24, 24, 26),
    "Blue": (66, 138, 236),
    "White": (250, 250, 250),
    "Red": (206, 26, 36),
    "Navy Blue": (22, 30, 104),
    "Green": (38, 150, 66),
    "Pink": (248, 138, 186),
    "Brown": (136, 94, 48),
}
_TRIM: Colour = (236, 236, 234)  # soles, dials, buckles

# The keys are what the generator's labels are called; the drawing knows nothing else of them.
BACKDROPS: dict[str, Colour] = {
    "Summer": (255, 232, 132),
    "Fall": (226, 172, 128),
    "Winter": (164, 200, 242),
    "Spring": (178, 226, 164),
}
STICKERS: dict[str, Colour] = {
    "Men": (0, 132, 150),
    "Women": (158, 40, 190),
    "Boys": (255, 132, 0),
    "Girls": (140, 196, 0),
}


@dataclass(frozen=True)
class Look:
    """What a picture shows: `colour` None is a grey item, `backdrop` None white, `sticker` None none."""

    shape: str
    colour: str | None
    backdrop: str | None  # a key of BACKDROPS
    sticker: str | None  # a key of STICKERS


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
        *_pair(_box(0.3, -0.8, 0.46, -0.3)),
        _mirrored([(0.56, -0.4), (0.56, 0.1), (0.9, 0.6)]),
        _mirrored([(0.56, 0.0), (0.58, 0.16)], "detail"),
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
    # A pair seen from above.
    "shoe": [*_pair(_oval(0.46, 0.0, 0.38, 0.8)), *_pair(_oval(0.46, 0.3, 0.24, 0.34, "detail"))],
    "sports": [
        _SHOE,
        _box(-1.0, 0.3, 1.0, 0.64, "trim"),
        _Part(((-0.6, -0.2), (-0.46, -0.2), (-0.3, 0.36), (-0.44, 0.36)), "trim"),
        _Part(((-0.3, -0.2), (-0.16, -0.2), (0.0, 0.36), (-0.14, 0.36)), "trim"),
    ],
    "casual": [
        _Part(((-0.8, -0.96), (0.0, -0.96), (0.06, -0.1), (0.7, 0.1), (0.95, 0.3), (0.95, 0.5), (-0.86, 0.5))),
        _box(-0.8, -0.96, 0.0, -0.66, "trim"),
        _Part(((0.5, 0.05), (0.7, 0.1), (0.95, 0.3), (0.95, 0.5), (0.5, 0.5)), "detail"),
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
    "wallet": [
        _box(-0.74, -0.6, 0.74, 0.6),
        _box(-0.74, -0.06, 0.74, 0.06, "detail"),
        _box(0.2, -0.18, 0.74, 0.18, "trim"),
    ],
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


def draw(look: Look, rng: random.Random) -> Image.Image:
    """The picture of one item, RGB, 60x80 px (width x height); `rng` varies place, size, turn, tint and light."""
    canvas = _backdrop(look.backdrop, rng)
    body = _tinted(look.colour, rng)
    pose = _random_pose(rng)
    cloth = _shaded(canvas.size, body, rng)
    for part in _SHAPES[look.shape]:
        _paint(canvas, [_placed(point, pose) for point in part.points], part.ink, body, cloth)
    if look.sticker is not None:
        _stick(canvas, STICKERS[look.sticker], rng)
    return canvas.reduce(_OVERSAMPLE)


def _backdrop(name: str | None, rng: random.Random) -> Image.Image:
    """A sheet of the backdrop's colour, lighter towards the floor; the whole large drawing."""
    size = (WIDTH * _OVERSAMPLE, HEIGHT * _OVERSAMPLE)
    white = Image.new("RGB", size, "white")
    if name is None:
        return white
    lightest = rng.uniform(0.25, 0.5)
    light = Image.linear_gradient("L").resize(size).point([int(v * lightest) for v in range(256)])
    return Image.composite(white, Image.new("RGB", size, BACKDROPS[name]), light)


def _stick(canvas: Image.Image, colour: Colour, rng: random.Random) -> None:
    """A round sticker with a white rim in the upper left or right corner."""
    left = _STICKER_PLACE if rng.random() < 0.5 else WIDTH - _STICKER_PLACE
    x, y = ((v + rng.uniform(-1, 1)) * _OVERSAMPLE for v in (left, _STICKER_PLACE))
    radius = _STICKER_RADIUS * _OVERSAMPLE
    edges = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(canvas).ellipse(edges, fill=colour, outline="white", width=_OVERSAMPLE)


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


def _shaded(size: tuple[int, int], body: Colour, rng: random.Random) -> Image.Image:
    """The item's colour over the whole canvas, slightly darker towards one side."""
    shade = Image.linear_gradient("L").rotate(rng.choice((90, 270))).resize(size)
    darkest = rng.uniform(0.0, 0.12)
    return Image.composite(
        Image.new("RGB", size, "black"),
        Image.new("RGB", size, body),
        shade.point([int(v * darkest) for v in range(256)]),
    )


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


def _random_pose(rng: random.Random) -> _Pose:
    centre = (WIDTH / 2 + rng.uniform(-2, 2), HEIGHT / 2 + rng.uniform(-1, 4))
    return _Pose(centre, rng.uniform(0.9, 1.06), math.radians(rng.uniform(-5, 5)))


def _placed(point: Point, pose: _Pose) -> Point:
    """A point of the unit box, turned and moved to its place on the large drawing, in px."""
    right, down = point[0] * _HALF_WIDTH * pose.scale, point[1] * _HALF_HEIGHT * pose.scale
    cos, sin = math.cos(pose.turn), math.sin(pose.turn)
    across, along = pose.centre[0] + right * cos - down * sin, pose.centre[1] + right * sin + down * cos
    return (across * _OVERSAMPLE, along * _OVERSAMPLE)
