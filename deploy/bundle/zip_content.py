"""A zip archive as bytes, the same for the same members: sorted, of one time, one kind of file."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping

from condmix.deploy.output_names import RECORD_SUFFIX

_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = stat.S_IFREG | 0o644
_UNIX = 3
_PACKED = (RECORD_SUFFIX, ".md", ".json")


def zip_content(members: Mapping[str, bytes]) -> bytes:
    """The archive, members sorted by name.

    Texts are packed. Weights and arrays are stored: they would shrink by a tenth at most, and the same content has the
    same bytes then whatever packs it.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = _UNIX  # else the system that wrote it shows
            info.external_attr = _MODE << 16
            packed = name.endswith(_PACKED)
            info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            archive.writestr(info, members[name])
    return stream.getvalue()
