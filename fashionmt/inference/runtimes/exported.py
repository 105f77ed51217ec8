"""What `task=export` leaves in a bundle: its model as ONNX files, and what they were checked by.

`onnx/exports.json` names the bundle and each file's sha256, and is written last. Both runtimes read the same files.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fashionmt.bundle import bundle_digest
from fashionmt.errors import UserError

FOLDER, DESCRIPTION = "onnx", "exports.json"
FLOAT, INT8 = "32-true", "int8"
"""Precisions of an exported model."""
FORMAT = 1
LOGITS, EMBEDDING = "logits:", "item:embedding"
"""What outputs are called: `logits:<attribute>`, and the fused embedding."""


@dataclass(frozen=True)
class ExportedModels:
    """The exports of a bundle."""

    folder: Path
    bundle: str
    """The digest of the bundle that they were made from."""
    models: Mapping[str, Mapping[str, Any]]
    """Precision -> `sha256`, and the `checks` that it passed."""

    def file(self, precision: str) -> Path:
        """Where a model lies, or would."""
        return self.folder / f"{precision}.onnx"

    def sha256(self, precision: str) -> str:
        """What tells a model from every other. Raises `UserError` where there is no such model."""
        if precision not in self.models:
            raise UserError(
                f"precision={precision}", f"{self.folder.parent} has no such exported model", self._repair(precision)
            )
        return str(self.models[precision]["sha256"])

    def model(self, precision: str) -> bytes:
        """The file's content. Raises `UserError` where there is no such model, or it is not as it was written."""
        digest, path = self.sha256(precision), self.file(precision)
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != digest:
            raise UserError(str(path), "is missing, or not as it was written", self._repair(precision))
        return content

    def _repair(self, precision: str) -> str:
        return f"Make it: python predict.py task=export bundle={self.folder.parent} export.precisions=[{precision}]"


def read_exports(bundle: Path) -> ExportedModels:
    """Those of a bundle's folder. Raises `UserError` where they are damaged or another bundle's."""
    folder, digest = bundle / FOLDER, bundle_digest(bundle)
    path = folder / DESCRIPTION
    if not path.is_file():
        return ExportedModels(folder, digest, {})
    repair = f"Make them again: python predict.py task=export bundle={bundle}"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        version, made_from, models = stored["format"], stored["bundle"], dict(stored["models"])
        assert isinstance(made_from, str)
        assert all(isinstance(model["sha256"], str) for model in models.values())
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise UserError(str(path), f"cannot be read ({error!r:.80})", repair) from error
    if version != FORMAT:
        raise UserError(str(path), f"format {version!r}, and this fashionmt reads format {FORMAT}", repair)
    if made_from != digest:
        raise UserError(str(path), f"made from the bundle {made_from[:8]}, and this one is {digest[:8]}", repair)
    return ExportedModels(folder, digest, models)
