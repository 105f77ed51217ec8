"""A training step with `trainer.compile=true` against one as it is."""

import os
from dataclasses import replace

from fashionmt.errors import UserError
from fashionmt.training.compiling import check_compiler
from fashionmt.training.fitting import device_of
from speed_parts.bare_step import BareSteps, training_batches
from speed_parts.settings import Settings
from speed_parts.turns import Figure, in_turns, ratio, seconds


def measure(settings: Settings) -> list[Figure]:
    """Steps, the seconds that compiling took more than such steps take, and after how many steps that has paid."""
    # Else a second run of this would find what the first compiled.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(settings.new_run("compiled").root)
    data = settings.data
    as_it_is, changed = (
        replace(settings.config, trainer=replace(settings.config.trainer, compile=asked)) for asked in (False, True)
    )
    try:
        check_compiler(device_of(changed.trainer))
    except UserError as error:
        return [Figure("eager_of_compiled", [], str(error))]
    batches = training_batches(as_it_is, data, [0])
    eager, compiled = BareSteps(as_it_is, data), BareSteps(changed, data)
    eager(batches[:4])
    first = seconds(lambda: compiled(batches))
    tasks = {"eager": lambda: eager(batches), "compiled": lambda: compiled(batches)}
    found = in_turns(settings.repeats, tasks, "compile")
    gains = [(a - b) / len(batches) for a, b in zip(found["eager"], found["compiled"], strict=True)]
    extra = [first - taken for taken in found["compiled"]]
    pays = [cost / gain for cost, gain in zip(extra, gains, strict=True) if gain > 0]
    return [
        Figure("eager_step", [1000 * value / len(batches) for value in found["eager"]], "ms/step"),
        Figure("compiled_step", [1000 * value / len(batches) for value in found["compiled"]], "ms/step"),
        ratio("eager_of_compiled", found["eager"], found["compiled"], "times as fast compiled"),
        Figure("compiling", extra, "s, once"),
        Figure("compiling_pays_after", pays if len(pays) == len(gains) else [], "steps; empty: it does not"),
    ]
