"""The adapters offer what the protocols ask for: the same members, and no parameter more required."""

import inspect

import pytest

from condmix.runtime.litert_session import LiteRtBackend, LiteRtSession
from condmix.runtime.onnx_session import OnnxRuntimeBackend, OnnxRuntimeSession
from condmix.runtime.session import Backend, Session
from condmix.runtime.tflite_runtime_session import TfliteRuntimeBackend, TfliteRuntimeSession


def missing_members(adapter: type, protocol: type) -> list[str]:
    """What `adapter` lacks of `protocol`, or asks for beyond it."""
    found = []
    for name, wanted in vars(protocol).items():
        if name.startswith("_"):
            continue
        offered = inspect.getattr_static(adapter, name, None)
        if offered is None or isinstance(offered, property) != isinstance(wanted, property):
            found.append(name)
        elif not isinstance(wanted, property):
            wanted_parameters = inspect.signature(wanted).parameters
            offered_parameters = inspect.signature(offered).parameters
            found += [f"{name}({p})" for p in wanted_parameters if p not in offered_parameters]
            found += [
                f"{name}({p.name}) required"
                for p in offered_parameters.values()
                if p.name not in wanted_parameters and p.default is inspect.Parameter.empty
            ]
    return found


@pytest.mark.parametrize(
    ("adapter", "protocol"),
    [
        (OnnxRuntimeBackend, Backend),
        (OnnxRuntimeSession, Session),
        (LiteRtBackend, Backend),
        (LiteRtSession, Session),
        (TfliteRuntimeBackend, Backend),
        (TfliteRuntimeSession, Session),
    ],
)
def test_adapters_conform(adapter: type, protocol: type):
    assert [name for name in vars(protocol) if not name.startswith("_")] != []
    assert missing_members(adapter, protocol) == []


def test_the_check_can_fail():
    class Wrong:
        signature = None

        def run(self, inputs, mode):
            return {name: mode for name in inputs}

    assert missing_members(Wrong, Session) == [
        "signature",
        "run(feeds)",
        "run(inputs) required",
        "run(mode) required",
    ]
