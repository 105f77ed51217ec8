"""Ludwig 0.11.0 on the same towers, batch and rows, in an environment of its own.

    tests/benchmarks/against/make_ludwig_environment.sh /tmp/ludwig_env
    python tests/benchmarks/against/ludwig_towers.py environment=/tmp/ludwig_env [catalogue=<csv> images=<dir>]
        [items=2048] [batch=128] [epochs=2] [threads=2] [image_encoder=own]

Training: the first epoch is left out, and of every later one counts the time from its start to the end of its last
step; the median of them. Preprocessing (`preprocess_seconds`: Ludwig decodes all pictures into memory and encodes all
titles before the first epoch), evaluation and checkpoints are left out. Tagging: `LudwigModel.predict` on the rows, its
preprocessing and the writing of predictions in it, after two batches of warm-up.

`image_encoder=own`: Ludwig's own ResNet, set to the widths and strides of ResNet-18, which takes pictures of 80x60.
`image_encoder=torchvision`: its `resnet`, which resizes every picture to 224x224 whatever the config says, and so does
ten times the arithmetic.

The same as fashionmt's: rows, batch, picture size (with `own`), BERT's size (from random weights, its tokenizer from a
local folder), a hidden layer of 512, six outputs, AdamW, threads, float32. Not the same: torch 2.11; pictures are
mirrored and no more; no class weights; no schedule; pictures are not decoded in the time of training, all titles are
padded alike, to 32 tokens at most; the text tower gives BERT's pooled [CLS], a layer more, and `own` has a layer of 512
more. What is left out is in Ludwig's favour. Prints one JSON object, memory as `watched.held` counts it.
"""

import json
import sys
from pathlib import Path

from watched import asked, watched

ENCODERS = ("own", "torchvision")


def main() -> None:
    options = {"image_encoder": "own"} | asked(sys.argv[1:], "environment", "image_encoder")
    if "environment" not in options:
        raise SystemExit(
            "environment: not set; make one with make_ludwig_environment.sh <dir>, and set environment=<dir>"
        )
    interpreter = Path(options["environment"]) / "bin/python"
    if not interpreter.is_file():
        raise SystemExit(
            f"environment={options['environment']}: no {interpreter}; run make_ludwig_environment.sh first"
        )
    if options["image_encoder"] not in ENCODERS:
        raise SystemExit(f"image_encoder={options['image_encoder']}: one of {', '.join(ENCODERS)}")
    if options["precision"] != "32-true":
        raise SystemExit(f"precision={options['precision']}: Ludwig has 32-true alone on a CPU")
    print(json.dumps(watched(Path(__file__).with_name("ludwig_model.py"), options, str(interpreter))))


if __name__ == "__main__":
    main()
