"""Disks that are full, and kernels that give no inotify watches.

A small tmpfs in a mount namespace of its own is the disk; who is not root cannot mount one, and skips.
"""
import os
import subprocess
import time

import pytest

from harness import numbered, until
from torture.faults import NotHere, SmallDisk


@pytest.fixture
def small_disk(world):
    try:
        disk = SmallDisk(world.path('small'), '4m')
    except NotHere as reason:
        pytest.skip(str(reason))
    yield disk
    for agent in world.agents:
        if agent.running():
            agent.kill()
    disk.close()


def status(agent, name=None):
    return next((c for c in agent.health()['components'] if c['name'] == name), None) if name else agent.health()['status']


def test_a_full_data_dir_stops_no_line_and_heals_by_itself(world, small_disk):
    """Method: the disk with the checkpoints fills up while files come that need new ones. Lines go on to the file
    sink, the agent is degraded and says why; when there is space again it is well by itself, and a kill -9 then
    shows that the checkpoints are: nothing is repeated."""
    world.config(include=[world.log('**/*.log')], top={'data_dir': world.path('small/data')})
    world.write('a.log', numbered(1, 100))
    agent = world.start(inside=small_disk.inside)
    world.expect_lines(numbered(1, 100))
    small_disk.fill()
    expected = numbered(1, 100)
    for n in range(2000):
        world.write(f'new/{n}.log', numbered(1, 1, f'file{n}'))
    expected += b''.join(numbered(1, 1, f'file{n}') for n in range(2000))
    world.expect_lines(expected)
    until(lambda: status(agent) == 'degraded', lambda: f'degraded: {agent.health()}')
    message = next(c['message'] for c in agent.health()['components'] if c['status'] == 'degraded')
    assert 'full' in message or 'space' in message, message
    assert agent.get('/livez')[0] == 200
    world.append('a.log', numbered(101, 200))
    expected += numbered(101, 200)
    world.expect_lines(expected)
    small_disk.free()
    until(lambda: status(agent) == 'ok', lambda: f'well again: {agent.health()}', 40)
    until(lambda: agent.metrics().get('logflume_checkpoint_age_seconds') < 1, 'a checkpoint')
    time.sleep(1.5)
    agent.kill()
    world.append('a.log', numbered(201, 210))
    agent = world.start(inside=small_disk.inside)
    world.expect_lines(expected + numbered(201, 210))
    assert agent.stop() == 0


def test_a_data_dir_that_is_full_at_the_start(world, small_disk):
    """It cannot remember anything: it delivers, or refuses to start and says why; it never hangs or loses lines."""
    small_disk.fill()
    world.config(top={'data_dir': world.path('small/data')})
    world.write('a.log', numbered(1, 100))
    agent = world.start(ready=False, inside=small_disk.inside)
    until(lambda: not agent.running() or world.out() == numbered(1, 100), 'delivered, or refused')
    if agent.running():
        until(lambda: status(agent) == 'degraded', lambda: f'degraded: {agent.health()}')
    else:
        assert agent.process.returncode == 1 and world.path('small/data') in agent.stderr()
        small_disk.free()
        agent = world.start(inside=small_disk.inside)
        world.expect_out(numbered(1, 100))
    assert agent.running()
    agent.kill()


def test_an_output_on_a_full_disk_waits_and_the_other_goes_on(world, small_disk):
    world.config(sinks={'out': world.file_sink('small/out.log'), 'other': world.file_sink('other.log')})
    world.write('a.log', numbered(1, 1000))
    agent = world.start(inside=small_disk.inside)
    full = os.path.join(small_disk.root, 'out.log')

    def output():
        with open(full, 'rb') as file:
            return file.read()
    until(lambda: os.path.exists(full) and output() == numbered(1, 1000), 'the first lines')
    small_disk.fill()
    world.append('a.log', numbered(1001, 30_000))  # 400 KB
    world.expect_out(numbered(1, 30_000), 'other.log')
    until(lambda: status(agent, 'out')['status'] == 'degraded', lambda: f'degraded: {agent.health()}')
    assert 'No space left' in status(agent, 'out')['message'] and status(agent, 'other')['status'] == 'ok'
    world.append('a.log', numbered(30_001, 30_010))
    world.expect_out(numbered(1, 30_010), 'other.log')
    small_disk.free()
    until(lambda: output() == numbered(1, 30_010), lambda: f'{len(output())} bytes', 40)
    until(lambda: status(agent) == 'ok', lambda: f'well again: {agent.health()}')
    assert agent.stop() == 0


def test_a_kill_while_the_output_is_on_a_full_disk_leaves_no_torn_line(world, small_disk):
    world.config(sinks={'out': world.file_sink('small/out.log')})
    world.write('a.log', numbered(1, 1000))
    small_disk_out = os.path.join(small_disk.root, 'out.log')
    agent = world.start(inside=small_disk.inside)
    until(lambda: os.path.exists(small_disk_out) and os.path.getsize(small_disk_out) > 0, 'the first lines')
    small_disk.fill()
    world.append('a.log', numbered(1001, 30_000))
    until(lambda: status(agent, 'out')['status'] == 'degraded', 'the disk is full')
    agent.kill()
    small_disk.free()
    agent = world.start(inside=small_disk.inside)

    def output():
        with open(small_disk_out, 'rb') as file:
            return file.read()
    until(lambda: output() == numbered(1, 30_000), lambda: f'{len(output())} bytes', 40)
    assert agent.stop() == 0


def test_without_inotify_watches_directories_are_polled(world):
    """Method: a user namespace whose limit of watches is 0."""
    inside = ['unshare', '-U', '-r', 'sh', '-c', 'echo 0 >/proc/sys/user/max_inotify_watches && exec "$0" "$@"']
    if subprocess.run([*inside, 'true'], capture_output=True).returncode != 0:
        pytest.skip('no user namespace, or no limit of watches in it')
    world.config(include=[world.log('**/*.log')], rescan_interval='200ms', rotate_wait='2s')
    world.write('a.log', numbered(1, 10))
    agent = world.start(inside=inside)
    expected = numbered(1, 10)
    world.expect_lines(expected)
    assert agent.metrics().get('logflume_source_directories_watched') == 0
    world.append('a.log', numbered(11, 20))
    expected += numbered(11, 20)
    world.expect_lines(expected)
    world.write('deep/er/b.log', numbered(1, 10, 'b'))
    expected += numbered(1, 10, 'b')
    world.expect_lines(expected)
    os.rename(world.log(), world.log('a.log.1'))
    world.append('a.log.1', b'late\n')
    world.write('a.log', b'new\n')
    expected += b'late\nnew\n'
    world.expect_lines(expected)
    os.truncate(world.log(), 0)
    world.append('a.log', b'x\n')
    expected += b'x\n'
    world.expect_lines(expected)
    os.unlink(world.log('deep/er/b.log'))
    until(lambda: not any('b.log' in link for link in agent.open_files()), 'the deleted file is closed')
    said = [line for line in agent.stderr().splitlines() if 'no watch left' in line]
    assert len(said) == 1, said
    assert agent.stop() == 0
