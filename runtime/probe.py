"""A model of one addition, in each format, to see that an engine computes: that it can be imported proves little.

tflite-runtime beside numpy 2, for one, is imported without complaint and fails only when a file is opened.
"""

from __future__ import annotations

import base64

import numpy as np

from condmix.runtime.errors import InferenceError
from condmix.runtime.session import Backend

_GIVEN = np.array([10.0, 20.0, 30.0], np.float32)
_EXPECTED = np.array([11.0, 22.0, 33.0], np.float32)

# Both are y[3] = x[3] + [1, 2, 3] in float32; the tests build them again from their parts.
TFLITE_MODEL = base64.b85decode(
    b"8~^|SR7OlQ6aW|i6aWwa3;+NC2mk;8000C46aWAK6aWAK6aWAKKmY&$JOKaz0{{R3000000ssI2C;$Ke3;+NC000I62mk~C1^@s6"
    b"1ONa43;+NC004kL0000$002Nh^#1?<0RR915C8xG3;+}W5C9AS2mk~C3;+NC5C8xGPyhe`Q~&?~SO5S30RR916aWAK000gE6aWAK"
    b"5C9AS3jhQF4gdfE5C8xG0000B3;+NC5C8xGO#lD?0RR910ssI20ssI2000000RR910RR910ssI20RR91000000{{R3WB>pFFaQ7m"
    b"1ONa4wEzGA2mk;83;+NC0RR91c>n+a0RR910{{R33;+-S3;+NC2mk~C3;+NC3;+NC0RR915C8xG1^@s6Z)Rq5Wpn@l0RR910{{R3"
    b"3;+xO2mk;8000C43;+NC2mk;83;+NC0RR91cmMzZ0RR910{{R30RR912mk;81ONm81ONa4"
)
ONNX_MODEL = base64.b85decode(
    b"2nae_3KI$ecnSt@W@d9`bP@r1A_GBWWD*5%a&KZ~DjEm_5CK94Z)Rq5Wpqjm004kL0000$002NhS`P{VcoGT<2nYcZ1PTHO17Z&f"
    b"0eKP%3J3@R5(EkY2m?X{3IGrd"
)


def probe(backend: Backend, model: bytes) -> str | None:
    """None when the engine opens the model and adds rightly, else the reason why it cannot be used."""
    try:
        outputs = backend.open(model, threads=1).run({"x": _GIVEN})
    except InferenceError as error:
        return str(error)
    found = outputs.get("y")
    if found is None or not np.array_equal(found, _EXPECTED):
        return f"{backend.name} computes wrongly: {_GIVEN.tolist()} + [1, 2, 3] gave {found!r}"
    return None
