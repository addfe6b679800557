"""Events that are made of others: each event counts in one of them, whenever windows end, sinks are behind, the agent stops
or its configuration changes."""
import json
import time

import pytest

from harness import until
from test_idle import wake_ups
from test_transforms import JSON, events, without_base

TIMED = {**JSON, 'timestamp_field': 't'}


def aggregate(window='1h', **more):
    return {'type': 'aggregate', 'inputs': ['p'], 'window': window, 'fields': {'n': 'count', 'sum': 'sum(v)'}, **more}


def lines(first, count, keys=3):
    return b''.join(b'{"k":"k%d","v":%d,"t":"2026-01-02T03:%02d:00Z"}\n' % (n % keys, n, n // 100 % 60)
                    for n in range(first, first + count))


def total(made, field='n'):
    return sum(event[field] for event in made)


def of_json(world, text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.sanitizer
def test_every_encoding_has_what_was_made(world):
    """A run to the end makes events of what is there. The line of a made event is its JSON."""
    world.write('a.log', lines(0, 1000))
    world.config(transforms={'p': TIMED, 'a': aggregate('10m', by=['k'], time='event'),
                             's': {'type': 'set', 'inputs': ['a'], 'fields': {'twice': 'n * 2'}}},
                 sinks={encoding: {**world.file_sink(f'{encoding}.log', encoding=encoding), 'inputs': ['s']}
                        for encoding in ('json', 'raw', 'logfmt', 'msgpack', 'line')} | {
                     'csv': {**world.file_sink('csv.log', encoding='csv', csv_columns=['timestamp', 'k', 'n', 'twice']),
                             'inputs': ['s']}})
    world.run_to_end()
    expected = [{'timestamp': '2026-01-02T03:00:00Z', 'k': f'k{k}', 'n': len(range(k, 1000, 3)), 'sum': sum(range(k, 1000, 3))}
                for k in range(3)]
    assert of_json(world, world.out('raw.log')) == expected
    made = events(world, 'json.log')
    assert [{**without_base(event), 'timestamp': '2026-01-02T03:00:00Z'} for event in made] == [
        {**event, 'twice': event['n'] * 2} for event in expected]
    for event in made:
        assert event['timestamp'] == '2026-01-02T03:00:00.000000000Z' and event['source'] == 'app' and event['host']
        assert 'file' not in event and 'message' not in event
    assert world.out('logfmt.log').count(b'twice=') == 3
    assert len(world.out_lines('csv.log')) == 3
    assert world.out('msgpack.log').count(b'twice') == 3


@pytest.mark.sanitizer
def test_windows_end_while_nothing_is_read(world):
    """Method: bursts of lines with pauses longer than a window; the books balance all the time."""
    world.config(transforms={'p': JSON, 'a': aggregate('500ms', by=['k'])},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['a']}})
    world.write('a.log', b'')
    agent = world.start()
    for burst in range(4):
        world.append('a.log', lines(burst * 500, 500))
        until(lambda count=burst * 500 + 500: total(events(world)) == count, lambda: f'{total(events(world))} counted')
    assert total(events(world), 'sum') == sum(range(2000))
    for event in events(world):
        assert event['timestamp'][20:29] in ('000000000', '500000000'), 'the begin of the window'
    count = lambda what, **labels: agent.metrics().get(f'logflume_component_{what}_events_total', component='a', **labels)
    assert count('received') == 2000 == count('discarded', reason='a')
    assert count('created') == count('sent') == len(events(world))
    assert agent.stop() == 0
    assert total(events(world)) == 2000


@pytest.mark.sanitizer
def test_a_stop_makes_events_of_what_is_there(world):
    world.config(transforms={'p': JSON, 'a': aggregate(by=['k'])},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['a']},
                        'both': {**world.file_sink('both.log', encoding='raw'), 'inputs': ['a', 'p']}})
    world.write('a.log', lines(0, 300))
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_component_received_events_total', component='a') == 300, 'counted')
    assert agent.stop() == 0
    assert [event['n'] for event in events(world)] == [100] * 3
    assert world.out('both.log').startswith(lines(0, 300)) and len(world.out_lines('both.log')) == 303
    world.append('a.log', lines(300, 30))
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_component_received_events_total', component='a') == 30, 'counted')
    assert agent.stop() == 0
    assert total(events(world)) == 330, 'what was counted before is not counted again'


@pytest.mark.sanitizer
def test_a_reload_that_leaves_it_alone_leaves_its_windows_open(world):
    def configure(level='info', by='k', more=False):
        sinks = {'out': {**world.file_sink(encoding='json'), 'inputs': ['a']}}
        if more:
            sinks['second'] = {**world.file_sink('second.log', encoding='json'), 'inputs': ['a']}
        world.config(transforms={'p': JSON, 'a': aggregate(by=[by])}, sinks=sinks, top={'log': {'level': level}})
    received = lambda: agent.metrics().get('logflume_component_received_events_total', component='a')

    def feed(first):
        world.append('a.log', lines(first, 90))
        until(lambda: received() == first + 90, lambda: f'{received()} counted')
    configure()
    world.write('a.log', b'')
    agent = world.start()
    feed(0)
    configure('warn')
    agent.reload()
    time.sleep(0.5)
    feed(90)
    assert world.out() == b''
    configure('warn', more=True)  # another sink gets what it reads
    agent.reload()
    time.sleep(0.5)
    feed(180)
    assert world.out() == b''
    configure('warn', by='v', more=True)
    agent.reload()
    until(lambda: len(events(world)) == 3 == len(events(world, 'second.log')), lambda: world.out().decode())
    assert [event['n'] for event in events(world)] == [90] * 3
    assert [event['n'] for event in events(world, 'second.log')] == [30] * 3
    feed(270)
    configure('warn', by='v')  # the second sink goes, with what was counted for it
    agent.reload()
    until(lambda: len(events(world, 'second.log')) == 3 + 90, lambda: world.out('second.log').decode())
    assert len(events(world)) == 3
    assert agent.stop() == 0
    assert len(events(world)) == 3 + 90 and total(events(world)) == 360


@pytest.mark.sanitizer
def test_a_sink_that_is_behind_gets_what_it_reads(world, receiver):
    """Method: one sink hangs, with a buffer for a fraction of what comes, and later reads again; by the time of the events
    both get the same sums."""
    receiver.status = 503
    count = 20_000
    world.config(transforms={'p': TIMED, 'a': aggregate('1m', by=['k'], time='event', grace='300ms')},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['a']},
                        'http': {'type': 'http', 'uri': receiver.uri, 'inputs': ['p', 'a'], 'encoding': 'raw',
                                 'batch': {'max_bytes': '16KiB'}, 'buffer': {'max_bytes': '64KiB'},
                                 'retry': {'initial': '10ms', 'max': '100ms'}}})
    world.write('a.log', b'')
    agent = world.start()
    for begin in range(0, count, 4000):
        world.append('a.log', lines(begin, 4000))
        time.sleep(0.1)
    until(lambda: total(events(world)) == count, lambda: f'{total(events(world))} counted')
    assert total(events(world), 'sum') == sum(range(count))
    receiver.status = 200

    def made():
        return [event for event in of_json(world, b'\n'.join(receiver.lines())) if 'n' in event]
    until(lambda: total(made()) >= count, lambda: f'{total(made())} counted', 60)
    assert total(made()) == count and total(made(), 'sum') == sum(range(count))
    metrics = agent.metrics()
    assert metrics.get('logflume_component_received_events_total', component='a') == count
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_what_was_made_waits_in_a_disk_buffer(world, receiver):
    """Method: it is made while the receiver refuses everything, and the agent is killed."""
    receiver.status = 503
    world.config(transforms={'p': JSON, 'a': aggregate('200ms', by=['k'])},
                 sinks={'http': {'type': 'http', 'uri': receiver.uri, 'inputs': ['a'],
                                 'buffer': {'type': 'disk', 'max_bytes': '64MiB'}, 'retry': {'max': '100ms'}}})
    world.write('a.log', lines(0, 3000))
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_component_sent_events_total', component='a') >= 3, 'made')
    until(lambda: agent.metrics().get('logflume_buffer_events', component='http') >= 3, 'buffered')
    time.sleep(1.2)  # until it is durable, and known to be
    agent.kill()
    shown = world.call('buffer', 'cat', '--data-dir', world.path('data'), 'http')
    assert shown.returncode == 0 and shown.stdout.count('"timestamp') + shown.stdout.count('\\"timestamp') >= 3, shown.stdout
    receiver.status = 200
    agent = world.start()
    until(lambda: total(of_json(world, b'\n'.join(receiver.lines()))) == 3000, lambda: f'{receiver.lines()}')
    made = of_json(world, b'\n'.join(receiver.lines()))
    assert all(set(without_base(event)) == {'k', 'n', 'sum'} and 'file' not in event for event in made)
    assert agent.stop() == 0
    assert world.call('audit', '--data-dir', world.path('data')).returncode == 0


@pytest.mark.sanitizer
def test_the_audit_of_a_file_is_right_when_made_events_are_refused(world, receiver):
    receiver.status = 400
    world.config(transforms={'p': JSON, 'a': aggregate('200ms', by=['k'])},
                 sinks={'http': {'type': 'http', 'uri': receiver.uri, 'inputs': ['a', 'p']}})
    world.write('a.log', lines(0, 300))
    agent = world.start()
    refused = lambda: agent.metrics().get('logflume_component_discarded_events_total', component='http')
    until(lambda: refused() >= 303, lambda: f'{refused()} refused')
    assert agent.stop() == 0
    done = world.call('audit', '--data-dir', world.path('data'), '--json')
    assert done.returncode == 0, done.stdout


def test_an_open_window_wakes_nobody(world):
    world.config(transforms={'p': JSON, 'a': aggregate()}, rescan_interval='5s',
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['a']}})
    world.write('a.log', lines(0, 10))
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_component_received_events_total', component='a') == 10, 'counted')
    until(lambda: sum(wake_ups(agent, 2).values()) <= 2, lambda: f'idle: {wake_ups(agent, 2)}', 40)
    assert sum(wake_ups(agent, 5).values()) <= 5
    assert agent.stop() == 0


def test_what_was_made_is_shown_and_tested(world):
    transforms = {'p': TIMED, 'a': aggregate('1m', by=['k'], time='event'),
                  'f': {'type': 'filter', 'inputs': ['a'], 'condition': 'n > 1'}}
    config = world.config(transforms=transforms, sinks={'out': {'type': 'blackhole', 'inputs': ['f']}}, top={'tests': {
        'by key': {'insert_at': 'app', 'input': ['{"k":"a","v":1,"t":"2026-01-02T03:04:05Z"}'] * 2 + ['{"k":"b"}'],
                   'outputs': {
                       'f': {'count': 1, 'conditions': ['timestamp.getMinutes() == 4'],
                             'events': ['{"timestamp":"2026-01-02T03:04:00.000000000Z","k":"a","n":2,"sum":2}']},
                       'a': {'count': 2}}}}})
    done = world.call('test', config)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = world.call('try', '-c', config, input='{"k":"a","v":1}\n{"k":"a","v":2}\n').stdout
    assert 'a (aggregate): 2 events in' in shown and '-> a: 1 events' in shown and '-> f: 1 events' in shown, shown
    graph = world.call('graph', config).stdout
    assert 'reads k, timestamp, v' in graph and 'writes timestamp, k, n, sum' in graph, graph
    world.config(transforms={**transforms, 'f': {**transforms['f'], 'condition': 'v > 1'}},
                 sinks={'out': {'type': 'blackhole', 'inputs': ['f']}})
    done = world.call('validate', world.path('logflume.yaml'))
    assert done.returncode == 78 and 'there is no field "v"' in done.stdout + done.stderr


@pytest.mark.sanitizer
def test_a_metric_is_told_by_events_too(world):
    world.config(transforms={'p': JSON, 'm': {'type': 'log_to_metric', 'inputs': ['p'], 'name': 'values', 'value': 'v',
                                              'labels': {'key': 'k'}, 'interval': '300ms'}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['m']},
                        'made': {**world.file_sink('made.log', encoding='raw'), 'inputs': ['m.events']}})
    world.write('a.log', b'')
    agent = world.start()
    for first in range(0, 900, 300):
        world.append('a.log', lines(first, 300))
        time.sleep(0.4)
    until(lambda: total(of_json(world, world.out('made.log')), 'value') == sum(range(900)), lambda: world.out('made.log').decode())
    assert len(world.out_lines()) == 900
    made = of_json(world, world.out('made.log'))
    assert all(list(event) == ['timestamp', 'metric', 'labels', 'value'] for event in made), made
    for key in ('k0', 'k1', 'k2'):
        assert sum(event['value'] for event in made if event['labels'] == {'key': key}) == \
            agent.metrics().get('values', key=key) == sum(range(int(key[1]), 900, 3))
    assert agent.stop() == 0
