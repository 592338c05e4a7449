import pytest


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """No test reads or fills the cache of whoever runs it, nor finds data that lies on the machine."""
    monkeypatch.setenv("GRAPHSTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GRAPHSTILL_DATA", raising=False)
