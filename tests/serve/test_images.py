"""A server with a student of images."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from graphstill.errors import ConfigError
from graphstill.runtime import ImagePredictor
from graphstill.serve import Limits, serve
from tests.runtime.image_folders import images, write


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("serve") / "student")


@pytest.fixture(scope="module")
def client(connect: Callable[..., httpx.Client], student: Path) -> httpx.Client:
    return connect(ImagePredictor(student), Limits(nodes=8, workers=2), graph=False)


def encoded(x: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(x.tobytes()).decode()


def test_images(client: httpx.Client, student: Path) -> None:
    x, predictor = images(8), ImagePredictor(student)
    found = client.post("/predict/images", json={"images": encoded(x), "probabilities": True}).json()
    assert found["predictions"] == predictor.predict(x).tolist()
    np.testing.assert_allclose(found["probabilities"], predictor.probabilities(x), atol=1e-6)
    alone = client.post("/predict/images", json={"images": encoded(x[3])}).json()
    assert alone == {"predictions": found["predictions"][3:4]}
    about = client.get("/metadata").json()
    assert about["image"]["class_names"] == ["ant", "bee"] and not about["needs_graph"]
    body = client.get("/openapi.json").json()["paths"]["/predict/images"]["post"]["requestBody"]
    described = body["content"]["application/json"]["schema"]["properties"]["images"]
    assert described["contentEncoding"] == "base64" and "[n, 3, 4, 5]" in described["description"]


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ([[1, 2]], "images is [[1, 2]]"),
        ("", "images is ''"),
        ("ä", "no base64"),
        ("abc", "no base64"),
        ("A" * 76, "57 bytes, not 60 for each image"),
        (encoded(images(9)), "holds 9 of them, more than 8"),
    ],
)
def test_what_is_no_images(client: httpx.Client, sent: Any, named: str) -> None:
    refused = client.post("/predict/images", json={"images": sent})
    assert refused.status_code == 422
    assert named in refused.json()["detail"]


def test_graphs_are_not_asked_about(client: httpx.Client, student: Path) -> None:
    refused = client.post("/predict/nodes", json={"nodes": [0]})
    assert refused.status_code == 404
    assert "GET /metadata, POST /predict/images." in refused.json()["detail"]
    with pytest.raises(ConfigError, match="--graph"):
        serve(student, graph="cora.npz")
