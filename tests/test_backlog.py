"""A file that is far behind, which several threads read: every line once and in order, whatever happens to the agent
and to the file in the midst of it."""
import os
import random
import signal

import pytest

from harness import until

MB = 1_000_000


def lines(name, size, seed):
    """Numbered lines, most of them short, some longer than what a reader may carry over."""
    choose, out, total, n = random.Random(seed), [], 0, 0
    filler = bytes(choose.randrange(97, 123) for _ in range(300_000))
    while total < size:
        length = choose.randrange(50, 300) if choose.random() > 0.001 else choose.randrange(300_000)
        out.append(b'%s %08d %s\n' % (name, n, filler[:length]))
        total += len(out[-1])
        n += 1
    return b''.join(out)


def of(out, name):
    return b''.join(line for line in out.splitlines(True) if line.startswith(name))


def in_the_midst(world, agent, size):
    """Halts the agent when so much came out."""
    until(lambda: len(world.out()) >= size, f'{size} bytes', 60)
    os.kill(agent.pid, signal.SIGSTOP)


@pytest.mark.parametrize('sink', [{}, {'buffer': {'max_bytes': '1MiB'}}], ids=['', 'small buffer'])
def test_kills_in_the_midst_of_a_backlog(world, sink):
    expected = lines(b'a', 60 * MB, 1)
    world.write('a.log', expected)
    world.config(sinks={'out': world.file_sink(**sink)})
    for size in (1, 10 * MB, 25 * MB, 40 * MB):
        agent = world.start(ready=False)
        until(lambda: len(world.out()) >= size, f'{size} bytes', 60)
        agent.kill()
    world.start()
    world.expect_out(expected, seconds=60)


def test_a_rotation_in_the_midst_of_a_backlog(world):
    old, new = lines(b'a', 40 * MB, 2), lines(b'b', 20 * MB, 3)
    world.write('a.log', old)
    world.config()
    agent = world.start(ready=False)
    in_the_midst(world, agent, 5 * MB)
    os.rename(world.log(), world.path('a.log.1'))
    world.write('a.log', new)
    os.kill(agent.pid, signal.SIGCONT)
    until(lambda: len(world.out()) >= len(old) + len(new), lambda: f'{len(world.out())} bytes', 60)
    out = world.out()
    assert of(out, b'a ') == old
    assert of(out, b'b ') == new
    assert len(out) == len(old) + len(new)


@pytest.mark.parametrize('regrown', [0, 10, 60], ids=['empty', 'shorter', 'longer'])
def test_a_truncation_in_the_midst_of_a_backlog(world, regrown):
    """What was delivered of the old content is whole lines from its beginning, and all of the new one comes."""
    old, new = lines(b'a', 40 * MB, 4), lines(b'b', regrown * MB, 5) + b'b is over\n'
    world.write('a.log', old)
    world.config()
    agent = world.start(ready=False)
    in_the_midst(world, agent, 5 * MB)
    with open(world.log(), 'r+b') as file:
        file.truncate(0)
        file.write(new)
    os.kill(agent.pid, signal.SIGCONT)

    until(lambda: of(world.out(), b'b ') == new, lambda: f'{len(world.out())} bytes', 60)
    lost = agent.metrics().get('logflume_lost_bytes_total')
    until(lambda: len(world.out()) == len(old) - lost + len(new), lambda: f'{len(world.out())} bytes, {lost} lost')
    delivered = of(world.out(), b'a ')
    assert len(delivered) == len(old) - lost >= 5 * MB
    assert delivered.endswith(b'\n') and old.startswith(delivered)


def test_several_sinks_and_a_live_file_beside_a_backlog(world):
    expected, live = lines(b'a', 40 * MB, 6), lines(b'b', 1 * MB, 7)
    world.write('a.log', expected)
    world.write('live.log', b'')
    world.config(include=[world.log('a.log')], sinks={'out': world.file_sink(), 'other': world.file_sink('other.log')})
    agent = world.start(ready=False)
    in_the_midst(world, agent, 5 * MB)
    os.kill(agent.pid, signal.SIGCONT)
    # Another sink begins where the source is, and one goes.
    world.config(sinks={'other': world.file_sink('other.log'), 'third': world.file_sink('third.log')})
    agent.reload()
    world.append('live.log', live)
    until(lambda: len(world.out('other.log')) >= len(expected) + len(live), 'all', 60)
    until(lambda: len(world.out('third.log')) >= len(live), 'all of the live file', 60)
    for name in ('out.log', 'other.log', 'third.log'):
        of_backlog = of(world.out(name), b'a ')
        assert expected.endswith(of_backlog) if name == 'third.log' else expected.startswith(of_backlog), name
    assert of(world.out('other.log'), b'b ') == live
