"""The ops page in a real browser: deliveries of webhooks."""

from playwright.sync_api import Page, expect

from al_loop.domain.webhooks import EventKind
from al_loop.loop import Loop
from al_loop.webhooks.signature import new_secret
from tests.service.page.fixtures_annotators import Serve


def test_delivery_that_was_given_up_is_shown_with_its_reason_and_sent_again(serve: Serve, page: Page) -> None:
    url, app = serve()
    loop: Loop = app.state.loop
    page.goto(f"{url}/ops")
    expect(page.get_by_role("heading", name="Health")).to_be_visible()
    expect(page.locator("#webhooks")).to_have_count(0)
    now, deliveries = loop.clock(), loop.store.deliveries
    hook = loop.store.webhooks.add("http://127.0.0.2:9/in", [EventKind.LINK_LOST], None, new_secret(), now)
    sent = deliveries.test(hook.webhook_id, now)
    deliveries.note_attempt(sent.delivery_id, now, status=None, problem="no answer: refused", next_at=None)
    section = page.locator("#webhooks")
    expect(page.locator("#summary")).to_contain_text("1 thing needs a look")
    expect(section.get_by_role("table", name="Deliveries that were given up")).to_contain_text("no answer: refused")
    section.get_by_role("button", name="Send again").click()
    expect(section.get_by_role("table", name="Deliveries that were given up")).to_have_count(0)
