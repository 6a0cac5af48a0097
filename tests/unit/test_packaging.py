"""What is installed."""

import importlib.metadata
import pkgutil
import pydoc
import re
import subprocess
import sys
import typing
import zipfile
from pathlib import Path

import tailrace as tr

# New names are added here on purpose, never by accident.
PUBLIC = [
    "Aggregate",
    "Answers",
    "Batch",
    "Batches",
    "CheckpointError",
    "Detection",
    "Format",
    "LineCounts",
    "ProtocolError",
    "Query",
    "Reject",
    "Snapshot",
    "Snapshots",
    "TailraceError",
    "Window",
    "__version__",
    "approx_count_distinct",
    "count",
    "count_distinct",
    "detect",
    "first",
    "from_files",
    "from_flume",
    "from_lines",
    "from_stdin",
    "last",
    "max",
    "mean",
    "merge",
    "min",
    "quantile",
    "rate",
    "ratio",
    "share",
    "std",
    "sum",
    "top_values",
    "var",
]


def test_the_version_is_that_of_the_package():
    assert tr.__version__ == importlib.metadata.version("tailrace")


def test_the_public_names_are_these():
    assert tr.__all__ == PUBLIC
    assert all(hasattr(tr, name) for name in PUBLIC)


def test_dir_lists_the_public_names_after_every_import_of_a_module():
    code = """
import importlib, pkgutil, tailrace
assert dir(tailrace) == sorted(tailrace.__all__)
for module in pkgutil.walk_packages(tailrace.__path__, "tailrace."):
    # `tailrace.spark` needs PySpark, which is not installed here.
    if not module.name.endswith("__main__") and not module.name.startswith("tailrace.spark"):
        importlib.import_module(module.name)
assert dir(tailrace) == sorted(tailrace.__all__)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_modules_are_private_except_spark():
    names = {module.name for module in pkgutil.iter_modules(tr.__path__)}
    assert {name for name in names if not name.startswith("_")} == {"spark"}


def test_without_pyspark_the_error_says_what_to_install():
    code = "import sys; sys.modules['pyspark'] = None; import tailrace.spark"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("ImportError: tailrace.spark needs PySpark 3.5")


def test_a_zip_on_the_path_is_an_error_that_says_what_to_do_instead(tmp_path: Path):
    package = Path(tr.__file__).parent
    with zipfile.ZipFile(tmp_path / "tailrace.whl", "w") as wheel:
        for name in ("__init__.py", "_core.abi3.so"):
            wheel.write(package / name, f"tailrace/{name}")
    run = subprocess.run(
        [sys.executable, "-c", "import sys; sys.path.insert(0, 'tailrace.whl'); import tailrace"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    error = "ImportError: tailrace: expected an installed package, found tailrace.whl; its compiled"
    assert run.stderr.splitlines()[-1].startswith(error)
    assert "--archives instead of --py-files" in run.stderr


def test_help_is_short_and_lists_what_is_public_and_nothing_else():
    text = pydoc.plain(pydoc.render_doc(tr))
    # Each of the 30 public names takes its share; what grows beyond this has to be shortened.
    assert len(text.splitlines()) <= 1_100
    assert "inherited" not in text
    # Classes that only the package constructs show no parameters.
    assert not re.search(r"SourceSpec|QuerySpec|Run\[|_core\.", text)
    assert not re.search(r"^     \|  (async )?_", text, re.MULTILINE)
    classes = re.findall(r"^    class (\w+)\(", text, re.MULTILINE)
    functions = re.findall(r"^    (\w+)\(.*", text.partition("FUNCTIONS")[2], re.MULTILINE)
    assert sorted([*classes, *functions, "__version__"]) == PUBLIC


def test_help_of_a_class_names_its_public_members_alone():
    assert dir(tr.Query) == [
        *("agg", "collect", "count", "last", "max_key_bytes", "max_keys", "parse", "run", "since"),
        *("sorted", "top", "until", "where", "window"),
    ]
    assert dir(tr.ProtocolError) == []


def test_names_are_those_that_users_import():
    for name in set(PUBLIC) - {"__version__"}:
        assert getattr(tr, name).__module__ == "tailrace", name
    assert repr(tr.Query) == "<class 'tailrace.Query'>"
    assert tr.Query.top.__module__ == "tailrace"


def test_counts_of_lines_are_a_typed_dictionary_like_any_other():
    class More(tr.LineCounts):
        seen: int

    assert typing.is_typeddict(tr.LineCounts)
    assert typing.is_typeddict(More)
    assert sorted(typing.get_type_hints(More)) == [
        *("abandoned", "counted", "fed", "filtered", "late", "rejected", "resent", "seen"),
    ]
    # Once more, after a subclass.
    assert dir(tr.LineCounts) == []


def test_the_package_is_typed():
    files = importlib.metadata.files("tailrace") or []
    assert importlib.resources.files("tailrace").joinpath("py.typed").is_file(), files


def test_importing_it_loads_no_event_loop_no_protocol_and_no_command():
    code = "import sys, tailrace; print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert not loaded & {
        "asyncio",
        "fastavro",
        "argparse",
        "logging",
        "json",
        "inspect",
        "tailrace._flume",
    }
