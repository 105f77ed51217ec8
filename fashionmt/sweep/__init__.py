"""Sweeps: many jobs from one command, known again when it is given again."""
