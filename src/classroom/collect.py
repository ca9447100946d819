"""Find what each student has handed in, in a folder or an archive.

Nothing here writes, and archives are read in memory: no name inside of one can lead anywhere.
"""

import hashlib
import io
import re
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

LARGEST = 20 * 2**20  # bytes of a file that is read
NOISE = re.compile(r"(^|/)(__MACOSX|\.[^/]*|Thumbs\.db|desktop\.ini|__pycache__)(/|$)")
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.S)
CANVAS = re.compile(r"(?P<name>[^_]+)(_LATE)?_(?P<id>\d{3,})_\d{3,}_(?P<file>.+)", re.S)


class Unmarkable(Exception):
    """Why something cannot be marked, as a sentence for the teacher."""


@dataclass
class HandedIn:
    """What one student has handed in.

    Parameters
    ----------
    student : str
        As the folder or the learning platform names the student.
    number : str
        The platform's number of the student, or an empty string.
    files : dict of str to callable
        For each file a function that returns its bytes, or raises Unmarkable.
    key : str
        The student as a name for files, different from those of all others.
    """

    student: str
    number: str = ""
    files: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    key: str = ""


def collect(source):
    """Read a folder or a zip archive with what a class has handed in.

    Understood are one folder for each student, one file for each student, and what Moodle and
    Canvas export, packed or unpacked.

    Parameters
    ----------
    source : pathlib.Path

    Returns
    -------
    tuple of (str, list of HandedIn)
        ``"moodle"``, ``"canvas"`` or ``""``; and the students in alphabetical order.

    Raises
    ------
    Unmarkable
        If there is no such folder or archive, or nothing in it.
    """
    if source.is_dir():
        files = without_top_folder(folder_files(source))
    elif source.exists():
        try:
            files = without_top_folder(archive_files(source.name, source.read_bytes()))
        except (Unmarkable, OSError) as reason:
            raise Unmarkable(f"{source} is neither a folder nor a zip archive: {reason}") from None
    else:
        raise Unmarkable(f"There is no {source}: give the folder or zip with what was handed in.")
    students, platforms = {}, set()
    for name, read in sorted(files.items()):
        platform, student, number, rest = owner(name)
        if NOISE.search(name.partition("/")[0]):
            continue
        handed_in = students.setdefault((student, number), HandedIn(printable(student), number))
        if read and not NOISE.search(rest):
            platforms.add(platform)
            handed_in.files[rest] = read
    if not students:
        raise Unmarkable(f"There is nothing in {source}.")
    name_keys(students)
    found = sorted(students.values(), key=lambda one: (one.student.casefold(), one.key))
    platforms -= {""}  # a file that says "read me", for example
    return platforms.pop() if len(platforms) == 1 else "", found


def name_keys(students):
    """Give each student a name for files: letters, digits and hyphens, and short."""
    taken = set()
    for (student, number), handed_in in sorted(students.items()):
        words = re.sub(r"\W+", "-", f"{handed_in.student} {number}").strip("-")
        key = words.encode()[:100].decode(errors="ignore") or "student"
        if key.casefold() in taken or key != words:
            key += f"-{hashlib.sha256(repr((student, number)).encode()).hexdigest()[:12]}"
        handed_in.key = key
        taken.add(key.casefold())


def printable(text):
    """Return text without signs that a table or a terminal stumbles over."""
    text = text.encode("utf-8", "replace").decode()
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text)


def owner(name):
    """Return platform, student, number and name of the file, from its path."""
    top, _, rest = name.partition("/")
    for platform, pattern in (("moodle", MOODLE), ("canvas", CANVAS)):
        found = pattern.fullmatch(top)
        if found and not (platform == "canvas" and rest):
            return platform, found["name"], found["id"], rest or found["file"]
    return "", top if rest else PurePosixPath(top).stem, "", rest or top


def folder_files(folder):
    """Return how to read each file of a folder; an empty folder counts as a student's."""
    files = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            if path.parent == folder:
                files.setdefault(f"{name}/", None)
        else:
            files[name] = reader(path)
    return files


def reader(path):
    """Return the function that reads a file."""

    def read():
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                raise Unmarkable(f"{printable(path.name)} is a link or a device, and no file.")
            if status.st_size > LARGEST:
                raise Unmarkable(too_large(path.name))
            return path.read_bytes()
        except OSError as error:
            raise Unmarkable(f"{printable(path.name)} cannot be read: {error.strerror}.") from None

    return read


def too_large(name):
    """Return the sentence for a file that is too large."""
    return f"{printable(name)} is larger than {LARGEST // 2**20} MiB."


def archive_files(name, content):
    """Return how to read each file of a zip archive; raises Unmarkable if it is none."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = archive.infolist()
    except Exception:  # BadZipFile, and what else damage leads to
        raise Unmarkable(f"{printable(name)} is damaged: it is no zip archive.") from None

    def member(info):
        def read():
            last = PurePosixPath(info.filename).name
            if info.file_size > LARGEST:
                raise Unmarkable(too_large(last))
            try:
                with archive.open(info) as file:
                    data = file.read(LARGEST + 1)  # the size above is only a claim
            except Exception as error:  # encrypted, damaged, packed in a way unknown here
                raise Unmarkable(f"{printable(last)} cannot be unpacked: {error}.") from None
            if len(data) > LARGEST:
                raise Unmarkable(too_large(last))
            return data

        return read

    names = [(info, info.filename.replace("\\", "/")) for info in members]
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
    if several or any(MOODLE.fullmatch(top) or CANVAS.fullmatch(top) for top in inner_tops):
        return {inner[name]: files[name] for name in names}
    return files  # the folder of one student
