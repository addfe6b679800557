"""Disk buffers: what is durable in one is the sink's, whatever becomes of its file, its sink and the agent."""
import contextlib
import os
import random
import signal
import time

import pytest

from harness import TcpReceiver, numbered, until
from test_disk import small_disk, status  # noqa: F401


def buffer_of(**more):
    return {'type': 'disk', **more}


def http_sink(receiver, **more):
    return {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'batch': {'linger': '10ms'},
            'retry': {'initial': '10ms', 'max': '100ms'}, 'buffer': buffer_of(**more)}


def segments(world, sink):
    """The sizes of the segments of a sink's buffer, by name."""
    directory = world.path('data/buffers', sink)
    with contextlib.suppress(FileNotFoundError):
        return {name: os.path.getsize(os.path.join(directory, name))
                for name in sorted(os.listdir(directory)) if name.endswith('.seg')}
    return {}


def buffered(agent, events, sink='out'):
    """Waits until the sources have handed over all, and the buffer holds so many events."""
    until(lambda: agent.metrics().get('logflume_sink_inflight_batches', component=sink) == 0
          and agent.metrics().get('logflume_buffer_events', component=sink) == events,
          lambda: f'{events} events in the buffer: ' + str([s for s in agent.metrics().samples if 'buffer' in s[0]]))


@pytest.mark.sanitizer
def test_files_may_go_while_the_sink_is_down(world, receiver):
    """Method: the sink refuses everything, the file is rotated away and deleted when it is in the buffer, the agent
    is stopped and started again; then the sink is well. Each line comes once, in order."""
    receiver.status = 503
    world.config(sinks={'out': http_sink(receiver)})
    world.write('a.log', numbered(1, 20_000))
    agent = world.start()
    buffered(agent, 20_000)
    os.rename(world.log('a.log'), world.path('a.log.1'))
    os.unlink(world.path('a.log.1'))
    world.write('a.log', numbered(20_001, 20_100))
    buffered(agent, 20_100)
    assert agent.stop() == 0, 'what is durable is not waited for'
    assert receiver.lines() == []
    os.unlink(world.log('a.log'))
    agent = world.start()
    buffered(agent, 20_100)
    assert status(agent, 'out') == 'degraded' or receiver.posts > 0
    receiver.status = 200
    until(lambda: len(receiver.lines()) >= 20_100, lambda: f'{len(receiver.lines())} lines', 40)
    buffered(agent, 0)
    lines = receiver.lines()
    assert sorted(lines) == numbered(1, 20_100).splitlines()
    first = numbered(1, 20_000).splitlines()
    assert [line for line in lines if line <= first[-1]] == first, 'one file is in order'
    assert agent.stop() == 0


@pytest.mark.sanitizer
@pytest.mark.parametrize('overflow', [None, '256KiB'])
def test_a_file_sink_has_each_line_once_over_kills(world, overflow):
    """Method: kill -9 at random moments while lines come and files are rotated, with a file sink behind a disk
    buffer: neither loses nor repeats a line."""
    more = {'overflow': overflow} if overflow else {}
    world.config(include=[world.log('*.log*')],
                 sinks={'out': world.file_sink(buffer=buffer_of(**more), batch={'max_bytes': '100KiB'})})
    rng = random.Random(7 if overflow else 3)
    writer = world.generate('--out', world.log('a.log'), '--bytes', '60MB', '--rate', '12MB/s', '--rotate', 'rename',
                            '--rotate-every', '8MB', '--rotate-keep', 30, wait=False)
    agent = world.start()
    for _ in range(8):
        time.sleep(rng.uniform(0.05, 0.5))
        agent.kill()
        agent = world.start()
    streams = world.generated(writer)
    world.expect_complete(streams, reordering=True)  # of files that the agent finds together after a kill
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_overflow_touches_no_disk_while_the_sink_keeps_up(world, receiver):
    """... and does, from what is not delivered on, when the sink falls behind; then again not."""
    world.config(sinks={'out': http_sink(receiver, overflow='2MiB')})
    world.write('a.log', numbered(1, 50_000))
    agent = world.start()
    until(lambda: len(receiver.lines()) == 50_000, 'the lines')
    buffered(agent, 0)
    assert not os.path.exists(world.path('data/buffers/out'))
    receiver.status = 503
    world.append('a.log', numbered(50_001, 400_000))
    until(lambda: sum(segments(world, 'out').values()) > 1 << 20, 'written')
    buffered(agent, 350_000)
    receiver.status = 200
    until(lambda: len(receiver.lines()) >= 400_000, lambda: f'{len(receiver.lines())} lines', 60)
    buffered(agent, 0)
    written = agent.metrics().get('logflume_buffer_written_bytes_total')
    world.append('a.log', numbered(400_001, 410_000))
    until(lambda: len(receiver.lines()) >= 410_000, 'the rest')
    assert agent.metrics().get('logflume_buffer_written_bytes_total') == written
    assert receiver.lines() == numbered(1, 410_000).splitlines()
    assert agent.stop() == 0


def test_what_is_in_memory_is_written_at_the_stop(world, receiver):
    receiver.status = 503
    world.config(sinks={'out': http_sink(receiver, overflow='2MiB')})
    world.write('a.log', numbered(1, 1000))
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_buffer_events') == 1000, 'in the buffer')
    assert segments(world, 'out') == {}
    assert agent.stop() == 0
    assert len(segments(world, 'out')) == 1
    os.unlink(world.log('a.log'))
    receiver.status = 200
    agent = world.start()
    until(lambda: receiver.lines() == numbered(1, 1000).splitlines(), lambda: f'{len(receiver.lines())} lines')
    assert agent.stop() == 0
