"""Evaluation: suites of the paper's protocols, scores, tables, plots and a report to look at."""
