"""A step of six heads against that of one on the same towers, and against six models of one head each."""

from dataclasses import replace

from fashionmt.config import TrainConfig
from fashionmt.data.prepare import PreparedData
from speed_parts.bare_step import BareSteps, training_batches
from speed_parts.settings import Settings
from speed_parts.turns import Figure, in_turns, ratio

BLOCK = 4
"""Steps before another model's turn: short, as two hundredths are asked for and a machine drifts by more."""


def measure(settings: Settings) -> list[Figure]:
    """Seconds of a block of steps. The one head is the mean of all six models of one."""
    names = list(settings.config.data.attributes)
    batches = training_batches(settings.config, settings.data, [0])[:BLOCK]
    models = {"all": BareSteps(settings.config, settings.data)}
    models |= {name: BareSteps(*_alone(settings.config, settings.data, name)) for name in names}
    labelled = {"all": batches} | {
        name: [replace(batch, labels={name: batch.labels[name]}) for batch in batches] for name in names
    }
    tasks = {name: (lambda name=name: models[name](labelled[name])) for name in models}
    for task in tasks.values():
        task()
    found = in_turns(2 * settings.repeats, tasks, "heads")
    together = [sum(turn) for turn in zip(*(found[name] for name in names), strict=True)]
    one = [total / len(names) for total in together]
    share = f"1/{len(names)}"
    return [
        Figure("all_heads", [1000 * value / len(batches) for value in found["all"]], "ms/step"),
        Figure("one_head", [1000 * value / len(batches) for value in one], "ms/step"),
        ratio("all_heads_of_one_head", found["all"], one, "of the step with one head", "< 1.02"),
        ratio("all_heads_of_models", found["all"], together, f"of {len(names)} models of one", f"about {share}"),
    ]


def _alone(config: TrainConfig, data: PreparedData, name: str) -> tuple[TrainConfig, PreparedData]:
    """The same, with one attribute to learn."""
    fewer = replace(config, data=replace(config.data, learn=[name]))
    items = replace(data.items, labels={name: data.items.labels[name]})
    return fewer, replace(data, items=items, spaces={name: data.spaces[name]})
