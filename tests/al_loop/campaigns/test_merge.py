import pytest

from al_loop.campaigns.merge import merged
from al_loop.domain.campaigns import CampaignSettings, QuerySettings, RetrainPolicy
from al_loop.errors import InvalidValueError


def test_only_what_is_given_changes_at_every_depth() -> None:
    before = CampaignSettings(lease_s=600, query=QuerySettings(overlap_share=0.3, golden=("a.tif", "b.tif")))
    after = merged(before, {"query": {"golden": ["c.tif"]}, "sensor": "sentinel-2"})
    assert (after.lease_s, after.query.overlap_share) == (600, 0.3)
    assert (after.query.golden, after.sensor) == (("c.tif",), "sentinel-2")
    assert merged(before, {}) == before


def test_null_is_a_value() -> None:
    assert merged(RetrainPolicy(), {"new_labels": None, "interval_s": 60}) == RetrainPolicy(
        new_labels=None, interval_s=60
    )


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"lease": 5}, "$"),
        ({"lease_s": "long"}, "$.lease_s"),
        ({"query": {"control_share": 3}}, "$.query.control_share"),
        ({"query": None}, "$.query"),
        ({"lease_s": None}, "$.lease_s"),
    ],
)
def test_unknown_member_or_bad_value_is_refused_with_its_place(patch: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        merged(CampaignSettings(), patch)
    assert refusal.value.path == path


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lease_s_", "; did you mean `lease_s`"),
        ("width_m", "; did you mean `lines.width_m`?"),
        ("control_shares", "; did you mean `query.control_share`?"),
        ("colour_of_the_sea", ""),
    ],
)
def test_unknown_name_is_answered_with_the_one_that_is_meant(name: str, hint: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        merged(CampaignSettings(), {name: 1})
    assert str(refusal.value).startswith(f"there is no `{name}` here{hint}")
