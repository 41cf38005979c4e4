"""An evaluation on the disk: JSON, Markdown and a line an image, which appear together or not at all."""

from __future__ import annotations

import csv
import errno
import io
import os
from pathlib import Path

from condmix.deploy.atomic import pending_files, require_room
from condmix.deploy.errors import OutputError
from condmix.deploy.evaluate.image_rows import NOTHING
from condmix.deploy.evaluate.markdown import markdown_page
from condmix.deploy.evaluate.report import EvalReport
from condmix.deploy.json_text import to_json

NAMES = ("eval.md", "eval.json", "images.csv")


def check_room(folder: Path, *, overwrite: bool) -> None:
    """A report can be written there, as far as can be told; nothing is made.

    Raises PlanError for a report that is there already, OutputError where nothing can be written.
    """
    if folder.is_dir():
        require_room(tuple(folder / name for name in NAMES), overwrite=overwrite)
        return
    nearest = next((one for one in (folder, *folder.absolute().parents) if one.exists()), folder)
    if not nearest.is_dir():
        raise OutputError(folder, NotADirectoryError(errno.ENOTDIR, f"{nearest} is a file"))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(folder, PermissionError(errno.EACCES, f"nothing can be made in {nearest}"))


def write_report(report: EvalReport, folder: Path, *, overwrite: bool) -> tuple[Path, ...]:
    """All files of the report are in the folder, which is made where it is missing; their paths.

    Raises PlanError for files that are there already (unless `overwrite`), OutputError where they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(folder, error) from error
    paths = tuple(folder / name for name in NAMES)
    texts = (markdown_page(report), to_json(report.to_dict()), images_csv(report))
    with pending_files(overwrite=overwrite) as files:
        for path, text in zip(paths, texts, strict=True):
            files.write(path, text.encode())
        files.commit()
    return paths


def images_csv(report: EvalReport) -> str:
    """A line an image: its name and class, and of each file the answer, the rank of the class, and the comparison.

    Figures are as exact as they were computed; an answer is empty where a score was not finite.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    heads = [
        f"{file.name} {what}"
        for place, file in enumerate(report.files)
        for what in ("answer", "rank", *(("sqnr_db", "largest_difference") if place else ()))
    ]
    writer.writerow(["image", "class", *heads])
    for place, image in enumerate(report.images):
        line: list[object] = [image.name, report.class_name(image.label)]
        for number in range(len(report.files)):
            rows = report.rows[number]
            answer = rows.answers[place]
            line += ["" if answer == NOTHING else report.class_name(answer), rows.ranks[place]]
            if rows.sqnr_db is not None and rows.largest_difference is not None:
                line += [rows.sqnr_db[place], rows.largest_difference[place]]
        writer.writerow(line)
    return stream.getvalue()
