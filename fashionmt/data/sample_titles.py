"""The words of the sample catalogue's titles: few, so that a small model learns them from some hundred titles."""

import random
from collections.abc import Collection, Mapping
from typing import Literal

Sign = Literal["articleType", "baseColour", "gender", "season"]
"""What a title may tell: each has a word, or a few."""
SIGNS: tuple[Sign, ...] = ("articleType", "baseColour", "gender", "season")

# A class has a second word only where it is frequent enough for both to be learned.
# fmt: off
_TYPE_WORDS = {
    "Tshirts": ("Tshirt", "Tee"), "Shirts": ("Shirt",), "Tops": ("Top",), "Jeans": ("Jeans",),
    "Dresses": ("Dress",), "Casual Shoes": ("Sneakers",), "Sports Shoes": ("Trainers",), "Heels": ("Heels",),
    "Handbags": ("Handbag",), "Backpacks": ("Backpack",), "Clutches": ("Clutch",), "Wallets": ("Wallet",),
    "Watches": ("Watch",), "Belts": ("Belt",), "Caps": ("Cap",), "Scarves": ("Scarf",),
}
# fmt: on
_SEASON_WORDS = {
    "Summer": ("Summer", "Linen"),
    "Fall": ("Fall", "Autumn"),
    "Winter": ("Winter",),
    "Spring": ("Spring",),
}

# Invented names: nothing here says anything about a real product, and none is an attribute's word.
# fmt: off
_BRANDS = (
    "Norvik", "Pumello", "Filara", "Adiron", "Tamsin Vale", "Okapi", "Zentro", "Hartley", "Mirelle", "Corvo",
)
_LINES = (
    "Brio", "Cadence", "Flux", "Helix", "Lattice", "Metro", "Orbit", "Tempo", "Voyage", "Classic",
)
# fmt: on


def make_title(labels: Mapping[str, str], told: Collection[Sign], rng: random.Random) -> str:
    """A title in a real catalogue's manner that tells `told`: "Norvik Men Orbit Summer Navy Blue Sneakers"."""
    words: dict[Sign, str] = {
        "gender": labels["gender"],
        "season": rng.choice(_SEASON_WORDS[labels["season"]]),
        "baseColour": labels["baseColour"],
        "articleType": rng.choice(_TYPE_WORDS[labels["articleType"]]),
    }
    said = {sign: word if sign in told else "" for sign, word in words.items()}
    middle = [rng.choice(_LINES), said["season"], said["baseColour"]]
    if rng.random() < 0.4:
        rng.shuffle(middle)
    return " ".join(word for word in (rng.choice(_BRANDS), said["gender"], *middle, said["articleType"]) if word)
