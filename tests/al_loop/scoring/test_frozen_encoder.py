"""A registered pool is embedded with the shipped encoder in the background, and ranks by it before the first label."""

from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from models.registry import ModelRegistry
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FROZEN
from service.settings import Settings
from tests.e2e.campaigns import Http, create, register, write_pool
from tests.service.routes.test_pretrainings import embedded, root
from tests.service.routes.test_rounds import wait_until

__all__ = ["root"]


@pytest.mark.shipped_encoder
def test_pool_is_embedded_after_registration_and_what_is_new_after_it(
    http: Http, root: Path, settings: Settings
) -> None:
    assert http.get("/health/ready").json()["encoder"] == "ok"
    create(http, root)
    register(http)
    wait_until(lambda: embedded(http) == {"features": 24, FROZEN: 24}, 60)
    layout = DataLayout(settings.data)
    values = EmbeddingStore(layout.scores("demo")).load(FROZEN).values
    assert values.shape == (24, 448)
    assert np.isfinite(values).all()
    assert ModelRegistry(layout.encoders("demo")).card(FROZEN).model.encoder == "tf_efficientnet_lite0"
    query = http.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 2}).json()
    assert query["ranking"]["version"] == f"features+{FROZEN}", query
    write_pool(root, 26, size=32)  # two more
    register(http)
    wait_until(lambda: embedded(http) == {"features": 26, FROZEN: 26}, 60)


def test_service_without_the_weights_works_and_says_so(http: Http, root: Path) -> None:
    ready = http.get("/health/ready")
    assert (ready.status_code, ready.json()["encoder"]) == (200, "left out by the tests")
    create(http, root)
    register(http)
    wait_until(lambda: embedded(http) == {"features": 24})
    query = http.post("/campaigns/demo/queries", json={"annotator": "ann", "query_size": 2})
    assert (query.status_code, query.json()["ranking"]["version"]) == (201, "features")
