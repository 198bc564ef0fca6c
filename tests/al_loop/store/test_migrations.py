"""Schema versions: older files are brought up to date and lose nothing, whatever cuts a migration off."""

import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from al_loop.errors import StoreError
from al_loop.store import LabelStore
from al_loop.store.migrations import migrate, read_scripts
from tests.al_loop.store.fixtures import NOW

OLD_ROWS = """
INSERT INTO campaigns (name, tasks, root, settings, policy, created_at)
    VALUES ('demo', '[{"task": "classification", "classes": ["a", "b"]}]', '/', '{}', '{}', '2026-01-01');
INSERT INTO samples (campaign_id, path, width, height, band_count, dtype, file_bytes, modified_ns, block, registered_at)
    SELECT 1, 'img_' || range || '.png', 8, 8, 3, 'uint8', 1, 1, range, '2026-01-01' FROM range(3);
INSERT INTO label_events (campaign_id, sample_id, task, annotator, classes, labelled_at, recorded_at)
    VALUES (1, 2, 'classification', 'anna', ['b'], '2026-01-02', '2026-01-02');
INSERT INTO queries (campaign_id, annotator, strategy, query_size, opened_at)
    VALUES (1, 'anna', '{"type": "random"}', 1, '2026-01-03');
INSERT INTO leases (campaign_id, query_id, sample_id, annotator, reason, leased_at, expires_at)
    VALUES (1, 1, 3, 'anna', 'random', '2026-01-03', '2036-01-03');
INSERT INTO rounds (campaign_id, number, state, reason, requested_at) VALUES (1, 1, 'failed', 'ops', '2026-01-03');
INSERT INTO predictions (campaign_id, sample_id, pixel_hash, task, version, answer, shown_at)
    VALUES (1, 1, 'x', 'classification', 'v1', '{"probabilities": [0.5, 0.5]}', '2026-01-03');
"""


def make_older(path: Path, version: int) -> None:
    """A file as the al-loop of that schema left it, with a row in every table that matters."""
    scripts = read_scripts()
    with duckdb.connect(str(path)) as connection:
        migrate(connection, {number: scripts[number] for number in range(1, version + 1)})
        connection.execute(OLD_ROWS)


def versions_in(path: Path) -> list[int]:
    with duckdb.connect(str(path)) as connection:
        rows = connection.execute("SELECT version FROM schema_version ORDER BY version").fetchall()
    return [version for (version,) in rows]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_file_of_an_older_schema_is_migrated_and_loses_nothing(tmp_path: Path, version: int) -> None:
    path = tmp_path / "a.duckdb"
    make_older(path, version)
    store = LabelStore.open(path)
    [campaign] = store.campaigns.list()
    assert (campaign.name, campaign.task("classification").classes) == ("demo", ["a", "b"])  # type: ignore[union-attr]
    assert [(label.sample_id, label.annotator, label.classes) for label in store.labels.current(1)] == [
        (2, "anna", ["b"])
    ]
    assert [(lease.sample_id, lease.query_id) for lease in store.leases.held(1, "anna", NOW)] == [(3, 1)]
    assert [(entry.number, entry.state) for entry in store.rounds.list(1)] == [(1, "failed")]
    assert store.campaigns.counts(1, NOW).total == 3
    store.close()
    assert versions_in(path) == sorted(read_scripts())
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT sample_id, blind FROM predictions").fetchall() == [(1, False)]


KILLED_HALF_WAY = """
import os, signal, sys
import duckdb
from al_loop.store.migrations import migrate, read_scripts

connection = duckdb.connect(sys.argv[1])
def kill(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
connection.create_function("kill", kill, side_effects=True)
scripts = read_scripts()
number = int(sys.argv[2])
half = scripts[number] + "; UPDATE campaigns SET name = 'half'; SELECT kill(campaign_id::INTEGER) FROM campaigns"
migrate(connection, scripts | {number: half})
"""


@pytest.mark.parametrize("number", [2, 3, 4])
def test_kill_within_a_migration_leaves_the_schema_before_it(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.duckdb"
    make_older(path, 1)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_HALF_WAY, str(path), str(number)], check=False, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert versions_in(path) == list(range(1, number))
    store = LabelStore.open(path)
    assert [campaign.name for campaign in store.campaigns.list()] == ["demo"]
    assert len(store.labels.current(1)) == 1
    store.close()
    assert versions_in(path) == sorted(read_scripts())


def test_migration_that_fails_says_so_and_leaves_the_schema_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    make_older(path, 2)
    scripts = read_scripts()
    bad = scripts | {3: scripts[3] + "; ALTER TABLE no_such_table ADD COLUMN x INTEGER;"}
    with (
        duckdb.connect(str(path)) as connection,
        pytest.raises(
            StoreError, match=r"stays at schema version 2, as version 3 could not be applied: .*no_such_table"
        ),
    ):
        migrate(connection, bad)
    assert versions_in(path) == [1, 2]
    LabelStore.open(path).close()
    assert versions_in(path) == sorted(scripts)
