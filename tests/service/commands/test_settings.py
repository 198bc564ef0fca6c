"""Settings and policy from the command line."""

import json

import pytest

from tests.service.commands.fixtures import Run


def test_settings_and_policy_change_only_where_named(on_land: Run, capfd: pytest.CaptureFixture[str]) -> None:
    changes = ["lease_s=600", "query.control_share=0.1", "query.overlap_share=0.2", "sensor=sentinel-2"]
    assert on_land("settings", "set", "land", *changes) == 0
    assert on_land("settings", "set", "land", "lease_s=60") == 0
    capfd.readouterr()
    assert on_land("settings", "show", "land", "--json") == 0
    shown = json.loads(capfd.readouterr().out)
    assert (shown["lease_s"], shown["sensor"]) == (60, "sentinel-2")
    assert (shown["query"]["control_share"], shown["query"]["overlap_share"]) == (0.1, 0.2)
    assert on_land("settings", "show", "land") == 0
    assert "query.control_share" in capfd.readouterr().out
    assert on_land("policy", "set", "land", "new_labels=null", "interval_s=60") == 0
    capfd.readouterr()
    assert on_land("policy", "show", "land", "--json") == 0
    policy = json.loads(capfd.readouterr().out)
    assert (policy["new_labels"], policy["interval_s"], policy["min_labels"]) == (None, 60, 10)


def test_only_what_changed_is_printed_with_its_old_value(on_land: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert on_land("settings", "set", "land", "lease_s=600", "query.control_share=0.1", "sensor=sentinel-2") == 0
    said = capfd.readouterr()
    assert sorted(said.out.splitlines()) == [
        "lease_s: 3600.0 -> 600.0",
        "query.control_share: 0.05 -> 0.1",
        "sensor: null -> sentinel-2",
    ]
    assert on_land("settings", "set", "land", "lease_s=600") == 0
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "nothing changed: these are the values already\n")
    assert on_land("policy", "set", "land", "new_labels=null") == 0
    assert capfd.readouterr().out == "new_labels: 50 -> null\n"
    assert on_land("settings", "set", "land", "lease_s=60", "--json") == 0
    assert {"lease_s": 60.0, "sensor": "sentinel-2"}.items() <= json.loads(capfd.readouterr().out).items()


def test_preview_of_a_policy_is_a_sentence_and_its_triggers(on_land: Run, capfd: pytest.CaptureFixture[str]) -> None:
    changes = [
        "min_labels=2",
        "min_reserve_labels=2",
        "new_labels=30",
        "cron=0 3 * * *",
        "timezone=Europe/Berlin",
        'quiet_hours=["08:00-18:00"]',
    ]
    assert on_land("policy", "set", "land", *changes) == 0
    capfd.readouterr()
    assert on_land("policy", "preview", "land") == 0
    first, header, *rows = capfd.readouterr().out.splitlines()
    assert first.startswith("# ")
    assert "new labels until the next round" in first
    assert header.split("\t") == ["trigger", "holds", "figures"]
    cells = {name: (holds, said) for name, holds, said in (row.split("\t") for row in rows)}
    assert cells["drift"] == ("", "off")
    assert cells["new_labels"][0] == "no"
    assert "Europe/Berlin" in cells["cron"][1]
    assert on_land("policy", "preview", "land", "--json") == 0
    assert json.loads(capfd.readouterr().out)["timezone"] == "Europe/Berlin"


MISTAKES = [
    (["settings", "set", "land", "lease_s"], "NAME=VALUE"),
    (["settings", "set", "land", "lease=5"], "lease"),
    (["settings", "set", "land", "query.control_share=3"], "query.control_share"),
    (["settings", "set", "land", "query=1", "query.control_share=0.1"], "given twice"),
    (["policy", "set", "land", 'cron="0 3 30 2 *"'], "never comes true: there is no such day (cron)"),
    (["policy", "set", "land", "timezone=Berlin"], "use an IANA name such as Europe/Berlin or UTC (timezone)"),
    (["policy", "preview", "sea"], "campaign"),
    (["classes", "change", "land", "dark", "--retire"], "at least 2"),
    (["model", "card", "land"], "model list"),
    (["round", "log", "land"], "round start"),
]


def test_mistakes_are_one_sentence(on_land: Run, capfd: pytest.CaptureFixture[str]) -> None:
    for arguments, words in MISTAKES:
        assert on_land(*arguments) == 2
        said = capfd.readouterr().err
        assert words in said
        assert said.count("\n") == 1
        assert "$" not in said
