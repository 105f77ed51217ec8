"""Train the attribute tagger: `python train.py` trains on the sample catalogue; `--help` shows the options."""

from fashionmt.cli import train

if __name__ == "__main__":
    train()
