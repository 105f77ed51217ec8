"""Ray's workers make the parts that one process makes, to the byte, and either goes on with what the other left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from fashionmt.bundle import bundle_digest, read_bundle
from fashionmt.config import PredictConfig
from fashionmt.errors import ExitCode, ResourceError, TooManyBadError, UserError
from fashionmt.inference.job import join_job
from fashionmt.inference.run import tag_catalogue

ray = pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")  # ray brings it
from fashionmt.inference import ray_parts  # noqa: E402 - needs ray

TOP = Path(__file__).resolve().parents[2]
ROWS, PART_ROWS = 22, 4

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray", "ignore::ResourceWarning:ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two workers on this machine, as a program that uses Ray already would have them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(TOP))
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=0,
            object_store_memory=80_000_000,
            include_dashboard=False,
            log_to_driver=False,
        )
        yield
        ray.shutdown()


@pytest.fixture
def here(tmp_path: Path, trained: Path) -> PredictConfig:
    """A catalogue with a row that is broken and pictures that are missing, for this process to tag."""
    (tmp_path / "photos").mkdir()
    for row in range(0, ROWS, 2):
        Image.new("RGB", (60, 80), (10 * row, 100, 0)).save(tmp_path / "photos" / f"{row}.jpg")
    lines = [f'{row},"Blue' if row == 9 else f"{row},Blue Shirt {row}" for row in range(ROWS)]
    (tmp_path / "items.csv").write_text("\n".join(["id,productDisplayName", *lines]) + "\n")
    return PredictConfig(
        bundle=str(trained / "bundle"),
        catalogue=str(tmp_path / "items.csv"),
        images=str(tmp_path / "photos"),
        output=str(tmp_path / "here"),
        batch_size=2,
        part_rows=PART_ROWS,
        max_bad_fraction=0.2,
    )


@pytest.fixture
def there(here: PredictConfig, tmp_path: Path) -> PredictConfig:
    """The same for Ray."""
    return replace(here, engine="ray", output=str(tmp_path / "there"))


def files_in(config: PredictConfig) -> dict[str, bytes]:
    """All that was written, less the manifest, which holds the job's speed."""
    files = Path(str(config.output)).iterdir()
    return {file.name: file.read_bytes() for file in files if file.suffix != ".lock" and file.name != "_manifest.json"}


def without_speed(summary: dict[str, object]) -> dict[str, object]:
    apart = ("output", "seconds", "rows_per_second", "peak_megabytes")
    return {name: value for name, value in summary.items() if name not in apart}


def test_the_output_is_the_same_to_the_byte(here: PredictConfig, there: PredictConfig, cluster: None) -> None:
    alone, together = tag_catalogue(here), tag_catalogue(there)
    assert without_speed(together) == without_speed(alone)
    assert (together["rows_done_now"], together["quarantined"], together["complete"]) == (ROWS, 1, True)
    assert files_in(there) == files_in(here)
    assert "quarantine-00002-of-00006.jsonl" in files_in(there)


def test_each_goes_on_with_what_the_other_left(here: PredictConfig, there: PredictConfig, cluster: None) -> None:
    tag_catalogue(here)
    done = [tag_catalogue(replace(there, engine="local", shard="0/3")), tag_catalogue(replace(there, shard="1/3"))]
    assert [each["rows_done_now"] for each in done] == [2 * PART_ROWS] * 2
    done = [tag_catalogue(replace(there, engine="local"))]
    assert (done[0]["rows_done_now"], done[0]["complete"]) == (ROWS - 4 * PART_ROWS, True)
    assert files_in(there) == files_in(here)
    assert tag_catalogue(there)["rows_done_now"] == 0


def test_what_a_worker_meets_is_the_error_that_this_process_would_have_met(
    there: PredictConfig, cluster: None, capfd: pytest.CaptureFixture[str]
) -> None:
    tag_catalogue(replace(there, engine="local", shard="1/2"))
    capfd.readouterr()
    (Path(str(there.output)) / ".part-00002-of-00006.parquet.tmp").mkdir()
    with pytest.raises(ResourceError, match=r"part-00002-of-00006.parquet.tmp: open: Is a directory") as raised:
        tag_catalogue(there)
    assert raised.value.code == ExitCode.RESOURCES
    assert "Traceback" not in capfd.readouterr().err
    (Path(str(there.output)) / ".part-00002-of-00006.parquet.tmp").rmdir()
    assert tag_catalogue(replace(there, engine="local"))["complete"]


@pytest.mark.slow
def test_a_job_whose_first_parts_are_mostly_bad_is_stopped(
    there: PredictConfig, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fashionmt.inference.run.FIRST_ROWS", PART_ROWS)
    Path(str(there.images)).rename(Path(str(there.images)).with_name("moved"))
    Path(str(there.images)).mkdir()
    with pytest.raises(TooManyBadError, match=r"of the first \d+ rows \d+ have no tags"):
        tag_catalogue(there)
    assert "_SUCCESS" not in files_in(there)


# Without a cluster


@pytest.mark.parametrize(
    ("nodes", "asked", "parts", "expected"),
    [
        ([{"CPU": 2.0}], None, 10, (2, 1, 0)),
        ([{"CPU": 2.0}], 1, 10, (1, 2, 0)),
        ([{"CPU": 8.0}], None, 3, (3, 2, 0)),
        ([{"CPU": 4.0}] * 3, 2, 10, (2, 4, 0)),
        ([{"CPU": 16.0, "GPU": 2.0}, {"CPU": 64.0}], None, 10, (2, 8, 1)),
        ([{"CPU": 8.0, "GPU": 8.0}, {"CPU": 64.0, "GPU": 1.0}], None, 99, (9, 1, 1)),
        ([{"CPU": 0.0}, {"CPU": 4.0}], 9, 99, (9, 1, 0)),
    ],
)
def test_a_worker_has_a_gpu_or_its_share_of_the_cores(
    nodes: list[dict[str, float]], asked: int | None, parts: int, expected: tuple[int, int, int]
) -> None:
    assert ray_parts.pool_for(nodes, asked, parts) == ray_parts.Pool(*expected)


def test_a_machine_with_other_files_is_told(here: PredictConfig) -> None:
    tag_catalogue(here)
    bundle, digest = read_bundle(Path(str(here.bundle))), bundle_digest(Path(str(here.bundle)))
    with pytest.raises(UserError, match="the bundle, the catalogue or the output is not the job's"):
        join_job(here, bundle, digest, "0" * 64)
    errand = ray_parts.Errand({}, "", "/no/such/folder", 1)
    with pytest.raises(UserError, match=r"/no/such/folder: not there on .* same paths"):
        ray_parts._open(errand)


def test_our_own_mistake_keeps_its_traceback() -> None:
    try:
        raise KeyError("colour")
    except KeyError as error:
        answer = ray_parts._answer_error(error)
    with pytest.raises(ray_parts.WorkerError, match="KeyError: 'colour'") as raised:
        ray_parts._read_answer(answer)
    assert "test_ray_engine.py" in raised.value.__notes__[0]


def test_the_standard_input_is_not_for_workers() -> None:
    with pytest.raises(UserError, match="catalogue=-: the workers of engine=ray cannot read it"):
        PredictConfig(catalogue="-", engine="ray")


def test_without_its_package_it_says_what_to_install(here: PredictConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"engine=ray: its package is not installed\. Run pip install 'fashionmt\[ray\]'"
    ):
        tag_catalogue(replace(here, engine="ray"))


# Real processes, in minutes


def command(here: PredictConfig, rows: int) -> list[str]:
    """`predict.py` with workers of its own, on many rows."""
    lines = ["id,productDisplayName", *(f"{row},Blue Shirt {row}" for row in range(rows))]
    Path(str(here.catalogue)).write_text("\n".join(lines) + "\n")
    names = ("bundle", "catalogue", "output", "batch_size")
    options = [f"{name}={getattr(here, name)}" for name in names]
    # A test run in a shell's background hands down that SIGINT is ignored: heed it again.
    heed = "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); del sys.argv[0]"
    run = f"{heed}; runpy.run_path(sys.argv[0], run_name='__main__')"
    return [sys.executable, "-c", run, str(TOP / "predict.py"), *options, "engine=ray", "part_rows=64"]


def wait_for_parts(folder: Path, count: int) -> None:
    for _ in range(1200):
        if len(list(folder.glob("part-*"))) >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"no {count} parts in two minutes")


def start(arguments: list[str], folder: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(TOP), "RAY_ADDRESS": "local"}
    pipe = subprocess.PIPE
    return subprocess.Popen(arguments, cwd=folder, stdout=pipe, stderr=pipe, text=True, env=environment)


@pytest.mark.slow
def test_a_signal_ends_it_where_it_goes_on(here: PredictConfig, tmp_path: Path) -> None:
    process = start(command(here, 30_000), tmp_path)
    wait_for_parts(tmp_path / "here", 3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED, errors
    assert errors.strip().splitlines()[-1] == "fashionmt: tagging: stopped. The same command goes on where it was."
    assert not list(tmp_path.glob("here/.*.tmp"))
    assert not (tmp_path / "here" / "_SUCCESS").exists()


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(here: PredictConfig, tmp_path: Path) -> None:
    process = start(command(here, 6_000), tmp_path)
    wait_for_parts(tmp_path / "here", 3)
    workers = [each for each in psutil.Process(process.pid).children(recursive=True) if "MapWorker" in each.name()]
    workers[0].kill()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert (tmp_path / "here" / "_SUCCESS").exists()
