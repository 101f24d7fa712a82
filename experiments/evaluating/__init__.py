"""Evaluation: suites following the papers' protocols, scores, tables, plots and an HTML report."""
