from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pipelines.spark.memory import LowMemoryError, free_bytes, validate_free_memory

if TYPE_CHECKING:
    from pathlib import Path

GIB = 2**30
MEMINFO = "MemTotal:       8000000 kB\nMemFree:         100000 kB\nMemAvailable:   6000000 kB\n"


def write(root: Path, **files: str) -> Path:
    """Write files of `proc` and `sys`; a name has `__` for `/`, and `_dot_` for a dot."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_this_machine_reports_part_of_its_memory() -> None:
    free = free_bytes()
    assert free is not None
    assert 0 < free <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_without_a_limit_all_that_is_available_is_free(tmp_path: Path) -> None:
    root = write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/user\n")
    write(root, sys__fs__cgroup__user__memory_dot_max="max\n")
    write(root, sys__fs__cgroup__user__memory_dot_current="5\n")
    assert free_bytes(root) == 6_000_000 * 1024


@pytest.mark.parametrize(
    ("cgroup", "folder", "limit", "used", "files"),
    [
        ("0::/job/task\n", "", "memory.max", "memory.current", "inactive_file"),
        (
            "9:name=systemd:/\n4:memory,hugetlb:/job/task\n0::/\n",
            "memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ],
)
@pytest.mark.parametrize("place", ["job/task", "job", ""], ids=["its own", "above", "container"])
def test_a_control_group_leaves_less(
    *, tmp_path: Path, cgroup: str, folder: str, limit: str, used: str, files: str, place: str
) -> None:
    # Given 2 GiB for the group, of which 1.5 are used, 0.5 of these for files that can be dropped
    root = write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup=cgroup)
    group = root / "sys/fs/cgroup" / folder / place
    group.mkdir(parents=True)
    (group / limit).write_text(f"{2 * GIB}\n")
    (group / used).write_text(f"{GIB * 3 // 2}\n")
    (group / "memory.stat").write_text(f"anon 7\n{files} {GIB // 2}\n")
    # When / Then
    assert free_bytes(root) == GIB


def test_too_little_memory_is_an_error_with_what_would_do() -> None:
    validate_free_memory("2g", 4_000_000_000)
    with pytest.raises(LowMemoryError) as raised:
        validate_free_memory("4g", 3_000_000_000)
    assert str(raised.value) == (
        "3.0 GB of memory are free, and 5.3 GB are needed: 4.3 for Spark (spark.driver_memory in "
        "conf/) and 1.0 for Python. Close something, or give Spark less: "
        "--set spark.driver_memory=1907m."
    )
    # And what it names is enough
    validate_free_memory("1907m", 3_000_000_000)


def test_where_spark_could_not_have_less_no_setting_is_named() -> None:
    with pytest.raises(LowMemoryError, match=r"for Python\. Close something\.$"):
        validate_free_memory("1500m", 1_900_000_000)
