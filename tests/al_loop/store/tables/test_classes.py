from collections.abc import Callable

import pytest

from al_loop.domain.campaigns import Campaign, ClassDetails
from al_loop.errors import ConflictError
from al_loop.store import LabelStore
from al_loop.store.tables.classes import ClassEdit

MakeCampaign = Callable[..., Campaign]


def test_edit_that_raises_changes_nothing(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    before = make_campaign()

    def refuse(campaign: Campaign) -> ClassEdit:
        raise ConflictError("not now")

    with pytest.raises(ConflictError, match="not now"):
        label_store.classes.edit(before.campaign_id, refuse)
    assert label_store.campaigns.get("demo") == before


def test_details_and_guidelines_read_back(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    task, name = campaign.tasks[0].task, campaign.tasks[0].classes[0]
    details = ClassDetails(task=task, name=name, description="blue", retired=True, examples=(3,), formerly=("pond",))
    label_store.classes.edit(campaign.campaign_id, lambda current: ClassEdit(current.tasks, [details]))
    label_store.classes.set_guidelines(campaign.campaign_id, "# How")
    seen = label_store.campaigns.get("demo")
    assert seen.details(task, name) == details
    assert (seen.retired(task), seen.guidelines) == ({name}, "# How")
