"""The command measures a run's bundle, and its towers beside it, and writes a table and a sheet."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tiny import one_thread, tiny_config, tiny_dataset, tiny_spaces, tiny_tagger, tiny_titles

from fashionmt.bundle import Bundle
from fashionmt.config import PreprocessConfig
from fashionmt.data import ColumnMap
from fashionmt.similar_quality.__main__ import main
from fashionmt.similar_quality.from_tagger import untrained_tower, vectors_of
from fashionmt.similarity import SimilarityHead, item_vectors

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)


def _bundle(image: bool = True, text: bool = True) -> Bundle:
    tagger = tiny_tagger(tiny_config(image=image, text=text))
    return Bundle(
        config=tagger.config,
        build=lambda: tagger,
        titles=tiny_titles(),
        spaces=tiny_spaces(),
        preprocess=PreprocessConfig(height=32, width=32),
        columns=ColumnMap("id", "title", None, "{id}.jpg", (), {}),
        metrics={},
        provenance={},
    )


def test_every_kind_of_query_is_what_the_tagger_says_of_that_view() -> None:
    head = SimilarityHead(torch.randn(5, 16 + 3), torch.randn(5), {"season": 1.0})
    bundle = replace(_bundle(), similarity=head)
    items = tiny_dataset(20)
    found = {entrant.name: entrant for entrant in vectors_of(bundle, items)}
    batch = items[range(20)]
    with torch.no_grad():
        whole = bundle.tagger(batch)
        tower = bundle.tagger.image(batch.pixels) if bundle.tagger.image is not None else torch.empty(0)
        batch.has_title &= ~batch.has_image
        picture = bundle.tagger(batch)
    ours, fused = found["similarity head"], found["fused embedding"]
    assert next(iter(found)) == "similarity head"
    assert torch.allclose(ours.items, item_vectors(head, whole), atol=1e-5)
    assert torch.allclose(ours.queries["picture"], item_vectors(head, picture), atol=1e-5)
    assert torch.allclose(fused.items, item_vectors(None, whole), atol=1e-5)
    assert torch.equal(fused.queries["both"], fused.items)
    assert set(ours.queries) == {"picture", "title", "both"}
    assert torch.allclose(found["image tower alone"].items, F.normalize(tower), atol=1e-5)
    assert set(found["image tower alone"].queries) == {"picture", "both"}
    assert set(found["text tower alone"].queries) == {"title", "both"}
    for entrant in found.values():
        lengths = entrant.items.norm(dim=1)
        # 0: what a tower says of an item without its input
        assert bool((((lengths - 1).abs() < 1e-5) | (lengths == 0)).all()), entrant.name


@pytest.mark.parametrize(("image", "text"), [(True, False), (False, True)])
def test_a_tagger_of_one_input_is_asked_by_that(image: bool, text: bool) -> None:
    found = vectors_of(_bundle(image, text), tiny_dataset(10))
    kind = "picture" if image else "title"
    assert found[0].name == "fused embedding"
    assert all(set(entrant.queries) == {kind, "both"} for entrant in found)
    assert ("colour histogram" in {entrant.name for entrant in found}) == image


def test_an_untrained_tower_is_the_seeds() -> None:
    bundle = _bundle()  # made of seed 0
    towers = [untrained_tower(bundle, seed) for seed in (1, 1, 2)]
    weights = [next(tower.parameters()) for tower in towers if tower is not None]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert bundle.tagger.image is not None
    assert not torch.equal(weights[0], next(bundle.tagger.image.parameters()))


def test_the_command_writes_a_table_and_a_sheet(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["similar_quality", str(trained), str(tmp_path / "quality")])
    main()
    table = (tmp_path / "quality/table.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.startswith(table)
    names = re.findall(r"^\| (\w+) \| ([\w ,-]+) \|", table, re.MULTILINE)
    assert ("title", "TF-IDF of titles") in names
    assert ("picture", "similarity head") in names
    assert ("picture", "TF-IDF of titles") not in names
    page = (tmp_path / "quality/sheet.html").read_text(encoding="utf-8")
    assert page.count('<article class="query">') == 30
    assert page.count("data:image/jpeg") > 200
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("arguments", "told"), [(["--alike", "articleType,cut"], "no attribute 'cut'"), (["--part", "train"], "--part")]
)
def test_a_mistake_is_told_in_one_line(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["similar_quality", str(trained), str(tmp_path / "quality"), *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_figures_are_never_written_over(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["similar_quality", str(trained), str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    assert "is there already" in capsys.readouterr().err
