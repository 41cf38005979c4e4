"""Where the time goes: by special row, by PyTorch module, by operator, and what bounds each layer."""

from __future__ import annotations

from collections.abc import Mapping

from condmix.deploy.report.chart_bars import Bar, bar_chart
from condmix.deploy.report.chart_roofline import MOST_LABELS, Layer, roofline_chart
from condmix.deploy.report.numbers import count, microseconds, plural, share
from condmix.deploy.report.parts import Figure, Group, Section, Table
from condmix.deploy.report.profile_record import ModuleTime, Profile
from condmix.deploy.report.view import ReportView

MOST_BARS = 14
UNNAMED = "(no module)"


def profile_section(view: ReportView) -> Section | None:
    """A group for each profiled subject; None without a profile."""
    profiles = view.extras.profile
    if not profiles:
        return None
    groups = [
        Group(
            sentences=(
                "A profile is a run of its own: it slows what it looks at, so its times are shares, not latencies.",
            )
        )
    ]
    groups += [_group(view, name, profile, place) for place, (name, profile) in enumerate(profiles.items())]
    return Section(identity="profile", title="Where the time goes", groups=groups)


def _group(view: ReportView, name: str, profile: Profile, place: int) -> Group:
    modules = sorted(profile.modules, key=lambda one: -(one.time_us or 0.0))
    figures = []
    if profile.special:
        figures.append(_special(profile, f"special-{place}", name))
    if any(one.time_us for one in modules):
        figures.append(_modules(profile, modules, f"modules-{place}", name))
        roofline = _roofline(profile, modules, f"roofline-{place}", name)
        figures += [roofline] if roofline else []
    tables = _notes(profile) + ([_operator_table(profile)] if profile.operators else [])
    return Group(heading=view.label(name), sentences=_sentences(profile), tables=tables, figures=figures)


def _sentences(profile: Profile) -> list[str]:
    runs = plural(profile.runs, "run")
    words = [f"{profile.engine}, {profile.method}, {runs}, {microseconds(profile.total_us)} µs in one run."]
    if profile.delegate_coverage is not None:
        words.append(coverage_words(profile.delegate_coverage) + ".")
    rates = [(f"multiply-adds in {name}", rate) for name, rate in profile.peaks.items()]
    if not rates and profile.peak is not None:
        rates = [("multiply-adds", profile.peak)]
    if profile.bandwidth is not None:
        rates.append(("bytes", profile.bandwidth))
    told = [f"{value / 1e9:.3g} G {unit}{f' ({how})' if how else ''}" for unit, (value, how) in rates]
    if told:
        words.append(f"This core can do in a second, as measured: {'; '.join(told)}.")
    return words


def _notes(profile: Profile) -> list[Table]:
    if not profile.notes:
        return []
    title = f"Notes on this profile ({len(profile.notes)})"
    return [Table(columns=("note",), rows=tuple((note,) for note in profile.notes), title=title, folded=True)]


def coverage_words(coverage: object) -> str:
    """What the delegate takes, from the plain data of a DelegateCoverage; of other data, the data themselves."""
    known = coverage if isinstance(coverage, Mapping) else {}
    operators, delegated, partitions = (known.get(key) for key in ("operators", "delegated", "partitions"))
    if not (isinstance(operators, int) and isinstance(delegated, int) and isinstance(partitions, int)):
        return f"Delegate coverage: {coverage}"
    left = known.get("not_delegated")
    named = [f"{name} x{number}" for name, number in left.items()] if isinstance(left, Mapping) else []
    told = f"; left to the engine: {', '.join(named)}" if named else ""
    return f"The delegate takes {delegated} of {plural(operators, 'operator')} in {plural(partitions, 'part')}{told}"


def _special(profile: Profile, identity: str, name: str) -> Figure:
    bars = [
        Bar(label=row, value=time_us, text=_time_text(profile, time_us), fill="special")
        for row, time_us in profile.special
    ]
    return Figure(
        svg=bar_chart(bars, identity=identity, title=f"Time of {name} by kind of work"),
        caption="The time by kind of work: what CondConv and MixConv add to plain convolutions, and all other.",
        data=Table(
            columns=("work", "time, µs", "share"),
            rows=tuple((row, microseconds(time_us), _share(profile, time_us)) for row, time_us in profile.special),
            numbers=frozenset({"time, µs", "share"}),
            title="Data: time by kind of work",
            folded=True,
        ),
    )


def _modules(profile: Profile, modules: list[ModuleTime], identity: str, name: str) -> Figure:
    timed = [one for one in modules if one.time_us]
    shown, rest = timed[:MOST_BARS], timed[MOST_BARS:]
    bars = [
        Bar(
            label=f"{rank}  {one.module or UNNAMED}",
            value=one.time_us or 0.0,
            text=_time_text(profile, one.time_us or 0.0),
            fill=one.bound or "unbound",
        )
        for rank, one in enumerate(shown, start=1)
    ]
    told = ""
    if rest:
        together = _share(profile, sum(one.time_us or 0.0 for one in rest))
        told = f" {plural(len(rest), 'more module')}, {together} together: in the table."
    return Figure(
        svg=bar_chart(bars, identity=identity, title=f"Time of {name} by PyTorch module"),
        caption="Longest modules first. Striped bars are bound by memory, full ones by compute; for pale ones "
        f"neither is told.{told}",
        data=_module_table(profile, modules),
    )


def _roofline(profile: Profile, modules: list[ModuleTime], identity: str, name: str) -> Figure | None:
    layers = [
        Layer(
            rank=rank,
            name=one.module or UNNAMED,
            multiply_adds=one.multiply_adds,
            bytes=one.bytes,
            time_us=one.time_us,
            bound=one.bound,
        )
        for rank, one in enumerate(modules, start=1)
        if one.multiply_adds and one.bytes and one.time_us
    ]
    peaks = {name: rate[0] for name, rate in profile.peaks.items() if rate[0]}
    if not peaks and profile.peak is not None and profile.peak[0]:
        peaks = {"measured": profile.peak[0]}
    if not layers or not peaks or profile.bandwidth is None or not profile.bandwidth[0]:
        return None
    left_out = len(modules) - len(layers)
    slope = profile.bandwidth[0]
    above = sum(layer.multiply_adds_per_second > layer.intensity * slope for layer in layers)
    told = f" {plural(left_out, 'module')} without multiply-adds, bytes or time cannot be drawn." if left_out else ""
    if above:
        told += f" {plural(above, 'module')} above the slope: caches are faster than memory."
    return Figure(
        svg=roofline_chart(
            layers,
            identity=identity,
            title=f"Roofline of {name}",
            peaks=peaks,
            bytes_per_second=slope,
        ),
        caption="Roofline, both axes logarithmic: the slope is measured memory bandwidth, flat parts are measured "
        "peaks. Discs are modules bound by compute, hollow triangles by memory; "
        f"numbers name the {MOST_LABELS} longest, as in the table of modules.{told}",
        data=_roofline_table(layers),
    )


def _module_table(profile: Profile, modules: list[ModuleTime]) -> Table:
    columns = ("", "module", "kind", "time, µs", "share", "multiply-adds", "bytes", "bound by")
    rows = tuple(
        (
            str(rank),
            one.module or UNNAMED,
            one.kind,
            _time(one.time_us),
            _share(profile, one.time_us),
            count(one.multiply_adds),
            count(one.bytes),
            one.bound or "",
        )
        for rank, one in enumerate(modules, start=1)
    )
    numbers = frozenset({"", "time, µs", "share", "multiply-adds", "bytes"})
    return Table(columns=columns, rows=rows, numbers=numbers, title="Data: all modules", folded=True)


def _roofline_table(layers: list[Layer]) -> Table:
    columns = ("", "module", "multiply-adds a byte", "G multiply-adds a second", "bound by")
    rows = tuple(
        (
            str(layer.rank),
            layer.name,
            f"{layer.intensity:.3g}",
            f"{layer.multiply_adds_per_second / 1e9:.3g}",
            layer.bound or "",
        )
        for layer in layers
    )
    return Table(
        columns=columns, rows=rows, numbers=frozenset(columns[:1] + columns[2:4]), title="Data: roofline", folded=True
    )


def _operator_table(profile: Profile) -> Table:
    operators = sorted(profile.operators, key=lambda one: -(one.time_us or 0.0))
    columns = ("operator", "nodes", "time, µs", "share", "multiply-adds")
    rows = tuple(
        (
            one.operator,
            count(one.nodes),
            "" if one.time_us is None else microseconds(one.time_us),
            _share(profile, one.time_us),
            count(one.multiply_adds),
        )
        for one in operators
    )
    return Table(columns=columns, rows=rows, numbers=frozenset(columns[1:]), title="Time by operator", folded=True)


def _time(time_us: float | None) -> str:
    return "below the noise" if time_us is None else microseconds(time_us)


def _time_text(profile: Profile, time_us: float) -> str:
    part = _share(profile, time_us)
    return f"{microseconds(time_us)} µs  {part}".rstrip()


def _share(profile: Profile, time_us: float | None) -> str:
    return share(time_us / profile.total_us) if profile.total_us and time_us is not None else ""
