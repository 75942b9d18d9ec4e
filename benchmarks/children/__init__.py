"""Programs that do the whole job once, each with one engine, for `benchmarks.process`.

Each is run as a file, `python run_X.py MODEL PICTURE OUT ROWS COLUMNS`, and imports only what it needs.
"""
