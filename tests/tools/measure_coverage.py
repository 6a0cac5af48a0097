"""
Measure which lines of Rust and Python the tests reach: `make coverage`.

The core's tests and the extension are compiled with `-C instrument-coverage`; for the tests in
Python the instrumented extension takes the place of the usual one, which is put back afterwards.
Python is measured by coverage.py, in subprocesses too. A process that a signal kills reports
nothing, so the figures are lower bounds.

`llvm-profdata` and `llvm-cov` must be of the LLVM that rustc has, or later: those of
`rustup component add llvm-tools`, of the folder in `LLVM_BIN`, or `llvm-cov-NN` on the path.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target" / "coverage"))
PROFILES = TARGET / "profiles"
EXTENSION = ROOT / "python" / "tailrace" / "_core.abi3.so"

# Files that only tests are in; tests at the end of a file count as lines of that file.
TESTS = r"(/(tests?|examples)/|/(tests?|naive|against|testing|harness|measure)\.rs)"
OTHERS = r"(/registry/|/rustc/|/rustlib/)"

# Compiling with all optimizations takes many times longer and changes no figure.
PROFILE = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_STRIP": "none",
}
WORKERS = ["--numprocesses", "3", "--maxschedchunk", "1", "--timeout", "1200"]
OPTIONS = [
    "--release",
    *("--config", "profile.release.package.tailrace-core.opt-level=1"),
    *("--config", "profile.release.package.tailrace-python.opt-level=1"),
]


def llvm(tool: str) -> str:
    """Return the path of a tool of LLVM."""
    rustc = run("rustc", "-vV")
    version = re.search(r"LLVM version: (\d+)", rustc)[1]
    host = re.search(r"host: (\S+)", rustc)[1]
    sysroot = Path(run("rustc", "--print", "sysroot").strip())
    folders = [sysroot / "lib" / "rustlib" / host / "bin"]
    if "LLVM_BIN" in os.environ:
        folders.insert(0, Path(os.environ["LLVM_BIN"]))
    for folder in folders:
        if (folder / tool).exists():
            return str(folder / tool)
    found = shutil.which(f"{tool}-{version}")
    if found is None:
        sys.exit(f"no {tool} of LLVM {version}: rustup component add llvm-tools, or set LLVM_BIN")
    return found


def run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def environment(name: str) -> dict[str, str]:
    """Return variables for an instrumented build, and where its runs write their profiles."""
    # Four files that processes share and add to, as there are thousands of processes.
    profile = str(PROFILES / f"{name}-%4m.profraw")
    return (
        os.environ
        | PROFILE
        | {
            "CARGO_TARGET_DIR": str(TARGET),
            "RUSTFLAGS": "-C instrument-coverage",
            "LLVM_PROFILE_FILE": profile,
        }
    )


def build(*arguments: str) -> list[str]:
    """Build, and return the paths of what was built."""
    command = ["cargo", *arguments, *OPTIONS, "--message-format=json", "--quiet"]
    ran = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, env=environment("build")
    )
    found = []
    for line in ran.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and "tailrace" in message["package_id"]:
            if arguments[0] == "test" and not message["profile"]["test"]:
                continue  # an example
            libraries = [name for name in message["filenames"] if name.endswith((".so", ".dylib"))]
            executable = message.get("executable")
            found += [executable] if executable else libraries
    return found


def rust_tests(binaries: list[str]) -> None:
    for binary in binaries:
        subprocess.run(
            [binary, "--quiet"], cwd=ROOT / "rust" / "core", env=environment("rust"), check=False
        )


def python_tests(extension: str, arguments: list[str]) -> None:
    usual = EXTENSION.read_bytes()
    data = TARGET / "python" / "coverage"
    shutil.rmtree(data.parent, ignore_errors=True)
    data.parent.mkdir(parents=True)
    try:
        EXTENSION.unlink()
        shutil.copy(extension, EXTENSION)
        settings = environment("python") | {"COVERAGE_FILE": str(data)}
        command = [
            sys.executable,
            "-m",
            "coverage",
            "run",
            "-m",
            "pytest",
            "-q",
            *WORKERS,
            *arguments,
        ]
        subprocess.run(command, cwd=ROOT, env=settings, check=False)
        combine = [sys.executable, "-m", "coverage", "combine", "-q"]
        subprocess.run(combine, cwd=ROOT, env=settings, check=False)
        print("\nPython: statements of python/tailrace", flush=True)
        report = [sys.executable, "-m", "coverage", "report", "--skip-covered", "--sort=cover"]
        subprocess.run(report, cwd=ROOT, env=settings, check=False)
    finally:
        EXTENSION.unlink(missing_ok=True)
        EXTENSION.write_bytes(usual)
        EXTENSION.chmod(0o755)


def report(title: str, profiles: str, objects: list[str]) -> None:
    """Print lines and functions reached, in all and of the files with the lowest share."""
    raw = [str(path) for path in PROFILES.glob(profiles)]
    merged = str(PROFILES / "merged.profdata")
    subprocess.run([llvm("llvm-profdata"), "merge", "-sparse", *raw, "-o", merged], check=True)
    first, *others = objects
    exported = run(
        *(llvm("llvm-cov"), "export", "-summary-only", "-instr-profile", merged, first),
        *(word for one in others for word in ("-object", one)),
        *("-ignore-filename-regex", f"{OTHERS}|{TESTS}"),
    )
    data = json.loads(exported)["data"][0]
    print(f"\n{title}")
    for what in ("lines", "functions", "regions"):
        total = data["totals"][what]
        print(f"{what:<12}{total['covered']:>8,} of {total['count']:>8,}{total['percent']:8.1f} %")
    files = sorted(data["files"], key=lambda file: file["summary"]["lines"]["percent"])
    print("files with the lowest share of lines:")
    for file in files[:12]:
        lines = file["summary"]["lines"]
        name = file["filename"].partition("/rust/")[2]
        print(f"  {name:<60}{lines['covered']:>6} of {lines['count']:>6}{lines['percent']:8.1f} %")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--only", choices=("rust", "python"), help="run only these tests")
    only, arguments = parser.parse_known_args()
    shutil.rmtree(PROFILES, ignore_errors=True)
    PROFILES.mkdir(parents=True)
    objects: list[str] = []
    if only.only != "python":
        binaries = build("test", "-p", "tailrace-core", "--no-run")
        rust_tests(binaries)
        report("Rust: the core, by its own tests", "rust-*.profraw", binaries)
        objects += binaries
    if only.only != "rust":
        (extension,) = build("build", "-p", "tailrace-python")
        python_tests(extension, arguments)
        report("Rust: core and bindings, by the tests in Python", "python-*.profraw", [extension])
        objects.append(extension)
    if only.only is None:
        report("Rust: by all tests", "*-*.profraw", objects)


if __name__ == "__main__":
    main()
