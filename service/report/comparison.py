"""Lays a comparison out as one HTML document: no script, no address of another file."""

import base64
from html import escape

from al_loop.domain.comparisons import ComparisonResult, ModelComparison
from al_loop_records.metric_names import metric_name
from models.training.measuring.figures import JOINT, ModelCosts, TaskComparison
from service.report.document import document


def render_comparison(campaign: str, entry: ModelComparison, result: ComparisonResult, plot: bytes) -> str:
    """The whole document.

    Args:
        campaign: Its name.
        entry: What was asked for.
        result: What came of it.
        plot: PNG of the figures.
    """
    title = f"{campaign}, comparison {entry.number}"
    when = "" if entry.ended_at is None else f"{entry.ended_at:%d %B %Y, %H:%M} UTC. "
    seeds = f"{entry.request.seeds} seed{'' if entry.request.seeds == 1 else 's'}"
    outcome = "".join(f"<li>{escape(_sentence(text))}</li>" for text in result.sentences)
    notices = "".join(f"<li>{escape(text)}</li>" for text in result.notices)
    image = base64.b64encode(plot).decode()
    under = f"""<p class="soft">{when}One model for each task beside one for all of them, trained on the same snapshot
under the same recipe with {seeds}, and measured on the same images of the test reserve. Ranges are 95 % intervals,
resampled by place and seed.</p>"""
    body = f"""<section id="first"><h2>Outcome</h2><ul>{outcome}</ul></section>
<section id="plot"><figure class="wide"><img alt="Differences of quality, and costs of the joint model as shares"
src="data:image/png;base64,{image}"></figure></section>
<section id="quality"><h2>Quality</h2>{_qualities(result)}</section>
<section id="costs"><h2>Costs</h2>{_costs(result)}
<p class="soft">Time of a run: the fastest of several, by one thread, the models in turn. Memory: what loading the model
and running its largest batch adds to a process.</p></section>
<section id="labels"><h2>Labels</h2>{_labels(result)}</section>
<section id="notices"><h2>What the figures do not say</h2><ul>{notices}</ul></section>"""
    return document(title, under, body)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _qualities(result: ComparisonResult) -> str:
    if not result.tasks:
        return "<p>Nothing was measured: the labelled reserve shows no class of any task.</p>"
    head = (
        "<tr><th>task</th><th>metric</th><th>images</th><th>places</th><th>alone</th><th>joint</th>"
        "<th>difference, points</th></tr>"
    )
    return f'<div class="scroll"><table>{head}{"".join(map(_quality, result.tasks))}</table></div>'


def _quality(entry: TaskComparison) -> str:
    between = "no interval" if entry.low is None or entry.high is None else _points(entry.low, entry.high)
    return (
        f"<tr><td>{escape(entry.task)}</td><td>{escape(metric_name(entry.metric))}</td><td>{entry.samples:,}</td>"
        f"<td>{entry.places:,}</td><td>{_by_seed(entry.alone)}</td><td>{_by_seed(entry.joint)}</td>"
        f"<td>{100 * entry.difference:+.1f} <small>{between}</small></td></tr>"
    )


def _points(low: float, high: float) -> str:
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def _by_seed(values: list[float]) -> str:
    mean = f"{sum(values) / len(values):.3f}"
    listed = ", ".join(f"{value:.3f}" for value in values)
    return mean if len(values) == 1 else f"{mean} <small>{listed}</small>"


def _costs(result: ComparisonResult) -> str:
    sizes = [batch.images for batch in result.models[-1].batches]
    head = "".join(
        f"<th>{name}</th>"
        for name in (
            "model", "kind", "training", "memory of training", "ONNX file",
            *(f"{images} image{'' if images == 1 else 's'}" for images in sizes), "memory of a run",
        )
    )  # fmt: skip
    shares = [
        _share(result.training_time), "", _share(result.size), *(_share(value) for value in result.latency),
        _share(result.memory),
    ]  # fmt: skip
    cells = "".join(f"<td>{cell}</td>" for cell in shares)
    last = f'<tr><th scope="row">joint / all others together</th><td></td>{cells}</tr>'
    rows = "".join(map(_model, result.models))
    return f'<div class="scroll"><table><tr>{head}</tr>{rows}{last}</table></div>'


def _model(model: ModelCosts) -> str:
    name = f"{JOINT}: {', '.join(model.tasks)}" if model.name == JOINT else model.name
    cells = [
        model.candidate,
        f"{model.training_s:,.1f} s",
        _megabytes(model.training_memory_mb),
        f"{model.onnx_mb:,.2f} MB",
        *(f"{batch.milliseconds:,.1f} ms" for batch in model.batches),
        _megabytes(model.memory_mb),
    ]
    return f"<tr><td>{escape(name)}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} MB"


def _share(value: float | None) -> str:
    return "–" if value is None else f"<strong>{value:.2f}</strong>"


def _labels(result: ComparisonResult) -> str:
    rows = "".join(
        f"<tr><td>{escape(entry.task)}</td><td>{entry.training:,}</td><td>{entry.reserve:,}</td></tr>"
        for entry in result.labels
    )
    table = f"<table><tr><th>task</th><th>trained on</th><th>measured on</th></tr>{rows}</table>"
    return (
        f"{table}<p>{result.labelled_for_all:,} of {result.training_samples:,} training images have labels for all.</p>"
    )
