"""A whole training on a made-up catalogue: it learns, says what it is, goes on after a kill, and keeps the mean."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from made_up_items import made_up_items, write_index

from fashionmt.config import TrainConfig
from fashionmt.errors import UserError
from fashionmt.recommend import run_recommending
from fashionmt.recommend.evaluation import beats
from fashionmt.recommend.items import Items
from fashionmt.recommend.ranker_folder import load_ranker
from fashionmt.recommend.report import print_table
from fashionmt.training.run_folder import RunFolder

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]


@pytest.fixture(scope="module")
def items() -> Items:
    return made_up_items(300, 24)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, items: Items) -> Path:
    return write_index(tmp_path_factory.mktemp("world") / "index", items)


def small(compose: Any, index: Path, *overrides: str) -> TrainConfig:
    config: TrainConfig = compose(
        "experiment=recommend",
        f"recommend.index={index}",
        "recommend.synthetic.users=600",
        "recommend.min_users=100",
        "recommend.hidden=16",
        "recommend.heads=2",
        "recommend.draws=200",
        "trainer.max_epochs=3",
        "optim.learning_rate=1e-2",
        "optim.batch_size=128",
        *overrides,
    )
    return config


def trained(compose: Any, index: Path, folder: Path, *overrides: str) -> tuple[dict[str, Any], RunFolder]:
    folder.mkdir(parents=True)
    run = RunFolder(folder)
    return run_recommending(small(compose, index, *overrides), run, [], False), run


def ndcg(metrics: dict[str, Any], name: str) -> float:
    found: float = next(each for each in metrics["systems"] if each["name"] == name)["metrics"]["NDCG@10"]["value"]
    return found


def test_it_learns_and_is_named_synthetic(
    compose: Any, index: Path, items: Items, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics, run = trained(compose, index, tmp_path / "run")
    assert metrics["learned"]
    assert metrics["synthetic"]
    learned, mean = (
        next(each for each in metrics["systems"] if each["name"] == name)
        for name in ("learned ranker", "mean of history")
    )
    assert beats(learned, [mean], "NDCG@10")
    assert ndcg(metrics, "oracle") > learned["metrics"]["NDCG@10"]["value"]
    assert load_ranker(run.ranker, items).synthetic
    print_table(metrics, run.ranker)
    assert "SYNTHETIC" in capsys.readouterr().out
    assert "SYNTHETIC" in (run.root / "report.md").read_text()
    assert json.loads(run.metrics.read_text())["systems"][0]["name"] == "popularity"
    assert "synthetic-000000" in (run.root / "synthetic_interactions.csv").read_text()


def test_its_own_file_trains_the_same_as_real_ones_would(compose: Any, index: Path, tmp_path: Path) -> None:
    made_up, run = trained(compose, index, tmp_path / "made_up", "trainer.max_epochs=1")
    events = run.root / "synthetic_interactions.csv"
    read, _ = trained(compose, index, tmp_path / "read", "trainer.max_epochs=1", f"recommend.interactions={events}")
    assert not read["synthetic"]
    for name in ("popularity", "EASE", "mean of history", "learned ranker"):
        assert ndcg(read, name) == pytest.approx(ndcg(made_up, name), abs=1e-6)


def test_a_killed_run_goes_on_to_the_same_figures(compose: Any, index: Path, tmp_path: Path) -> None:
    config = small(compose, index, "trainer.checkpoint_seconds=0")
    unbroken, _ = trained(compose, index, tmp_path / "unbroken")
    run = RunFolder(tmp_path / "killed")
    run.root.mkdir()

    def kill(epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recommending(config, run, [], False, watch=kill)
    resumed = run_recommending(config, run, [], True)
    assert resumed["resumed"]
    assert resumed["systems"] == unbroken["systems"]


@pytest.mark.parametrize("loss", ["bpr", "bce"])
def test_the_other_losses_learn_too(compose: Any, index: Path, tmp_path: Path, loss: str) -> None:
    metrics, _ = trained(compose, index, tmp_path / "run", f"recommend.loss={loss}", "recommend.id_residual=vector")
    assert ndcg(metrics, "learned ranker") > ndcg(metrics, "mean of history")


def test_with_too_few_users_the_mean_is_kept_and_it_says_so(
    compose: Any, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics, _ = trained(compose, index, tmp_path / "run", "recommend.min_users=10000")
    assert not metrics["learned"]
    assert ndcg(metrics, "learned ranker") == ndcg(metrics, "mean of history")
    assert "fewer than recommend.min_users=10000" in capsys.readouterr().err


def test_an_event_file_without_items_of_the_index_is_refused(compose: Any, index: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,timestamp\nu,x,1600000000\n")
    with pytest.raises(UserError, match="no event of it"):
        trained(compose, index, tmp_path / "run", f"recommend.interactions={path}")
