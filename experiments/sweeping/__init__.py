"""Hyperparameter sweeps with Optuna: search spaces, workers and reports."""
