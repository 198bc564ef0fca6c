"""The token file: it never holds a secret, keeps what it has, and refuses names that would split a person in two."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.access.token_file import add_token, digest_of, read_tokens, revoke_tokens
from service.settings import SettingsError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "tokens.tsv"


def test_file_has_a_line_a_token_and_not_the_secret(path: Path) -> None:
    secrets = [add_token(path, name, "annotate", NOW) for name in ("Anna", "Bert Ångström")]
    text = path.read_text()
    assert len([line for line in text.splitlines() if not line.startswith("#")]) == 2
    assert all(secret not in text and len(secret) > 40 for secret in secrets)
    assert [(entry.name, entry.role, entry.digest, entry.created_at) for entry in read_tokens(path)] == [
        ("Anna", "annotate", digest_of(secrets[0]), NOW),
        ("Bert Ångström", "annotate", digest_of(secrets[1]), NOW),
    ]


def test_file_is_readable_by_its_owner_alone_and_keeps_a_mode_that_it_was_given(path: Path) -> None:
    add_token(path, "Anna", "annotate", NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    add_token(path, "Bert", "ops", NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == ["tokens.tsv"]


def test_one_token_of_a_person_is_revoked_by_its_id_and_all_by_the_name(path: Path) -> None:
    for name in ("Anna", "Anna", "Bert"):
        add_token(path, name, "annotate", NOW)
    first, second, other = read_tokens(path)
    assert revoke_tokens(path, second.token_id) == [second]
    assert read_tokens(path) == [first, other]
    assert revoke_tokens(path, "Anna") == [first]
    with pytest.raises(SettingsError, match=r"no token of 'Anna' in .*; it has Bert"):
        revoke_tokens(path, "Anna")


@pytest.mark.parametrize("name", ["", "   ", "a\tb", "a\nb", "#anna", "a" * 201, "a\x00"])
def test_name_that_no_line_can_hold_is_refused(path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="a name has 1 to 200 characters"):
        add_token(path, name, "annotate", NOW)
    assert not path.exists()


def test_name_that_differs_by_case_only_is_refused(path: Path) -> None:
    add_token(path, "Anna", "annotate", NOW)
    with pytest.raises(SettingsError, match="there is a token of 'Anna'"):
        add_token(path, "anna", "annotate", NOW)


def test_line_that_is_no_token_is_skipped_and_named_without_its_content(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = add_token(path, "Anna", "annotate", NOW)
    with path.open("a") as file:
        file.write(f"\n# a remark\nBert\tannotate\t{secret}\t2026-03-01\nx\nKing\tking\t{64 * 'a'}\t2026-03-01\n")
    assert [entry.name for entry in read_tokens(path)] == ["Anna"]
    assert [record.args[0] for record in caplog.records if record.args] == [5, 6, 7]  # type: ignore[index]
    assert secret not in caplog.text
