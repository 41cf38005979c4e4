"""What condmix bench says of single modules, from seeded numbers: a profile with every kind of step."""

from __future__ import annotations

MODULES = (
    ("conv_stem", "convolution", 410.0, 10_838_016.0, 4_100_000.0, "compute"),
    ("blocks.0.0.conv_dw", "depthwise convolution", 388.0, 3_612_672.0, 6_400_000.0, "memory"),
    ("blocks.1.0.conv_pw", "1x1 convolution", 702.0, 19_267_584.0, 7_200_000.0, "compute"),
    ("blocks.1.0.conv_dw", "depthwise convolution", 655.0, 2_709_504.0, 6_000_000.0, "memory"),
    ("blocks.3.1.conv_pwl", "condconv", 240.0, 7_526_400.0, 900_000.0, "compute"),
    ("blocks.4.2.conv_dw", "condconv", 505.0, 3_292_800.0, 1_300_000.0, "memory"),
    ("blocks.5.0.routing_fn", "routing", 21.0, 5_376.0, 24_000.0, "memory"),
    (
        "blocks.5.3.conv_pwl.a_name_so_long_that_it_cannot_stand_in_one_line_of_a_chart",
        "condconv",
        330.0,
        10_000_000.0,
        2e6,
        None,
    ),
    ("blocks.6.0.se", "elementwise", 12.5, 0.0, 90_000.0, None),
    *(
        (f"blocks.2.{number}.bn{number}", "elementwise", 30.0 - number, 1e5 * number, 4e5, "memory")
        for number in range(9)
    ),
    ("classifier", "matrix product", None, 1_280_000.0, 5_120_000.0, "memory"),
)


def profile() -> dict[str, object]:
    """One profile, as runtime/profile writes it."""
    total = sum(time_us or 0.0 for _, _, time_us, *_ in MODULES) + 55.0
    return {
        "schema_version": 1,
        "kind": "condmix-profile",
        "engine": "onnxruntime 1.31.1",
        "method": "engine profile",
        "runs": 40,
        "threads": 1,
        "total_us": total,
        "unattributed_share": 55.0 / total,
        "operators": [
            {"operator": "Conv", "nodes": 48, "time_us": total * 0.9, "multiply_adds": 50_000_000},
            {"operator": "MatMul", "nodes": 6, "time_us": total * 0.08, "multiply_adds": 2_000_000},
        ],
        "modules": [
            {"module": name, "time_us": us, "multiply_adds": adds, "bytes": size, "bound": bound, "kind": kind}
            for name, kind, us, adds, size, bound in MODULES
        ],
        "special": [
            {"row": "routing", "time_us": 40.0},
            {"row": "kernel mixing", "time_us": 310.0},
            {"row": "split/concat", "time_us": 0.0},
            {"row": "layout", "time_us": 12.0},
            {"row": "quantise/dequantise", "time_us": 0.0},
            {"row": "other", "time_us": total - 362.0},
        ],
        "delegate_coverage": None,
        "peak": {"multiply_adds_per_second": 41e9, "how": "matrix product of 512"},
        "peaks": {
            "float32": {"multiply_adds_per_second": 41e9, "how": "matrix product of 512"},
            "int8": {"multiply_adds_per_second": 120e9, "how": "QLinearMatMul of 512"},
        },
        "bandwidth": {"bytes_per_second": 11.5e9, "how": "copy of 256 MB"},
        "notes": ["1.5 % of the time could be given no module"],
    }
