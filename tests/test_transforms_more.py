"""Transforms that choose, count and complete events: which ones pass, that whoever reads again gets what he should, and
that what was discarded is counted."""
import contextlib
import ipaddress
import json
import os
import platform
import re
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
    until(lambda: len(world.out_lines()) == sent, lambda: f'{len(world.out_lines())} of {sent}')
    until(lambda: set(receiver.lines()) == set(world.out_lines()), lambda: f'{len(receiver.lines())} of {sent}', 60)
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


def test_times_are_told_by_the_first_format_that_fits(world):
    lines = ['{"t":"02/Jan/2026:03:04:05"}', '{"t":"1767323045"}', '{"t":1767323045.5}', '{"t":"2026-01-02T03:04:05+01:00"}',
             '{"t":"yesterday"}', '{"t":null}', '{"n":1}', '{"t":{"a":1}}']
    formats = ['%d/%b/%Y:%H:%M:%S', 'rfc3339', 'epoch']
    told = ['2026-01-02T01:04:05.000000000Z', '2026-01-02T03:04:05.000000000Z', '2026-01-02T03:04:05.500000000Z',
            '2026-01-02T02:04:05.000000000Z']
    parse = {'type': 'parse_timestamp', 'inputs': ['p'], 'field': 't', 'format': formats, 'time_zone': '+02:00'}
    got = run(world, {'p': JSON, 't': {**parse, 'target': 'when', 'on_error': 'drop'}}, lines, 't')
    assert [event['when'] for event in got] == told
    assert all(event['timestamp'] != event['when'] for event in got)


@pytest.mark.sanitizer
def test_an_event_whose_time_cannot_be_told_keeps_that_of_its_reading(world):
    world.write('a.log', b'{"at":{"time":"2020-01-02T03:04:05Z"}}\n{"at":{"time":"x"}}\n{}\n')
    world.config(transforms={'p': JSON, 't': {'type': 'parse_timestamp', 'inputs': ['p'], 'field': 'at.time'}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['t']}})
    agent = world.start()
    until(lambda: len(world.out_lines()) == 3, lambda: world.out().decode())
    years = [event['timestamp'][:4] for event in events(world)]
    assert years[0] == '2020' and years[1] == years[2] > '2024'
    for reason in ('not_a_time', 'no_such_field'):
        assert agent.metrics().get('logflume_component_errors_total', component='t', reason=reason) == 1
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_texts_with_fields_in_them(world):
    world.write('a.log', b'{"level":"INFO","n":7,"user":{"id":1.50}}\n{"level":null,"message":"m"}\ntext\n')
    world.config(transforms={'p': JSON, 't': {'type': 'template', 'inputs': ['p'], 'fields': {
        'summary': '{{ level }}/{{n}} of {{ user.id }}!', 'plain': 'x', 'sum': '{{ n + 1 }}',
        'message': '<{{ message }}> in {{ source }}'}}},
        sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['t']}})
    agent = world.start()
    until(lambda: len(world.out_lines()) == 3, lambda: world.out().decode())
    assert [[event[name] for name in ('summary', 'plain', 'sum', 'message')] for event in events(world)] == [
        ['INFO/7 of 1.50!', 'x', '8', '<> in app'], ['/ of !', 'x', '', '<m> in app'], ['/ of !', 'x', '', '<text> in app']]
    missing = agent.metrics().get('logflume_component_errors_total', component='t', reason='no_such_field')
    assert missing == 1 + 3 + 4
    assert agent.stop() == 0


def test_what_the_machine_is(world):
    got = run(world, {'h': {'type': 'add_host', 'inputs': ['app'], 'fields': [
        'host_name', 'host_ip', 'os', 'kernel', 'architecture', 'machine_id'], 'prefix': 'my_'}}, ['a', 'b'], 'h')
    assert len(got) == 2
    for event in got:
        assert event['my_host_name'] == event['host']
        assert event['my_kernel'] == os.uname().release and event['my_architecture'] == os.uname().machine
        assert event['my_os'] == platform.freedesktop_os_release()['PRETTY_NAME']
        if 'my_host_ip' in event:
            assert not ipaddress.ip_address(event['my_host_ip']).is_loopback
        with contextlib.suppress(FileNotFoundError), open('/etc/machine-id') as file:
            assert event.get('my_machine_id', '') == file.read().strip()


def test_what_is_wrong_with_a_transform_is_said_where_it_stands(world):
    def said(**transform):
        world.config(transforms={'x': {'inputs': ['app'], **transform}}, sinks={'out': {'type': 'blackhole', 'inputs': ['x']}})
        done = world.call('validate', world.path('logflume.yaml'))
        assert done.returncode == 78, done.stdout
        return done.stdout + done.stderr
    assert 'there is no field "leve"' in said(type='template', fields={'a': 'x {{ leve }}'})
    assert '"{{" without "}}"' in said(type='template', fields={'a': 'x {{ message'})
    assert 'there is no "host_nam"' in said(type='add_host', fields=['host_nam'])
    assert 'format' in said(type='parse_timestamp', field='message', format=['%Q'])
    assert 'did you mean message?' in said(type='dedupe', fields=['mesage'])
    assert 'rate' in said(type='sample', rate=0)
    assert 'events' in said(type='throttle')
    for name in ('logflume_x', 'a b', '1a', 'process_x', ''):
        assert 'name' in said(type='log_to_metric', name=name)
    assert 'cannot be a label' in said(type='log_to_metric', name='a', labels={'__x': 'message'})
    assert 'value: is missing' in said(type='log_to_metric', name='a', kind='gauge')
    assert 'is not above' in said(type='log_to_metric', name='a', kind='histogram', value='1', buckets=[1, 1])


def samples(agent, name):
    """Of one metric: values by their labels."""
    return {labels: float(value) for labels, value in re.findall(
        rf'^{name}(?:\{{(.*)\}})? (\S+)$', agent.get('/metrics')[1], re.MULTILINE)}


@pytest.mark.sanitizer
def test_events_become_metrics_once_whoever_reads_them_again(world, receiver):
    """Method: an http sink hangs and reads again behind the parser; nobody takes what the metrics pass on; a reload that
    changes something else leaves them as they are."""
    receiver.status = 503
    count = 20_000
    metrics = {
        'requests': {'name': 'requests_total', 'labels': {'status': 'status', 'host': 'host'}},
        'took': {'name': 'request_seconds', 'kind': 'histogram', 'value': 'took', 'buckets': [0.1, 1]},
        'last': {'name': 'last_request', 'kind': 'gauge', 'value': 'n', 'condition': 'status == 200'}}

    def configure(level):
        world.config(transforms={'p': {**JSON, 'keep_original': True}, **{
            name: {'type': 'log_to_metric', 'inputs': ['p'], **metric} for name, metric in metrics.items()}},
            sinks={'http': {'type': 'http', 'uri': receiver.uri, 'inputs': ['p'], 'encoding': 'raw',
                            'batch': {'max_bytes': '16KiB'}, 'buffer': {'max_bytes': '64KiB'},
                            'retry': {'initial': '10ms', 'max': '100ms'}},
                   'out': {**world.file_sink(), 'inputs': ['p']}}, top={'log': {'level': level}})
    configure('info')
    world.write('a.log', b'')
    agent = world.start()
    assert samples(agent, 'request_seconds_count') == {'': 0}, 'it is there before the first event'
    for begin in range(0, count, 5000):
        world.append('a.log', b''.join(b'{"n":%d,"status":%d,"took":%s}\n' % (n, 200 if n % 4 else 500, b'0.5' if n % 2 else b'3')
                                       for n in range(begin, begin + 5000)))
        time.sleep(0.1)
    until(lambda: samples(agent, 'request_seconds_count') == {'': count}, lambda: samples(agent, 'request_seconds_count'))

    def expect():
        host = os.uname().nodename
        assert samples(agent, 'requests_total') == {f'host="{host}",status="200"': count * 3 / 4,
                                                    f'host="{host}",status="500"': count / 4}
        assert samples(agent, 'request_seconds_bucket') == {'le="0.1"': 0, 'le="1"': count / 2, 'le="+Inf"': count}
        assert samples(agent, 'request_seconds_sum') == {'': count / 2 * 3.5}
        assert samples(agent, 'last_request') == {'': count - 1}
    expect()
    receiver.status = 200
    until(lambda: len(set(receiver.lines())) == count, lambda: f'{len(receiver.lines())} lines', 60)
    expect()
    configure('warn')
    agent.reload()
    world.append('a.log', b'{"status":404}\n')
    until(lambda: any('404' in labels for labels in samples(agent, 'requests_total')), 'the reloaded agent counts on')
    assert sum(samples(agent, 'requests_total').values()) == count + 1
    assert agent.metrics().get('logflume_component_errors_total', component='took', reason='no_such_field') == 1
    assert agent.stop() == 0


def test_a_metric_that_would_see_no_event_is_warned_of(world):
    world.config(sources={name: {'type': 'file', 'include': [world.log(name)]} for name in ('a', 'b')},
                 transforms={'m': {'type': 'log_to_metric', 'inputs': ['b'], 'name': 'events'},
                             'n': {'type': 'log_to_metric', 'inputs': ['a'], 'name': 'others'}},
                 sinks={'out': {'type': 'blackhole', 'inputs': ['a']}})
    done = world.call('validate', world.path('logflume.yaml'))
    assert done.returncode == 0
    said = done.stdout + done.stderr
    assert 'transform "m" sees no event: no sink reads its source' in said and '"n"' not in said


def replace(path, text):
    with open(path + '.new', 'w') as file:
        file.write(text)
    os.rename(path + '.new', path)


@pytest.mark.sanitizer
def test_fields_of_a_table_that_changes_meanwhile(world):
    table = world.path('services.csv')
    replace(table, 'name,team,tier\napi,core,1\n"web, old",front,\n')
    world.config(transforms={'p': JSON, 'l': {'type': 'lookup', 'inputs': ['p'], 'table': table, 'key': 'service',
                                              'prefix': 'svc_'}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['l']}})
    world.write('a.log', b'{"service":"api"}\n{"service":"web, old","svc_tier":"own"}\n{"service":"new"}\n{"n":1}\n')
    agent = world.start()
    until(lambda: len(world.out_lines()) == 4, lambda: world.out().decode())
    assert [without_base(event) for event in events(world)] == [
        {'service': 'api', 'svc_team': 'core', 'svc_tier': '1'},
        {'service': 'web, old', 'svc_team': 'front', 'svc_tier': 'own'}, {'service': 'new'}, {'n': 1}]
    looked_up = lambda result: agent.metrics().get('logflume_lookup_events_total', component='l', result=result)
    assert (looked_up('found'), looked_up('missed')) == (2, 2)

    def expect(team):
        def seen():
            world.append('a.log', b'{"service":"new"}\n')
            time.sleep(0.1)
            return events(world)[-1].get('svc_team') == team
        until(seen, lambda: world.out_lines()[-1].decode())
    replace(table, 'name,team\nnew,newest\n')
    expect('newest')
    replace(table, 'name,team\nnew,"broken')
    errors = lambda: agent.metrics().get('logflume_component_errors_total', component='l', reason='table')

    def broken():
        world.append('a.log', b'{"service":"new"}\n')
        time.sleep(0.1)
        return errors() >= 1
    until(broken, 'the broken table is noticed')
    assert 'line 2: a quote has no end: the table that was there stays' in agent.stderr()
    expect('newest')
    os.unlink(table)
    expect('newest')
    replace(table, 'name,team\nnew,whole again\n')
    expect('whole again')
    assert agent.stop() == 0


def test_events_without_a_row_may_be_dropped(world):
    table = world.path('hosts.json')
    with open(table, 'w') as file:
        json.dump({'h1': {'rack': 7, 'tags': ['a', 'b'], 'up': True}, '2': {'rack': None}}, file)
    got = run(world, {'p': JSON, 'l': {'type': 'lookup', 'inputs': ['p'], 'table': table, 'key': 'host', 'missing': 'drop'}},
              ['{"host":"h1"}', '{"host":"h2"}', '{"host":2}', '{"host":"h1"}'], 'l')
    one = {'rack': 7, 'tags': ['a', 'b'], 'up': True}
    assert [{name: event[name] for name in event if name in one} for event in got] == [one, {'rack': None}, one]


def test_a_table_is_checked_with_the_configuration(world):
    table = world.path('t.csv')
    with open(table, 'w') as file:
        file.write('a,b\n1,2,3\n')

    def said(**more):
        world.config(transforms={'l': {'type': 'lookup', 'inputs': ['app'], 'table': table, 'key': 'message', **more}},
                     sinks={'out': {'type': 'blackhole', 'inputs': ['l']}})
        done = world.call('validate', world.path('logflume.yaml'))
        return (done.returncode, done.stdout + done.stderr)
    code, text = said()
    assert code == 78 and 'line 2: there are more values than columns (2)' in text
    replace(table, 'a,b\n1,2\n')
    assert said()[0] == 0
    code, text = said(fields=['c'])
    assert code == 78 and 'it has no column "c"' in text
    code, text = said(table=world.path('none.csv'))
    assert code == 78 and 'No such file' in text
    code, text = said(max_bytes=3)
    assert code == 78 and 'has more than 3 bytes' in text
