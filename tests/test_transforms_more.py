"""Transforms that choose, count and complete events: which ones pass, that whoever reads again gets what he should, and
that what was discarded is counted."""
import json
import time

import pytest

from harness import until
from test_transforms import JSON, events, run, without_base


def numbered_json(begin, end):
    return b''.join(b'{"n":%d,"text":"%s"}\n' % (n, b'x' * 100) for n in range(begin, end))


@pytest.mark.sanitizer
def test_a_sample_is_the_same_for_each_sink_and_after_a_kill(world, receiver):
    """Method: an http sink that hangs reads again later; a file sink's agent is killed meanwhile."""
    receiver.status = 503
    count = 20_000
    world.config(transforms={'s': {'type': 'sample', 'inputs': ['app'], 'rate': 10}},
                 sinks={'out': {**world.file_sink(), 'inputs': ['s']},
                        'http': {'type': 'http', 'uri': receiver.uri, 'inputs': ['s'], 'encoding': 'raw',
                                 'batch': {'max_bytes': '16KiB'}, 'buffer': {'max_bytes': '64KiB'},
                                 'retry': {'initial': '10ms', 'max': '100ms'}}})
    world.write('a.log', b'')
    agent = world.start()
    for begin in range(0, count, 5000):
        world.append('a.log', numbered_json(begin, begin + 5000))
        time.sleep(0.1)
    metric = agent.metrics
    until(lambda: metric().get('logflume_component_received_events_total', component='s') == count, 'all sampled')
    sent = metric().get('logflume_component_sent_events_total', component='s')
    assert 0.8 * count / 10 < sent < 1.2 * count / 10
    assert metric().get('logflume_component_discarded_events_total', component='s', reason='s') == count - sent
    until(lambda: len(world.out_lines()) == sent, lambda: f'{len(world.out_lines())} of {sent}')
    agent.kill()
    receiver.status = 200
    agent = world.start()
    until(lambda: set(receiver.lines()) == set(world.out_lines()), lambda: f'{len(receiver.lines())} of {sent}', 60)
    assert len(world.out_lines()) == sent
    assert agent.stop() == 0


def test_what_is_always_kept_passes_a_sample(world):
    lines = [json.dumps({'n': n, 'level': 'ERROR' if n % 100 == 0 else 'INFO'}) for n in range(2000)]
    got = run(world, {'p': JSON, 's': {'type': 'sample', 'inputs': ['p'], 'rate': 20, 'rate_field': 'stands_for',
                                       'always_keep': 'level == "ERROR"'}}, lines, 's')
    assert [event['n'] for event in got if event['level'] == 'ERROR'] == list(range(0, 2000, 100))
    assert all(event['stands_for'] == (1 if event['level'] == 'ERROR' else 20) for event in got)
    assert 50 < len(got) - 20 < 150


@pytest.mark.sanitizer
def test_a_flood_is_throttled_by_key_over_all_sources(world):
    """Method: two sources, three keys; by the time of the events, so that the test does not depend on its own."""
    def line(k, second):
        return b'{"k":"%s","t":"2026-01-02T03:04:%02dZ"}\n' % (k, second)
    noisy = b''.join(line(b'noisy', second) * 200 for second in range(20))
    world.write('a.log', noisy + line(b'quiet', 19))
    world.write('b.txt', line(b'quiet', 19) * 3)
    world.config(sources={name: {'type': 'file', 'include': [world.log(glob)]}
                          for name, glob in {'a': '*.log', 'b': '*.txt'}.items()},
                 transforms={'p': {**JSON, 'inputs': ['a', 'b'], 'timestamp_field': 't'},
                             't': {'type': 'throttle', 'inputs': ['p'], 'events': 10, 'key': 'k', 'time': 'event'}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['t']}})
    agent = world.start()
    get = lambda name, **labels: agent.metrics().get(f'logflume_component_{name}_events_total', component='t', **labels)
    until(lambda: get('received') == 4004, lambda: f'{get("received")} came')
    assert get('sent') == 204 and get('discarded', reason='t') == 3800
    until(lambda: len(world.out_lines()) == 204, lambda: f'{len(world.out_lines())} lines')
    seconds = [event['t'] for event in events(world) if event['k'] == 'noisy']
    assert seconds == sorted(seconds) and all(seconds.count(second) == 10 for second in set(seconds))
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_repeated_events_are_suppressed_and_counted(world):
    world.config(transforms={'p': JSON, 'd': {'type': 'dedupe', 'inputs': ['p'], 'fields': ['msg', 'at.host'],
                                              'window': '1s', 'count_field': 'same'}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['d']}})
    one = b'{"msg":"down","at":{"host":"h1"},"n":%d}\n'
    world.write('a.log', b''.join(one % n for n in range(1000)) + b'{"msg":"down","at":{"host":"h2"}}\n')
    agent = world.start()
    until(lambda: len(world.out_lines()) == 2, lambda: world.out().decode())
    deadline = time.monotonic() + 30
    while len(world.out_lines()) < 3:
        assert time.monotonic() < deadline, 'it passes when the window is over'
        world.append('a.log', one % 1000)
        time.sleep(0.1)
    first, other, second = events(world)
    assert without_base(first) == {'msg': 'down', 'at': {'host': 'h1'}, 'n': 0}
    assert without_base(other) == {'msg': 'down', 'at': {'host': 'h2'}}
    discarded = agent.metrics().get('logflume_component_discarded_events_total', component='d', reason='d')
    assert second['same'] == discarded >= 999
    assert agent.stop() == 0
