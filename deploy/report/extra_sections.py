"""Sections that only some reports have: routing, accuracy, batches, dependence on the image, int8."""

from __future__ import annotations

from statistics import median

from condmix.deploy.report.chart_batches import BatchCurve, batch_chart
from condmix.deploy.report.chart_inputs import InputMedian, inputs_chart
from condmix.deploy.report.chart_routing import RoutingHistogram, routing_chart
from condmix.deploy.report.chart_scatter import Tradeoff, scatter_chart
from condmix.deploy.report.extras import BatchPoint, FedInput, RoutingBlock
from condmix.deploy.report.numbers import interval, milliseconds, plural, share
from condmix.deploy.report.parts import Figure, Group, Section, Table
from condmix.deploy.report.view import ReportView
from condmix.deploy.sizes import file_size

HOW_TO_READ_ROUTING = (
    "Bars: all experts together. Rows: each expert, darker where more images lie, with a stroke at its mean. Two heaps "
    "at the ends mean that the image switches experts on or off; one heap in the middle means that all take part in "
    "every image."
)


def routing_section(view: ReportView) -> Section | None:
    """Histograms of the routing weights, a picture a block; None without them."""
    groups = []
    for place, (name, routing) in enumerate(view.extras.routing.items()):
        figures = [
            Figure(
                svg=routing_chart(
                    RoutingHistogram(
                        block=block.block, bin_edges=block.bin_edges, counts=block.counts, mean=block.mean
                    ),
                    identity=f"routing-{place}-{number}",
                ),
                caption=f"{block.block}: {plural(len(block.counts), 'expert')}, {plural(block.images, 'image')}.",
                data=_routing_table(block),
            )
            for number, block in enumerate(routing.blocks)
        ]
        words = [f"Source: {routing.source}."] if routing.source else []
        groups.append(Group(heading=view.label(name), sentences=words, figures=figures))
    if not groups:
        return None
    how_to_read = [Group(sentences=(HOW_TO_READ_ROUTING,))] if any(group.figures for group in groups) else []
    return Section(identity="routing", title="Routing weights", groups=[*how_to_read, *groups])


def tradeoff_section(view: ReportView) -> Section | None:
    """Accuracy, size and latency of every subject whose accuracy is known; None without one."""
    accuracy = view.extras.accuracy
    chosen = [one for one in view.measured if one.name in accuracy]
    if not chosen:
        return None
    points = [
        Tradeoff(
            index=one.index,
            name=one.name,
            median_ms=one.steady.median_ns / 1e6,
            low_ms=None if one.steady.median_low_ns is None else one.steady.median_low_ns / 1e6,
            high_ms=None if one.steady.median_high_ns is None else one.steady.median_high_ns / 1e6,
            size_bytes=one.record.size_bytes,
            top1=accuracy[one.name].top1,
        )
        for one in chosen
    ]
    rows = tuple(
        (
            view.label(one.name),
            file_size(one.record.size_bytes),
            milliseconds(one.steady.median_ns),
            interval(one.steady.median_low_ns, one.steady.median_high_ns),
            share(accuracy[one.name].top1),
            f"{accuracy[one.name].images:,}",
            accuracy[one.name].source,
        )
        for one in chosen
    )
    columns = ("subject", "size", "median, ms", "95 % interval, ms", "top-1", "images", "source")
    numbers = frozenset(columns[1:-1])
    figure = Figure(
        svg=scatter_chart(points, identity="tradeoff-chart", title="Top-1 accuracy against median latency"),
        caption="Up and to the left is better. Area of a disc: size of the file. Whiskers: 95 % interval.",
        legend=tuple((one.index, one.name) for one in chosen),
    )
    group = Group(tables=(Table(columns=columns, rows=rows, numbers=numbers),), figures=(figure,))
    return Section(identity="tradeoff", title="Size, latency, accuracy", groups=(group,))


def batch_section(view: ReportView) -> Section | None:
    """The time of one image by batch size; None without a curve of a point."""
    files = {name: sorted(points, key=lambda one: one.batch) for name, points in view.extras.batch_curve.items()}
    files = {name: points for name, points in files.items() if points}
    if not files:
        return None
    curves = [
        BatchCurve(
            index=_curve_index(view, points, place),
            name=name,
            batch=[point.batch for point in points],
            image_ms=[point.per_image_ns / 1e6 for point in points],
        )
        for place, (name, points) in enumerate(files.items())
    ]
    columns = ("file", "batch", "one call, ms", "one image, ms", "against the smallest batch")
    rows = tuple(
        (
            name,
            str(point.batch),
            milliseconds(point.median_ns),
            milliseconds(point.per_image_ns),
            _relative(point, points),
        )
        for name, points in files.items()
        for point in points
    )
    group = Group(
        sentences=("In CondConv every image mixes kernels of its own: that work does not shrink with the batch.",),
        tables=(Table(columns=columns, rows=rows, numbers=frozenset(columns[1:])),),
        figures=(
            Figure(
                svg=batch_chart(curves, identity="batches-chart", title="Time of one image by batch size"),
                caption="Medians divided by the batch size.",
                legend=tuple((curve.index, curve.name) for curve in curves),
                lettered=False,
            ),
        ),
    )
    return Section(identity="batches", title="Batch curve", groups=(group,))


def inputs_section(view: ReportView) -> Section | None:
    """Whether latency depends on the image; None where it was not looked at."""
    sentences, figures = [], []
    for place, (name, found) in enumerate(view.extras.input_dependence.items()):
        sentences.append(f"{view.label(name)}: {found.sentence or _dependence_words(found.depends)}")
        if not found.inputs:
            continue
        index = view.index(name)
        svg = inputs_chart(
            [InputMedian(number=one.input, median_ms=one.median_ns / 1e6) for one in found.inputs],
            identity=f"inputs-{place}",
            index=place if index is None else index,
            title=f"Median latency of {name} by input",
        )
        caption = f"{view.label(name)}: the line is the median of all inputs; the axis does not begin at 0."
        figures.append(Figure(svg=svg, caption=caption, data=_inputs_table(found.inputs)))
    if not sentences:
        return None
    group = Group(sentences=sentences, figures=figures)
    return Section(identity="inputs", title="Does the image matter", groups=(group,))


def int8_section(view: ReportView) -> Section | None:
    """Where int8 did not apply, file by file; None where no subject is int8."""
    int8_names = [record.name for record in view.report.subjects if record.precision == "int8"]
    audited = view.extras.int8
    names = list(dict.fromkeys([*audited, *int8_names]))
    if not names:
        return None
    groups = []
    for name in names:
        if name not in audited:
            if name != view.report.control:
                words = (
                    f"Not looked at in this run: condmix audit {view.report.subject(name).subject.file.name} tells.",
                )
                groups.append(Group(heading=view.label(name), sentences=words))
            continue
        use = audited[name]
        rows = tuple(
            (
                ", ".join(part.where),
                part.operators,
                share(part.multiply_adds / use.multiply_adds) if use.multiply_adds else "",
                part.reason,
                part.advice,
            )
            for part in use.islands
        )
        columns = ("runs in float", "operators", "multiply-adds", "why", "what to do")
        table = Table(
            columns=columns, rows=rows, numbers=frozenset({"multiply-adds"}), wide=frozenset({"why", "what to do"})
        )
        groups.append(Group(heading=view.label(name), sentences=(use.verdict,), tables=(table,) if rows else ()))
    return Section(identity="int8", title="Where int8 does not apply", groups=groups) if groups else None


def _curve_index(view: ReportView, points: list[BatchPoint], place: int) -> int:
    """That of the subject of the smallest batch, so that its colour stays; `place` where it has none."""
    index = view.index(points[0].subject or "")
    return place if index is None else index


def _relative(point: BatchPoint, points: list[BatchPoint]) -> str:
    first = points[0].per_image_ns
    return f"{point.per_image_ns / first:.3f}" if first else ""


def _dependence_words(depends: bool | None) -> str:
    if depends is None:
        return "these runs cannot tell whether latency depends on the image."
    return (
        "latency depends on the image."
        if depends
        else "latency does not depend on the image, as far as can be measured."
    )


def _routing_table(block: RoutingBlock) -> Table:
    bins = list(zip(block.bin_edges, block.bin_edges[1:], strict=False))
    columns = ("weight", *(f"expert {number}" for number in range(len(block.counts))))
    rows = tuple(
        (f"{low:.2f} to {high:.2f}", *(str(row[place]) for row in block.counts))
        for place, (low, high) in enumerate(bins)
    )
    means = ("mean weight", *(f"{mean:.3f}" for mean in block.mean))
    title = f"Data of {block.block}: weights in each bin"
    return Table(columns=columns, rows=(*rows, means), numbers=frozenset(columns[1:]), title=title, folded=True)


def _inputs_table(inputs: tuple[FedInput, ...]) -> Table:
    middle = median(one.median_ns for one in inputs)
    columns = ("input", "runs", "median, ms", "against the median of all")
    rows = tuple(
        (str(one.input), str(one.runs), milliseconds(one.median_ns), f"{one.median_ns / middle:.3f}" if middle else "")
        for one in inputs
    )
    return Table(columns=columns, rows=rows, numbers=frozenset(columns), title="Data: input by input", folded=True)
