"""A training step alone against training from end to end, on the same batches."""

from speed_parts.bare_step import BareSteps, training_batches
from speed_parts.settings import Settings
from speed_parts.turns import Figure, in_turns, ratio
from speed_parts.whole_training import train


def measure(settings: Settings) -> list[Figure]:
    """Items a second of both, and what the one is of the other.

    Left out of `training` is what follows an epoch: validation, which is work of its own, and the checkpoints.
    `training_with_validation` holds them.
    """
    config, data = settings.config, settings.data
    batches = training_batches(config, data, range(1, 1 + settings.epochs))
    items = sum(len(batch) for batch in batches)
    steps = BareSteps(config, data)
    steps(batches[: max(3, len(batches) // 4)])

    def bare() -> tuple[float, float]:
        speed = items / steps(batches)
        return speed, speed

    def whole() -> tuple[float, float]:
        done = train(config, data, settings.new_run("training"), settings.epochs)
        return done.items / done.seconds, done.items / done.all_seconds

    found = in_turns(settings.repeats, {"bare": bare, "whole": whole}, "training")
    alone = [speed for speed, _ in found["bare"]]
    training, everything = ([one[i] for one in found["whole"]] for i in (0, 1))
    return [
        Figure("bare_step", alone, "items/s"),
        Figure("training", training, "items/s"),
        Figure("training_with_validation", everything, "items/s"),
        ratio("training_of_bare_step", training, alone, "of the bare step", ">= 0.97"),
        ratio("training_with_validation_of_bare_step", everything, alone, "of the bare step"),
    ]
