"""Places with pictures, and what they refuse."""

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fashionmt.inference.pictures import PictureLimits, PictureRefused, PictureSource
from fashionmt.problems import Code

LIMITS = PictureLimits(max_bytes=1000, seconds=5)


def refusal(source: PictureSource, name: str) -> Code:
    """Why `name` is refused, as it has to be, in a line that is not long."""
    with pytest.raises(PictureRefused) as refused:
        source.read(name)
    problem = refused.value.problem
    assert problem.message == str(refused.value) != ""
    assert "\n" not in problem.message
    assert len(problem.message) <= 200
    return problem.code


def write_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            archive.addfile(tar_member(name, content), io.BytesIO(content))


def tar_member(name: str, content: bytes = b"", **fields: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    return member
