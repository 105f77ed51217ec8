"""The page of a finished job: what it says is so, nothing in it runs, and it is the same however the job went."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tagged import decided_by

from fashionmt.bundle import read_bundle, save_bundle
from fashionmt.confidence import Threshold, Thresholds
from fashionmt.config import PredictColumnsConfig, PredictConfig
from fashionmt.errors import TooManyBadError
from fashionmt.inference.run import tag_catalogue

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
VOID = {"meta", "img", "br"}
PAGE, QUEUE = "summary.html", "review_queue.csv"


class Page(HTMLParser):
    """The page's words; fails where a tag is not closed, or where something is loaded or run."""

    def __init__(self, folder: str | Path | None) -> None:
        super().__init__()
        self.html = (Path(str(folder)) / PAGE).read_text(encoding="utf-8")
        self.open: list[str] = []
        self.texts: list[str] = []
        self.pictures = 0
        self.feed(self.html)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "iframe", "object", "link")
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "src":
                assert (value or "").startswith("data:image/jpeg;base64,")
                self.pictures += 1
            if name == "href":
                assert re.fullmatch(r"#\w+|review_queue\.csv|quarantine\.csv", value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)


def queue_in(folder: str | Path | None) -> list[dict[str, str]]:
    with (Path(str(folder)) / QUEUE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def with_thresholds(trained: Path, tmp_path: Path) -> Callable[..., str]:
    """A bundle as trained but for these thresholds and other fields; nothing is unknown to it."""

    def changed(heads: dict[str, Threshold], **changes: Any) -> str:
        bundle = read_bundle(trained / "bundle")
        thresholds = Thresholds({name: heads.get(name, Threshold(0.9, 0.0)) for name in bundle.spaces}, heads["item"])
        folder = tmp_path / f"bundle{len(list(tmp_path.glob('bundle*')))}"
        save_bundle(replace(decided_by(bundle, thresholds), **changes), folder)
        return str(folder)

    return changed


@pytest.fixture
def job(tmp_path: Path, with_thresholds: Callable[..., str]) -> PredictConfig:
    """Seven rows in four parts: pictures, titles, a hostile text, a repaired row and a quarantined one."""
    images = tmp_path / "photos"
    images.mkdir()
    for name, colour in (("007", "red"), ("1e5", "blue")):
        Image.new("RGB", (60, 80), colour).save(images / f"{name}.jpg")
    rows = ["sku,name,gender,hue", "007,,,", "1e5,Blue Shirt,Women,Teal", "NA,Red, White Shirt,Men,"]
    rows += ['"=1+1",Black Belt,,', f'"{HOSTILE.replace(chr(34), chr(34) * 2)}",Shirt of {HOSTILE.split(chr(34))[0]},,']
    rows += ["lost,,,", "007,Green Dress,Boys,"]
    (tmp_path / "items.csv").write_text("\n".join(rows) + "\n")
    heads = {"gender": Threshold(0.9, 0.0), "season": Threshold(0.97, None), "item": Threshold(0.8, 0.0)}
    return PredictConfig(
        bundle=with_thresholds(heads),
        catalogue=str(tmp_path / "items.csv"),
        images=str(images),
        output=str(tmp_path / "out"),
        columns=PredictColumnsConfig(id="sku", title="name", given={"baseColour": "hue"}),
        max_bad_fraction=0.5,
        batch_size=2,
        part_rows=2,
    )


def test_the_head_line_and_the_decisions(job: PredictConfig) -> None:
    done = tag_catalogue(job)
    page = Page(job.output)
    assert "rows 7 tagged 6 quarantined 1 14.3 % of the rows" in page.text
    accepted = f"accepted, all attributes at once {done['items_accepted']} "
    assert accepted in page.text
    assert "of the tagged, for an accuracy of 80.0 % for review, for one attribute or more 6 100.0 %" in page.text
    assert done["fingerprint"] in page.text
    manifest = json.loads((Path(str(job.output)) / "_manifest.json").read_text())
    assert manifest["settings"]["bundle"][:12] in page.text
    assert "season 0.0 % 0.0 % 100.0 % 97.0 % , not reached" in page.text.replace("%,", "% ,")
    assert "articleType 100.0 % 0.0 % 0.0 % 90.0 %" in page.text
    assert "baseColour 83.3 % 0.0 % 16.7 %" in page.text  # Teal is no colour that the model knows


def test_nothing_from_the_catalogue_is_run(job: PredictConfig) -> None:
    tag_catalogue(job)
    page = Page(job.output)
    assert "<script>" not in page.html
    assert HOSTILE in page.text  # as a text, the id
    assert "Shirt of <script>alert(1)</script>" in page.text
    assert "default-src 'none'" in page.html


def test_the_riskiest_items_have_their_picture_or_a_grey_card(job: PredictConfig) -> None:
    tag_catalogue(job)
    page = Page(job.output)
    assert page.html.count("<article>") == 6
    assert page.pictures == 3  # 007 stands twice
    assert page.text.count("IMAGE_NOT_FOUND: no such file") == 3
    assert "no title" in page.text
    assert "unknown_value:baseColour" in page.text
    shutil.rmtree(str(job.images))
    Path(str(job.images)).mkdir()
    (Path(str(job.images)) / "007.jpg").write_bytes(b"\xff\xd8")
    (Path(str(job.output)) / PAGE).unlink()
    assert tag_catalogue(job)["rows_done_now"] == 0
    page = Page(job.output)
    assert page.pictures == 0
    assert page.text.count("IMAGE_FORMAT_REFUSED") == 2


def test_the_queue_holds_what_is_for_review(job: PredictConfig, with_thresholds: Callable[..., str]) -> None:
    """A model that is always sure enough contradicts whatever it would answer otherwise, and doubts nothing else."""
    job.bundle, job.given = with_thresholds({"item": Threshold(0.8, 0.0)}), False
    tag_catalogue(job)
    assert queue_in(job.output) == []
    assert "No row is for review." in Page(job.output).text
    job.given, job.output = True, f"{job.output}2"
    summary = tag_catalogue(job)
    queue = queue_in(job.output)
    assert len(queue) == summary["review"]
    assert f"All {len(queue)} are in" in Page(job.output).text
    assert float(queue[0]["expected_mistakes"]) == max(float(each["expected_mistakes"]) for each in queue) > 1
    unknown = next(each for each in queue if each["row"] == "1")
    assert "unknown_value:baseColour" in unknown["review_reasons"]
    assert (unknown["id"], unknown["baseColour"], unknown["baseColour_confidence"]) == ("1e5", "Teal", "")


def test_quarantine_and_findings_are_counted(job: PredictConfig) -> None:
    Path(str(job.catalogue)).write_text(Path(str(job.catalogue)).read_text() + ",Shirt,,\n")
    tag_catalogue(job)
    page = Page(job.output)
    assert "IMAGE_NOT_FOUND 1 fetch yes" in page.text
    assert "ID_MISSING 1 id" in page.text
    assert "1 rows with an unquoted delimiter, rejoined into the title" in page.text
    assert "1 rows whose id an earlier row has" in page.text
    assert "Tagged without their picture:" in page.text


def test_a_job_without_a_tag_has_a_page(job: PredictConfig) -> None:
    Path(str(job.catalogue)).write_text("sku,name,gender,hue\na,,,\nb,,,\n")
    with pytest.raises(TooManyBadError):
        tag_catalogue(job)
    assert "quarantined 2 100.0 %" in Page(job.output).text
    job.max_bad_fraction = 1
    tag_catalogue(job)
    page = Page(job.output)
    assert "No row was tagged." in page.text
    assert "the model answered nothing" in page.text
    assert "No row has an answer of the model." in page.text
    assert queue_in(job.output) == []
    Path(str(job.catalogue)).write_text("sku,name,gender,hue\n")
    job.overwrite = True
    tag_catalogue(job)
    assert "rows 0 tagged 0" in Page(job.output).text


def test_both_formats_say_the_same(job: PredictConfig) -> None:
    tag_catalogue(job)
    first = Page(job.output).html
    first_queue = (Path(str(job.output)) / QUEUE).read_bytes()
    fingerprint = (Path(str(job.output)) / "_SUCCESS").read_text().strip()
    job.format, job.output = "csv", f"{job.output}-csv"
    tag_catalogue(job)
    other = (Path(str(job.output)) / "_SUCCESS").read_text().strip()
    assert (Path(str(job.output)) / QUEUE).read_bytes() == first_queue
    guarded = Page(job.output).html.replace(other, fingerprint).replace("&#39;=1+1", "=1+1")
    assert guarded == first


def test_how_the_job_is_cut_and_run_does_not_show(job: PredictConfig) -> None:
    tag_catalogue(job)
    whole = [(Path(str(job.output)) / name).read_bytes() for name in (PAGE, QUEUE)]
    job.output = f"{job.output}2"
    for shard in ("1/2", "0/2"):
        job.shard = shard
        tag_catalogue(job)
    assert [(Path(job.output) / name).read_bytes() for name in (PAGE, QUEUE)] == whole
    (Path(job.output) / "part-00001-of-00004.parquet").unlink()
    assert tag_catalogue(job)["rows_done_now"] in (0, 2)


def test_it_can_be_left_out_and_asked_for_later(job: PredictConfig) -> None:
    job.summary = False
    tag_catalogue(job)
    folder = Path(str(job.output))
    assert not (folder / PAGE).exists()
    assert not (folder / QUEUE).exists()
    job.summary = True
    assert tag_catalogue(job)["rows_done_now"] == 0
    assert (folder / PAGE).is_file()
    assert (folder / "_SUCCESS").is_file()
    job.summary = False
    (folder / "_SUCCESS").unlink()
    tag_catalogue(job)
    assert not (folder / PAGE).exists()  # of other tags, perhaps
    assert not (folder / QUEUE).exists()


def test_another_job_in_its_place_clears_it(job: PredictConfig) -> None:
    tag_catalogue(job)
    job.part_rows, job.overwrite, job.max_bad_fraction = 4, True, 1
    Path(str(job.catalogue)).write_text("sku,name,gender,hue\nb,'Shirt,,\n")
    job.summary = False
    tag_catalogue(job)
    assert not (Path(str(job.output)) / PAGE).exists()
    assert not (Path(str(job.output)) / QUEUE).exists()


# Drift


def test_a_bundle_knows_how_its_training_labels_were_distributed(trained: Path) -> None:
    bundle = read_bundle(trained / "bundle")
    assert {name: len(counts) for name, counts in bundle.train_counts.items()} == {
        name: len(space) for name, space in bundle.spaces.items()
    }
    rows = bundle.provenance["items"]["train"]
    assert all(0.9 * rows < sum(counts) <= rows for counts in bundle.train_counts.values())


def test_answers_are_compared_with_the_training_labels(
    job: PredictConfig, with_thresholds: Callable[..., str], trained: Path
) -> None:
    names = [f"{i},Red Shirt,Women," for i in range(40)]
    Path(str(job.catalogue)).write_text("sku,name,gender,hue\n" + "\n".join(names) + "\n")
    job.part_rows, job.batch_size = 40, 40
    tag_catalogue(job)
    section = Page(job.output).text.split("Labels here and in training")[1].split("Riskiest items")[0]
    assert re.search(r"masterCategory (drift )?distance", section)
    assert "gender" not in section  # all given: no answers
    assert re.search(r"articleType drift distance 0\.\d+; by chance up to 0\.\d+ 40 answers", section)
    item = {"item": Threshold(0.8, 0.0)}
    job.bundle, job.output = with_thresholds(item, train_counts={}), f"{job.output}2"
    tag_catalogue(job)
    assert "There is nothing to compare with" in Page(job.output).text
