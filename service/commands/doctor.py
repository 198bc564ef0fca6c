"""`al-loop doctor`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from al_loop import __version__
from al_loop.client.errors import ClientError
from al_loop.upkeep.findings import Finding, Verdict, ok
from service.commands.options import DEFAULT_URL, AsJson, Service, Token, connect
from service.commands.output import ExitCode, console, counted, print_json, print_tables
from service.settings import PREFIX


def examine(
    data: Annotated[
        Path | None, typer.Option(help="Data directory to look at; AL_LOOP_DATA, or al-loop-data if there is one.")
    ] = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Look for what does not work: installation, data directory, service; and say what to do.

    Changes nothing. Ends with 0 where nothing is wrong, and with 1 otherwise.
    """
    from al_loop.upkeep.doctor import examine_directory, examine_installation  # loads DuckDB

    findings = list(examine_installation())
    directory = data or Path(os.environ.get(f"{PREFIX}DATA", "al-loop-data"))
    if data is not None or directory.is_dir():
        findings += examine_directory(directory)
    findings += _service(service, token)
    if as_json:
        print_json(findings)
    else:
        table = Table("", "about", "what was found", "what to do")
        for finding in findings:
            table.add_row(finding.verdict, finding.about, finding.said, finding.remedy or "")
        print_tables(table)
    wrong = [finding for finding in findings if finding.verdict == "wrong"]
    if not as_json:
        said = {0: "nothing is wrong", 1: "1 thing is wrong"}.get(len(wrong), f"{len(wrong)} things are wrong")
        warnings = sum(finding.verdict == "warning" for finding in findings)
        said += f", {counted(warnings, 'warning')}" if warnings else ""
        console(stderr=True).print(said, highlight=False)
    return ExitCode.FAILED if wrong else ExitCode.DONE


def _service(address: str, token: str | None) -> Iterator[Finding]:
    try:
        with connect(address, token) as client:
            ready = client.readiness()
            role = client.whoami().role
    except ClientError as error:
        yield Finding(about="service", verdict="warning", said=str(error))
        return
    version = str(ready.get("version"))
    if version == __version__:
        yield ok("service", f"al-loop {version} answers at {address}" + (f", your role is {role}" if role else ""))
    else:
        yield Finding(
            about="service", verdict="warning",
            said=f"al-loop {version} answers at {address}, this command is of {__version__}",
            remedy="use the same version",
        )  # fmt: skip
    for about in ("store", "scheduler", "training", "encoder", "cluster"):
        if ready.get(about, "ok") not in ("ok", "none"):
            verdict: Verdict = "wrong" if about in ("store", "scheduler") else "warning"
            yield Finding(about=f"service: {about}", verdict=verdict, said=str(ready[about]))
    for about, problems in (("model of", "models"), ("link of", "links"), ("work:", "problems")):
        for name, said in dict(ready.get(problems, {})).items():
            if problems == "problems" or said == "trouble" or "cannot" in str(said):
                yield Finding(about=f"service: {about} {name}", verdict="wrong", said=str(said))
    for name, number in dict(ready.get("failed_rounds", {})).items():
        yield Finding(
            about=f"service: rounds of {name}", verdict="wrong", said=f"round {number} failed",
            remedy=f"al-loop round log {name} {number}",
        )  # fmt: skip
