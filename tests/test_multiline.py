"""Multi-line events: what belongs together comes as one event, whole, through growth, rotation and a kill."""
import json
import os
import pathlib
import random
import re
import time

import pytest

from harness import SLOW, numbered, until

MULTILINE = {'start_pattern': r'^\d{4}-', 'timeout': '1s'}
START = re.compile(rb'^\d{4}-', re.MULTILINE)
TRACES = pathlib.Path(__file__).resolve().parent / 'traces'
PRESETS = sorted(path.stem for path in TRACES.glob('*.txt'))


def json_sink(world):
    return {'out': world.file_sink(encoding='json')}


def messages(world):
    return [json.loads(line)['message'] for line in world.out_lines()]


def split(text):
    """The events of a text, without their last newline."""
    starts = [m.start() for m in START.finditer(text)]
    ends = starts[1:] + [len(text)]
    begin = [0] if starts and starts[0] > 0 else []
    starts = begin + starts
    ends = ([starts[1]] if begin else []) + ends
    return [text[a:b].removesuffix(b'\n').decode() for a, b in zip(starts, ends)]


def sample(preset):
    """The events of a preset's log."""
    return (TRACES / f'{preset}.txt').read_bytes().decode().removesuffix('\n').split('\n===\n')


@pytest.mark.sanitizer
@pytest.mark.parametrize('rules', [{'start_pattern': r'^\d{4}-'}, {'preset': 'java'}], ids=['start_pattern', 'preset'])
def test_stack_traces_are_one_event_each_in_json_and_keep_their_newlines_in_raw(world, mode, rules):
    world.generate('--format', 'java', '--lines', 20_000, '--out', world.log())
    text = open(world.log(), 'rb').read()
    assert len(split(text)) < text.count(b'\n'), 'there are stack traces'
    world.config(sinks={'out': world.file_sink(encoding='json'), 'raw': world.file_sink('raw.log')},
                 read_mode=mode, multiline=rules)
    world.run_to_end()
    assert messages(world) == split(text)
    assert world.out('raw.log') == text


def append_over_a_kill(world, text, chance):
    """Most times just appends; else the agent is killed when it has read the text to a random byte, and the rest is written
    before or behind that."""
    if chance.randrange(3) > 0:
        world.append('a.log', text)
        return
    cut = chance.randrange(len(text))
    agent = world.start()
    world.append('a.log', text[:cut])
    until(lambda: any(world.log() in name for name in agent.open_files()), 'it is read')
    time.sleep(0.05)
    if chance.randrange(2) == 0:
        world.append('a.log', text[cut:])
        agent.kill()
    else:
        agent.kill()
        world.append('a.log', text[cut:])


def expect_traces_over_kill_9(world, preset):
    """Method: the agent is killed when it has read a trace to a random byte, and the rest is written while none runs or
    to the next one."""
    expected, chance = [], random.Random(PRESETS.index(preset))
    world.write('a.log', b'')
    for round_ in range(3):
        for event in sample(preset):
            expected.append(event)
            append_over_a_kill(world, (event + '\n').encode(), chance)
    world.run_to_end()
    assert messages(world) == expected


@pytest.mark.parametrize('preset', PRESETS)
def test_each_trace_of_a_preset_comes_whole_over_kill_9_in_the_middle_of_it(world, preset):
    world.config(sinks=json_sink(world), multiline={'preset': preset, 'timeout': '1h'})
    expect_traces_over_kill_9(world, preset)


@pytest.mark.parametrize('preset', PRESETS)
def test_sinks_at_different_places_get_the_same_traces(world, receiver, preset):
    """Method: one sink has all while the other, with a small buffer, gets nothing; then that one reads again."""
    receiver.status = 503
    world.config(sinks={'out': world.file_sink(encoding='json'),
                        'late': {'type': 'http', 'uri': receiver.uri, 'encoding': 'json', 'batch': {'max_bytes': '16KiB'},
                                 'buffer': {'type': 'memory', 'max_bytes': '32KiB'}}},
                 multiline={'preset': preset, 'timeout': '1h'})
    # Each log is begun and ended by lines of which it is clear that they are events.
    expected = [*['begin', *sample(preset), 'end'] * 300, 'last']
    world.write('a.log', ('\n'.join(expected) + '\n').encode())
    agent = world.start()
    until(lambda: len(world.out_lines()) >= len(expected) - 1, 'the live sink has all')
    receiver.status = 200
    until(lambda: len(receiver.lines()) >= len(expected) - 1, 'the other one, too', 60)
    os.remove(world.log())  # ends the last event
    until(lambda: len(receiver.lines()) >= len(expected) <= len(world.out_lines()), 'the last event', 60)
    assert messages(world) == expected
    assert [json.loads(line)['message'] for line in receiver.lines()] == expected
    assert agent.stop() == 0


TIME = '2026-01-02T03:04:05.678Z'
CONTAINERS = {  # a part of a line, or the last of it, in the log of a container
    'cri': ('parse_cri', lambda part, last: f'{TIME} stdout {"F" if last else "P"} {part}\n'),
    'docker': ('parse_docker_json', lambda part, last: json.dumps(
        {'log': part + '\n' * last, 'stream': 'stdout', 'time': TIME}, separators=(',', ':')) + '\n'),
}


def containers_config(world, container, **rules):
    world.config(sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['lines']}},
                 transforms={'lines': {'type': CONTAINERS[container][0], 'inputs': ['app']}},
                 multiline={**rules, 'timeout': '1h'})


def expect_whole(world, expected):
    events = [json.loads(line) for line in world.out_lines()]
    assert [event['message'] for event in events] == expected
    assert {event['stream'] for event in events} == {'stdout'} and not any(event['partial'] for event in events)


@pytest.mark.sanitizer
@pytest.mark.parametrize('container', CONTAINERS)
def test_traces_in_a_containers_log_are_one_message_each_over_kill_9(world, container):
    """Method: each line of the traces stands in lines of a container's log, some of them in parts; the agent is killed
    when it has read an event to a random byte."""
    containers_config(world, container, preset='java', inside=container)
    wrap = CONTAINERS[container][1]
    chance, expected = random.Random(5), []

    def wrapped(line):
        # What a line is shows in its first part, which runtimes make 8 KiB at least.
        cuts = sorted(chance.randrange(40, len(line)) for _ in range(chance.choice([0, 1, 3])) if len(line) > 40)
        parts = [line[a:b] for a, b in zip([0, *cuts], [*cuts, len(line)])]
        return ''.join(wrap(part, at == len(parts) - 1) for at, part in enumerate(parts))

    world.write('a.log', b'')
    for event in sample('java'):
        expected.append(event)
        append_over_a_kill(world, ''.join(map(wrapped, event.split('\n'))).encode(), chance)
    world.run_to_end()
    expect_whole(world, expected)


@pytest.mark.sanitizer
@pytest.mark.parametrize('container', CONTAINERS)
def test_long_lines_of_a_container_come_whole_over_kill_9(world, container):
    """Method: lines of up to 300 KB in parts of 16 KiB, full of what JSON escapes; the agent is killed when it has read one
    to a random byte, or in the middle of all."""
    containers_config(world, container, preset=container)
    wrap, part_bytes = CONTAINERS[container][1], 16384
    chance, expected = random.Random(7), []
    world.write('a.log', b'')
    for n in range(40):
        size = chance.choice([10, 500, part_bytes, 40_000, 300_000])
        line = f'{n} ' + ''.join(chance.choices('ab "\\\t\x01<\u00e9\U0001f600', k=chance.randrange(size)))
        parts = [line[at:at + part_bytes] for at in range(0, len(line), part_bytes)]
        expected.append(line)
        append_over_a_kill(world, ''.join(wrap(part, at == len(parts) - 1) for at, part in enumerate(parts)).encode(), chance)
    world.run_to_end()
    expect_whole(world, expected)


@pytest.mark.sanitizer
def test_patterns_for_the_start_the_continuation_and_the_end(world):
    text = 'x\nBEGIN 1\n a\nEND\n y\nBEGIN 2 END\nz END\nBEGIN 3\n'
    for name, rules, expected in (
            ('both', {'start_pattern': '^BEGIN', 'end_pattern': 'END$'},
             ['x', 'BEGIN 1\n a\nEND', ' y', 'BEGIN 2 END', 'z END', 'BEGIN 3']),
            ('further', {'start_pattern': '^BEGIN', 'continue_pattern': r'^\s'},
             ['x', 'BEGIN 1\n a', 'END', ' y', 'BEGIN 2 END', 'z END', 'BEGIN 3']),
            ('continue', {'continue_pattern': r'^\s', 'end_pattern': 'END$'},
             ['x', 'BEGIN 1\n a', 'END', ' y', 'BEGIN 2 END', 'z END', 'BEGIN 3']),
            ('end', {'end_pattern': 'END$'},
             ['x\nBEGIN 1\n a\nEND', ' y\nBEGIN 2 END', 'z END', 'BEGIN 3'])):
        world.write(f'{name}.log', text.encode())
        world.config(include=[world.log(f'{name}.log')], multiline=rules,
                     sinks={name: world.file_sink(f'{name}.out', encoding='json')})
        world.run_to_end()
        assert [json.loads(line)['message'] for line in world.out_lines(f'{name}.out')] == expected, name


def test_an_event_with_an_end_is_not_waited_for(world):
    world.config(sinks=json_sink(world), multiline={'end_pattern': ';$', 'timeout': '1h'})
    world.write('a.log', b'')
    world.start()
    world.append('a.log', b'one\n two;\nthree\n')
    until(lambda: world.out_lines(), 'the first event')
    assert messages(world) == ['one\n two;']
    world.append('a.log', b' four;\n')
    until(lambda: len(world.out_lines()) == 2, 'the second')
    assert messages(world)[1] == 'three\n four;'


@pytest.mark.sanitizer
def test_what_exceeds_a_limit_is_the_next_event_and_counted(world, mode):
    event = b'2026-01-02 long\n' + b'  %s\n' % (b'x' * 60) * 9000  # longer than two reads
    text = b'2026-01-02 short\n more\n' + event + b'2026-01-02 after\n'
    world.config(sinks={'out': world.file_sink(), 'json': world.file_sink('json.log', encoding='json')}, read_mode=mode,
                 multiline={**MULTILINE, 'max_lines': 5000, 'max_bytes': '200kB'})
    world.write('a.log', text)
    agent = world.start()
    world.expect_out(text)
    until(lambda: len(world.out_lines('json.log')) == 5, 'five events')
    events = [json.loads(line)['message'] for line in world.out_lines('json.log')]
    assert '\n'.join(events) + '\n' == text.decode()
    assert max(map(len, events)) <= 200_000
    metrics = agent.metrics()
    assert metrics.get('logflume_cut_events_total', component='app', reason='max_bytes') == 2
    assert metrics.get('logflume_cut_events_total', component='app') == 2
    assert metrics.get('logflume_truncated_events_total', component='app') == 0
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_an_event_comes_whole_however_it_is_written(world, mode):
    """Method: pieces of random size, cut anywhere, with pauses shorter than the timeout."""
    world.config(sinks=json_sink(world), read_mode=mode, multiline={**MULTILINE, 'timeout': f'{2 * SLOW:g}s'})
    world.write('a.log', b'')
    agent = world.start()
    chance = random.Random(5)
    text = b''.join(b'2026-01-02 event %d\n' % n + b'\tat frame %d\n' % n * chance.randrange(5) for n in range(300))
    at = 0
    while at < len(text):
        size = chance.randrange(1, 2000)
        world.append('a.log', text[at:at + size])
        at += size
        time.sleep(chance.random() * 0.05)
    until(lambda: len(world.out_lines()) >= 300, lambda: f'{len(world.out_lines())} of 300 events')
    assert messages(world) == split(text)
    assert agent.metrics().get('logflume_component_received_events_total', component='app') == 300
    assert agent.metrics().get('logflume_component_received_bytes_total', component='app') == len(text)
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_an_open_event_is_over_after_the_timeout_and_not_before_it_was_quiet(world):
    world.config(sinks=json_sink(world), multiline=MULTILINE)
    world.write('a.log', b'2026-01-02 first\n  more\n')
    world.start()
    for _ in range(4):  # longer than the timeout, but never quiet for so long
        time.sleep(0.5)
        world.append('a.log', b'  and more\n')
        assert world.out() == b''
    until(lambda: world.out_lines(), 'the event is over')
    assert messages(world) == ['2026-01-02 first\n  more' + 4 * '\n  and more']
    world.append('a.log', b'  late\n2026-01-02 second\n')
    until(lambda: len(world.out_lines()) == 3, 'the rest')
    assert messages(world)[1:] == ['  late', '2026-01-02 second']


def test_sigterm_leaves_an_open_event_and_the_next_start_has_it_whole(world):
    world.config(sinks=json_sink(world), multiline={**MULTILINE, 'timeout': '1h'})
    world.write('a.log', b'2026-01-02 one\n2026-01-02 two\n  half')
    agent = world.start()
    until(lambda: world.out_lines(), 'the first event')
    assert agent.stop() == 0
    world.append('a.log', b' and whole\n2026-01-02 three\n')
    world.start()
    until(lambda: len(world.out_lines()) == 2, 'the second event')
    assert messages(world) == ['2026-01-02 one', '2026-01-02 two\n  half and whole']


def test_kill_9_in_the_middle_of_an_event(world, mode):
    """An event that was half read comes out whole, once."""
    world.config(sinks=json_sink(world), read_mode=mode, multiline={**MULTILINE, 'timeout': '1h'})
    expected = []
    chance = random.Random(9)
    for round_ in range(6):
        agent = world.start()
        for n in range(40):
            event = f'2026-01-02 event {round_}.{n}' + '\n\tat frame' * chance.randrange(6)
            text = event + '\n'
            cut = chance.randrange(len(text))
            world.append('a.log', text[:cut])
            time.sleep(0.002)
            world.append('a.log', text[cut:])
            expected.append(event)
        agent.kill()
    world.run_to_end()
    assert messages(world) == expected


def test_the_whole_event_is_capped(world, mode):
    long = b'2026-01-02 long\n' + b'  %s\n' % (b'x' * 60) * 9000  # longer than two reads
    world.config(sinks={'out': world.file_sink()}, read_mode=mode, max_line_bytes=1000, multiline=MULTILINE)
    world.write('a.log', b'2026-01-02 short\n' + long + b'2026-01-02 after\n more\n')
    agent = world.start()
    world.expect_out(b'2026-01-02 short\n' + long[:1000] + b'\n2026-01-02 after\n more\n')
    assert agent.metrics().get('logflume_truncated_events_total', component='app') == 1
    assert agent.stop() == 0


@pytest.mark.parametrize('rotation', ['rename', 'copytruncate'])
@pytest.mark.parametrize('rules', [{'start_pattern': r'^\d{4}-'}, {'preset': 'java'}], ids=['start_pattern', 'preset'])
def test_rotation_neither_splits_nor_repeats_what_stands_before_it(world, rotation, rules):
    world.config(include=[world.log('*')], multiline={**rules, 'timeout': '300ms'})
    world.start()
    streams = world.generate('--format', 'java', '--out', world.log(), '--lines', 30_000, '--rate', '15000/s',
                             '--rotate', rotation, '--rotate-every', 8000)
    world.expect_complete(streams, reordering=True)


def test_an_event_in_a_file_that_is_deleted_or_moved_away(world):
    world.config(sinks=json_sink(world), multiline={**MULTILINE, 'timeout': '1h'})
    world.write('a.log', b'2026-01-02 one\n  more')
    world.start()
    until(lambda: any(world.log() in name for name in world.agents[0].open_files()), 'it is read')
    os.remove(world.log())
    until(lambda: world.out_lines(), 'the end of a deleted file ends its event')
    assert messages(world) == ['2026-01-02 one\n  more']


def test_a_sink_that_was_away_gets_the_same_events(world, receiver):
    receiver.status = 503
    world.config(sinks={'out': world.file_sink(encoding='json'),
                        'late': {'type': 'http', 'uri': receiver.uri, 'encoding': 'json',
                                 'batch': {'max_bytes': '64KiB'}, 'buffer': {'type': 'memory', 'max_bytes': '256KiB'}}},
                 multiline=MULTILINE)
    world.generate('--format', 'java', '--lines', 20_000, '--out', world.log())
    text = open(world.log(), 'rb').read()
    world.start()
    until(lambda: len(world.out_lines()) == len(split(text)), 'the live sink has all')
    receiver.status = 200
    until(lambda: len(receiver.lines()) >= len(split(text)), 'the other one, too', 60)
    assert [json.loads(line)['message'] for line in receiver.lines()] == messages(world) == split(text)


def test_a_hostile_line_does_not_hold_the_reader(world):
    world.config(sinks=json_sink(world), multiline={'start_pattern': '^(a+)+$'})
    world.write('a.log', b'first\n' + b'a' * 10_000 + b'b\n' + b'aaaa\n' + numbered(1, 1000))
    done = world.run_to_end()
    assert len(messages(world)) == 2 and 'start_pattern' in done.stderr
