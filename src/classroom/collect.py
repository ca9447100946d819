"""Find what each student has handed in, in a folder or an archive.

Nothing here writes, and archives are read in memory: no name inside of one can lead anywhere.
"""

import functools
import hashlib
import io
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

LARGEST = 20 * 2**20  # bytes of a file that is read
SHOWN = 100  # characters of a name
NOISE = re.compile(r"(^|/)(__MACOSX|\.[^/]*|Thumbs\.db|desktop\.ini|__pycache__)(/|$)")
MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.S)
CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<id>\d{3,})_\d{3,}_(?P<file>.+)", re.S)
ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Unmarkable(Exception):
    """Why something cannot be marked, as a sentence for the teacher."""


@dataclass
class HandedIn:
    """What one student has handed in.

    `number` is the platform's number of the student, `place` its name for the folder or the first
    file, `key` a name for files, different from those of all others. `files` leads from the name of
    each file to a function that returns its bytes, or raises Unmarkable.
    """

    student: str
    number: str = ""
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    key: str = ""
    place: str = ""
    late: bool = False


def collect(source):
    """Read a folder or a zip archive with what a class has handed in.

    Understood are one folder for each student, one file for each student, and what Moodle and
    Canvas export, packed or unpacked. Returns ``"moodle"``, ``"canvas"`` or ``""``, and the
    students in alphabetical order; raises Unmarkable if there is nothing.
    """
    if source.is_dir():
        files = without_top_folder(folder_files(source))
    elif source.exists():
        try:
            files = without_top_folder(archive_files(source.name, source))
        except (Unmarkable, OSError) as reason:
            raise Unmarkable(f"{source} is neither a folder nor a zip archive: {reason}") from None
    else:
        raise Unmarkable(f"There is no {source}: give the folder or zip with what was handed in.")
    files = {name: read for name, read in files.items() if not NOISE.search(name.split("/")[0])}
    platform, students = platform_of(files), {}
    for name, read in sorted(files.items()):
        student, number, rest, place, late = owner(name, platform)
        one = students.setdefault((student, number), HandedIn(student, number, place=place))
        if read and not NOISE.search(rest):
            one.files[rest] = read
            one.late |= late
    if not students:
        raise Unmarkable(f"There is nothing in {source}.")
    for (student, number), one in students.items():
        one.key, one.student = key_of(student, number), printable(student)
    return platform, sorted(students.values(), key=lambda one: (one.student.casefold(), one.key))


def platform_of(files):
    """Return where a download comes from: what most of the names in it say, and no single one."""
    tops = {name.partition("/")[0] for name in files}
    folders = {name.partition("/")[0] for name in files if "/" in name}
    canvas = {top for top in tops - folders if CANVAS.fullmatch(top)}
    counts = {"canvas": len(canvas), "moodle": sum(map(bool, map(MOODLE.fullmatch, tops - canvas)))}
    platform = max(counts, key=counts.get)
    return platform if 2 * counts[platform] > len(tops) else ""


def owner(name, platform):
    """Return the student, the number, the name of the file, its place, and whether it is late."""
    top, slash, rest = name.partition("/")
    found = {"moodle": MOODLE, "canvas": CANVAS}[platform].fullmatch(top) if platform else None
    if not found or (platform == "canvas" and slash):
        return top if slash else PurePosixPath(top).stem, "", rest or top, "", False
    if platform == "canvas":
        place = PurePosixPath(top).stem
        return found["name"], found["id"], found["file"], place, bool(found["late"])
    place = top.removesuffix(found["file"]).removesuffix("_") + "_"
    return found["name"], found["id"], rest or found["file"], place, False


def key_of(student, number):
    """Return a student's name for files: letters, digits and hyphens, and short.

    It depends on nobody else, so that it is the same next time. Where other names could lead to
    the same one, or to one that some systems take for the same, a digest follows.
    """
    name = f"{student} {number}".strip()
    words = re.sub(r"\W+", "-", name).strip("-").encode(errors="replace")[:100]
    words = words.decode(errors="ignore")
    plain = unicodedata.normalize("NFKC", name).title() == name and name.lower() == name.casefold()
    plain &= words.replace("-", " ") == name and not re.search(r"[0-9A-F]{12}$", words)
    digest = hashlib.sha256(repr((student, number)).encode()).hexdigest()[:12]
    return words if words and plain else f"{words or 'student'}-{digest}"


def printable(text):
    """Return text without signs that a table or a terminal stumbles over, and not too long."""
    text = ODD.sub("?", text.encode("utf-8", "replace").decode())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def folder_files(folder):
    """Return how to read each file of a folder; an empty folder counts as a student's."""
    files = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() or path.is_symlink():
            files[name] = reader(path)
        elif path.parent == folder:
            files.setdefault(f"{name}/", None)
    return files


def reader(path):
    """Return the function that reads a file, and follows no link."""

    def read():
        name = printable(path.name)
        try:
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            if not stat.S_ISREG(path.lstat().st_mode):
                raise Unmarkable(f"{name} is a link or a device, and no file.")
            with open(os.open(path, flags), "rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise Unmarkable(f"{name} cannot be read: {error.strerror}.") from None
        return within_limit(name, len(data)) and data

    return read


def within_limit(name, size):
    """Return True, or say that a file is too large."""
    if size > LARGEST:
        raise Unmarkable(f"{name} is larger than {LARGEST // 2**20} MiB.")
    return True


def archive_files(name, source):
    """Return how to read each file of a zip archive, of bytes or a path; Unmarkable if it is none.

    Each process opens a path for itself.
    """

    @functools.cache
    def opened(process):
        return zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)

    try:
        members = opened(os.getpid()).infolist()
    except Exception:  # BadZipFile, and what else damage leads to
        raise Unmarkable(f"{printable(name)} is damaged: it is no zip archive.") from None

    def member(info):
        def read():
            last = printable(PurePosixPath(info.filename).name)
            if info.flag_bits & 1:
                raise Unmarkable(f"{last} is encrypted: hand it in without a password.")
            within_limit(last, info.file_size)
            try:
                with opened(os.getpid()).open(info) as file:
                    data = file.read(LARGEST + 1)  # the size above is only a claim
            except Exception as error:  # damaged, packed in a way unknown here
                raise Unmarkable(f"{last} cannot be unpacked: {printable(str(error))}.") from None
            return within_limit(last, len(data)) and data

        return read

    def name_of(info):
        if not info.flag_bits & 0x800:  # some programs write UTF-8 and do not say so
            with suppress(UnicodeError):
                return info.filename.encode("cp437").decode()
        return info.filename

    names = [(info, name_of(info).replace("\\", "/")) for info in members]
    return {name: None if name.endswith("/") else member(info) for info, name in names}


def without_top_folder(files):
    """Leave out a folder around everything, which some programs add."""
    names = [name for name in files if files[name] and not NOISE.search(name)]
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or any("/" not in name for name in names) or MOODLE.fullmatch(*tops):
        return files
    inner = {name: name.partition("/")[2] for name in names}
    inner_tops = {name.partition("/")[0] for name in inner.values()}
    notebooks = sum(name.endswith(".ipynb") for name in names)
    several = len(inner_tops) > 1 and (notebooks > 1 or any("/" in n for n in inner.values()))
    if several or platform_of(inner.values()):
        return {inner[name]: files[name] for name in names}
    return files  # the folder of one student
