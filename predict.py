"""Tag a catalogue with a trained bundle: `python predict.py` tags the sample's new items; `--help` says more."""

from fashionmt.cli import predict

if __name__ == "__main__":
    predict()
