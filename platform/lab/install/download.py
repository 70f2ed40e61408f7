"""Downloads a released archive, checks it, and unpacks one program from it.

`python -m lab.install.download URL FILE SHA256 MEMBER TARGET`, or with URL alone: only find out whether
it can be reached. It is a process of its own, so that it can be ended while it waits for the network.
The last line that it prints says why it failed. Proxies are those of the environment.
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
"""Without an answer for so long the address counts as unreachable."""
STALL_SECONDS = 10.0
"""Without a byte for so long a download that has begun counts as broken."""
JUDGED_AFTER, LEAST_RATE = 10.0, 300_000
"""After so many seconds a download slower than this many bytes per second ends: building is faster."""
CHUNK, MEGABYTE = 1 << 16, 1_000_000


class NotUsed(Exception):
    """The archive cannot be used; the text says why."""


def reach(url: str, timeout: float) -> BufferedIOBase:
    """Ask for the archive; the body is read by the caller. Raises NotUsed."""
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
    """Return when the address answers within CONNECT_SECONDS. Raises NotUsed."""
    # The timeouts of sockets do not cover the lookup of a name: the alarm ends this process.
    signal.alarm(int(CONNECT_SECONDS) + 2)
    reach(url, CONNECT_SECONDS).close()
    signal.alarm(0)


def download(url: str, file: Path, sha256: str) -> None:
    """Save the archive as `file`. Raises NotUsed when it breaks off, is slow, or is another one."""
    digest, received, began = hashlib.sha256(), 0, time.monotonic()
    with reach(url, STALL_SECONDS) as answer, file.open("wb") as out:
        while chunk := _read(answer, received):
            digest.update(chunk)
            out.write(chunk)
            before, received = received, received + len(chunk)
            seconds = time.monotonic() - began
            if seconds > JUDGED_AFTER and received < LEAST_RATE * seconds:
                raise NotUsed(f"it arrives too slowly: {received / 1e6:.1f} MB in {seconds:.0f} s")
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
    """Write the program out of the archive. Raises NotUsed."""
    try:
        with zipfile.ZipFile(file) as packed, packed.open(member) as program, target.open("wb") as out:
            shutil.copyfileobj(program, out)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        target.unlink(missing_ok=True)
        raise NotUsed(f"it cannot be unpacked ({error})") from None
    target.chmod(0o755)


def main(url: str, file: str = "", sha256: str = "", member: str = "", target: str = "") -> None:
    """Do what the module's description says. Exits with a sentence."""
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
    # By its name, so that the limits above exist once, also where a test has changed them.
    from lab.install import download as this

    this.main(*sys.argv[1:])
