"""logflume buffer: what the disk buffers hold, while an agent runs and when none does."""
import json
import os
import subprocess

import pytest

from harness import BINARY, numbered, until
from test_buffer import buffered, http_sink, segments

LINES = numbered(1, 5000).decode()


def call(world, *arguments, code=0):
    done = world.call('buffer', *arguments, '--data-dir', world.path('data'))
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr)
    return done


def verdict(world, code=0):
    return {one['sink']: one for one in json.loads(call(world, 'verify', '--json', code=code).stdout)}


def flip(path, at):
    with open(path, 'r+b') as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


@pytest.fixture
def filled(world, receiver):
    """A sink that refuses everything, and 5000 lines in its buffer. The agent is stopped."""
    receiver.status = 503
    world.config(sinks={'out': http_sink(receiver, max_bytes='10MiB')})
    world.write('a.log', LINES[:30_000])
    agent = world.start()
    buffered(agent, LINES[:30_000].count('\n'))
    world.append('a.log', LINES[30_000:])
    buffered(agent, 5000)
    assert agent.stop() == 0
    return world


def segment_of(world):
    (name, size), = segments(world, 'out').items()
    return world.path('data/buffers/out', name), size


@pytest.mark.sanitizer
def test_it_shows_what_is_pending_while_an_agent_runs(world, receiver):
    """Method: the sink is down, then well. The agent's commits are waited for: the state on disk follows them."""
    receiver.status = 503
    world.config(sinks={'out': http_sink(receiver), 'off': http_sink(receiver, overflow='2MiB')})
    world.write('a.log', LINES)
    agent = world.start()
    buffered(agent, 5000)

    def rows(*names):
        return json.loads(call(world, 'ls', '--json', *names).stdout)

    until(lambda: [row['pending_events'] for row in rows('out')] == [5000], lambda: rows())
    row, = rows('out')
    sizes = segments(world, 'out')
    assert (row['segments'], row['size_bytes']) == (len(sizes), sum(sizes.values()))
    assert row['pending_bytes'] == len(LINES) and row['directory'] == world.path('data/buffers/out')
    assert row['records'] >= 1 and row['first_position'] == 0 <= row['last_position'] < row['size_bytes']
    text = world.call('buffer', 'ls', '--config', world.path('logflume.yaml'), 'out').stdout.splitlines()
    assert text[0].split()[0] == 'SINK' and text[1].split()[0] == 'out' and '5000' in text[1].split(), text
    assert call(world, 'cat', 'out').stdout == LINES
    assert verdict(world)['out'] == {'sink': 'out', 'segments': len(sizes), 'records': row['records'], 'damages': []}

    receiver.status = 200
    until(lambda: rows('out')[0]['pending_events'] == 0, lambda: rows())
    assert call(world, 'cat', 'out').stdout == ''
    kept = call(world, 'cat', '--all', 'out').stdout
    assert LINES.endswith(kept), 'what is kept of what is done'
    assert agent.stop() == 0


def test_batches_as_json(filled):
    batches = [json.loads(line) for line in call(filled, 'cat', 'out', '--json').stdout.splitlines()]
    assert ''.join(batch['text'] for batch in batches) == LINES
    assert sum(batch['events'] for batch in batches) == 5000
    assert len(batches) > 1 and batches[0]['begin'] == 0 and batches[-1]['end'] == len(LINES)
    for one, next_one in zip(batches, batches[1:]):
        assert one['end'] == next_one['begin'] and one['position'] < next_one['position']
    assert {(batch['source'], batch['file']) for batch in batches} == {('app', filled.log())}


def test_damage_is_named_by_its_place(filled):
    batches = [json.loads(line) for line in call(filled, 'cat', 'out', '--json').stdout.splitlines()]
    path, _ = segment_of(filled)
    second = batches[1]['position']
    flip(path, 32 + second + 200)
    done = call(filled, 'verify', code=1)
    end = batches[2]['position'] if len(batches) > 2 else segment_of(filled)[1] - 32
    assert f"{path}: bytes {32 + second} to {32 + end} are damaged: {batches[1]['events']} events" in done.stdout
    assert 'out: ' in done.stdout and '1 damaged range' in done.stdout
    assert verdict(filled, code=1)['out']['damages'] == [
        {'file': path, 'begin': 32 + second, 'end': 32 + end, 'position': second, 'events': batches[1]['events']}]
    done = call(filled, 'cat', 'out', code=1)
    assert done.stdout == ''.join(batch['text'] for batch in batches if batch is not batches[1])
    assert 'are damaged' in done.stderr
    assert 'logflume buffer verify' in call(filled, 'ls').stderr


def test_a_segment_that_lost_its_end_is_damaged(filled):
    path, size = segment_of(filled)
    os.truncate(path, size - 8)
    assert [one['end'] for one in verdict(filled, code=1)['out']['damages']] == [size - 8]


def test_without_checkpoints_all_is_pending(filled):
    for name in ('checkpoints.db', 'checkpoints.db-wal', 'checkpoints.db-shm'):
        path = filled.path('data', name)
        if os.path.exists(path):
            os.unlink(path)
    os.makedirs(filled.path('data/buffers/%41bc'))  # no buffer has such a name
    row, = json.loads(call(filled, 'ls', '--json').stdout)
    assert row['sink'] == 'out' and row['pending_events'] is None and row['records'] >= 1
    assert call(filled, 'cat', 'out').stdout == LINES
    path, size = segment_of(filled)
    os.truncate(path, size - 8)
    assert verdict(filled)['out']['damages'] == [], 'an end that may never have been synced'


def test_what_it_cannot_do_is_said(filled):
    done = call(filled, 'cat', 'otu', code=2)
    assert 'there is no buffer of a sink "otu"' in done.stderr and 'did you mean "out"?' in done.stderr
    for command in ('ls', 'verify'):
        assert 'no buffer of a sink "zzz"' in call(filled, command, 'out', 'zzz', code=2).stderr
    assert filled.call('buffer', 'cat').returncode == 2
    done = filled.call('buffer', 'ls', '--data-dir', filled.path('none'))
    assert done.returncode == 1 and filled.path('none') in done.stderr
    with open('/dev/full', 'w') as full:
        done = subprocess.run([BINARY, 'buffer', 'cat', 'out', '--data-dir', filled.path('data')], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and 'No space left' in done.stderr


def test_an_empty_data_dir_has_no_buffers(world):
    assert call(world, 'ls').stdout.split() == ['SINK', 'SEGMENTS', 'SIZE', 'RECORDS', 'PENDING', 'BYTES', 'FIRST', 'LAST']
    assert json.loads(call(world, 'ls', '--json').stdout) == []
    assert call(world, 'verify').stdout == ''
    assert 'no buffer of a sink "out"' in call(world, 'cat', 'out', code=2).stderr
