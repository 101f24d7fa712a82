"""Trained networks as files for other runtimes; `blind.functions` is what they all hold.

One module a format, imported by whoever wants it: none is loaded by a base install.
"""
