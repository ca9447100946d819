"""Find what each student has handed in, in a folder or an archive; nothing here writes."""

import functools
import io
import os
import re
import stat
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from .course import Refused, fingerprint

LARGEST, TOGETHER = 20 * 2**20, 100 * 2**20  # bytes that are read of a file, and of a student
MOST, SECONDS = 200, 20  # files of a student, and of an archive among them; and time to read them
SHOWN = 100  # characters of a name
NOISE = re.compile(r"(^|/)(__MACOSX|\.[^/]*|Thumbs\.db|desktop\.ini|__pycache__)(/|$)")
PLATFORMS = {  # what they call the file of a student, or (not Canvas) the folder and the file in it
    "canvas": r"(?P<name>[^_/]+)(?P<late>_LATE)?_(?P<id>\d{3,})_\d{3,}_(?P<file>[^/]+)",
    "moodle": r"(?s)(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_[a-z]+_?/?(?P<file>.*)",
}
ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass
class HandedIn:
    """What one student has handed in.

    `place` is what the platform calls the folder or the first file, `key` a name for files that
    nobody else has. `files` leads from names to functions that return bytes or raise Refused.
    """

    student: str
    number: str = ""
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    key: str = ""
    place: str = ""
    late: bool = False

    def contents(self):
        """Return the bytes of each file and of those in its archives, or why there are none."""
        found, left, until = {}, TOGETHER, time.monotonic() + SECONDS
        waiting = sorted(self.files.items())[:MOST]
        for name, read in waiting:  # which grows meanwhile
            if left <= 0 or time.monotonic() > until:
                found[name] = f"There are more than {TOGETHER // 2**20} MiB of files."
                break
            try:
                found[name] = read()
                left -= len(found[name])
                if found[name][:4] == b"PK\3\4" and name in self.files:  # and in no other archive
                    inner = archive_files(name, found.pop(name))
                    inner = [(n, r) for n, r in inner.items() if r and not NOISE.search(n)]
                    waiting += [(f"{name}/{n}", r) for n, r in inner[:MOST]]
            except Refused as reason:
                found[name] = str(reason)
        return found


def collect(source):
    """Return the platform ("moodle", "canvas" or "") and the students of a folder or zip."""
    if not source.exists():
        raise Refused(f"There is no {source}: give the folder or zip with what was handed in.")
    files = folder_files(source) if source.is_dir() else archive_files(source.name, source)
    files = without_top_folder(files)
    files = {name: read for name, read in files.items() if not NOISE.search(name.split("/")[0])}
    platform, students = platform_of(files), {}
    for name, read in sorted(files.items()):
        student, number, rest, place, late = owner(name, platform)
        one = HandedIn(printable(student), number, key=key_of(student, number), place=place)
        one = students.setdefault(one.key, one)
        if read and not NOISE.search(rest):
            one.files[rest] = read
            one.late |= late
    if not students:
        raise Refused(f"There is nothing in {source}.")
    return platform, chosen(students.values())


def chosen(students, only=""):
    """Return students in alphabetical order: all, or those of this name or name for files."""
    names = only.casefold()
    found = [s for s in students if not only or names in (s.student.casefold(), s.key.casefold())]
    return sorted(found, key=lambda one: (one.student.casefold(), one.key))


def tops_of(names):
    """Return the files and, ending in a slash, the folders at the top."""
    return {"".join(name.partition("/")[:2]) for name in names}


def platform_of(names):
    """Return where a download comes from: what most of the names in it say, and no single one."""
    tops = tops_of(names)
    count = {p: sum(bool(re.fullmatch(PLATFORMS[p], top)) for top in tops) for p in PLATFORMS}
    return next((platform for platform in count if 2 * count[platform] > len(tops)), "")


def owner(name, platform):
    """Return the student, the number, the name of the file, its place, and whether it is late."""
    found = re.fullmatch(PLATFORMS[platform], name) if platform else None
    if not found:
        top, slash, rest = name.partition("/")
        return top if slash else PurePosixPath(top).stem, "", rest or top, "", False
    folder = name[: found.start("file")].rstrip("_/")
    place = f"{folder}_" if platform == "moodle" else PurePosixPath(name).stem
    return found["name"], found["id"], found["file"], place, bool(found.groupdict().get("late"))


def key_of(student, number):
    """Return a student's name for files; a digest follows what could be that of another one."""
    name = f"{student} {number}"
    words = re.sub(r"\W+", "-", name).strip("-").encode(errors="replace")[:100]
    words = words.decode(errors="ignore") or "student"
    plain = len(name) <= 100 and re.fullmatch(r"([A-Z][a-z]* )+[0-9]{0,11}", name)
    return words if plain else f"{words}-{fingerprint(repr((student, number)))[:12]}"


def printable(text):
    """Return text without signs that a table or a terminal stumbles over, and not too long."""
    text = ODD.sub("?", text.encode("utf-8", "replace").decode())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def read_file(name, opened, what):
    """Return the bytes of a file, as `opened` opens it, or say why it cannot be read."""
    try:
        with opened(what) as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST // 2**20} MiB")
        return data
    except Exception as error:  # no right to, damaged, packed in a way unknown here
        reason = printable(str(getattr(error, "strerror", None) or error))
        name = printable(PurePosixPath(name).name)
        raise Refused(f"{name} cannot be read: {reason}.") from None


def folder_files(folder):
    """Return how to read each file of a folder; an empty folder counts as a student's."""

    def opened(path):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ValueError("it is a link or a device, and no file")
        return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")

    files = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() or path.is_symlink():
            files[name] = functools.partial(read_file, name, opened, path)
        elif path.parent == folder:
            files.setdefault(f"{name}/", None)
    return files


def archive_files(name, source):
    """Return how to read each file of a zip archive, of bytes or a path; or raise Refused."""

    @functools.cache
    def archive(process):  # for itself
        return zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)

    def opened(info):
        if info.flag_bits & 1:
            raise ValueError("it is encrypted; hand it in without a password")
        return archive(os.getpid()).open(info)

    try:
        members, files = archive(os.getpid()).infolist(), {}
    except Exception:  # BadZipFile, and what else damage leads to
        raise Refused(f"{printable(name)} is broken: neither a folder nor a zip archive.") from None
    for info in members:
        inner = info.filename.replace("\\", "/")
        if not info.flag_bits & 0x800:  # some programs write UTF-8 and do not say so
            with suppress(UnicodeError):
                inner = inner.encode("cp437").decode()
        file = functools.partial(read_file, inner, opened, info)
        files[inner] = None if inner.endswith("/") else file
    return files


def without_top_folder(files):
    """Leave out a folder around everything, which some programs add."""
    names = [name for name in files if files[name] and not NOISE.search(name)]
    inner = {name.partition("/")[2]: files[name] for name in names}
    tops = tops_of(names)
    if len(tops) != 1 or "" in inner or re.fullmatch(PLATFORMS["moodle"], *tops):
        return files
    notebooks = sum(name.endswith(".ipynb") for name in names)
    several = len(tops_of(inner)) > 1 and (notebooks > 1 or any("/" in name for name in inner))
    return inner if several or platform_of(inner) else files  # else it is the folder of a student
