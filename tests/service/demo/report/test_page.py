import io
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import msgspec
from PIL import Image
from playwright.sync_api import Page

from al_loop.simulation.curves import CurveRuns, LearningCurves
from service.demo.report import (
    AskedRound,
    AskedSample,
    Fact,
    LegendEntry,
    NextStep,
    PictureStrip,
    ReportData,
    RoundRow,
    Timing,
    write_report,
)


def png(width: int = 4, height: int = 4) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (10, 120, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def full_data() -> ReportData:
    rounds = [
        RoundRow(number=1, state="promoted", task="segmentation", metric="miou", labels=40, reserve_labels=30,
                 value=0.41, low=0.3, high=0.52, baseline=0.1, verdict="better by 0.31", seconds=31),
        RoundRow(number=2, state="failed", task="segmentation", metric="miou", labels=80, reserve_labels=30,
                 value=None, verdict="disk full"),
    ]  # fmt: skip
    sample = AskedSample(path="a/<b>.tif", reason='"top" & uncertain', thumbnail_png=png(), answer="forest", score=1.2)
    return ReportData(
        title="Run <script>alert(1)</script>",
        subtitle="three rounds",
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
        facts=[Fact(name="labels", value="80")],
        curves=LearningCurves(metric="miou", labels=[40, 80], strategies={"auto": CurveRuns(runs=[[0.4, None]])}),
        rounds=rounds,
        asked=[AskedRound(title="Before round 1", samples=[sample], total=20)],
        strips=[PictureStrip(caption="tile", image_png=png(), prediction_png=png(7, 5), uncertainty_png=png())],
        legend=[LegendEntry(name="road", colour="#ff0000")],
        next_steps=[NextStep(text="Use your own folder.", command="al-loop create x ./my<images>")],
        timings=[Timing(name="training", seconds=31.0), Timing(name="query", seconds=0.012)],
    )


class Tags(HTMLParser):
    """Checks that elements close in order, and gathers addresses and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        self.addresses += [value or "" for name, value in attrs if name in {"src", "srcset", "href"}]
        if tag not in {"meta", "img", "source", "br", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(path: Path) -> Tags:
    tags = Tags()
    tags.feed(path.read_text())
    assert tags.open == []
    return tags


def test_report_needs_nothing_beside_itself(tmp_path: Path) -> None:
    path = write_report(tmp_path / "new", full_data())

    tags = parsed(path)
    assert tags.addresses
    assert all(address.startswith("data:image/png;base64,") for address in tags.addresses)
    assert not re.search(r"https?://|url\(|@import", path.read_text())


def test_report_escapes_what_people_named(tmp_path: Path) -> None:
    tags = parsed(write_report(tmp_path, full_data()))
    assert "script" not in tags.open
    assert "Run <script>alert(1)</script>" in tags.text
    assert "a/<b>.tif" in tags.text
    assert '"top" & uncertain' in tags.text


def test_report_shows_values_with_intervals_and_failures(tmp_path: Path) -> None:
    text = parsed(write_report(tmp_path, full_data())).text
    assert "41.0%" in text
    assert "30.0% – 52.0%" in text
    assert "disk full" in text
    assert "1 of 20 samples" in text
    assert "12 ms" in text


def test_report_leaves_out_empty_sections(tmp_path: Path) -> None:
    data = ReportData(title="t", subtitle="s", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    path = write_report(tmp_path, data)
    assert "<section" not in path.read_text()
    parsed(path)


def test_pictures_have_their_size_and_are_there_from_the_start(tmp_path: Path) -> None:
    images = parsed(write_report(tmp_path, full_data())).images
    assert len(images) == 5
    assert not any("loading" in image for image in images)
    sizes = {image["alt"]: (image["width"], image["height"]) for image in images}
    assert sizes["prediction of tile"] == ("7", "5")
    assert sizes["image of tile"] == ("4", "4")
    assert all(int(image["width"] or 0) > 0 and int(image["height"] or 0) > 0 for image in images)


def test_report_explains_its_scales_and_calls_metrics_by_their_names(tmp_path: Path) -> None:
    text = parsed(write_report(tmp_path, full_data())).text
    assert "miou" not in text
    assert "mean IoU" in text
    assert "entropy" in text
    assert "least in the picture" in text
    assert "swipe" in text


def test_report_ends_with_what_to_do_next(tmp_path: Path) -> None:
    text = parsed(write_report(tmp_path, full_data())).text
    assert "What now?" in text
    assert "al-loop create x ./my<images>" in text


def test_report_is_no_wider_than_a_phone(page: Page, tmp_path: Path) -> None:
    timing = Timing(name="demo-random round 1, while the other strategy trained, too", seconds=208.0)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(write_report(tmp_path, msgspec.structs.replace(full_data(), timings=[timing])).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
