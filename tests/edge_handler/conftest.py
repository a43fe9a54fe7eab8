import gc
from collections.abc import Iterator

import pytest

from edge_handler.website import deployments, prefix


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 is played here by a machine that may be busy: what is tested is what it says, not when."""
    for module in (prefix, deployments):
        monkeypatch.setattr(module, "SECONDS", 60)


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch, patience: None) -> None:
    """For an S3 that says nothing."""
    for module in (prefix, deployments):
        monkeypatch.setattr(module, "SECONDS", 0.6)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage from before, and nobody who takes it away."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
