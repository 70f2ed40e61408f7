"""MongoDB's demands on the processor are checked where the features can be read."""

from pathlib import Path

import pytest

from lab import processor


@pytest.mark.parametrize(
    ("machine", "features", "good"),
    [
        ("x86_64", "flags\t\t: fpu sse4_2 avx avx2", True),
        ("x86_64", "flags\t\t: fpu sse4_2", False),
        # Raspberry Pi 4 (Cortex-A72), then Pi 5 (Cortex-A76) and Apple's M1 in a virtual machine.
        ("aarch64", "Features\t: fp asimd evtstrm crc32 cpuid", False),
        ("aarch64", "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid"
                    " asimdrdm lrcpc dcpop asimddp", True),
        ("arm64", "Features\t: fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp dcpop sha3", True),
        # ARMv8.1-A has atomics, and is not enough.
        ("aarch64", "Features\t: fp asimd evtstrm aes crc32 atomics cpuid asimdrdm", False),
        ("riscv64", "isa\t\t: rv64imafdc", False),
    ],
)  # fmt: skip
def test_processor(machine: str, features: str, good: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{features}\n")
    found = processor.finding(machine, tmp_path / "cpuinfo")
    assert bool(found.remedy) is not good
    assert machine in found.seen


def test_features_that_cannot_be_read_are_not_judged(tmp_path: Path) -> None:
    assert not processor.finding("arm64", tmp_path / "missing").remedy
