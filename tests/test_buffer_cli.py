"""logflume buffer: what the disk buffers hold, while an agent runs and when none does."""
import json
import os
import shutil
import subprocess

import pytest

from harness import BINARY, HttpReceiver, World, numbered, until
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


@pytest.fixture(scope='module')
def left_behind(tmp_path_factory):
    """What an agent left whose sink refuses everything: 5000 lines in its buffer, in four batches or more."""
    filling = World(tmp_path_factory.mktemp('left_behind'))
    receiver = HttpReceiver(filling.path('received'), 503)
    try:
        filling.config(sinks={'out': http_sink(receiver)})
        agent = filling.start()
        for begin in range(0, 5000, 1250):
            filling.append('a.log', numbered(begin + 1, begin + 1250))
            buffered(agent, begin + 1250)
        assert agent.stop() == 0
    finally:
        filling.close()
        receiver.close()
    return filling


@pytest.fixture
def filled(world, receiver, left_behind):
    """A copy of it. No agent runs."""
    world.config(sinks={'out': http_sink(receiver)})
    shutil.copytree(left_behind.path('data'), world.path('data'), dirs_exist_ok=True)
    world.used = True
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


def test_batches_as_json(filled, left_behind):
    batches = [json.loads(line) for line in call(filled, 'cat', 'out', '--json').stdout.splitlines()]
    assert ''.join(batch['text'] for batch in batches) == LINES
    assert sum(batch['events'] for batch in batches) == 5000
    assert len(batches) > 1 and batches[0]['begin'] == 0 and batches[-1]['end'] == len(LINES)
    for one, next_one in zip(batches, batches[1:]):
        assert one['end'] == next_one['begin'] and one['position'] < next_one['position']
    assert {(batch['source'], batch['file']) for batch in batches} == {('app', left_behind.log())}


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


def test_a_repaired_buffer_is_whole_and_delivers_the_rest(filled, receiver):
    """Method: of three batches or more the second is damaged in its text, the last in its header."""
    batches = [json.loads(line) for line in call(filled, 'cat', 'out', '--json').stdout.splitlines()]
    path, size = segment_of(filled)
    with open(path, 'rb') as file:
        before = file.read()
    second, behind, last = (batches[n]['position'] + 32 for n in (1, 2, -1))
    assert behind < last, 'three batches'
    flip(path, second + 200)
    flip(path, last + 4)
    left = [batch for batch in batches if batch not in (batches[1], batches[-1])]
    done = call(filled, 'repair', 'out')
    assert '2 of 2 damaged ranges repaired' in done.stdout
    assert f'{path}: bytes {second} to {behind} are damaged: {batches[1]["events"]} events; moved to ' in done.stdout
    aside = filled.path('data/buffers/out/damaged', f'{second - 32}-{behind - 32}')
    with open(aside, 'rb') as file:
        kept = file.read()
    assert len(kept) == behind - second
    assert [n for n in range(len(kept)) if kept[n] != before[second + n]] == [200]

    assert verdict(filled)['out'] == {'sink': 'out', 'segments': 1, 'records': len(left), 'damages': []}
    assert call(filled, 'cat', 'out').stdout == ''.join(batch['text'] for batch in left)
    row, = json.loads(call(filled, 'ls', '--json').stdout)
    assert row['pending_events'] == sum(batch['events'] for batch in left)
    assert row['pending_bytes'] == sum(len(batch['text']) for batch in left)
    assert '0 of 0 damaged ranges repaired' in call(filled, 'repair', 'out').stdout

    receiver.status = 503
    agent = filled.start()
    assert agent.metrics().get('logflume_component_discarded_events_total', component='out',
                               reason='buffer_damaged') == batches[1]['events'] + batches[-1]['events']
    done = call(filled, 'repair', 'out', code=1)
    assert 'stop it first' in done.stderr and str(agent.process.pid) in done.stderr
    receiver.status = 200
    expected = ''.join(batch['text'] for batch in left).encode().splitlines()
    until(lambda: receiver.lines() == expected, lambda: f'{len(receiver.lines())} lines of {len(expected)}')
    buffered(agent, 0)
    assert agent.stop() == 0


def test_what_has_no_room_aside_is_left_as_it_is(filled):
    path, size = segment_of(filled)
    flip(path, 32 + 100)
    os.makedirs(filled.path('data/buffers/out/damaged'))
    with open(filled.path('data/buffers/out/damaged/other'), 'wb') as file:
        file.truncate(16 << 20)
    with open(path, 'rb') as file:
        before = file.read()
    done = call(filled, 'repair', 'out', code=1)
    assert 'left as they are' in done.stderr and 'there is no room' in done.stderr
    with open(path, 'rb') as file:
        assert file.read() == before
    assert call(filled, 'repair', code=2).stdout == ''


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


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def test_a_newer_format_is_left_to_a_newer_logflume(filled):
    path, _ = segment_of(filled)
    with open(path, 'r+b') as file:
        header = bytearray(file.read(28))
        assert file.read(4) == crc32c(header).to_bytes(4, 'little')
        header[4] = 2
        file.seek(0)
        file.write(header + crc32c(header).to_bytes(4, 'little'))
    with open(path, 'rb') as file:
        before = file.read()
    for command in ('ls', 'cat', 'verify', 'repair'):
        done = call(filled, command, 'out', code=1)
        assert f'{path} has format version 2' in done.stderr and done.stdout == ''
    with open(path, 'rb') as file:
        assert file.read() == before


def test_an_empty_data_dir_has_no_buffers(world):
    assert call(world, 'ls').stdout == 'SINK  SEGMENTS  SIZE  RECORDS  PENDING  BYTES  FIRST  LAST\n'
    assert json.loads(call(world, 'ls', '--json').stdout) == []
    assert call(world, 'verify').stdout == ''
    assert 'no buffer of a sink "out"' in call(world, 'cat', 'out', code=2).stderr
