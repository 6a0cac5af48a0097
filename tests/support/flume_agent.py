"""
Run real Flume agents: their jars, configuration, process and spool directory.

There is no function that waits for an agent: a test waits for what it expects to arrive. An agent
that finds no receiver retries after 5 s, so start the receiver first.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from places import ROOT, TESTS

_POM = TESTS / "agents" / "flume" / "pom.xml"
_LOGGING = TESTS / "agents" / "flume" / "log4j2.xml"
_EXAMPLE = ROOT / "examples" / "flume" / "agent.conf"

# The last release, the last one with Avro 1.7 and Netty 3, and the one that Spark 2 was built with.
VERSIONS = ("1.11.0", "1.9.0", "1.6.0")

# From an empty Maven repository it took 15 s; a slow network may take far longer.
_RESOLVE_TIMEOUT_S = 600
# An agent ends within 0.1 s unless a call to the receiver is open.
_STOP_TIMEOUT_S = 15
# A process of a few seconds needs neither the second compiler nor a parallel collector.
_JAVA = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def missing() -> str | None:
    """Return what an agent lacks on this machine, or None if it can run."""
    if shutil.which(_java()) is None:
        return f"a Flume agent needs Java, and {_java()} was not found"
    if shutil.which("mvn") is None:
        return "a Flume agent's jars are resolved by Maven, and mvn was not found"
    return None


def jars(version: str) -> Path:
    """
    Return the directory with an agent's jars, resolved by Maven unless an earlier call did.

    Any number of processes may call it at once: one resolves, the others wait for it. A directory
    under the final name is complete, even if a process was killed.

    Raises:
        RuntimeError: Maven failed; the message is the first error that it printed.
    """
    name = f"{version}-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tailrace" / "flume"
    ready = cache / name
    if ready.is_dir():
        return ready

    cache.mkdir(parents=True, exist_ok=True)
    # One lock for all versions: Maven itself does not keep two runs apart in its repository.
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.is_dir():
            # Only the lock's holder uses this name; an existing one was left by a killed process.
            unfinished = cache / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            _resolve(version, unfinished, lock)
            unfinished.rename(ready)
    return ready


def _resolve(version: str, directory: Path, lock: TextIO) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise RuntimeError("mvn was not found")
    command = [mvn, "--batch-mode", "--quiet", "-Dstyle.color=never", "--file", str(_POM)]
    command += ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    command += [f"-Dflume.version={version}", f"-DoutputDirectory={directory}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_RESOLVE_TIMEOUT_S,
            check=False,
            # Maven outlives this process if it is killed, and then holds the lock while it writes.
            pass_fds=[lock.fileno()],
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"Maven was not done after {_RESOLVE_TIMEOUT_S} s") from None
    if done.returncode != 0:
        error = re.search(r"\[ERROR\] (.*)", done.stdout)
        reason = error[1] if error else f"exit code {done.returncode}, and it named no error"
        raise RuntimeError(f"Maven: {reason}")


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


def example_configuration(spool_directory: Path, port: int) -> str:
    """
    Return the example's configuration for another spool directory and port.

    Nothing else is changed, so a test that uses it tests what users copy.

    Raises:
        ValueError: The example does not set one of the two on exactly one line.
    """
    text = _EXAMPLE.read_text(encoding="utf-8")
    text = _with_value(text, "a1.sources.r1.spoolDir", str(spool_directory))
    return _with_value(text, "a1.sinks.k1.port", str(port))


def _with_value(text: str, key: str, value: str) -> str:
    # A replacement string would interpret backslashes; a function does not.
    text, lines = re.subn(
        rf"^{re.escape(key)} = .*$", lambda _: f"{key} = {value}", text, flags=re.MULTILINE
    )
    if lines != 1:
        raise ValueError(f"{_EXAMPLE} has {lines} lines that set {key}, not one")
    return text


@contextmanager
def agent(
    version: str, conf_text: str, log: Path, java: tuple[str, ...] = _JAVA
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run an agent called a1 until the block ends, without waiting for it to be ready.

    Its output is appended to *log*. Its configuration stays next to that, to debug a failure.
    """
    conf = log.with_name(f"{log.name}.conf")
    conf.write_text(conf_text, encoding="utf-8")
    command = [_java(), *java, f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}"]
    command += ["-cp", f"{jars(version)}/*", "org.apache.flume.node.Application"]
    command += ["--no-reload-conf", "-n", "a1", "-f", str(conf)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        try:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT_S)
        finally:
            # No effect on an agent that has ended; one that hangs, or whose wait was
            # interrupted, must not outlive the test.
            process.kill()
            process.wait(_STOP_TIMEOUT_S)


def spool(directory: Path, source: Path, name: str) -> None:
    """
    Copy *source* into the spool directory as *name*, which must be new to the agent.

    The agent skips names that begin with a dot, so it never reads a file that is being written.
    """
    unfinished = directory / f".{name}"
    shutil.copyfile(source, unfinished)
    unfinished.rename(directory / name)
