"""Tokens of single persons: names on labels, revocation without a restart, and the audit trail of what they did."""

import getpass
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from al_loop.client import Client
from al_loop.domain.audit import Role
from service.access.token_file import add_token, read_tokens, revoke_tokens
from service.app import create_app
from service.cli import main
from service.commands.annotating import own_name
from service.settings import Settings
from tests.e2e.campaigns import Http, create, register, running_server, write_pool

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LABELS = "/campaigns/demo/labels"
PEOPLE: dict[str, Role] = {"Anna": "annotate", "Bert": "annotate", "Max": "ops"}
SHARED = {"annotate": "shared-annotate", "ops": "shared-ops"}


class Office:
    """A service with tokens of three persons and two that are shared."""

    def __init__(self, http: Http, file: Path, secrets: dict[str, str]) -> None:
        self.http, self.file, self.secrets = http, file, secrets

    def as_(self, who: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secrets[who]}"}

    def send(self, who: str, method: str, path: str, **options: Any) -> Any:
        return self.http.request(method, path, headers=self.as_(who), **options)

    def trail(self, **parameters: Any) -> list[dict[str, Any]]:
        answer = self.send("Max", "GET", "/audit", params=parameters)
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries


@pytest.fixture
def office_settings(settings: Settings, tmp_path: Path) -> Settings:
    file = tmp_path / "tokens.tsv"
    shared = ",".join(f"{role}={token}" for role, token in SHARED.items())
    return msgspec.structs.replace(
        settings, tokens=shared, tokens_file=file, score_tick_s=3600.0, retrain_tick_s=3600.0
    )


@pytest.fixture
def secrets(office_settings: Settings) -> dict[str, str]:
    assert office_settings.tokens_file is not None
    made = {name: add_token(office_settings.tokens_file, name, role, NOW) for name, role in PEOPLE.items()}
    return made | SHARED


@pytest.fixture
def office(office_settings: Settings, secrets: dict[str, str], imagery: Path) -> Iterator[Office]:
    write_pool(imagery, 4)
    app = create_app(office_settings)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as http:
        assert office_settings.tokens_file is not None
        made = Office(http, office_settings.tokens_file, secrets)
        http.headers.update(made.as_("Max"))
        create(http, imagery, settings={"reserve": {"share": 0.0, "minimum": 0}})
        register(http)
        del http.headers["authorization"]
        yield made


def label(annotator: str, number: int = 0) -> dict[str, Any]:
    path = f"scene_{number:03d}.tif"
    return {"path": path, "task": "classification", "annotator": annotator, "classes": ["dark"]}


@pytest.mark.parametrize(
    ("who", "name", "role"),
    [("Anna", "Anna", "annotate"), ("Max", "Max", "ops"), ("annotate", None, "annotate"), ("ops", None, "ops")],
)
def test_caller_is_told_whom_the_service_takes_it_for(office: Office, who: str, name: str | None, role: str) -> None:
    answer = office.send(who, "GET", "/whoami").json()
    assert answer == {"name": name, "role": role, "authentication": "token"}


def test_without_tokens_nobody_has_a_name(http: Http) -> None:
    assert http.get("/whoami").json() == {"name": None, "role": None, "authentication": "none"}


def test_person_labels_under_the_name_of_the_token_and_no_other(office: Office) -> None:
    assert office.send("Anna", "POST", LABELS, json=label("anna ")).status_code == 201  # recorded as in the token
    for body in (label("Bert"), [label("Anna"), label("Annette", 1)]):
        refused = office.send("Anna", "POST", LABELS, json=body)
        assert refused.status_code == 403
        assert "This token belongs to 'Anna', so it cannot act for" in refused.json()["detail"]
    assert office.send("Anna", "POST", LABELS, json=label("ANNA")).status_code == 201
    assert [entry["annotator"] for entry in office.send("Max", "GET", LABELS).json()["labels"]] == ["Anna"]


def test_commands_act_for_the_person_of_the_token_or_else_for_the_account(office: Office) -> None:
    for who, name in (("Anna", "Anna"), ("Max", "Max"), ("annotate", getpass.getuser())):
        office.http.headers.update(office.as_(who))
        assert own_name(Client("", http=office.http)) == name


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/campaigns/demo/queries", {"annotator": "Bert", "query_size": 1}),
        ("POST", "/campaigns/demo/leases/skip", {"annotator": "Bert", "sample_ids": [1]}),
        ("GET", "/campaigns/demo/leases?annotator=Bert", None),
        ("DELETE", "/campaigns/demo/labels/1?annotator=Bert", None),
        ("DELETE", "/campaigns/demo/labels/1?annotator=Anna&annotator=Bert", None),
        ("DELETE", "/campaigns/demo/labels/1?annotator=Bert&annotator=Anna", None),
    ],
)
def test_person_acts_for_nobody_else_on_any_route(office: Office, method: str, path: str, body: Any) -> None:
    answer = office.send("Anna", method, path, json=body)
    assert answer.status_code == 403, answer.text
    assert "'Bert'" in answer.json()["detail"]
    if "Anna" not in path:
        assert office.send("Bert", method, path, json=body).status_code != 403


def test_shared_tokens_and_operators_name_whom_they_act_for(office: Office) -> None:
    for number, who in enumerate(("annotate", "ops", "Max")):
        assert office.send(who, "POST", LABELS, json=label(f"somebody {number}", number)).status_code == 201


@pytest.mark.parametrize("body", [b"", b"{", b"[1, 2]", b'"x"', b'{"annotator": 3}', b"\xff"])
def test_malformed_body_is_still_the_callers_mistake(office: Office, body: bytes) -> None:
    headers = office.as_("Anna") | {"content-type": "application/json"}
    assert office.http.post(LABELS, content=body, headers=headers).status_code in (400, 403)


def test_token_that_is_revoked_while_somebody_works_is_refused_with_a_sentence(office: Office) -> None:
    assert office.send("Anna", "GET", "/campaigns").status_code == 200
    revoke_tokens(office.file, "Anna")
    refused = office.send("Anna", "GET", "/campaigns")
    assert refused.status_code == 401
    assert "revoked; ask its operator" in refused.json()["detail"]
    assert office.send("Bert", "GET", "/campaigns").status_code == 200


def test_token_that_is_added_while_the_service_runs_is_taken(office: Office) -> None:
    office.secrets["Zoe"] = add_token(office.file, "Zoe", "annotate", NOW)
    assert office.send("Zoe", "GET", "/whoami").json()["name"] == "Zoe"
    assert next(entry["detail"]["name"] for entry in office.trail() if entry["action"] == "addToken") == "Zoe"


@pytest.mark.parametrize("spoil", ["gone", "binary", "empty"])
def test_file_that_goes_wrong_lets_nobody_in_and_shared_tokens_stay(office: Office, spoil: str) -> None:
    if spoil == "gone":
        office.file.unlink()
    else:
        office.file.write_bytes(b"\xff\xfe\x00" if spoil == "binary" else b"")
    assert office.send("Anna", "GET", "/whoami").status_code == 401
    assert office.http.get("/whoami").status_code == 401
    assert office.send("annotate", "GET", "/whoami").status_code == 200


def test_changes_are_recorded_with_the_person_and_what_was_sent(office: Office) -> None:
    office.send("Max", "PUT", "/campaigns/demo/policy", json={"new_labels": 70})
    office.send("ops", "POST", "/campaigns/demo/rounds", json={"reason": "spring"})
    label_id = office.send("Anna", "POST", LABELS, json=label("Anna")).json()["label_ids"][0]
    office.send("Anna", "DELETE", f"{LABELS}/{label_id}?annotator=Anna")
    entries = office.trail()
    assert [(entry["who"], entry["role"], entry["action"], entry["campaign"]) for entry in entries] == [
        ("Anna", "annotate", "retractLabel", "demo"),
        ("Max", "ops", "setPolicy", "demo"),
        ("Max", "ops", "registerSamples", "demo"),
        ("Max", "ops", "createCampaign", "demo"),
        *[(None, None, "addToken", None)] * 3,
    ]
    assert entries[0]["detail"] == {"label_id": label_id, "annotator": "Anna"}
    assert entries[1]["detail"] == {"body": {"new_labels": 70}}


def test_what_was_refused_or_only_read_is_not_recorded(office: Office) -> None:
    before = office.trail()
    assert office.send("Anna", "PUT", "/campaigns/demo/policy", json={}).status_code == 403
    assert office.send("Max", "PUT", "/campaigns/demo/policy", json={"new_labels": -1}).status_code == 400
    assert office.send("Max", "DELETE", f"{LABELS}/99?annotator=x").status_code == 404
    assert office.send("Max", "GET", "/campaigns/demo").status_code == 200
    assert office.send("Anna", "POST", LABELS, json=label("Anna")).status_code == 201
    assert office.trail() == before


def test_trail_is_for_operators_comes_in_pages_and_refuses_nonsense(office: Office) -> None:
    assert office.send("Anna", "GET", "/audit").status_code == 403
    everything = office.trail()
    first = office.send("Max", "GET", "/audit", params={"limit": 2}).json()
    second = office.send("Max", "GET", "/audit", params={"limit": 1000, "cursor": first["next_cursor"]}).json()
    assert first["entries"] + second["entries"] == everything
    assert second["next_cursor"] is None
    assert [entry["action"] for entry in office.trail(campaign="demo")] == ["registerSamples", "createCampaign"]
    for parameters in ({"limit": 0}, {"limit": 1001}, {"cursor": "x"}, {"limit": "many"}):
        assert office.send("Max", "GET", "/audit", params=parameters).status_code == 400


def test_long_bodies_and_passwords_in_addresses_are_left_out(office: Office) -> None:
    office.send("Max", "POST", "/campaigns/demo/samples", json={"paths": [f"{n:05d}.tif" for n in range(1000)]})
    assert office.trail()[0]["detail"] == {"body": "more than 4000 bytes"}
    reason = "see http://max:geheim@wiki.example/"
    office.send("Max", "PUT", "/campaigns/demo/settings", json={"reserve": {"group_pattern": reason + "(.)"}})
    assert "geheim" not in office.send("Max", "GET", "/audit").text


def test_tokens_that_changed_while_the_service_was_stopped_are_recorded_once(
    office_settings: Settings, secrets: dict[str, str]
) -> None:
    file = office_settings.tokens_file
    assert file is not None
    said = []
    for change in (lambda: None, lambda: revoke_tokens(file, "Bert"), lambda: None):
        change()
        with TestClient(create_app(office_settings), base_url="http://127.0.0.1") as http:
            answer = http.get("/audit", headers={"authorization": f"Bearer {secrets['Max']}"}).json()
            said.append([(entry["action"], entry["detail"]["name"]) for entry in answer["entries"]])
    added = [("addToken", name) for name in ("Max", "Bert", "Anna")]
    assert said == [added, [("revokeToken", "Bert"), *added], [("revokeToken", "Bert"), *added]]


def test_no_token_is_ever_logged_or_recorded(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for who in office.secrets:
        office.send(who, "POST", f"/campaigns/demo/predictions/sam?token={office.secrets[who]}")
        office.send(who, "PUT", f"/campaigns/demo/policy?token={office.secrets[who]}", json={})
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name != "httpx"
    )  # the test's own client
    everything = ours + office.send("Max", "GET", "/audit").text + office.file.read_text()
    assert [who for who, secret in office.secrets.items() if secret in everything] == []


def test_commands_add_list_and_revoke_tokens_of_a_running_service(
    office_settings: Settings, secrets: dict[str, str], capsys: pytest.CaptureFixture[str], imagery: Path
) -> None:
    file = str(office_settings.tokens_file)
    with running_server(create_app(office_settings)) as url:
        assert main(["token", "add", "Zoe", "--role", "ops", "--file", file]) == 0
        said = capsys.readouterr()
        secret = said.out.strip()
        assert said.out == f"{secret}\n"
        assert secret not in said.err
        assert main(["audit", "--service", url, "--token", secret]) == 0
        assert '"name":"Zoe"' in capsys.readouterr().out
        assert main(["token", "list", "--file", file, "--json"]) == 0
        listed = msgspec.json.decode(capsys.readouterr().out)
        assert [entry["name"] for entry in listed] == ["Anna", "Bert", "Max", "Zoe"]
        assert main(["token", "revoke", listed[-1]["token_id"], "--file", file]) == 0
        assert main(["audit", "--service", url, "--token", secret]) == 2
        assert "revoked" in capsys.readouterr().err
        assert main(["token", "revoke", "Nobody", "--file", file]) == 2
        assert "there is no token of 'Nobody'" in capsys.readouterr().err
    assert main(["token", "list", "--file", str(imagery / "none.tsv")]) == 2
    assert "none.tsv" in capsys.readouterr().err
    assert [entry.name for entry in read_tokens(Path(file))] == ["Anna", "Bert", "Max"]
