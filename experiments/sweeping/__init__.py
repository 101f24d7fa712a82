"""Hyperparameter sweeps with Optuna: what varies, who runs it, and what came out."""
