"""Rows from the catalogue to the table: done once, resumed, skipped, refused, and their figures scikit-learn's."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from fashionmt.benchmark import paired_difference, row_recorded, run_row
from fashionmt.benchmark import row as row_module
from fashionmt.benchmark.folder import RowFolder
from fashionmt.benchmark.recipe import recipe
from fashionmt.config import TrainConfig
from fashionmt.errors import ExitCode, RowFailedError, UserError
from fashionmt.hydra_bridge import to_yaml
from fashionmt.paths import conf_dir
from fashionmt.training.loading import load_data
from fashionmt.training.module import TaggerModule
from tests.conftest import OF_LIGHTNING

pytestmark = [
    *OF_LIGHTNING,
    pytest.mark.filterwarnings("ignore:Experiment logs directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*TensorBoard.*"),
]


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run's own report takes longer than the rest of it."""
    monkeypatch.setattr("fashionmt.training.report_content.show_results", lambda *_: None)


ROWS = sorted(path.stem for path in (conf_dir() / "experiment/benchmark").glob("*.yaml"))
ABLATIONS = [name for name in ROWS if name.startswith("ablation_")]
CHOICES = {
    "ablation_no_wide": [".model.wide"],
    "ablation_no_blend": [".model.wide.blend"],
    "ablation_no_silent_titles": [".model.wide.silent_titles"],
    "ablation_picture_side": [".model.text", ".model.wide", ".model.struck_weight"],
    "ablation_title_side": [".model.image"],
    "ablation_views_dropped": [".model.views"],
    "ablation_no_struck_titles": [".model.struck_weight"],
    "ablation_no_colour_statistics": [".model.image.colour_statistics"],
    "ablation_with_ema": [".optim.ema"],
    "ablation_no_label_smoothing": [".loss.label_smoothing"],
    "ablation_no_picture_variation": [".augment.pictures."],
    "ablation_no_taxonomy": [".data.taxonomy"],
    "ablation_loss_focal": [".loss.kind", ".loss.focal_gamma", ".loss.label_smoothing"],
    "ablation_loss_logit_adjusted": [".loss.kind", ".loss.tau"],
    "ablation_loss_weighted": [".loss.class_weights"],
    "ablation_loss_class_balanced": [".loss.class_weights", ".loss.beta"],
    **{name: [".model.fusion.kind"] for name in ABLATIONS if name.startswith("ablation_fusion_")},
    **{name: [".loss.balancing"] for name in ABLATIONS if name.startswith("ablation_balancing_")},
}
"""What each may change."""
Compose = Callable[..., TrainConfig]


@pytest.fixture
def row(compose: Compose, tmp_path: Path) -> Compose:
    """The config of a row on a few items of the sample, below `tmp_path`."""

    def composed(name: str, *overrides: str) -> TrainConfig:
        size = ["data=sample", "limit_items=100", "trainer.max_epochs=1", "trainer.checkpoint_seconds=0"]
        more = ["benchmark.draws=50", f"benchmark.folder={tmp_path}", *overrides]
        return compose(f"experiment=benchmark/{name}", *size, *more)

    return composed


def recorded(config: TrainConfig) -> str:
    """As the command runs a row."""
    with row_recorded(config.benchmark, config.seed):
        return run_row(config)


def approx(value: float | None) -> Any:
    return None if value is None else pytest.approx(value)


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "benchmark.json").read_text())
    return found


@pytest.mark.parametrize("name", ROWS)
def test_a_row_bears_its_files_name_and_runs_at_a_stated_size(compose: Compose, name: str) -> None:
    config = compose(f"experiment=benchmark/{name}", "data=sample")
    assert config.benchmark.row == name
    assert config.benchmark.system != "unnamed"
    if name.startswith("ablation_"):
        assert (config.data.split.kind, config.limit_items, config.trainer.max_epochs) == ("family", 8000, 16)
        return
    assert name.startswith({"time": "year"}.get(config.data.split.kind, config.data.split.kind))
    said = (conf_dir() / f"experiment/benchmark/{name}.yaml").read_text()
    assert config.benchmark.baseline is not None or ("limit_items:" in said and "max_epochs:" in said)


def keys(config: Any, place: str = "") -> dict[str, Any]:
    """Dotted key -> value, less those of the benchmark."""
    if not isinstance(config, dict):
        return {place: config}
    return {key: value for name, part in config.items() for key, value in keys(part, f"{place}.{name}").items()}


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_is_the_main_recipe_but_for_one_choice(compose: Compose, name: str) -> None:
    size = ["limit_items=8000", "trainer.max_epochs=16"]
    main = asdict(compose("experiment=fashion_products", *size))
    config = asdict(compose(f"experiment=benchmark/{name}"))
    told, reference = config.pop("benchmark"), main.pop("benchmark")["row"]
    assert reference is None
    assert told["reference"] == (None if name == "ablation_full" else "ablation_full")
    ours, theirs = keys(config), keys(main)
    other = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    choice = tuple(CHOICES.get(name, ()))
    assert all(key.startswith(choice) for key in other), other
    assert other or name == "ablation_full"


def test_a_subset_is_dealt_alike_to_the_linear_model_and_to_a_model_of_both_inputs(row: Compose) -> None:
    """As 8,000 items are to `family_linear_8000` and to the models of that size: 100 here, some without a title."""
    linear, model = (load_data(row(name)) for name in ("family_linear_8000", "ablation_full"))
    assert linear.fingerprint == model.fingerprint
    assert list(linear.ids) == list(model.ids)
    for one, other in zip(linear.split.parts().values(), model.split.parts().values(), strict=True):
        titled = [item for item in other if model.raw_titles[item] is not None]
        assert one.tolist() == titled


def test_ablations_cover_every_choice() -> None:
    assert set(CHOICES) == set(ABLATIONS) - {"ablation_full"}


def test_rows_cover_four_splits_by_a_baseline_and_a_model() -> None:
    splits = ("random", "family", "block", "year")
    assert {f"{split}_{system}" for split in splits for system in ("linear", "wide_and_deep")} < set(ROWS)


TOGETHER = ("articleType", "subCategory", "masterCategory")


def trained_on(config: TrainConfig) -> set[tuple[str, ...]]:
    """The combinations of classes that the training rows hold."""
    data = load_data(config)
    columns = [data.items.labels[name][data.split.train] for name in TOGETHER]
    names = [data.spaces[name].every_class for name in TOGETHER]
    return {tuple(every[label] for every, label in zip(names, row, strict=True)) for row in zip(*columns, strict=True)}


@pytest.mark.parametrize("name", ["family_words", "year_linear"])
def test_a_baseline_row_writes_figures_that_scikit_learn_finds_in_its_answers(
    row: Compose, tmp_path: Path, name: str
) -> None:
    assert "done in" in recorded(row(name))
    known = trained_on(row(name))
    folder = tmp_path / name
    found, table = result(folder), pd.read_parquet(folder / "predictions.parquet")
    assert list(found["views"]) == ["title", "struck"]
    test = pd.read_csv(folder / "split.csv", dtype=str).query("split == 'test'")["id"]
    for view, scored in found["views"].items():
        rows = table[table["view"] == view]
        assert set(rows["id"]) <= set(test)
        for attribute, figures in scored["attributes"].items():
            labelled = rows[rows[f"{attribute}.true"].notna()]
            true, answered = labelled[f"{attribute}.true"], labelled[f"{attribute}.answered"]
            assert figures["accuracy"]["value"] == pytest.approx(accuracy_score(true, answered))
            assert figures["macro_f1"]["value"] == pytest.approx(
                f1_score(true, answered, average="macro", zero_division=0)
            )
        answers = zip(*(rows[f"{attribute}.answered"] for attribute in TOGETHER), strict=True)
        share = np.mean([answer not in known for answer in answers])
        assert scored["impossible"]["value"] == pytest.approx(share)
    linear = found["views"]["title"]["attributes"]["articleType"]["accuracy"]
    struck = found["views"]["struck"]["attributes"]["articleType"]["accuracy"]
    assert linear["value"] > struck["value"] + 0.2
    told = f"{100 * linear['value']:.1f} ±{50 * (linear['high'] - linear['low']):.1f}"
    assert told in (tmp_path / "table.md").read_text()
    assert told in (tmp_path / "table.html").read_text()


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a folder of rows with one trained tagger lies; made by the first test that asks."""
    return tmp_path_factory.mktemp("rows")


def test_a_model_is_trained_once_and_scored_under_each_view(row: Compose, tagged: Path) -> None:
    recorded(row("family_wide_and_deep", f"benchmark.folder={tagged}"))
    folder = tagged / "family_wide_and_deep"
    found, metrics = result(folder), json.loads((folder / "metrics.json").read_text())
    assert list(found["views"]) == ["picture", "title", "both", "struck"]
    for name, figures in found["views"]["both"]["attributes"].items():
        assert figures["accuracy"]["value"] == pytest.approx(metrics["attributes"][name]["accuracy"])
        assert figures["macro_f1"]["value"] == pytest.approx(metrics["attributes"][name]["macro_f1"])
        assert 0 <= figures["calibration_error"] <= 1
        assert figures["accepted"]["stated"] == metrics["attributes"][name]["target_accuracy"]
        assert figures["accepted"]["share"]["value"] == pytest.approx(metrics["attributes"][name]["accepted"])
        assert figures["accepted"]["accuracy"]["value"] == approx(metrics["attributes"][name]["accepted_accuracy"])
    assert found["views"]["both"]["exact_match"]["value"] == pytest.approx(metrics["exact_match"])
    item = found["views"]["both"]["accepted"]
    assert item["share"]["value"] == pytest.approx(metrics["item"]["accepted"])
    assert item["accuracy"]["value"] == approx(metrics["item"]["accepted_accuracy"])
    assert [scored["impossible"]["value"] for scored in found["views"].values()] == [0, 0, 0, 0]
    table = pd.read_parquet(folder / "predictions.parquet").set_index("id")
    views = {view: rows["baseColour.confidence"] for view, rows in table.groupby("view")}
    assert not np.allclose(*(views[view].align(views["both"], "inner")[0] for view in ("picture", "struck")))
    assert found["size"] == {"train": 56, "validation": 14, "test": 30, "limit_items": 100, "epochs": 1}


def test_a_finished_row_is_skipped_and_a_row_of_other_settings_is_refused_and_kept(row: Compose, tagged: Path) -> None:
    place = f"benchmark.folder={tagged}"
    kept = (tagged / "family_wide_and_deep/benchmark.json").read_bytes()
    assert "skipped" in recorded(row("family_wide_and_deep", place))
    assert "skipped" in recorded(row("family_wide_and_deep", place, "trainer.accelerator=auto"))
    for changed in ("benchmark.together=[]", "trainer.devices=4", "trainer.precision=bf16-mixed"):
        with pytest.raises(RowFailedError, match=f"another {changed.partition('=')[0]}"):
            recorded(row("family_wide_and_deep", place, changed))
    with pytest.raises(RowFailedError, match=r"another optim\.learning_rate\.") as told:
        recorded(row("family_wide_and_deep", place, "optim.learning_rate=0.5"))
    assert told.value.code is ExitCode.USER_ERROR
    assert (tagged / "family_wide_and_deep/benchmark.json").read_bytes() == kept
    assert not (tagged / "family_wide_and_deep/failed.json").exists()


def test_a_finished_row_is_called_and_counted_as_it_is_asked_for_now(
    row: Compose, tagged: Path, tmp_path: Path
) -> None:
    place = tmp_path / "copy"
    shutil.copytree(tagged, place)
    path = place / "family_wide_and_deep/benchmark.json"
    before = json.loads(path.read_text())
    asked = [f"benchmark.folder={place}", "benchmark.system=renamed", "benchmark.draws=30", "benchmark.without=[]"]
    assert "counted anew" in recorded(row("family_wide_and_deep", *asked))
    after = json.loads(path.read_text())
    assert (after["system"], after["interval"]["draws"]) == ("renamed", 30)
    both, old = after["views"]["both"], before["views"]["both"]
    assert both["exact_match_without"]["without"] == []
    assert both["exact_match_without"]["value"] == both["exact_match"]["value"] == old["exact_match"]["value"]
    assert both["attributes"]["season"]["accuracy"]["value"] == old["attributes"]["season"]["accuracy"]["value"]
    assert "skipped" in recorded(row("family_wide_and_deep", *asked))
    assert "renamed" in (place / "table.md").read_text()
    (place / "family_wide_and_deep/predictions.parquet").unlink()
    with pytest.raises(RowFailedError, match="its answers are gone"):
        recorded(row("family_wide_and_deep", *asked[:-2], "benchmark.draws=40"))


def test_a_recipe_is_all_that_may_change_a_result_and_nothing_else(row: Compose) -> None:
    own = recipe(row("family_wide_and_deep"))
    for same in ("seed=3", "benchmark.system=x", "trainer.accelerator=auto", "benchmark.draws=40", "report=true"):
        assert recipe(row("family_wide_and_deep", same)) == own
    for other in ("optim.learning_rate=0.5", "data.split.seed=1", "trainer.devices=2"):
        assert recipe(row("family_wide_and_deep", other)) != own
    linear = recipe(row("family_linear"))
    assert recipe(row("family_linear", "optim.learning_rate=0.5", "preprocess.height=9")) == linear
    assert recipe(row("family_linear", "model=image_text")) != linear  # other rows can be read


def test_two_rows_are_compared_item_by_item(row: Compose, tagged: Path) -> None:
    recorded(row("family_linear", f"benchmark.folder={tagged}"))
    recorded(row("random_linear", f"benchmark.folder={tagged}"))
    linear, model, other = (tagged / name for name in ("family_linear", "family_wide_and_deep", "random_linear"))
    a, b = (
        pd.read_parquet(run / "predictions.parquet").query("view == 'title'").set_index("id") for run in (linear, model)
    )
    assert set(a.index) == set(b.index)
    true = a["articleType.true"]
    expected = (true == a["articleType.answered"]).mean() - (true == b["articleType.answered"].loc[a.index]).mean()
    found = paired_difference(linear, model, "title", "articleType", draws=100)
    assert found.value == pytest.approx(expected)
    assert found.low is not None
    assert found.low < expected < found.high
    swapped = paired_difference(model, linear, "title", "articleType", draws=100)
    assert (swapped.value, swapped.high) == pytest.approx((-expected, -found.low))
    assert paired_difference(model, linear, "both", "all", view_b="title").items == len(a)
    with pytest.raises(UserError, match="not of the same split"):
        paired_difference(linear, other, "title", "articleType")
    with pytest.raises(UserError, match="view both"):
        paired_difference(linear, model, "both", "articleType")
    with pytest.raises(UserError, match="no such choice"):
        paired_difference(linear, model, "title", "articleType", metric="f1")


class KilledError(BaseException):
    """What stands for a kill inside one process: no handler of errors sees it."""


def test_a_killed_row_is_resumed_from_its_checkpoint_to_the_same_figures(
    row: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = row("family_text_only", "trainer.max_epochs=2", "optim.batch_size=16")
    original = TaggerModule.training_step
    unbroken = row("family_text_only", "trainer.max_epochs=2", "optim.batch_size=16", f"benchmark.folder={tmp_path}/a")
    recorded(unbroken)

    def killed(self: TaggerModule, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 3:
            raise KilledError
        return original(self, batch, batch_idx)

    monkeypatch.setattr(TaggerModule, "training_step", killed)
    with pytest.raises(KilledError):
        recorded(config)
    folder = tmp_path / "family_text_only"
    assert (folder / "checkpoints/resume.ckpt").is_file()
    assert not (folder / "benchmark.json").exists()
    with pytest.raises(RowFailedError, match=r"another optim\.batch_size"):
        recorded(row("family_text_only", "trainer.max_epochs=2", "optim.batch_size=20"))
    monkeypatch.setattr(TaggerModule, "training_step", original)
    steps: list[int] = []
    monkeypatch.setattr(
        TaggerModule, "training_step", lambda self, *a: (steps.append(self.global_step), original(self, *a))[1]
    )
    recorded(config)
    assert steps[0] == 3
    assert result(folder)["seconds"]["resumed"]
    assert result(folder)["views"] == result(tmp_path / "a/family_text_only")["views"]


def test_a_row_killed_before_its_first_checkpoint_starts_again_at_the_size_that_is_asked_for(
    row: Compose, tmp_path: Path
) -> None:
    config = row("family_majority", "limit_items=400")
    folder = RowFolder(tmp_path / "family_majority")
    folder.run.claim(to_yaml(config))
    folder.run.data_report.write_text('{"fingerprint": "of something else"}')
    recorded(row("family_majority"))
    assert result(folder.root)["size"]["limit_items"] == 100


def test_a_trained_row_that_was_killed_while_it_was_scored_is_not_trained_again(
    row: Compose, tagged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = row("family_wide_and_deep", f"benchmark.folder={tagged}")
    before = result(tagged / "family_wide_and_deep")
    (tagged / "family_wide_and_deep/benchmark.json").unlink()
    monkeypatch.setattr(row_module, "run_training", lambda *_: pytest.fail("trained again"))
    recorded(config)
    assert result(tagged / "family_wide_and_deep")["views"] == before["views"]


def test_a_row_that_fails_says_why_until_it_succeeds(
    row: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = row("family_majority")

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("one\ntwo")

    with monkeypatch.context() as patch:
        patch.setattr(row_module, "fit_baseline", broken)
        with pytest.raises(RowFailedError) as told:
            recorded(config)
    assert (told.value.code, told.value.row) == (ExitCode.OUR_FAULT, "family_majority")
    assert json.loads((tmp_path / "family_majority/failed.json").read_text())["reason"] == "ZeroDivisionError: one two"
    assert "| family_majority | ZeroDivisionError: one two |" in (tmp_path / "table.md").read_text()
    recorded(config)
    assert not (tmp_path / "family_majority/failed.json").exists()
    assert "ZeroDivisionError" not in (tmp_path / "table.md").read_text()


def test_another_seed_is_a_row_of_its_own(row: Compose, tmp_path: Path) -> None:
    recorded(row("family_majority", "seed=3"))
    assert result(tmp_path / "family_majority-seed3")["seed"] == 3
    assert "majority class, seed 3" in (tmp_path / "table.md").read_text()


def test_a_row_takes_no_resume(row: Compose) -> None:
    with pytest.raises(RowFailedError, match="goes on by itself"):
        recorded(row("family_majority", "resume=runs/x"))


@pytest.mark.parametrize("override", ["benchmark.row=../x", "benchmark.baseline=best", "benchmark.draws=0"])
def test_a_row_that_cannot_be_is_refused(compose: Compose, override: str) -> None:
    with pytest.raises(UserError, match=override.split("=")[0]):
        compose(override)


def test_a_run_that_is_no_row_has_no_row_folder(compose: Compose) -> None:
    with pytest.raises(ValueError, match="not a row"):
        run_row(compose())
