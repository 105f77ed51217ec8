"""Training, and the only place for Lightning.

Nothing is imported here: a run's folder, say, can be looked at without the seconds that Lightning takes to load.
"""
