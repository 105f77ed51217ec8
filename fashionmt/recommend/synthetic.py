"""SYNTHETIC interactions: made-up people over a catalogue, whose true preferences are known.

They prove the code; nothing about real people follows from them.

What is assumed, none of it from item vectors:

- A person has one to three tastes: how much they like each type and each colour of item, and a price they look for.
- A person dresses in one gender: items of another are rare gifts, those of all genders a little less likely than own.
- Tastes take turns: how strong each is drifts over months, and what is bought next is often of the taste of the last.
- Items differ in appeal for reasons that no attribute tells, and lose half of it in so many days after their launch.
- A quarter of the items are launched while time goes by, some of them so late that nobody had them before the test.
- Nobody takes an item twice. How often people come differs by a factor of several, and they join at different times.

A pick is drawn from the softmax of gender + type + colour + price + appeal over the items that are there.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashionmt.config import SyntheticConfig
from fashionmt.recommend.interactions import DAY, Interactions
from fashionmt.recommend.items import Items, Rows

Floats = npt.NDArray[np.float64]
BEGIN = 1_704_067_200.0  # 2024-01-01
MOST_TASTES = 3
TYPE_SPREAD, COLOUR_SPREAD, APPEAL_SPREAD = 2.0, 1.0, 1.0
"""Standard deviations, in the logarithm of how likely a pick is."""
OTHER_GENDER, ANY_GENDER = -3.5, -0.5
ANY = ("unisex", "")
DRIFT_SPREAD, DRIFT_DAYS = 1.5, 60.0
"""A taste's strength is an Ornstein-Uhlenbeck process of this deviation and memory."""
PERSISTENCE = 0.5
"""How often the taste of the last pick decides the next one too."""
HALF_LIFE = 120.0  # days
LAUNCHED_LATE = 0.25
PRICE_WIDTH = 0.5  # of the logarithm


@dataclass(frozen=True)
class _Person:
    """One made-up person."""

    tastes: Floats
    """(K, N): what each taste adds to an item, appeal aside."""
    begin: float
    """Days."""
    events: int


class Synthetic:
    """People and items; the same ones for the same seed."""

    def __init__(self, items: Items, config: SyntheticConfig) -> None:
        self.items, self.config = items, config
        random = np.random.default_rng([config.seed, 1])
        count = len(items)
        self.appeal = random.normal(0, APPEAL_SPREAD, count)
        late = random.random(count) < LAUNCHED_LATE
        self.launch = np.where(late, random.uniform(0, config.days, count), -random.exponential(HALF_LIFE, count))
        """(N,) days; before 0 where the item was there from the beginning."""
        self.codes = {name: items.codes(name) for name in self._named() if name in items.attributes}

    def _named(self) -> list[str]:
        names = (self.config.gender, self.config.type, self.config.colour)
        return [name for name in names if name is not None]

    def interactions(self) -> Interactions:
        """All events of all people."""
        user: list[int] = []
        item: list[int] = []
        day: list[float] = []
        for number in range(self.config.users):
            days, picks, _ = self._life(number)
            user += [number] * len(picks)
            item += picks
            day += days
        names = tuple(f"synthetic-{number:06}" for number in range(self.config.users))
        times = BEGIN + np.array(day) * DAY
        return Interactions.of(names, np.array(user, np.int64), np.array(item, np.int64), times)

    def preference(self, users: Rows, time: float) -> Floats:
        """How likely each item is each user's next pick at `time`, (len(users), N), for who knows the people.

        An item that is launched later counts as just launched; a taste's strength is what is expected of it since the
        last pick. No ranking that sees picks alone can do better, but for chance.
        """
        day = (time - BEGIN) / DAY
        return np.stack([self._preference(int(user), day) for user in users])

    def _preference(self, number: int, day: float) -> Floats:
        person = self._person(number)
        days, picks, states = self._life(number)
        then = [at for at, when in enumerate(days) if when < day]
        weights = np.full(len(person.tastes), 1 / len(person.tastes))
        if then:
            strength = self._strengths(number, np.array(days))[then[-1]]
            weights = _softmax(strength * np.exp(-(day - days[then[-1]]) / DRIFT_DAYS))
            last = np.eye(len(weights))[states[then[-1]]]
            weights = PERSISTENCE * last + (1 - PERSISTENCE) * weights
        fresh = np.maximum(day - self.launch, 0)
        logits = person.tastes + self.appeal - np.log(2) * fresh / HALF_LIFE
        chances = _softmax(logits)
        chances[:, [picks[at] for at in then]] = 0
        mixed: Floats = weights @ (chances / chances.sum(axis=1, keepdims=True))
        return mixed

    def _life(self, number: int) -> tuple[list[float], list[int], list[int]]:
        """(days, items, tastes) of a person's picks, in order."""
        person = self._person(number)
        random = np.random.default_rng([self.config.seed, 3, number])
        days = np.sort(random.uniform(person.begin, self.config.days, person.events))
        strengths = _softmax(self._strengths(number, days))
        owned = np.zeros(len(self.items), dtype=bool)
        picks: list[int] = []
        states: list[int] = []
        for day, chances in zip(days, strengths, strict=True):
            stays = bool(states) and random.random() < PERSISTENCE
            state = states[-1] if stays else int(random.choice(len(chances), p=chances))
            age = day - self.launch
            logits = person.tastes[state] + self.appeal - np.log(2) * np.maximum(age, 0) / HALF_LIFE
            logits[(age < 0) | owned] = -np.inf
            pick = int(np.argmax(logits + random.gumbel(size=len(logits))))  # a draw from their softmax
            owned[pick] = True
            picks.append(pick)
            states.append(state)
        return days.tolist(), picks, states

    def _person(self, number: int) -> _Person:
        random = np.random.default_rng([self.config.seed, 2, number])
        config = self.config
        count = int(random.integers(1, MOST_TASTES + 1))
        tastes = np.zeros((count, len(self.items)))
        for name, spread in ((config.type, TYPE_SPREAD), (config.colour, COLOUR_SPREAD)):
            if name in self.codes:
                codes, values = self.codes[name]
                likings = random.normal(0, spread, (count, len(values) + 1))
                likings[:, -1] = 0  # of the code -1, not known
                tastes += likings[:, codes]
        tastes += self._gender(random) + self._price(random, count)
        begin = float(random.uniform(0, 0.8 * config.days))
        events = 2 + int(random.exponential(config.events - 2))
        limit = max(2, len(self.items) // 2)
        return _Person(tastes, begin, min(events, limit))

    def _gender(self, random: np.random.Generator) -> Floats:
        name = self.config.gender
        if name not in self.codes:
            return np.zeros(len(self.items))
        codes, values = self.codes[name]
        people = [code for code, value in enumerate(values) if value.lower() not in ANY]
        if not people:
            return np.zeros(len(self.items))
        shares = np.bincount(codes[codes >= 0], minlength=len(values))[people].astype(np.float64)
        own = int(random.choice(people, p=shares / shares.sum()))
        added = np.full(len(values) + 1, OTHER_GENDER)
        added[[code for code, value in enumerate(values) if value.lower() in ANY]] = ANY_GENDER
        added[-1] = ANY_GENDER
        added[own] = 0
        by_item: Floats = added[codes]
        return by_item

    def _price(self, random: np.random.Generator, count: int) -> Floats:
        """A parabola around the price looked for, where there are prices."""
        name = self.config.price
        if name is None or name not in self.items.attributes:
            return np.zeros((count, len(self.items)))
        prices = np.log(pd.to_numeric(self.items.attributes[name], errors="coerce").where(lambda x: x > 0))
        if prices.isna().all():
            return np.zeros((count, len(self.items)))
        wanted = random.normal(prices.mean(), prices.std(ddof=0), (count, 1))
        away: Floats = (prices.to_numpy()[None] - wanted) / PRICE_WIDTH
        liked: Floats = np.nan_to_num(-(away**2) / 2)
        return liked

    def _strengths(self, number: int, days: Floats) -> Floats:
        """(len(days), K): how strong each taste is then, exactly as the process has it between any two days."""
        person = self._person(number)
        random = np.random.default_rng([self.config.seed, 4, number])
        count = len(person.tastes)
        noise = random.normal(0, DRIFT_SPREAD, (len(days), count))
        strengths = np.zeros((len(days), count))
        for at in range(len(days)):
            if at == 0:
                strengths[at] = noise[at]
                continue
            kept = np.exp(-(days[at] - days[at - 1]) / DRIFT_DAYS)
            strengths[at] = kept * strengths[at - 1] + np.sqrt(1 - kept**2) * noise[at]
        return strengths


def _softmax(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chances: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return chances
