"""A local package index for tests that install packages."""

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from lab.install.pins import Wheel


class Index:
    """Serves wheels to pip; for the packages in `cut` it sends only half of the file."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.url = ""

    def offer(self, package: str, version: str, content: bytes) -> Wheel:
        """Put a wheel with one program into the index, and return its pin."""
        package = package.replace("-", "_")
        file = f"{package}-{version}-py3-none-any.whl"
        told = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as wheel:
            script = zipfile.ZipInfo(f"{package}-{version}.data/scripts/{package}")
            script.external_attr = 0o100755 << 16
            wheel.writestr(script, content)
            wheel.writestr(f"{package}-{version}.dist-info/METADATA", told)
            wheel.writestr(f"{package}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{package}-{version}.dist-info/RECORD", "")
        self.files[file] = packed.getvalue()
        digest = hashlib.sha256(packed.getvalue()).hexdigest()
        return Wheel(package, version, digest, f"*.data/scripts/{package}")


@contextmanager
def package_index() -> Iterator[Index]:
    """Yield an index that answers at `url` while the block lasts."""
    index = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rstrip("/").rsplit("/", 1)[-1]
            index.asked[name] += 1
            if self.path.startswith("/simple/"):
                mine = [file for file in index.files if file.startswith(f"{name.replace('-', '_')}-")]
                body = "".join(f'<a href="/files/{file}">{file}</a>' for file in mine).encode()
            else:
                body = index.files.get(name, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html" if "simple" in self.path else "application/zip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if name.split("-")[0] in index.cut else body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        index.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
