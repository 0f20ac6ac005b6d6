"""A stand-in for the W&B server on the loopback, for the real `wandb` commands to talk to.

It answers the requests of `wandb sweep`, `wandb agent`, `wandb.init` and `wandb sync` of version
0.31; `tests.wandb_backend` has its state.

    with WandbServer() as server:
        environment = server.environment(tmp_path)
        subprocess.run(["wandb", "sweep", "sweep.yaml"], env=environment, timeout=60)
        (sweep_id,) = server.sweeps
"""

import base64
import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.wandb_backend import RefusedError, WandbBackend

KEY = "local-" + "a" * 40

# Five seconds between an agent's questions are a constant of its class, without a flag.
QUICK_AGENT = """
import sys
if "agent" in sys.orig_argv:
    from wandb.wandb_agent import Agent
    Agent.POLL_INTERVAL = 0.2
"""


class WandbServer(WandbBackend):
    """The server, in threads of this process, from `with` to the end of its block."""

    def __init__(self) -> None:
        self.away = ""  # "frozen", "closed", or the status of all its answers
        self.ended = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.wandb = self  # type: ignore[attr-defined]
        super().__init__(f"http://127.0.0.1:{self.http.server_port}")

    def __enter__(self) -> "WandbServer":
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        if self.away != "closed":
            self.close()

    def close(self) -> None:
        """Close the port."""
        self.http.shutdown()
        self.http.server_close()

    def go_away(self, how: str) -> None:
        """Answer no more: "closed", as a server that was killed; "frozen"; or a status like "503".

        What a request asks for that is under way is not answered either.
        """
        if not self.away:
            self.away = how
            if how == "closed":
                self.close()

    def environment(self, folder: Path, *, quick: bool = True) -> dict[str, str]:
        """Variables of a process that knows this server only and writes into `folder` only.

        W&B is on, whatever this process's own variables say, and its agent asks often if `quick`.
        """
        own = {
            k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "LIT_EFFNET_RUN"))
        }
        home = folder / "home"
        places = ("DIR", "CONFIG_DIR", "CACHE_DIR", "DATA_DIR")
        paths = {f"WANDB_{place}": folder / f"wandb_{place.lower()}" for place in places}
        for path in (home, *paths.values()):
            path.mkdir(parents=True, exist_ok=True)
        if quick:
            (home / "sitecustomize.py").write_text(QUICK_AGENT)
            own["PYTHONPATH"] = os.pathsep.join([str(home), *filter(None, [own.get("PYTHONPATH")])])
        return {
            **own,
            **{name: str(path) for name, path in paths.items()},
            "HOME": str(home),
            "NETRC": str(home / "netrc"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), own["PATH"]]),
            "WANDB_BASE_URL": self.url,
            "WANDB_API_KEY": KEY,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1",  # whole seconds; less is the default 15
            "WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL": "1",
        }


class Handler(BaseHTTPRequestHandler):
    """HTTP: who asks, which of the server's methods answers, and errors that are not retried."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet

    def do_POST(self) -> None:
        """GraphQL, lines of files, and telemetry, which nobody wants."""
        server: WandbServer = self.server.wandb  # type: ignore[attr-defined]
        body = self.body()
        stream = re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path)
        try:
            key = base64.b64encode(f"api:{KEY}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {key}":
                raise RefusedError(401, "user is not logged in")
            if self.path == "/graphql":
                self.answer(200, {"data": server.query(json.loads(body))})
            elif stream:
                self.answer(200, server.file_stream(unquote(stream[1]), json.loads(body)))
            else:
                server.unknown.append(f"POST {self.path}")
                raise RefusedError(404, f"the stand-in has no {self.path}")
        except RefusedError as error:
            self.answer(error.status, {"errors": [{"message": str(error)}]})
        except Exception as error:
            server.unknown.append(f"{self.path}: {error!r}")
            self.answer(400, {"errors": [{"message": f"the stand-in: {error!r}"}]})

    def do_PUT(self) -> None:
        """Uploaded files."""
        server: WandbServer = self.server.wandb  # type: ignore[attr-defined]
        _, _, run, file = unquote(self.path).split("/", 3)
        server.upload(run, file, self.body())
        self.answer(200, {})

    def do_GET(self) -> None:
        """Nothing is to be had this way."""
        server: WandbServer = self.server.wandb  # type: ignore[attr-defined]
        server.unknown.append(f"GET {self.path}")
        self.answer(404, {"errors": [{"message": f"the stand-in has no {self.path}"}]})

    def body(self) -> bytes:
        """What was sent."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, value: dict[str, Any]) -> None:
        """Send JSON; the client may be gone, or the server."""
        server: WandbServer = self.server.wandb  # type: ignore[attr-defined]
        if server.away == "frozen":
            server.ended.wait()
        if server.away in ("frozen", "closed"):
            self.close_connection = True
            return
        status = int(server.away or status)
        content = json.dumps(value).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Tests look at `requests`."""
