"""The machine's own sources come out in the same order everywhere, package by package."""

import json
import subprocess
import sys
from itertools import islice

from voltx_core.data.harvest import harvest_sources, machine_digest, package_of


def test_the_harvest_is_real_python_with_its_package():
    files = list(harvest_sources(max_files=40, seed=3))
    assert len(files) == 40
    assert all(file.language == "python" and file.path.endswith(".py") for file in files)
    assert all(file.package == package_of(file.path) for file in files)
    assert len({file.package for file in files}) > 5


def test_the_order_depends_on_the_seed_and_on_nothing_else():
    first = [file.path for file in harvest_sources(max_files=30, seed=1)]
    assert [file.path for file in harvest_sources(max_files=30, seed=1)] == first
    assert [file.path for file in harvest_sources(max_files=30, seed=2)] != first
    script = (
        "import json; from voltx_core.data.harvest import harvest_sources;"
        "print(json.dumps([f.path for f in harvest_sources(max_files=30, seed=1)]))"
    )
    for hash_seed in ("0", "77"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout) == first


def test_a_smaller_harvest_is_the_beginning_of_a_larger_one():
    larger = [file.path for file in harvest_sources(max_files=30, seed=5)]
    assert [file.path for file in harvest_sources(max_files=10, seed=5)] == larger[:10]


def test_the_byte_limit_holds_over_all_texts_together():
    sizes = [len(file.text.encode()) for file in harvest_sources(max_bytes=200_000, seed=1)]
    assert 0 < sum(sizes) <= 200_000


def test_files_are_read_one_at_a_time():
    assert len(list(islice(harvest_sources(seed=9), 3))) == 3


def test_packages_are_top_level_names_and_the_standard_library_s_are_marked():
    assert package_of("stdlib/json/decoder.py") == "stdlib.json"
    assert package_of("stdlib/heapq.py") == "stdlib.heapq"
    assert package_of("site-packages/numpy/linalg/linalg.py") == "numpy"
    assert package_of("site-packages/six.py") == "six"


def test_the_digest_names_python_and_what_is_installed():
    digest = machine_digest()
    version = ".".join(map(str, sys.version_info[:3]))
    assert digest["python"].endswith(version)
    assert {"numpy", "torch", "hypothesis"} <= digest.keys()
    assert digest == machine_digest()
