"""The commands as their users meet them: exit codes, one line an error, nothing lost."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pandas as pd
import pytest

from fashionmt.cli import _mention_resume
from fashionmt.hydra_bridge import HYDRA_1_3
from tests.conftest import SMALL, TOP


class Shell:
    """Runs a command in a folder of its own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"FASHIONMT_CACHE": str(cache)}

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(TOP / script), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300
        )

    def error(self, script: str, *arguments: str, code: int = 2) -> str:
        """The one line on stderr of a command that fails with `code`."""
        done = self.run(script, *arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        return lines[0]


@pytest.fixture
def shell(tmp_path: Path, cache: Path) -> Shell:
    return Shell(tmp_path, cache)


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("optim.lerning_rate=1", "Did you mean optim.learning_rate?"),
        ("optim.learning_rate=fast", "could not be converted to Float"),
        ("model.fusion.kind=mean", "Use one of concat, gated"),
        ("data=nope", "catalogue fashion_products sample"),
        ("model/image=resnet99", "resnet18 resnet34 resnet50"),
        ("data.split.kind=tme", "Use one of family, random, time, block"),
        ("trainer.max_epochs=0", "out of range"),
        ("seed=[", "fashionmt: config:"),
        ("resume=nowhere", "holds no run"),
    ],
)
def test_a_misspelt_or_mistyped_config_is_refused_in_one_line(shell: Shell, override: str, told: str) -> None:
    assert told in shell.error("train.py", override)
    assert list(shell.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "meant"),
    [
        (["experiment=fashion_product"], "experiment=fashion_products"),
        (["-m", "sweep=learning_rates"], "sweep=learning_rate"),
        (["-m", "launcher=jobli", "seed=0,1"], "launcher=joblib"),
        (["model=image_txt"], "model=image_text"),
    ],
)
def test_a_misspelt_option_of_a_group_is_refused_before_anything_is_trained(
    shell: Shell, overrides: list[str], meant: str
) -> None:
    assert f"Did you mean {meant}?" in shell.error("train.py", *overrides)
    assert not (shell.folder / "runs").exists()


def test_an_option_that_stands_wrong_or_is_none_is_refused_in_one_line(shell: Shell) -> None:
    if HYDRA_1_3:
        told = shell.error("train.py", "seed=1", "-m", "model=text_only")
        assert "unrecognized arguments: model=text_only. Put -m, and what else begins with -, first." in told
    assert "unrecognized arguments: --lr. See --help; overrides are key=value." in shell.error("train.py", "--lr", "3")
    assert "argument --cfg/-c: expected one argument" in shell.error("predict.py", "--cfg")
    assert shell.run("train.py", "--version").stdout.startswith("Hydra ")


def test_a_grid_over_a_tower_that_is_not_there_is_refused_by_its_key(shell: Shell) -> None:
    told = shell.error("train.py", "-m", "sweep=architecture", "model=text_only")
    assert "model.image.name: model.image is null. Take a model with a picture tower" in told


def test_a_misspelt_key_of_predict_is_refused_in_one_line(shell: Shell) -> None:
    assert "Did you mean output?" in shell.error("predict.py", "outptu=x.csv")


def test_a_config_file_that_is_no_yaml_is_refused_by_name_and_line(shell: Shell) -> None:
    (shell.folder / "own" / "data").mkdir(parents=True)
    write(shell.folder / "own" / "data" / "mine.yaml", "kind: files\nname: my: shop\n")
    told = shell.error("train.py", "--config-dir=own", "data=mine")
    assert "mine.yaml" in told
    assert "line 2" in told


# tests/data covers every kind of bad catalogue; these go the whole way to the exit code.
CATALOGUES = {
    "no such catalogue": None,
    "found: id, name, gender": "id,name,gender\n1,a,Men\n",
    "only the class 'Men'": "id,title,gender\n" + "".join(f"{i},item {i},Men\n" for i in range(40)),
}


@pytest.mark.parametrize("told", CATALOGUES)
def test_a_bad_catalogue_is_refused_in_one_line(shell: Shell, told: str) -> None:
    text = CATALOGUES[told]
    path = str(shell.folder / "items.csv")
    if text is not None:
        write(Path(path), text)
    done = shell.run(
        "train.py",
        "data=catalogue",
        f"data.catalogue={path}",
        "model=text_only",
        *(f"~data.attributes.{name}" for name in UNUSED),
    )
    assert done.returncode == 2, done.stderr
    assert told in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_folder_or_catalogue_that_cannot_be_is_refused_before_big_libraries_are_loaded(shell: Shell) -> None:
    (shell.folder / "planted").mkdir()
    for library in ("pytorch_lightning", "torchvision", "transformers"):
        write(shell.folder / "planted" / f"{library}.py", "raise SystemExit('loaded for nothing')\n")
    shell.environment = shell.environment | {"PYTHONPATH": str(shell.folder / "planted")}
    assert "holds no run" in shell.error("train.py", "resume=nowhere")
    assert "no such folder" in shell.error("train.py", "sweep_status=gone")
    own = ["data=catalogue", "data.catalogue=items.csv", "model=text_only", "data.learn=[gender]"]
    assert "no such catalogue" in shell.error("train.py", *own)
    write(shell.folder / "items.csv", "id,productDisplayName\n1,a\n")
    assert "attribute gender" in shell.error("train.py", *own, "data.columns.title=productDisplayName")
    own.append("data.columns.title=productDisplayName")
    told = shell.error("train.py", *own, "data.attributes.gender.column=sex", "data.attributes.gender.weight=2")
    assert "no column 'sex' (attribute gender)" in told
    assert "data.learn does not name gendre. Did you mean gender?" in shell.error(
        "train.py", *own, "data.attributes.gendre.weight=2"
    )
    told = shell.error("train.py", *own, "data.columns.title=productDisplaName")
    assert "no column 'productDisplaName' (the title)" in told
    assert "Did you mean productDisplayName?" in told
    assert list(shell.folder.glob("runs/*/*/*/*")) == []


def test_to_ask_for_the_status_of_no_folder_makes_none(shell: Shell) -> None:
    assert "no such folder" in shell.error("train.py", "sweep_status=runs/sweep/typo")
    assert not (shell.folder / "runs").exists()


def test_an_epochs_line_stands_by_itself_on_a_terminal_with_a_bar(shell: Shell) -> None:
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (40, 120))
    command = [sys.executable, str(TOP / "train.py"), *SMALL, "trainer.max_epochs=1", "report=false"]
    process = subprocess.Popen(command, cwd=shell.folder, env=shell.environment, stdout=its, stderr=its)
    os.close(its)
    seen = b""
    with contextlib.suppress(OSError):  # Linux: the other end is closed
        while part := os.read(ours, 1 << 16):
            seen += part
    os.close(ours)
    assert process.wait(60) == 0, seen
    assert b"Epoch 0:" in seen
    assert re.search(rb"(^|[\r\n])epoch 1/1  val loss [^\r\n]* left\r?\n", seen), seen


UNUSED = ("articleType", "baseColour", "masterCategory", "subCategory", "season")


def test_no_bundle_yet_names_the_command_that_makes_one(shell: Shell) -> None:
    assert "python train.py" in shell.error("predict.py")


def test_a_full_disk_is_one_line_and_leaves_no_half_output(shell: Shell, trained: Path) -> None:
    small = shell.folder / "site"
    small.mkdir()
    # The failing write of a full disk, without a full disk.
    write(
        small / "sitecustomize.py",
        "import errno\n"
        "from fashionmt import storage\n"
        "def full(effect, path):\n"
        "    if effect == 'write' and 'part-' in path.name:\n"
        "        raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "storage.before = full\n",
    )
    shell.environment["PYTHONPATH"] = f"{small}{os.pathsep}{TOP}"
    done = shell.run("predict.py", f"bundle={trained / 'bundle'}", "output=out")
    assert done.returncode == 5, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "No space left on device" in last
    assert "the same command then goes on where it was" in last
    assert not [path for path in (shell.folder / "out").iterdir() if "part-" in path.name]
    del shell.environment["PYTHONPATH"]
    assert shell.run("predict.py", f"bundle={trained / 'bundle'}", "output=out").returncode == 0


def test_an_error_of_ours_is_one_line_with_exit_code_1_and_a_traceback_when_asked(shell: Shell) -> None:
    broken = shell.folder / "site"
    broken.mkdir()
    write(broken / "sitecustomize.py", "import fashionmt.config as c\nc.TrainConfig.__post_init__ = lambda s: 1 / 0\n")
    shell.environment["PYTHONPATH"] = f"{broken}{os.pathsep}{TOP}"
    assert "ZeroDivisionError" in shell.error("train.py", code=1)
    shell.environment["FASHIONMT_DEBUG"] = "1"
    assert "Traceback" in shell.run("train.py").stderr


def test_ctrl_c_ends_a_run_with_130_and_tells_how_to_go_on(shell: Shell) -> None:
    # A test run in a shell's background hands down that the signal is ignored: heed it again.
    heed = "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); del sys.argv[0]"
    train = [str(TOP / "train.py"), *SMALL, "trainer.max_epochs=500", "hydra.run.dir=run"]
    command = [sys.executable, "-c", f"{heed}; runpy.run_path(sys.argv[0], run_name='__main__')", *train]
    process = subprocess.Popen(
        command, cwd=shell.folder, env=shell.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    for _ in range(1200):
        if list(shell.folder.glob("run/checkpoints/epoch*")):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "fashionmt: interrupted. Go on with: python train.py resume=run"
    assert "Traceback" not in errors


def test_ctrl_c_when_a_run_has_ended_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While W&B is told of it, say."""
    for name in ("config.yaml", "metrics.json"):
        (tmp_path / name).touch()
    with pytest.raises(SystemExit) as left, _mention_resume(tmp_path):
        raise KeyboardInterrupt
    assert left.value.code == 130
    told = capsys.readouterr().err
    assert told == f"fashionmt: interrupted. The run has ended: its results are in {tmp_path}\n"


def test_predict_without_arguments_tags_the_new_items_with_the_newest_bundle(shell: Shell, trained: Path) -> None:
    shell.folder = trained.parents[3]
    done = shell.run("predict.py")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["tagged"] + summary["quarantined"]) == (60, 60)
    tags = pd.read_parquet(next((shell.folder / summary["output"]).glob("part-*")))
    assert len(tags) == summary["tagged"]
    assert tags["articleType"].iloc[0] in done.stderr
    assert str(trained.relative_to(shell.folder) / "bundle") in done.stderr
    assert json.loads(shell.run("predict.py").stdout)["rows_done_now"] == 0


def test_help_names_the_config_groups(shell: Shell) -> None:
    done = shell.run("train.py", "--help")
    assert done.returncode == 0
    assert "data: catalogue, fashion_products, sample" in done.stdout
