"""The client's calls for operators, against the real service; commands use the others."""

import pytest

from al_loop.client.errors import ServiceError
from al_loop.client.operators import OperatorClient
from al_loop.domain.campaigns import ClassRequest


def test_names_with_slashes_and_percent_signs_reach_their_class(land_url: str) -> None:
    with OperatorClient(land_url) as client:
        for name in ("a/b", "100 %", "?x#y", "غابة"):
            client.add_class("land", ClassRequest(task="classification", name=name))
            answer = client.change_class("land", "classification", name, {"description": f"about {name}"})
            assert {entry.name: entry.description for entry in answer.tasks[0].classes}[name] == f"about {name}"


def test_deletion_and_removal_are_confirmed_by_the_client(land_url: str) -> None:
    with OperatorClient(land_url) as client:
        told = client.deletion("land")
        client.remove_sample("land", 3)
        assert client.delete_campaign("land").samples == told.samples - 1
        with pytest.raises(ServiceError, match="no campaign 'land'"):
            client.policy("land")
