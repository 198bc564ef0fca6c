"""The ops page in a real browser: what the gate said, and a challenger that waits for a decision."""

from pathlib import Path
from typing import Literal

import httpx
from litestar import Litestar
from playwright.sync_api import Page, expect

from al_loop.domain.gate import Challenger, GateCheck, GateReport
from al_loop.domain.rounds import RoundState
from al_loop.loop import Loop
from tests.al_loop.store.tables.test_rounds import EVALUATION
from tests.data.tiny_model import make_tiny_onnx
from tests.service.page.fixtures_annotators import Serve
from tests.service.page.ops.fixtures import make, make_versions

GATE = GateReport(
    version="v3", promote=True, reason="classification accuracy 0.917, +0.042 against v2", against="v2",
    checks=[
        GateCheck(
            check="metric", outcome="passed", task="classification", metric="accuracy", value=0.917, before=0.875,
            low=-0.02, high=0.1, samples=48,
            sentence="classification accuracy 0.917 [0.800, 0.979], +0.042 [-0.020, +0.100] against v2 on the same 48 "
            "reserve samples",
        ),
        GateCheck(
            check="threshold", outcome="not asked", task="classification", metric="recall", where="class bright",
            value=0.9, before=0.95, samples=6,
            sentence="classification recall of class bright 0.900, -0.050 against what serves, on 6 reserve samples; "
            "asked: a change of at least -0.02, from 10 samples on",
        ),
        GateCheck(
            check="latency", outcome="failed", value=30.0, before=10.0,
            sentence="a run takes 30.0 ms on an image of 64 x 64 px, 3.00 times the 10.0 ms of what serves; at most 2 "
            "times is allowed",
        ),
    ],
)  # fmt: skip


def challenge(app: Litestar, mode: Literal["ask", "shadow"]) -> None:
    """Let v3 of `fields` wait beside v2, which serves, and show what the gate said of it."""
    make_versions(app, 2)
    loop: Loop = app.state.loop
    campaign = loop.store.campaigns.get("fields")
    number, now = campaign.campaign_id, loop.clock()
    make_tiny_onnx(
        loop.layout.models("fields"), version="v3", campaign="fields", classes=["dark", "bright"], bands=(1, 2, 3),
        tasks=["classification"],
    )  # fmt: skip
    turn = loop.store.rounds.create(number, reason="new labels: 150", now=now)
    loop.store.versions.add(number, "v3", turn.number, now)
    loop.store.rounds.set_state(
        number, turn.number, RoundState.GATE, now, version="v3", labels=150, evaluation=EVALUATION, verdict=GATE.reason
    )
    loop.store.gate.keep_report(number, turn.number, GATE)
    waits = Challenger(
        version="v3", round_number=turn.number, mode=mode, since=now, state="waiting", reason=GATE.reason
    )
    loop.store.gate.propose(number, waits)


def test_challenger_is_promoted_with_a_reason_and_its_section_goes(serve: Serve, page: Page, imagery: Path) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    challenge(app, "ask")
    page.goto(f"{url}/ops")
    expect(page.locator("#notices")).to_contain_text("v3 passed the gate and waits for your decision")
    page.goto(f"{url}/ops/fields")
    expect(page.locator("#challenger")).to_contain_text("a decision")
    expect(page.locator("#versions")).to_contain_text("challenger")
    page.get_by_role("button", name="Promote it").click()
    page.get_by_label("Reason").fill("looks well")
    page.locator("#ask-yes").click()
    expect(page.locator("#challenger")).to_have_count(0)
    expect(page.locator("#audit")).to_contain_text("looks well")
    assert httpx.get(f"{url}/campaigns/fields").json()["current_model"]["version"] == "v3"


def test_challenger_in_the_shadow_says_how_it_does_and_is_rejected(serve: Serve, page: Page, imagery: Path) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    challenge(app, "shadow")
    page.goto(f"{url}/ops/fields")
    expect(page.locator("#challenger")).to_contain_text("v3 answers in the shadow, 0 of 30 labels judge it")
    page.get_by_role("button", name="Reject it").click()
    page.get_by_label("Reason").fill("it takes shadows for water")
    page.locator("#ask-yes").click()
    expect(page.locator("#challenger")).to_have_count(0)
    expect(page.locator("#versions")).to_contain_text("it takes shadows for water")
    page.get_by_role("button", name="Promote").first.click()
    expect(page.locator("#ask-text")).to_contain_text("It was rejected: it takes shadows for water.")
    page.locator("#ask-yes").click()
    expect(page.locator("#versions").get_by_role("row", name="v3 3")).to_contain_text("champion, serves")
    assert httpx.get(f"{url}/campaigns/fields").json()["current_model"]["version"] == "v3"


def test_gate_shows_every_check_with_its_figures(serve: Serve, page: Page, imagery: Path) -> None:
    url, app = serve()
    make(url, imagery / "fields")
    challenge(app, "ask")
    page.goto(f"{url}/ops/fields")
    gate = page.locator("#gate")
    expect(gate).to_contain_text("Round 3: v3 passed against v2.")
    expect(gate.get_by_role("row", name="metric, classification")).to_contain_text("+.042 (−.020 to +.100)")
    expect(gate.get_by_role("row", name="class bright")).to_contain_text("not asked")
    expect(gate.get_by_role("row", name="latency")).to_contain_text("3.00 times")
