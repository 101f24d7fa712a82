"""Metadata of the installed package."""

import importlib.metadata


def test_the_licence_of_the_weights_is_declared():
    metadata = importlib.metadata.metadata("agarnet-jax")
    assert metadata["License-Expression"] == "Apache-2.0 AND LicenseRef-agarnet-weights"
    texts = {
        file.read_text(encoding="utf-8")
        for file in importlib.metadata.files("agarnet-jax") or ()
        if file.name == "LICENSE"
    }
    assert any("Apache License" in text for text in texts)
    assert any("weights" in text and "research" in text for text in texts)
