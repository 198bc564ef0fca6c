"""Stands in for the API of EOTDL on 127.0.0.1: accounts of what its client sends, as the client of 2026.6.29 has it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class EotdlApi:
    """A running stand-in; a context manager."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        """Of data sets and models, by `datasets/NAME`."""
        self.files: dict[str, bytes] = {}
        """What was uploaded, by `ID/FILE`."""
        self.completed: list[tuple[str, dict[str, Any]]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*api.get(urlsplit(self.path)))

            def do_POST(self) -> None:
                self._answer(*api.post(urlsplit(self.path).path, json.loads(self._body())))

            def do_PUT(self) -> None:
                api.files[unquote(self.path).removeprefix("/bucket/")] = self._body()
                self._answer(200, {})

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def _answer(self, status: int, content: Any) -> None:
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> "EotdlApi":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self, url: Any) -> tuple[int, Any]:
        parts = unquote(url.path).strip("/").split("/")
        if parts[0] == "bucket":
            found = self.files.get("/".join(parts[1:]))
            return (404, {"detail": "no such file"}) if found is None else (200, found)
        if len(parts) == 1:
            kind = parts[0]
            found_entry = self.entries.get(f"{kind}/{parse_qs(url.query)['name'][0]}")
            name = {"datasets": "Dataset", "models": "Model"}[kind]
            return (404, {"detail": f"{name} doesn't exist"}) if found_entry is None else (200, found_entry)
        name = "/".join(parts[3:])
        if f"{parts[1]}/{name}" not in self.files:
            return 404, {"detail": "no such file"}
        return 200, {"presigned_url": f"{self.url}bucket/{parts[1]}/{name}"}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        parts = path.strip("/").split("/")
        if len(parts) == 1:
            metadata = {key: value for key, value in body.items() if key != "name"}
            entry = {"id": f"id-{len(self.entries)}", "uid": "tester", "name": body["name"], "metadata": metadata}
            entry["versions"] = [{"version_id": 1}]
            self.entries[f"{parts[0]}/{body['name']}"] = entry
            return 200, entry
        if parts[1] == "complete":
            self.completed.append((parts[2], body))
            return 200, {}
        return 200, {"presigned_url": f"{self.url}bucket/{parts[1]}/{body['file_name']}"}
