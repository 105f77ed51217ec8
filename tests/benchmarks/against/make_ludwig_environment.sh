#!/bin/sh
# Ludwig in a virtual environment of its own, for ludwig_towers.py: its torch is older than ours.
#
#     tests/benchmarks/against/make_ludwig_environment.sh /tmp/ludwig_env
#
# Takes about five minutes and 6 GB: PyPI's torch for Linux brings its CUDA libraries and does not import without them.
# Needs Python 3.11 or newer. The versions in the second line are those that the figures were made with.
set -eu

folder=${1:?"usage: $0 <new folder>"}
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/pip" install --quiet ludwig==0.11.0 torch==2.11.0 torchaudio==2.11.0 torchvision==0.26.0 \
    transformers==5.24.0 pandas==3.1.1 numpy==2.4.6
"$folder/bin/python" -W ignore -c 'import ludwig.api, torch; print("ludwig.api imports, with torch", torch.__version__)'
