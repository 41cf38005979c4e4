"""What the figures do not say, drawn from the facts of the run: each sentence is there because of something found."""

from __future__ import annotations

from condmix.deploy.report.numbers import plural, share
from condmix.deploy.report.parts import Group, Section
from condmix.deploy.report.view import ReportView

SUSTAINED_SECONDS = 300.0
_DESKTOP = ("x86_64", "amd64", "i386", "i686")


def caveats_section(view: ReportView) -> Section:
    """All sentences that hold for this run."""
    sentences = [*_machine(view), *_state(view), *_figures(view), *_outputs(view), *_extras(view)]
    if view.report.verdict.is_emulated:
        sentences = [*_machine(view), *_outputs(view)]  # of times there is nothing to say
    return Section(identity="caveats", title="What these figures do not say", groups=(Group(sentences=sentences),))


def _machine(view: ReportView) -> list[str]:
    environment = view.report.environment_before
    cpu = environment.cpu
    name = ", ".join(cpu.model_names) or f"a {cpu.architecture} CPU that does not tell its name"
    if environment.emulated or view.report.verdict.is_emulated:
        return [
            f"They were made on an emulated {cpu.architecture} CPU: they say that the files run, and nothing about how "
            "fast any real device runs them."
        ]
    words = []
    if cpu.architecture.lower() in _DESKTOP:
        words.append(
            f"How fast a phone or a board is: this is {name} ({cpu.architecture}). Even ratios between files can "
            "differ on Arm, where the engines have other kernels. Measure there."
        )
    else:
        words.append(f"How fast another device is: this is {name} ({cpu.architecture}), with its own clock and memory.")
    if not cpu.has_int8_dot_product:
        words.append(
            "What int8 gains on a CPU with a byte dot product: this one has none, and int8 results may differ there."
        )
    if environment.hypervisor:
        words.append(
            "How fast the bare machine is: this is a virtual one, whose neighbours share caches, memory and clock."
        )
    if environment.cpu_quota_cores is not None:
        words.append(f"How fast more cores are: a quota of {environment.cpu_quota_cores:g} cores held here.")
    return words


def _state(view: ReportView) -> list[str]:
    before = view.report.environment_before
    words = []
    if all(core.current_khz is None for core in before.cores):
        words.append("At which clock they were made: the frequency of the cores could not be read.")
    if not before.temperatures_celsius:
        words.append("Whether heat slowed the cores: no temperature could be read.")
    if view.span_s < SUSTAINED_SECONDS:
        words.append(
            f"What minutes of work do to the speed: the measurement took {view.span_s:.0f} s, and a device that gets "
            "warm slows down."
        )
    words.append("How much energy a run takes: it was not measured.")
    return words


def _figures(view: ReportView) -> list[str]:
    report = view.report
    words = []
    floor = report.noise_floor()
    if floor is not None:
        words.append(
            f"Which of two files is faster when they differ by less than {share(floor)}: the machine hides it."
        )
    few = [view.label(one.name) for one in view.measured if one.steady.p90_ns is None]
    if few:
        words.append(f"How long rare runs take: fewer than 100 runs of {', '.join(few)}, so not even p90 is supported.")
    elif any(one.steady.p99_ns is None for one in view.measured):
        words.append("How long one run in a hundred takes: p99 needs 1,000 runs.")
    if report.interrupted is not None:
        words.append(f"What a whole measurement would have found: this one ended early ({report.interrupted}).")
    lost = [view.label(record.name) for record in report.subjects if record.failure is not None]
    if lost:
        words.append(f"Anything about what was lost: {', '.join(lost)}.")
    if any(opening.peak_memory_bytes is not None for record in report.subjects for opening in record.openings):
        words.append(
            "How much memory an app needs: peak memory is of the whole worker process, with Python, numpy and engine."
        )
    if report.settings.openings == 1 and view.measured:
        words.append("How much the speed differs from one start of the program to the next: each file was opened once.")
    if all(record.subject.batch in (None, 1) for record in report.subjects) and not view.extras.batch_curve:
        words.append("What a batch costs: one image was computed in each call.")
    return words


def _outputs(view: ReportView) -> list[str]:
    records = view.report.subjects
    words = []
    unchecked = [view.label(record.name) for record in records if record.agreement is None]
    if unchecked:
        words.append(f"Whether the outputs are right: nothing was compared for {', '.join(unchecked)}.")
    images = [record.agreement.images for record in records if record.agreement is not None]
    if images and not view.extras.accuracy:
        words.append(
            f"How accurate a network is: agreement with the reference on {plural(min(images), 'image')} says that the "
            "file computes what the reference computes, not that this is right."
        )
    random = [view.label(record.name) for record in records if record.input_source == "random"]
    if random:
        words.append(f"What real images cost and give: random numbers were fed to {', '.join(random)}.")
    return words


def _extras(view: ReportView) -> list[str]:
    words = []
    if view.extras.profile:
        words.append("Absolute times of layers: a profile slows what it looks at, its shares are what counts.")
    else:
        words.append("Where the time goes: no profile was made (condmix bench --profile makes one).")
    if not view.extras.input_dependence:
        words.append("Whether the image changes the latency: it was not looked at.")
    undecided = [view.label(name) for name, found in view.extras.input_dependence.items() if found.depends is None]
    if undecided:
        words.append(f"Whether the image changes the latency of {', '.join(undecided)}: too few runs to tell.")
    return words
