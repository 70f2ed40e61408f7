"""Download a released archive, check it, and unpack one program from it.

`python -m lab.install.download URL FILE SHA256 MEMBER TARGET`; with URL alone, only check whether the address
can be reached. It is a process of its own, so that it can be killed while it waits for the network.
If it fails, its last line gives the reason. It uses the proxies of the environment.
"""

import hashlib
import http.client
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
import zipfile
from io import BufferedIOBase
from pathlib import Path

CONNECT_SECONDS = 3.0
"""An address that does not answer within this time counts as unreachable."""
STALL_SECONDS = 10.0
"""A download that receives no byte for this time counts as broken."""
JUDGED_AFTER, LEAST_RATE = 10.0, 300_000
"""After this many seconds a download below this many bytes per second ends: building is faster."""
CHUNK, MEGABYTE = 1 << 16, 1_000_000


class NotUsed(Exception):
    """Raised when the archive cannot be used; the text gives the reason."""


def reach(url: str, timeout: float) -> BufferedIOBase:
    """Request the archive and return the response; the caller reads its body. Raises NotUsed."""
    if url.partition(":")[0] not in ("http", "https", "file"):
        raise NotUsed("the address begins with neither http:, https: nor file:")
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "civildiy-lab"})  # noqa: S310 - see above
        answer: BufferedIOBase = urllib.request.urlopen(request, timeout=timeout)  # noqa: S310
        return answer
    except urllib.error.HTTPError as error:
        raise NotUsed(f"the address answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise NotUsed(f"the address cannot be reached ({error.reason})") from None
    except TimeoutError:
        raise NotUsed(f"the address did not answer in {timeout:.0f} s") from None
    except ValueError as error:
        raise NotUsed(f"the address is not valid ({error})") from None
    except (OSError, http.client.HTTPException) as error:
        raise NotUsed(f"the address did not answer properly ({error or type(error).__name__})") from None


def probe(url: str) -> None:
    """Return if the address answers within CONNECT_SECONDS. Raises NotUsed."""
    # A socket's timeout does not cover the lookup of a host name, so an alarm ends this process.
    signal.alarm(int(CONNECT_SECONDS) + 2)
    reach(url, CONNECT_SECONDS).close()
    signal.alarm(0)


def download(url: str, file: Path, sha256: str) -> None:
    """Save the archive as `file`. Raises NotUsed when the download fails, is slow, or is another file."""
    digest, received, began = hashlib.sha256(), 0, time.monotonic()
    with reach(url, STALL_SECONDS) as answer, file.open("wb") as out:
        while chunk := _read(answer, received):
            digest.update(chunk)
            out.write(chunk)
            before, received = received, received + len(chunk)
            seconds = time.monotonic() - began
            if seconds > JUDGED_AFTER and received < LEAST_RATE * seconds:
                raise NotUsed(f"the download is too slow: {received / 1e6:.1f} MB in {seconds:.0f} s")
            if received // MEGABYTE > before // MEGABYTE:
                print(f"{received // MEGABYTE} MB", flush=True)
    if digest.hexdigest() != sha256:
        raise NotUsed(
            f"its SHA-256 is {digest.hexdigest()}, not the pinned {sha256}: "
            "it is another file, or only a part of it has arrived"
        )


def _read(answer: BufferedIOBase, received: int) -> bytes:
    try:
        return answer.read1(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise NotUsed(f"the download stopped after {received / 1e6:.1f} MB ({error})") from None


def unpack(file: Path, member: str, target: Path) -> None:
    """Write the program from the archive to `target`. Raises NotUsed."""
    try:
        with zipfile.ZipFile(file) as packed, packed.open(member) as program, target.open("wb") as out:
            shutil.copyfileobj(program, out)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        target.unlink(missing_ok=True)
        raise NotUsed(f"it cannot be unpacked ({error})") from None
    target.chmod(0o755)


def main(url: str, file: str = "", sha256: str = "", member: str = "", target: str = "") -> None:
    """Check, download and unpack, as the module's description says. Exits with a reason when it fails."""
    try:
        probe(url)
        if file:
            download(url, Path(file), sha256)
            unpack(Path(file), member, Path(target))
    except NotUsed as reason:
        sys.exit(str(reason))
    except OSError as error:
        sys.exit(f"it cannot be stored ({error})")


if __name__ == "__main__":
    # Imported by name, so that a test which changes the limits above changes the only copy of them.
    from lab.install import download as this

    this.main(*sys.argv[1:])
