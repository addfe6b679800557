"""Lines that a transform joins: each event comes once, whole, over kills, stops, reloads, rotation and sinks that are behind."""
import gzip
import json
import os
import random
import time

import pytest

from harness import SLOW, until
from test_multiline import append_over_a_kill, expect_traces_over_kill_9, messages, sample, split

JOIN = {'type': 'multiline', 'inputs': ['app'], 'start_pattern': r'^\d{4}-', 'timeout': '1h'}
CRI = '2026-01-02T03:04:05.678Z'


def joined(world, sink=None, name='m', **rules):
    """A configuration: app -> multiline -> out."""
    return world.config(transforms={'m': {**JOIN, **rules}},
                        sinks={'out': {**(sink or world.file_sink(encoding='json')), 'inputs': [name]}})


def event(n, lines=3):
    return f'2026-01-02 event {n}' + ''.join(f'\n\tat line {n}.{i}' for i in range(lines))


def text_of(events):
    return ''.join(one + '\n' for one in events).encode()


@pytest.mark.sanitizer
def test_traces_are_one_event_each_in_json_and_keep_their_newlines_in_raw(world):
    world.generate('--format', 'java', '--lines', 20_000, '--out', world.log())
    text = open(world.log(), 'rb').read()
    world.config(transforms={'m': JOIN}, sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['m']},
                                               'raw': {**world.file_sink('raw.log'), 'inputs': ['m']}})
    world.run_to_end()
    assert messages(world) == split(text)
    assert world.out('raw.log') == text


@pytest.mark.sanitizer
@pytest.mark.parametrize('preset', ['java', 'python', 'go'])
def test_each_trace_comes_once_over_kill_9_in_the_middle_of_it(world, preset):
    world.config(transforms={'m': {'type': 'multiline', 'inputs': ['app'], 'preset': preset, 'timeout': '1h'}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['m']}})
    expect_traces_over_kill_9(world, preset)


@pytest.mark.sanitizer
def test_a_stop_leaves_what_is_open_to_the_next_start(world):
    joined(world)
    world.write('a.log', text_of([event(0), event(1)]))
    agent = world.start()
    until(lambda: messages(world) == [event(0)], 'the first event')
    assert agent.stop() == 0, 'nothing is left unacknowledged'
    assert messages(world) == [event(0)]
    world.append('a.log', b'\tat the end\n' + text_of([event(2)]))
    world.run_to_end()
    assert messages(world) == [event(0), event(1) + '\n\tat the end', event(2)]


@pytest.mark.sanitizer
def test_an_event_is_over_when_its_file_is_quiet(world):
    joined(world, timeout='300ms')
    agent = world.start()
    for n in range(3):
        world.append('a.log', text_of([event(n)]))
        until(lambda: messages(world)[n:] == [event(n)], 'the event, though nothing follows it')
    agent.expect_balance()
    assert agent.metrics().get('logflume_component_sent_events_total', component='m') == 3
    assert agent.stop() == 0


def test_an_event_waits_for_what_is_in_its_file_however_long_a_sink_hangs(world, receiver):
    """The file is read no further while the sink hangs: what is open goes on in lines that nobody has read yet."""
    receiver.status = 503
    world.config(transforms={'m': {**JOIN, 'timeout': '200ms'}},
                 sinks={'out': {'type': 'http', 'uri': receiver.uri, 'encoding': 'json', 'inputs': ['m'],
                                'batch': {'max_bytes': '8KiB'}, 'buffer': {'type': 'memory', 'max_bytes': '16KiB'}}})
    expected = [event(n, 200) for n in range(400)]
    world.write('a.log', text_of(expected))
    agent = world.start()
    until(lambda: receiver.posts, 'a request')
    time.sleep(1.5 * SLOW)
    receiver.status = 200
    until(lambda: len(receiver.lines()) >= len(expected), 'all events', 60)
    assert [json.loads(line)['message'] for line in receiver.lines()] == expected
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_a_sink_that_is_behind_gets_the_same_events(world, receiver):
    receiver.status = 503
    world.config(transforms={'m': JOIN},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['m']},
                        'late': {'type': 'http', 'uri': receiver.uri, 'encoding': 'json', 'batch': {'max_bytes': '16KiB'},
                                 'inputs': ['m'], 'buffer': {'type': 'memory', 'max_bytes': '32KiB'}}})
    expected = [event(n, n % 7) for n in range(3000)]
    world.write('a.log', text_of(expected[:1000]))
    agent = world.start()
    for n in range(1000, 3000, 50):
        world.append('a.log', text_of(expected[n:n + 50])[:-7])
        time.sleep(0.01)
        world.append('a.log', text_of(expected[n:n + 50])[-7:])
    until(lambda: len(messages(world)) == len(expected) - 1, 'the live sink has all', 60)
    receiver.status = 200
    until(lambda: len(receiver.lines()) >= len(expected) - 1, 'the other one, too', 60)
    world.append('a.log', b'2026-x\n')
    until(lambda: len(receiver.lines()) >= len(expected) <= len(messages(world)), 'the last event', 60)
    assert messages(world) == expected
    assert [json.loads(line)['message'] for line in receiver.lines()] == expected
    assert agent.stop() == 0


@pytest.mark.sanitizer
@pytest.mark.parametrize('change', ['other', 'same', 'rules'])
def test_a_reload_in_the_middle_of_an_event(world, change):
    """What is open stays so where the reload leaves the transform as it is, and is read again where it does not."""
    joined(world)
    world.write('a.log', text_of([event(0), event(1)]))
    agent = world.start()
    until(lambda: messages(world) == [event(0)], 'the first event')
    if change == 'other':
        world.config(transforms={'m': JOIN, 'f': {'type': 'filter', 'inputs': ['m'], 'condition': 'true'}},
                     sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['f']}})
    elif change == 'same':
        world.config(transforms={'m': JOIN}, top={'shutdown_timeout': '31s'},
                     sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['m']}})
    else:
        joined(world, timeout='59m')
    agent.reload()
    until(lambda: 'the new configuration runs' in agent.stderr(), agent.stderr)
    assert messages(world) == [event(0)]
    world.append('a.log', b'\tat the end\n' + text_of([event(2)]))
    until(lambda: len(messages(world)) >= 2, 'the event that was open', 20)
    assert messages(world) == [event(0), event(1) + '\n\tat the end']
    assert agent.stop() == 0
    world.run_to_end()
    assert messages(world) == [event(0), event(1) + '\n\tat the end', event(2)]


def test_another_sink_in_the_middle_of_an_event(world):
    """It begins where the source is; those that were there go on with what is open, and all are alike from the next event
    on."""
    joined(world)
    world.write('a.log', text_of([event(0), event(1)]))
    agent = world.start()
    until(lambda: messages(world) == [event(0)], 'the first event')
    world.config(transforms={'m': JOIN}, sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['m']},
                                               'more': {**world.file_sink('more.log', encoding='json'), 'inputs': ['m']}})
    agent.reload()
    until(lambda: 'the new configuration runs' in agent.stderr(), agent.stderr)
    world.append('a.log', b'\tat the end\n' + text_of([event(2), event(3), event(4)]))
    until(lambda: len(messages(world)) >= 4, 'all but the last')
    assert messages(world) == [event(0), event(1) + '\n\tat the end', event(2), event(3)]
    more = [json.loads(line)['message'] for line in until(lambda: world.out_lines('more.log')[2:] and world.out_lines('more.log'), 'the other sink')]
    assert more[-2:] == [event(2), event(3)]
    assert agent.stop() == 0


@pytest.mark.sanitizer
@pytest.mark.parametrize('how', ['rename', 'copytruncate', 'gzip', 'delete'])
def test_rotation_ends_no_event_too_soon_and_loses_none(world, how):
    joined(world, timeout='700ms')
    path = world.write('a.log', text_of([event(0), event(1)]))
    agent = world.start()
    until(lambda: messages(world)[:1] == [event(0)], 'the first event')
    if how == 'rename':
        os.rename(path, path + '.1')
        with open(path + '.1', 'ab') as file:
            file.write(b'\tat the end\n')
    elif how == 'copytruncate':
        with open(path, 'rb') as file:
            world.write('a.log.1', file.read())
        os.truncate(path, 0)
    elif how == 'gzip':
        with open(path, 'rb') as file, gzip.open(path + '.1.gz', 'wb') as out:
            out.write(file.read())
        os.remove(path)
    else:
        os.remove(path)
    world.append('a.log', text_of([event(2)]))
    end = '\n\tat the end' if how == 'rename' else ''
    until(lambda: len(messages(world)) >= 3, lambda: messages(world), 30)
    assert sorted(messages(world)) == sorted([event(0), event(1) + end, event(2)])
    agent.expect_balance()
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_an_archive_is_joined_to_its_end(world):
    world.config(include=[world.log('*.gz')], transforms={'m': {**JOIN, 'timeout': '300ms'}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['m']}})
    world.write('a.log.gz', gzip.compress(text_of([event(n) for n in range(1000)])))
    agent = world.start()
    until(lambda: len(messages(world)) >= 1000, lambda: len(messages(world)))
    assert messages(world) == [event(n) for n in range(1000)]
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_a_file_that_is_deleted_before_the_event_is_over_is_not_lost_by_a_stop(world):
    joined(world)
    path = world.write('a.log', text_of([event(0), event(1)]))
    agent = world.start()
    until(lambda: messages(world) == [event(0)], 'the first event')
    os.remove(path)
    time.sleep(0.5 * SLOW)
    assert agent.stop() == 0
    assert messages(world) == [event(0), event(1)]


@pytest.mark.sanitizer
def test_streams_of_a_container_are_joined_by_themselves(world):
    """stdout and stderr are written in turns: each has its own transform."""
    join = {'type': 'multiline', 'preset': 'java', 'timeout': '1h'}
    world.config(transforms={'c': {'type': 'parse_cri', 'inputs': ['app']},
                             's': {'type': 'route', 'inputs': ['c'], 'routes': {'out': "stream == 'stdout'", 'err': "stream == 'stderr'"}},
                             'o': {**join, 'inputs': ['s.out']}, 'e': {**join, 'inputs': ['s.err']}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['o', 'e']}})
    chance, streams, lines = random.Random(3), {}, []
    for stream in ('stdout', 'stderr'):
        streams[stream] = sample('java') * 40
    rest = {stream: '\n'.join(events).split('\n') for stream, events in streams.items()}
    while any(rest.values()):
        stream = chance.choice([one for one in rest if rest[one]])
        lines.append(f'{CRI} {stream} F {rest[stream].pop(0)}')
    text = text_of(lines)
    world.write('a.log', b'')
    for i in range(8):
        append_over_a_kill(world, text[len(text) * i // 8:len(text) * (i + 1) // 8], chance)
    world.run_to_end()
    got = [json.loads(line) for line in world.out_lines()]
    for stream, events in streams.items():
        of_stream = [one['message'] for one in got if one['stream'] == stream]
        assert not set(events) - set(of_stream), 'each is there, as a whole'
        assert len(of_stream) < len(events) + 60, 'what comes again after a kill is what was open'


@pytest.mark.sanitizer
def test_a_disk_buffer_and_events_over_kill_9(world):
    joined(world, sink=world.file_sink(encoding='json', buffer={'type': 'disk', 'max_bytes': '64MiB'}))
    chance, expected = random.Random(11), []
    world.write('a.log', b'')
    for n in range(40):
        expected.append(event(n, n % 5))
        append_over_a_kill(world, text_of(expected[-1:]), chance)
    world.run_to_end()
    assert messages(world) == expected


def test_what_is_open_is_bounded(world):
    """Of many files with events that have no end, most are cut before they take the agent's memory."""
    world.config(top={'memory_limit': '64MiB'}, transforms={'m': {**JOIN, 'max_bytes': '8MiB'}},
                 sinks={'out': {**world.file_sink(encoding='raw'), 'inputs': ['m']}})
    line = b'\tat ' + b'x' * 995 + b'\n'
    for n in range(40):
        world.write(f'{n}.log', b'2026-01-02 begin\n' + line * 1500)
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_source_lag_bytes') == 0, 'all is read', 60)
    assert agent.rss_bytes() < 160 << 20
    assert agent.stop() == 0
    world.run_to_end()
    assert sorted(world.out_lines()) == sorted([b'2026-01-02 begin'] * 40 + [line[:-1]] * 60_000)


def test_what_is_wrong_with_it(world):
    def said(**rules):
        base = {'type': 'multiline', 'inputs': ['app']}
        world.config(transforms={'m': {**base, **rules}}, sinks={'out': {**world.file_sink(), 'inputs': ['m']}})
        done = world.call('validate', world.path('logflume.yaml'))
        assert done.returncode == 78, done
        return done.stderr + done.stdout
    assert 'it needs a pattern or a preset' in said()
    assert 'exclude each other' in said(preset='java', start_pattern='a')
    assert 'missing terminating ]' in said(start_pattern='[a')
    assert 'unknown' in said(preset='java', feild='a') or 'feild' in said(preset='java', feild='a')
