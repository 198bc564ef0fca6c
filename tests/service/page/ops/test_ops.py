"""The ops page in a real browser: how things stand, and promotion, rollback, comparison and policy by hand."""

from pathlib import Path
from typing import Literal

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from al_loop.domain.rounds import RoundState
from al_loop.loop import Loop
from al_loop.runtime.cluster.config import RayConfig
from al_loop.runtime.cluster.executor import RayExecutor
from al_loop.runtime.cluster.reach import ClusterState
from models.card import TaskSpec
from models.progress import ProgressLine
from models.tasks import task_of
from models.training.data.dataset import LabelledSample
from models.training.reserve.outcomes import OutcomeRow, write_outcomes
from tests.service.page.fixtures_annotators import Serve
from tests.service.page.ops.fixtures import make, make_versions
from tests.service.page.test_access import CONTRASTS, UNNAMED

SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


def test_overview_leads_to_a_campaign_and_says_what_needs_a_look(serve: Serve, page: Page, imagery: Path) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    page.goto(f"{url}/ops")
    expect(page.locator("#summary")).to_contain_text("1 campaign, none is training, the service is ready")
    expect(page.locator("#health")).to_contain_text("GB free")
    expect(page.locator("#audit")).to_contain_text("create campaign")
    loop: Loop = app.state.loop
    number = loop.store.campaigns.get("fields").campaign_id
    entry = loop.store.rounds.create(number, reason="ops", now=loop.clock())
    loop.store.rounds.set_state(number, entry.number, RoundState.FAILED, loop.clock(), error="the disk is full")
    expect(page.locator("#campaigns")).to_contain_text("1 failed")  # by itself
    expect(page.locator("#summary")).to_contain_text("1 thing needs a look")
    page.get_by_role("link", name="fields").click()
    expect(page.get_by_role("heading", name="fields")).to_be_visible()
    expect(page.locator("#rounds")).to_contain_text("the disk is full")


def test_version_is_rolled_back_and_promoted_again_with_a_reason(serve: Serve, page: Page, imagery: Path) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    make_versions(app)
    page.goto(f"{url}/ops/fields")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_label("Reason").fill("v2 misses clouds")
    page.locator("#ask-yes").click()
    expect(page.get_by_role("button", name="Promote")).to_be_visible()
    assert httpx.get(f"{url}/campaigns/fields").json()["current_model"]["version"] == "v1"
    expect(page.locator("#audit")).to_contain_text("v2 misses clouds")
    page.get_by_role("button", name="Promote").click()
    page.get_by_role("button", name="Leave it").click()
    assert httpx.get(f"{url}/campaigns/fields").json()["current_model"]["version"] == "v1"


def test_two_versions_are_compared(serve: Serve, page: Page, imagery: Path) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    make_versions(app)
    page.goto(f"{url}/ops/fields")
    page.get_by_role("button", name="Compare").first.click()
    expect(page.locator("#versions")).to_contain_text("Choose a second version to compare with v2.")
    page.get_by_role("button", name="Compare", exact=True).first.click()
    compared = page.get_by_role("table", name="v1 and v2")
    expect(compared).to_contain_text("training took")
    expect(compared).to_contain_text("samples of the test reserve")


def test_policy_is_changed_and_nonsense_is_refused_with_the_reason(serve: Serve, page: Page, imagery: Path) -> None:
    url, _ = serve()
    make(url, imagery / "fields")
    page.goto(f"{url}/ops/fields")
    page.get_by_text("Change the policy").click()
    page.get_by_label("new_labels", exact=True).fill("33")
    page.get_by_label("cron").fill("every tuesday")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#policy form [role=status]")).to_contain_text("cron")
    page.get_by_label("cron").fill("0 3 * * *")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#policy")).to_contain_text("0 3 * * *")
    policy = httpx.get(f"{url}/campaigns/fields/policy").json()
    assert (policy["new_labels"], policy["cron"]) == (33, "0 3 * * *")


def test_refused_action_says_why(serve: Serve, page: Page, imagery: Path) -> None:
    url, _ = serve()
    make(url, imagery / "fields")
    page.goto(f"{url}/ops/fields")
    page.get_by_role("button", name="Train now").click()
    expect(page.locator("#said")).to_contain_text("label")


def test_annotators_see_how_it_stands_and_not_who_did_what(serve: Serve, page: Page, imagery: Path) -> None:
    url, _ = serve(tokens="ops=the-operator,annotate=the-annotator")
    make(url, imagery / "fields", headers={"Authorization": "Bearer the-operator"})
    page.goto(f"{url}/ops/fields")
    page.get_by_role("textbox", name="Token").fill("the-annotator")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#audit")).to_contain_text("for tokens of the role ops")
    page.get_by_role("button", name="Train now").click()
    expect(page.locator("#said")).to_contain_text("ops")
    assert page.evaluate(TICKS, [[0.236, 0.943, 0.01], [0.531, 0.531, 0.01], [0.98, 1, 0.01]]) == [
        [0.2, 0.4, 0.6, 0.8, 1],
        [0.53, 0.54],
        [0.98, 0.99, 1],
    ]
    assert page.evaluate(TICKS, [[0, 1, 1], [0, 11, 1], [0, 1234, 1]]) == [
        [0, 1],
        [0, 5, 10, 15],
        [0, 250, 500, 750, 1000, 1250],
    ]


TICKS = """async (axes) => {
    const { ticks } = await import(new URL("../page/ops/ticks.js", location.href));
    return axes.map(([low, high, least]) => ticks(low, high, 6, least));
}"""


def test_pages_fit_three_widths_in_both_schemes_and_are_readable_for_everybody(
    serve: Serve, page: Page, imagery: Path, pictures: Path
) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    make_versions(app, 3)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path, last in (("ops", "#audit"), ("ops/fields", "#audit")):
        page.goto(f"{url}/{path}")
        page.wait_for_selector(last)
        for width, height in ((390, 844), (820, 1180), (1366, 768)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate(CUT_OFF) == []
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(CONTRASTS) == []
                page.screenshot(path=pictures / f"{path.replace('/', '-')}-{width}-{scheme}.png", full_page=True)
        assert page.evaluate(UNNAMED) == []
    assert said == []


CUT_OFF = """() => [...document.querySelectorAll("main button")].filter((button) => {
    const { right, width } = button.getBoundingClientRect();
    return width && right > innerWidth;
}).map((button) => button.textContent)"""  # also in a box that scrolls: nobody looks for a button there


def test_version_is_pinned_by_button_and_the_log_of_a_round_is_saved(serve: Serve, page: Page, imagery: Path) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    make_versions(app)
    loop: Loop = app.state.loop
    campaign = loop.store.campaigns.get("fields")
    loop.store.rounds.create(campaign.campaign_id, reason="ops", now=loop.clock())
    for state in (RoundState.TRAINING, RoundState.FAILED):
        loop.store.rounds.set_state(campaign.campaign_id, 3, state, loop.clock())
    run = loop.layout.round("fields", 3) / "training"
    run.mkdir(parents=True)
    (run / "log.txt").write_bytes(b"step 1\n\xff\n")
    page.goto(f"{url}/ops/fields")
    page.locator("#versions").get_by_role("button", name="Pin", exact=True).last.click()
    expect(page.locator("#versions").get_by_role("button", name="Unpin")).to_have_count(1)
    pinned = [entry.version for entry in loop.store.versions.list(campaign.campaign_id) if entry.pinned_at]
    assert pinned == ["v1"]
    with page.expect_download() as saved:
        page.locator("#rounds").get_by_role("button", name="Log").first.click()
    assert saved.value.suggested_filename == "round-3.log"
    assert Path(saved.value.path()).read_bytes() == b"step 1\n\xff\n"


def test_report_of_a_version_opens_in_a_tab_with_its_own_style(serve: Serve, page: Page, imagery: Path) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    make_versions(app)
    loop: Loop = app.state.loop
    folder = loop.layout.models(loop.store.campaigns.get("fields").folder) / "v2"
    folder.chmod(0o755)
    task = task_of(TaskSpec(task="classification", classes=["dark", "bright"]))
    rows = []
    for number, output in enumerate(([0.75, 0.25], [0.125, 0.875])):  # both are dark
        row, values = OutcomeRow(task), np.array(output, np.float32)
        table, _ = task.tally([0], values)
        judged = task.judge([0], values)
        assert judged is not None
        row.add(table, judged)
        sample = LabelledSample(sample_id=number + 1, path=Path("a"), block="place:1:1", targets={}, height=1, width=1)
        rows.append(row.row("classification", sample))
    write_outcomes(folder, rows)
    page.goto(f"{url}/ops/fields")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Report").first.click()
    report = opened.value
    expect(report.get_by_role("heading", name="fields, round 2")).to_be_visible()
    expect(report.locator("#first")).to_contain_text("shows one class of classification alone, dark")
    expect(report.locator(".mistakes img")).to_have_count(1)
    assert report.locator(".mistakes img").evaluate("image => image.naturalWidth") > 0
    assert report.locator(".biased").evaluate("box => getComputedStyle(box).borderStyle") == "dashed"
    report.close()
    page.get_by_role("button", name="Report").last.click()  # of v1, which kept no answers
    expect(page.locator("#said")).to_contain_text("made before answers on the test reserve were kept")


def test_live_round_tells_the_time_that_is_left_and_a_lost_cluster_is_told(
    serve: Serve, page: Page, imagery: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    loop: Loop = app.state.loop
    number = loop.store.campaigns.get("fields").campaign_id
    entry = loop.store.rounds.create(number, reason="new labels: 50", now=loop.clock())
    loop.store.rounds.set_state(number, entry.number, RoundState.TRAINING, loop.clock())
    line = ProgressLine(
        time=loop.clock().timestamp(), phase="training", done=30, total=120, seconds_left=95.0, epoch=3, epochs=12,
        loss=0.52, metric=0.81, samples_per_s=240.0, total_seconds_left=200.0,
    )  # fmt: skip
    monkeypatch.setattr(loop.rounds, "progress", lambda campaign_id, number: line)
    answers = [False]
    state = ClusterState("ray-head:6379", lambda address: answers[0])
    monkeypatch.setattr(loop, "cluster", RayExecutor(RayConfig(address="ray-head:6379", data="/"), state=state))
    state.look()
    page.goto(f"{url}/ops/fields")
    live = page.locator("#live")
    expect(live).to_contain_text("training, 30 of 120, about 2 min left of it")
    expect(live).to_contain_text("about 3 min to the end of the round")
    expect(live.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
    expect(page.locator("#notices")).to_contain_text("the Ray cluster at ray-head:6379 does not answer")
    page.screenshot(path=pictures / "ops-live.png", full_page=True)
    page.goto(f"{url}/ops")
    health = page.locator("#health")
    expect(health).to_contain_text("the Ray cluster at ray-head:6379 does not answer; start it")
    answers[0] = True
    state.look()
    expect(health).to_contain_text("can be used again since")  # by itself
    page.screenshot(path=pictures / "ops-cluster.png", full_page=True)
