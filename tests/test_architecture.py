"""The rules of the house: rooms may import what stands below them, stay small, and have their tests beside them."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.covered_by import COVERED_BY, UNTESTED
from tests.covered_by import ROOMS as COVERED_ROOMS

ROOT = Path(__file__).parent.parent

ROOMS = {  # from the ground up: a room may import itself and what stands before it
    "al_loop_records": [
        "runs", "texts", "json_texts", "pretraining", "model_card", "scenes", "comparisons", "metric_names",
        "super_resolution",
    ],
    "models": [
        "errors", "tracing", "arrays", "progress", "files", "limits", "programs", "pretrain_config", "environment",
        "gdal", "card", "manifest", "metrics", "registry", "rasters", "pictures", "geo", "synthetic", "tasks",
        "deepness", "inference", "scoring", "heads", "encoders",
        "training", "pretraining", "super_resolution", "foreign",
        "score_pool", "predict_scene", "train", "add_model", "pretrain", "train_super_resolution", "compare",
    ],
    "al_loop": [
        "errors", "domain", "runtime", "store", "campaigns", "scoring", "querying", "serving", "training",
        "quality", "scaneo", "webhooks", "upkeep", "client", "simulation", "scheduler", "loop",
    ],
}  # fmt: skip

BANNED = {
    "al_loop_records": {"litestar", "duckdb", "httpx", "numpy", "models", "al_loop", "service"},
    "models": {"litestar", "duckdb", "apscheduler", "httpx", "al_loop", "service"},
    "al_loop": {"litestar", "httpx", "torch", "timm", "segmentation_models_pytorch", "service"},
    "service": {"duckdb", "torch", "numpy", "timm"},
}

WITHOUT_TORCH = (
    "models.inference", "models.scoring", "models.heads", "models.tasks", "models.deepness", "models.encoders.wheel",
    "models.encoders.bands", "models.training.plan",
)  # fmt: skip
NEVER = [  # importing the first must not load the second
    (("al_loop.domain",), {"duckdb"}),
    (("al_loop.store",), {"onnxruntime", "rasterio"}),
    (WITHOUT_TORCH, {"torch"}),
    (("models.train",), {"timm", "torchvision", "segmentation_models_pytorch"}),  # a quick round has seconds
    (("service.app",), {"torch", "scipy.optimize", "ray", "fsspec"}),
    (("al_loop.client",), {"duckdb", "onnxruntime", "torch", "numpy", "models", "service"}),
    (("al_loop_records",), {"httpx", "numpy", "models", "service"}),
    (("al_loop_app",), {"httpx", "numpy", "models", "service", "al_loop"}),
]

EXEMPT = {  # from what `BANNED` says: room, and what it may import all the same
    ("al_loop.client", "httpx"): "the client of the service, which nothing in the loop uses",
}

LOOSE = {"__init__.py", "errors.py", "loop.py", "scheduler.py"}
MOST_FILES = 12
CATALOGUES = {  # one file for each member, however many there are
    "models": "three programs, and what all rooms share",
    "al_loop/domain": "one noun a file",
    "al_loop/store/tables": "one class for each subject",
    "service/commands": "one group of commands a file",
    "al_loop/querying/strategies": "one query strategy a file",
    "service/routes": "one Controller a resource",
}


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of every module of a package."""
    for file in sorted((ROOT / package).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


@cache
def imported(file: Path) -> set[str]:
    """Dotted names that a file imports; `from a.b import c` gives `a.b.c`, so that modules are told from names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(name: str) -> tuple[str, str]:
    package, _, rest = name.partition(".")
    return package, rest.split(".")[0]


def climbs(name: str, targets: set[str]) -> set[str]:
    """Imports of a module that run up: to a room of its own package that does not stand below its own."""
    package, room = room_of(name)
    order = {entry: level for level, entry in enumerate(ROOMS[package])}
    return {
        target
        for target in targets
        if room_of(target)[0] == package
        and room_of(target)[1] in order
        and room != ""
        and order[room_of(target)[1]] > order.get(room, -1)
    }


def exempt(name: str, target: str) -> bool:
    return any(f"{name}.".startswith(f"{n}.") and f"{target}.".startswith(f"{t}.") for n, t in EXEMPT)


def test_only_the_client_knows_http_in_the_loop() -> None:
    assert exempt("al_loop.client.http", "httpx")
    assert not exempt("al_loop.clients", "httpx")
    users = {n for n, file in modules("al_loop") for t in imported(file) if t.startswith("al_loop.client.")}
    assert {name for name in users if not name.startswith("al_loop.client")} == set()


@pytest.mark.parametrize("package", list(BANNED))
def test_package_imports_nothing_from_above_it(package: str) -> None:
    found = {
        name: {target.split(".")[0] for target in imported(file) if not exempt(name, target)}
        for name, file in modules(package)
    }
    assert {name: bad for name, targets in found.items() if (bad := targets & BANNED[package])} == {}


@pytest.mark.parametrize("package", list(ROOMS))
def test_room_imports_only_rooms_that_stand_below_it(package: str) -> None:
    found = {name: climbs(name, imported(file)) for name, file in modules(package)}
    assert {name: bad for name, bad in found.items() if bad} == {}


@pytest.mark.parametrize("package", list(ROOMS))
def test_every_room_has_its_place_in_the_order(package: str) -> None:
    present = {room_of(name)[1] for name, _ in modules(package)} - {""}
    assert present - set(ROOMS[package]) == set()


def test_planted_climb_is_found() -> None:
    targets = {"al_loop.querying.sampler.Sampler", "al_loop.domain.labels.Label"}
    assert climbs("al_loop.store.tables.labels", targets) == {"al_loop.querying.sampler.Sampler"}


@pytest.mark.parametrize(("imported_first", "banned"), NEVER, ids=lambda given: next(iter(sorted(given))))
def test_import_does_not_load(imported_first: tuple[str, ...], banned: set[str]) -> None:
    names: list[str] = []
    for name in imported_first:
        folder = name.replace(".", "/")
        names += [found for found, _ in modules(folder)] if (ROOT / folder).is_dir() else [name]
    names = [n for n in names if not (n.startswith("models.tasks.") and ".network" in n[12:])]  # training's half
    code = f"import {', '.join(names)}, sys; print(*{banned!r} & sys.modules.keys())"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []


def test_nothing_is_loose_in_al_loop() -> None:
    assert {file.name for file in (ROOT / "al_loop").iterdir() if file.is_file()} - LOOSE - {"py.typed"} == set()


def test_rooms_stay_small() -> None:
    counts = Counter(
        str(file.parent.relative_to(ROOT)) for p in BANNED for _, file in modules(p) if file.name != "__init__.py"
    )
    assert {room: n for room, n in counts.items() if n > MOST_FILES and room not in CATALOGUES} == {}


@pytest.mark.parametrize("package", list(BANNED))
def test_files_stay_small(package: str) -> None:
    lengths = {name: len(file.read_text().splitlines()) for name, file in modules(package)}
    assert {name: n for name, n in lengths.items() if n > 400} == {}


@pytest.mark.parametrize("package", list(BANNED))
def test_class_names_are_unique_in_a_package(package: str) -> None:
    names = Counter(
        node.name
        for _, file in modules(package)
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef)
    )
    assert {name: n for name, n in names.items() if n > 1} == {}


TASK_NAMES = {"classification", "segmentation", "detection"}
FOREIGN = (  # where a format of others names the tasks, and the tasks themselves
    "models.tasks", "al_loop.scaneo", "al_loop.campaigns.importing", "al_loop.campaigns.exporting",
    "al_loop.campaigns.scaneo_format", "al_loop.campaigns.stac", "service.scaneo", "service.openapi",
    "service.routes.bare_predictions", "models.foreign",
)  # fmt: skip
MOST_BRANCHES = 31


def branches(source: str) -> int:
    """Names of tasks in the code, and conditions on `multi_label`: each is a place that asks which task it is."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    texts = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    named = sum(isinstance(node, ast.Constant) and node.value in TASK_NAMES and id(node) not in texts for node in nodes)
    tests = [node.test for node in nodes if isinstance(node, ast.If | ast.IfExp | ast.While)]
    tests += [test for node in nodes if isinstance(node, ast.comprehension) for test in node.ifs]
    return named + sum(
        any(getattr(part, "attr", getattr(part, "id", "")) == "multi_label" for part in ast.walk(test))
        for test in tests
    )


def test_code_asks_the_task_instead_of_its_name() -> None:
    found = {
        name: count
        for package in BANNED
        for name, file in modules(package)
        if not name.startswith(FOREIGN) and (count := branches(file.read_text()))
    }
    assert sum(found.values()) <= MOST_BRANCHES, found


def test_planted_branches_are_counted() -> None:
    assert branches('"""Of classification."""\nx = 1 if spec.multi_label and spec.task == "segmentation" else 2') == 2


def mirror(file: str) -> Path:
    """Where the tests of a module stand, were they in a file of their own."""
    path = Path(file)
    return ROOT / "tests" / path.parent / f"test_{path.name}"


def without_mirror(package: str) -> set[str]:
    """Modules without a test file of their own."""
    files = {str(file.relative_to(ROOT)) for _, file in modules(package) if file.name != "__init__.py"}
    return {file for file in files if not mirror(file).exists()}


@pytest.mark.parametrize("package", list(BANNED))
def test_every_module_has_a_test_file_beside_it_in_tests(package: str) -> None:
    left = without_mirror(package) - set(COVERED_BY) - UNTESTED
    counts = Counter(str(Path(file).parent) for file in left)
    most = {room: count for room, (_, count) in COVERED_ROOMS.items()}
    assert {room: sorted(left) for room, n in counts.items() if n > most.get(room, 0)} == {}


def test_exceptions_to_it_are_still_needed() -> None:
    excepted = set(COVERED_BY) | UNTESTED
    assert {file for file in excepted if not (ROOT / file).exists() or mirror(file).exists()} == set()
    assert set(COVERED_BY) & UNTESTED == set()
    tests = set(COVERED_BY.values()) | {test for tests, _ in COVERED_ROOMS.values() for test in tests}
    assert {test for test in tests if not (ROOT / test).exists()} == set()
