"""The snapshots of a running query in a program: plain loops, event loops, leaving early."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from contextlib import aclosing

import pytest
from live import OK, Sink, free_port, line

import tailrace as tr

LINES = [line("/a"), line("/b"), line("/a")]


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def flume(port: int) -> tr.Query:
    query = tr.from_flume(f"127.0.0.1:{port}", format="combined")
    return query.window("1s", every="100ms", batch_interval="50ms").count(by="url")


def send(port: int) -> None:
    with Sink(port) as sink:
        assert sink.batch(LINES) == OK


def windows() -> tr.Query:
    times = ("17/May/2015:10:05:03 +0000", "17/May/2015:10:05:05 +0000")
    lines = [line(f"/{second}", time_text=time) for second, time in enumerate(times)]
    return tr.from_lines(lines, format="combined").window("1s").count(by="url")


async def collected(answers: tr.Answers) -> list[tr.Snapshot]:
    return [snapshot async for snapshot in answers]


def test_for_and_async_for_give_the_same():
    assert asyncio.run(collected(windows().run())) == list(windows().run())
    assert [snapshot.total for snapshot in windows().run()] == [1, 0, 1]


def test_a_callback_gets_each_and_its_error_ends_the_run():
    seen: list[tr.Snapshot] = []
    assert windows().run(seen.append) is None
    assert seen == list(windows().run())
    port = free_port()
    with pytest.raises(ZeroDivisionError):
        flume(port).run(lambda _: 1 / 0)
    assert not is_listening(port)


def test_a_loop_that_is_left_early_lets_go_of_its_source():
    port = free_port()
    for _ in flume(port).run():
        assert is_listening(port)
        break
    assert not is_listening(port)


def test_a_context_manager_closes_for_sure():
    port = free_port()
    with flume(port).run() as answers:
        first = next(answers)
        assert is_listening(port)
    assert not is_listening(port)
    assert first.total == 0
    assert list(answers) == []
    # Nothing was opened, so nothing is closed.
    with flume(port).run():
        pass


def test_line_counts_are_available_at_any_time():
    with windows().run() as answers:
        assert next(answers).lines["counted"] == 1
        # Two lines came in one chunk, and one of them is in a window to come.
        assert answers.lines["counted"] == 2


def test_an_agent_is_served_while_the_next_answer_is_awaited():
    port = free_port()

    async def main() -> int:
        async with flume(port).run() as answers:
            await anext(answers)
            sender = asyncio.create_task(asyncio.to_thread(send, port))
            async for snapshot in answers:
                if snapshot.total:
                    await sender
                    return snapshot.total
        return 0

    assert asyncio.run(main()) == 3
    assert not is_listening(port)


def test_other_tasks_run_beside_it():
    port = free_port()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            ticking = tasks.create_task(tick())
            async with flume(port).run() as answers:
                for _ in range(5):
                    await anext(answers)
            ticking.cancel()

    asyncio.run(main())
    assert ticks > 10


def test_cancelling_closes_and_leaves_no_task_and_no_thread():
    port = free_port()
    other = free_port()
    threads = threading.active_count()

    async def wait_for_ever() -> None:
        query = tr.merge(
            tr.from_flume(f"127.0.0.1:{port}", f"127.0.0.1:{other}"), tr.from_lines(LINES)
        )
        async for _ in query.window("1h", time="log").count(by="url").run():
            pass

    async def main() -> set[asyncio.Task[None]]:
        task = asyncio.create_task(wait_for_ever())
        for _ in range(500):
            await asyncio.sleep(0.02)
            if is_listening(port) and is_listening(other):
                break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()
    assert threading.active_count() == threads
    assert not is_listening(port)
    assert not is_listening(other)


def test_an_async_loop_that_is_left_early_lets_go_too():
    port = free_port()

    async def main() -> None:
        async for _ in flume(port).run():
            break
        gc.collect()
        await asyncio.sleep(0.05)
        assert not is_listening(port)
        async with aclosing(flume(port).run()) as answers:
            await anext(answers)
            assert is_listening(port)
        assert not is_listening(port)

    asyncio.run(main())


def test_two_queries_live_in_one_loop():
    ports = [free_port(), free_port()]

    async def total(port: int) -> int:
        async with flume(port).run() as answers:
            await anext(answers)
            sender = asyncio.create_task(asyncio.to_thread(send, port))
            async for snapshot in answers:
                if snapshot.total:
                    await sender
                    return snapshot.total
        return 0

    async def main() -> list[int]:
        return await asyncio.gather(*(total(port) for port in ports))

    assert asyncio.run(main()) == [3, 3]


def test_a_plain_loop_inside_an_event_loop_says_what_to_write():
    async def main() -> None:
        for _ in flume(free_port()).run():
            pass

    with pytest.raises(RuntimeError, match="use `async for`"):
        asyncio.run(main())

    # What has its bytes at hand waits for nothing, so it may.
    async def files() -> int:
        return len(list(windows().run()))

    assert asyncio.run(files()) == 3


def test_one_kind_of_loop_or_the_other():
    async def main(answers: tr.Answers) -> None:
        await anext(answers)

    answers = windows().run()
    next(answers)
    with pytest.raises(RuntimeError, match="already read with `for`"):
        asyncio.run(main(answers))
    answers = windows().run()
    asyncio.run(main(answers))
    with pytest.raises(RuntimeError, match="already read with `async for`"):
        next(answers)


def test_the_way_out_of_the_wrong_loop_is_open():
    async def main() -> int:
        answers = windows().window("1s").count(by="url").run()
        live = flume(free_port()).run()
        with pytest.raises(RuntimeError, match="use `async for`"):
            next(live)
        async with live:
            await anext(live)
        return len([snapshot async for snapshot in answers])

    assert asyncio.run(main()) == 3


def test_answers_that_are_awaited_are_closed_so():
    port = free_port()

    async def main() -> None:
        with pytest.raises(RuntimeError, match="async with"), flume(port).run() as answers:
            await anext(answers)
        assert is_listening(port)
        await answers.aclose()
        assert not is_listening(port)

    asyncio.run(main())


def test_what_was_closed_does_not_begin():
    port = free_port()
    answers = flume(port).run()
    answers.close()
    assert list(answers) == []
    assert not is_listening(port)


def test_a_timeout_ends_the_run_and_closes_its_source():
    port = free_port()
    query = tr.from_flume(f"127.0.0.1:{port}").window("1h").count(by="url")

    async def main() -> None:
        answers = query.run()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(answers), 0.2)
        assert not is_listening(port)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tr.from_lines(None), "expected a list of lines"),
        (lambda: list(tr.from_lines([1]).count(by="url").run()), "expected str or bytes"),
        (lambda: tr.from_flume(9092), "address: expected text such as"),
        (lambda: tr.merge("access.log"), "expected queries such as"),
        (lambda: tr.from_files("a").count(by=3), "expected the name of a field or a list of names"),
        (lambda: tr.from_files("a").top("x"), "expected an integer number of rows"),
        (lambda: windows().run(collected), "would never be awaited"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_what_is_expected(make, message: str):  # noqa: ANN001 - any call
    with pytest.raises(TypeError, match=message):
        make()


def test_what_cannot_be_opened_raises_at_the_first_answer():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answers = flume(port).run()
        with pytest.raises(OSError, match="in use"):
            next(answers)
        with pytest.raises(OSError, match="in use"):
            asyncio.run(collected(flume(port).run()))
        # Of several none stays open.
        other = free_port()
        query = tr.from_flume(f"127.0.0.1:{other}", f"127.0.0.1:{port}").count(by="url")
        with pytest.raises(OSError, match="in use"):
            next(query.run())
        assert not is_listening(other)
