"""The parts of `speed.py`: one measured thing a module, each a function from `Settings` to figures."""
