"""Export of trained networks to other runtimes; all formats contain a function of `blind.py`.

One module per format, imported on demand: a base install has none of their dependencies.
"""
