"""The bundle: everything a trained tagger needs to tag, in one folder that can be handed on.

`model.safetensors`, `bundle.json`, `tokenizer.json` (with a text tower), `ngrams.safetensors` (with a wide path),
`similarity.safetensors` (with a similarity head) and `README.md`, the model card. No pickle, no code, and nothing is
instantiated from a name inside it. A mismatch is an error, never a silent repair.
"""

from fashionmt.bundle.content import Bundle
from fashionmt.bundle.files import bundle_digest
from fashionmt.bundle.reading import read_bundle
from fashionmt.bundle.writing import save_bundle

__all__ = ["Bundle", "bundle_digest", "read_bundle", "save_bundle"]
