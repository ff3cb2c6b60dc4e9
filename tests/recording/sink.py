"""An OTLP/HTTP receiver on the loopback interface that writes what it is sent to files.

Only stack traces are left out: they hold the paths of the machine that recorded. Needs `opentelemetry-proto`.
"""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Sink(ThreadingHTTPServer):
    """`folder/name.pb` gets the spans that come, `folder/name.logs.pb` the log records."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.name = "unnamed"
        self.spans = ExportTraceServiceRequest()
        self.logs = ExportLogsServiceRequest()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def write(self, name: str) -> None:
        """Everything that came since the last call goes into files of this name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for request, ending in ((self.spans, ".pb"), (self.logs, ".logs.pb")):
            if request.ByteSize():
                (self.folder / f"{name}{ending}").write_bytes(request.SerializeToString(deterministic=True))
        print(
            f"{self.folder.name}/{name}: {sum(len(s.spans) for r in self.spans.resource_spans for s in r.scope_spans)}"
        )
        self.spans.Clear()
        self.logs.Clear()


class _Handler(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path.endswith("/v1/traces"):
            spans = ExportTraceServiceRequest.FromString(body)
            for resource_spans in spans.resource_spans:
                for scope_spans in resource_spans.scope_spans:
                    for span in scope_spans.spans:
                        for event in span.events:
                            _without_stack(event.attributes)
            self.server.spans.MergeFrom(spans)
        elif self.path.endswith("/v1/logs"):
            logs = ExportLogsServiceRequest.FromString(body)
            self.server.logs.MergeFrom(logs)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers["content-length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _without_stack(attributes: Any) -> None:
    for index in reversed(range(len(attributes))):
        if attributes[index].key == "exception.stacktrace":
            del attributes[index]
