"""The wheel, installed elsewhere, runs from another folder."""

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import TOP


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a virtual environment that holds the built wheel, and sees the other packages of this one."""
    root = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(root)]
    subprocess.run(build, cwd=TOP, check=True, capture_output=True, timeout=120)
    (wheel,) = root.glob("*.whl")
    venv.create(root / "env", with_pip=False)
    bin_folder = root / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    install = [sys.executable, "-m", "pip", "--python", str(bin_folder / "python"), "install", "--no-deps", "-q"]
    subprocess.run([*install, "--no-index", str(wheel)], check=True, capture_output=True, timeout=120)
    packages = min((root / "env").glob("lib*/**/site-packages"))  # lib64 may link to lib
    # A .pth adds the packages but not their own .pth files, so the editable install of this checkout stays unseen.
    (packages / "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return bin_folder


def run(installed: Path, folder: Path, command: str, *arguments: str) -> str:
    done = subprocess.run(
        [str(installed / command), *arguments], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_the_wheel_that_is_imported(installed: Path, tmp_path: Path) -> None:
    where = run(
        installed, tmp_path, "python", "-c", "import fashionmt.paths as p; print(p.PACKAGE); print(p.conf_dir())"
    )
    package, conf = map(Path, where.split())
    assert package.is_relative_to(installed.parent)
    assert conf == package / "conf"
    assert (conf / "data/fashion_products.yaml").is_file()


def test_its_commands_find_their_config(installed: Path, tmp_path: Path) -> None:
    assert "fashion_products" in run(installed, tmp_path, "fashionmt-train", "--help")
    assert "max_epochs: 7" in run(installed, tmp_path, "fashionmt-train", "--cfg", "job", "trainer.max_epochs=7")


def test_it_tags_with_a_bundle(installed: Path, tmp_path: Path, trained: Path) -> None:
    told = run(installed, tmp_path, "fashionmt-predict", f"bundle={trained / 'bundle'}", "output=tags.parquet")
    summary = json.loads(told)
    assert (summary["tagged"], summary["output"]) == (59, "tags.parquet")
    assert (tmp_path / "tags.parquet").is_file()
    assert (tmp_path / "tags.parquet.parts/summary.html").is_file()
