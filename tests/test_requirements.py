"""What people edit, requirements.in, and the pinned list that uv makes from it, say the same."""

import itertools
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.pages import ROOT

ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.7",
        "sys_platform": system,
        "os_name": name,
        "platform_system": platform,
        "platform_machine": machine,
    }
    for python, (system, name, platform, machine) in itertools.product(
        ["3.11", "3.12", "3.13", "3.14"],
        [
            ("linux", "posix", "Linux", "x86_64"),
            ("linux", "posix", "Linux", "aarch64"),
            ("darwin", "posix", "Darwin", "x86_64"),
            ("darwin", "posix", "Darwin", "arm64"),
            ("win32", "nt", "Windows", "AMD64"),
        ],
    )
]
every_environment = pytest.mark.parametrize(
    "environment", ENVIRONMENTS, ids=lambda e: f"{e['python_version']}-{e['sys_platform']}"
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def lines(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    uncommented = [line.split(" #")[0].strip() for line in text.splitlines()]
    return [line for line in uncommented if line and not line.startswith("#")]


def read(path):
    return [Requirement(line) for line in lines(path) if not line.startswith("-e")]


def name(requirement):
    return canonicalize_name(requirement.name)


def in_force(requirements, environment):
    """For each package that one environment gets, the lines about it."""
    found = {}
    for r in requirements:
        if r.marker is None or r.marker.evaluate(environment):
            found.setdefault(name(r), []).append(r)
    return found


EDITED, PINNED = read("requirements.in"), read("requirements.txt")


def version(requirement):
    (specifier,) = requirement.specifier
    assert specifier.operator == "==" and not specifier.version.endswith("*"), str(requirement)
    return specifier.version


def test_the_pinned_list_installs_the_package_and_names_no_host():
    assert (ROOT / "requirements.txt").read_text(encoding="utf-8").startswith("-e .\n")
    options = [line for line in lines("requirements.txt") if line.startswith("-")]
    assert options == ["-e ."], "no registry and no other file"
    assert not [r for r in PINNED if r.url], "a package comes from the reader's own registry"
    assert all(map(version, PINNED))


@every_environment
def test_every_environment_gets_one_pin_of_each_package_that_people_ask_for(environment):
    asked, pinned = in_force(EDITED, environment), in_force(PINNED, environment)
    assert [n for n, found in pinned.items() if len(found) > 1] == [], "one version at a time"
    assert asked.keys() == pinned.keys() & {name(r) for r in EDITED}, "run: make pins"
    for package, requirements in asked.items():
        pin = version(pinned[package][0])
        for r in requirements:
            assert r.specifier.contains(pin), f"{r} is pinned to {pin}; run: make pins"


@every_environment
def test_the_pins_fit_what_the_package_itself_asks_for(environment):
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *itertools.chain(*extras)]
    pinned = in_force(PINNED, environment)
    for package, requirements in in_force(map(Requirement, wanted), environment).items():
        for pin in map(version, pinned.get(package, [])):  # an Intel Mac gets no PyTorch
            assert all(r.specifier.contains(pin) for r in requirements), f"{package}=={pin}"


def test_cuda_is_pinned_nowhere_so_that_a_torch_without_it_fits():
    excluded = PROJECT["tool"]["uv"]["exclude-dependencies"]
    assert {"cuda-toolkit", "triton"} <= {*excluded}
    pinned = [name(r) for r in PINNED]
    assert not [n for n in pinned if n in excluded or n.startswith(("nvidia-", "cuda-"))]


def test_what_teachers_need_besides_is_pinned_once():
    book = {name(r) for r in PINNED}
    for r in read("src/classroom/requirements.txt"):
        if name(r) in book:
            assert not r.specifier, f"{r}: the book's list has its version"
        else:
            assert version(r)
