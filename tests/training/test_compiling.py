"""`trainer.compile`: the same answers by kernels of this machine, and a refusal where nothing can write them."""

import shutil

import pytest
import torch

from fashionmt.errors import UserError
from fashionmt.training.compiling import check_compiler, compile_towers
from tests.tiny import random_batch, tiny_config, tiny_tagger


def test_a_machine_without_a_compiler_is_told_so_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"trainer\.compile=true.*no C\+\+ compiler"):
        check_compiler(torch.device("cpu"))
    check_compiler(torch.device("cuda"))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_towers_give_the_same_answers_and_weights() -> None:
    eager, compiled = tiny_tagger(tiny_config()).eval(), tiny_tagger(tiny_config()).eval()
    compiled.load_state_dict(eager.state_dict())
    compile_towers(compiled)
    assert compiled.state_dict().keys() == eager.state_dict().keys()
    batch = random_batch()
    with torch.no_grad():
        expected, found = eager(batch), compiled(batch)
    torch.testing.assert_close(found.embedding, expected.embedding, rtol=1e-4, atol=1e-5)
    for name, logits in expected.logits.items():
        torch.testing.assert_close(found.logits[name], logits, rtol=1e-4, atol=1e-5)
