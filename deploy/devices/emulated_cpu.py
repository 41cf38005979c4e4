"""Which Arm CPUs are emulated, and how each describes itself in /proc/cpuinfo."""

from __future__ import annotations

from dataclasses import dataclass

_A53 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
_A76 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
_A7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"
_CORES = 2


@dataclass(frozen=True, kw_only=True)
class EmulatedCpu:
    """One CPU. qemu: the name of the emulator. model: in its words. debian: the architecture of the userland.

    features, architecture, part: lines of /proc/cpuinfo.
    """

    name: str
    qemu: str
    model: str
    debian: str
    features: str
    architecture: str
    part: str

    def cpuinfo(self) -> str:
        """The text. Engines choose their kernels by it, and qemu 7.2 would show them that of this machine."""
        block = (
            f"Features\t: {self.features}\nCPU implementer\t: 0x41\nCPU architecture: {self.architecture}\n"
            f"CPU variant\t: 0x0\nCPU part\t: {self.part}\nCPU revision\t: 4\n"
        )
        return "".join(f"processor\t: {number}\nBogoMIPS\t: 100.00\n{block}\n" for number in range(_CORES))


CPUS = {
    one.name: one
    for one in (
        EmulatedCpu(
            name="cortex-a53",
            qemu="qemu-aarch64-static",
            model="cortex-a53",
            debian="arm64",
            features=_A53,
            architecture="8",
            part="0xd03",
        ),
        EmulatedCpu(
            name="cortex-a76",
            qemu="qemu-aarch64-static",
            model="cortex-a76",
            debian="arm64",
            features=_A76,
            architecture="8",
            part="0xd0b",
        ),
        EmulatedCpu(
            name="armv7",
            qemu="qemu-arm-static",
            model="cortex-a7",
            debian="armhf",
            features=_A7,
            architecture="7",
            part="0xc07",
        ),
    )
}
