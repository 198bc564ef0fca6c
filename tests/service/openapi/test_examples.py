"""The examples of the OpenAPI document are valid requests and answers, and the document stays small."""

from typing import Any, Literal

import msgspec
import pytest

from al_loop.client.answers import Guidelines, LeaseList, Suggestion
from al_loop.domain.campaigns import (
    CampaignChange,
    CampaignRequest,
    CampaignSettings,
    ClassChange,
    ClassRequest,
    RetrainPolicy,
)
from al_loop.domain.labels import LabelInput
from al_loop.domain.quality import AgreementReport, RelabelList, Savings
from al_loop.domain.queries import QueryAnswer
from models.pretrain_config import PretrainConfig
from service.openapi import examples
from service.schemas import (
    AcceptRequest,
    CommentRequest,
    ExtendRequest,
    PromoteRequest,
    QueryRequest,
    RelabelRequest,
    ReleaseRequest,
    ResolveRequest,
    RoundRequest,
    SamplesRequest,
    SkipRequest,
    SuggestRequest,
    UnskipRequest,
)
from tests.e2e.campaigns import Http


class Outline(msgspec.Struct, forbid_unknown_fields=True):
    """An RFC 7946 Feature."""

    type: Literal["Feature"]
    geometry: dict[str, Any]
    properties: dict[str, Any]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (examples.CAMPAIGN, CampaignRequest),
        (examples.POLICY_BY_CLOCK, RetrainPolicy),
        (examples.SAMPLES_BY_PATH, SamplesRequest),
        (examples.SAMPLES_BY_SCAN, SamplesRequest),
        (examples.QUERY, QueryRequest),
        (examples.QUERY_ANSWER, QueryAnswer),
        (examples.RELABEL_QUERY, RelabelRequest),
        (examples.RELABELS, RelabelList),
        (examples.AGREEMENT, AgreementReport),
        (examples.CLASS_LABEL, LabelInput),
        (examples.POLYGON_LABEL, LabelInput),
        (examples.RELEASE, ReleaseRequest),
        (examples.EXTEND, ExtendRequest),
        (examples.SKIP, SkipRequest),
        (examples.UNSKIP, UnskipRequest),
        (examples.COMMENT, CommentRequest),
        (examples.RESOLVE, ResolveRequest),
        (examples.LEASES, LeaseList),
        (examples.ROUND, RoundRequest),
        (examples.PRETRAINING, PretrainConfig),
        (examples.PRETRAINED, PretrainConfig),
        (examples.PRETRAINED_ON_PAIRS, PretrainConfig),
        (examples.POLICY, RetrainPolicy),
        (examples.PROMOTE, PromoteRequest),
        (examples.PROBABILITIES, list[float]),
        (examples.SETTINGS, CampaignSettings),
        (examples.SUGGEST, SuggestRequest),
        (examples.SUGGESTIONS, list[Suggestion]),
        (examples.ACCEPT, AcceptRequest),
        (examples.OUTLINE, Outline),
        (examples.SAVINGS, Savings),
        (examples.CAMPAIGN_CHANGE, CampaignChange),
        (examples.CLASS, ClassRequest),
        (examples.CLASS_CHANGE, ClassChange),
        (examples.GUIDELINES, Guidelines),
        (examples.SETTINGS_CHANGE, dict[str, Any]),
        (examples.POLICY_CHANGE, dict[str, Any]),
    ],
)
def test_example_decodes_as_what_it_stands_for(value: Any, kind: Any) -> None:
    msgspec.convert(value, kind)


def test_document_names_every_operation_and_shows_examples(http: Http) -> None:
    response = http.get("/schema/openapi.json")
    assert len(response.content) < 500_000
    document = response.json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation.get("description") for operation in operations)
    body = document["paths"]["/campaigns/{campaign}/queries"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["examples"] == [examples.QUERY]
