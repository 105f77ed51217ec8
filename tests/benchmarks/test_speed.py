"""The benchmark suite runs, and its figures have names; what they come to is no test's business."""

import json
from pathlib import Path
from typing import Any

import pytest
import speed
from speed_parts.settings import Settings
from speed_parts.turns import Figure, in_turns, ratio

from tests.conftest import OF_LIGHTNING, SMALL

pytestmark = [
    *OF_LIGHTNING,
    pytest.mark.filterwarnings("ignore:Experiment logs directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*TensorBoard.*"),
]

TINY = (
    *SMALL,
    "optim.batch_size=16",
    "model.text.hidden_size=16",
    "model.text.layers=1",
    "model.text.heads=2",
    "similarity=null",
)
NAMES = {
    "data": {"rows_parsed", "titles_encoded", "pictures_decoded", "pictures_found", "items_gathered"},
    "training": {"bare_step", "training", "training_of_bare_step"},
    "tagging": {"forward", "tagging", "tagging_decoded", "tagging_of_forward", "tagging_decoded_of_forward"},
    "heads": {"all_heads", "one_head", "all_heads_of_one_head", "all_heads_of_models"},
}


def measured(folder: Path, *parts: str) -> dict[str, Any]:
    """What the JSON holds of `parts`, each of their figures looked at."""
    settings = Settings(folder, repeats=1, items=80, overrides=TINY, epochs=1)
    found = json.loads(json.dumps(speed.measure(settings, parts)))
    for part in parts:
        assert NAMES[part] <= set(found["parts"][part])
        for name, figure in found["parts"][part].items():
            assert 0 < figure["lowest"] <= figure["median"] <= figure["highest"], name
    return found


@pytest.mark.slow
def test_the_parts_give_their_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(tmp_path, "data", "training", "tagging")
    training = found["parts"]["training"]
    expected = training["training"]["turns"][0] / training["bare_step"]["turns"][0]
    assert training["training_of_bare_step"]["turns"][0] == pytest.approx(expected, rel=1e-3)
    capsys.readouterr()
    speed.show(found)
    assert "training_of_bare_step" in capsys.readouterr().out


@pytest.mark.slow
def test_the_part_of_heads_gives_its_figures(tmp_path: Path) -> None:
    found = measured(tmp_path, "heads")["parts"]["heads"]
    all_heads, one_head = found["all_heads"]["turns"], found["one_head"]["turns"]
    expected = [a / b for a, b in zip(all_heads, one_head, strict=True)]
    assert found["all_heads_of_one_head"]["turns"] == pytest.approx(expected, rel=1e-3)


def test_turns_go_back_and_forth() -> None:
    order: list[str] = []
    tasks = {name: (lambda name=name: order.append(name)) for name in "abc"}
    in_turns(2, tasks)
    assert order == ["a", "b", "c", "c", "b", "a"]


def test_a_ratio_is_of_the_same_turn() -> None:
    found = ratio("x", [2.0, 9.0, 4.0], [1.0, 3.0, 4.0], "of y").to_json()
    assert (found["median"], found["lowest"], found["highest"]) == (2.0, 1.0, 3.0)
    assert Figure("nothing", [], "s").to_json()["median"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "trainig"], "trainig: no part; choose of data, training"),
        (["--catalogue", "."], "go together"),
        (["--bundle", "nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_a_wrong_option_is_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speed.parse(arguments)
    assert told in capsys.readouterr().err


def test_overrides_may_stand_anywhere() -> None:
    options = speed.parse(["optim.batch_size=128", "--items", "100", "trainer.precision=32-true"])
    assert options.overrides == ["optim.batch_size=128", "trainer.precision=32-true"]
    assert options.items == 100
