"""Transforms: what is parsed, computed, filtered and routed between a source and its sinks, and that nothing is lost
or counted wrong on the way."""
import json
import random
import time

import pytest

from harness import SLOW, numbered, until

JSON = {'type': 'parse_json', 'inputs': ['app']}


def events(world, name='out.log'):
    return [json.loads(line) for line in world.out_lines(name)]


def only(event, *names):
    return {name: event[name] for name in names if name in event}


def without_base(event):
    return {name: value for name, value in event.items() if name not in ('file', 'source', 'host', 'timestamp')}


def run(world, transforms, lines, last, **sink):
    """The events that come out of `last` (a name, or several)."""
    world.write('a.log', ''.join(line + '\n' for line in lines).encode())
    inputs = last if isinstance(last, list) else [last]
    world.config(transforms=transforms, sinks={'out': {**world.file_sink(encoding='json', **sink), 'inputs': inputs}})
    world.run_to_end()
    return events(world)


@pytest.mark.sanitizer
def test_parsed_fields_stand_at_the_top_and_win_over_what_an_event_says_of_itself(world):
    lines = ['{"level":"INFO","n":1e3,"id":12345678901234567890,"user":{"id": 7,"tags":[1, 2]},"ok":true,"no":null}',
             '{"file":"mine","timestamp":"2020-01-01T00:00:00Z","message":"inner","text":"a \\"b\\" \\u00e4\\n"}',
             'no json']
    world.write('a.log', '\n'.join(lines).encode() + b'\n')
    world.config(transforms={'p': JSON}, sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['p']},
                                               'raw': {**world.file_sink('raw.log'), 'inputs': ['p'], 'encoding': 'raw'}})
    world.run_to_end()
    first, second, third = world.out_lines()
    assert b'"n":1e3,"id":12345678901234567890,"user":{"id": 7,"tags":[1, 2]},"ok":true,"no":null' in first, \
        'numbers and nested values keep their text'
    assert json.loads(first)['file'] == world.log() and 'message' not in json.loads(first)
    assert only(json.loads(second), 'file', 'timestamp', 'message', 'text', 'source') == {
        'file': 'mine', 'timestamp': '2020-01-01T00:00:00Z', 'message': 'inner', 'text': 'a "b" \u00e4\n', 'source': 'app'}
    assert only(json.loads(third), 'message', 'file', 'level') == {'message': 'no json', 'file': world.log()}
    assert world.out('raw.log') == '\n'.join(lines).encode() + b'\n', 'raw is the line as it was'


@pytest.mark.sanitizer
def test_nginx_fields_have_the_names_of_its_variables(world):
    got = run(world, {'p': {'type': 'parse_nginx', 'inputs': ['app'], 'format': 'combined'}},
              ['1.2.3.4 - bob [10/Oct/2026:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 200 2326 "http://r/" "curl/8"'], 'p')
    assert without_base(got[0]) == {
        'remote_addr': '1.2.3.4', 'remote_user': 'bob', 'time_local': '10/Oct/2026:13:55:36 -0700',
        'request': 'GET /a?b=1 HTTP/1.1', 'method': 'GET', 'path': '/a?b=1', 'protocol': 'HTTP/1.1', 'status': 200,
        'body_bytes_sent': 2326, 'http_referer': 'http://r/', 'http_user_agent': 'curl/8'}
    assert got[0]['timestamp'].startswith('2026-10-10T20:55:36'), 'the time that was found is the event\'s'


@pytest.mark.sanitizer
@pytest.mark.parametrize('on_error', ['keep', 'drop', 'route'])
def test_what_a_parser_does_not_accept(world, on_error):
    """Keeps it, drops it or routes it; counted in each case, with a sample in the log."""
    transforms = {'p': {**JSON, 'on_error': on_error}}
    sinks = {'out': {**world.file_sink(encoding='json'), 'inputs': ['p']}}
    if on_error == 'route':
        sinks['failed'] = {**world.file_sink('failed.log'), 'inputs': ['p.failed'], 'encoding': 'raw'}
    world.write('a.log', b'{"a":1}\nbroken {\n{"a":2}\n[1]\n')
    world.config(transforms=transforms, sinks=sinks)
    agent = world.start()
    count = {'keep': 4, 'drop': 2, 'route': 2}[on_error]
    until(lambda: len(world.out_lines()) == count, lambda: world.out().decode())
    assert [without_base(event) for event in events(world)] == [
        event for event in [{'a': 1}, {'message': 'broken {'}, {'a': 2}, {'message': '[1]'}]
        if on_error == 'keep' or 'a' in event]
    if on_error == 'route':
        until(lambda: world.out('failed.log') == b'broken {\n[1]\n', lambda: world.out('failed.log').decode())
    get = agent.metrics().get
    assert get('logflume_component_errors_total', component='p') == 2
    assert get('logflume_component_discarded_events_total', component='p', reason='p') == (2 if on_error == 'drop' else 0)
    assert get('logflume_component_received_events_total', component='p') == 4
    assert 'broken {' in agent.stderr()
    assert agent.stop() == 0


def test_target_keep_original_and_the_time_of_the_event(world):
    got = run(world, {'p': {**JSON, 'target': 'app', 'keep_original': True, 'timestamp_field': 'ts',
                            'timestamp_format': '%d/%m/%Y %H:%M:%S', 'time_zone': '+02:00'},
                      'q': {'type': 'set', 'inputs': ['p'], 'fields': {'deep': 'app.level + "!"', 'gone': 'app.none'}}},
              ['{"level":"INFO","ts":"02/01/2026 03:04:05"}', '{"ts":"no time"}', 'text'], 'q')
    assert without_base(got[0]) == {'message': '{"level":"INFO","ts":"02/01/2026 03:04:05"}', 'deep': 'INFO!',
                                    'app': {'level': 'INFO', 'ts': '02/01/2026 03:04:05'}}
    assert got[0]['timestamp'] == '2026-01-02T01:04:05.000000000Z'
    assert without_base(got[1]) == {'message': '{"ts":"no time"}', 'app': {'ts': 'no time'}}
    assert without_base(got[2]) == {'message': 'text'}


def test_one_parser_behind_the_other(world):
    """The field that was parsed goes where it was accepted, and stays where it was not."""
    got = run(world, {'p': JSON, 'q': {'type': 'parse_logfmt', 'inputs': ['p'], 'field': 'log', 'types': {'n': 'int'}}},
              ['{"log":"a=1 b=\\"x y\\" n=5","k":1}', '{"log":7,"k":2}', '{"k":3}', '{"log":"","k":4,"a":"own"}'], 'q')
    assert [without_base(event) for event in got] == [
        {'k': 1, 'a': '1', 'b': 'x y', 'n': 5}, {'log': 7, 'k': 2}, {'k': 3}, {'log': '', 'k': 4, 'a': 'own'}]


def test_fields_are_computed_renamed_removed_and_kept(world):
    lines = ['{"a":1,"b":"x","c":{"d":[1,2]},"message":"m"}', '{"a":"2","b":null}']
    got = run(world, {
        'p': JSON,
        's': {'type': 'set', 'inputs': ['p'], 'fields': {
            'sum': 'int(a) + 1', 'b': 'coalesce(b, "none")', 'alias': 'a', 'list': 'c.d.map(x, x * 2)',
            'where': 'source + ":" + host', 'late': 'timestamp > timestamp("2020-01-01T00:00:00Z")'}},
        'r': {'type': 'rename', 'inputs': ['s'], 'fields': {'alias': 'same', 'file': 'path', 'a': 'b', 'b': 'a'}},
        'x': {'type': 'remove', 'inputs': ['r'], 'fields': ['where', 'timestamp', 'c']}}, lines, 'x')
    assert [only(event, 'sum', 'a', 'b', 'same', 'list', 'late', 'message') for event in got] == [
        {'sum': 2, 'a': 'x', 'b': 1, 'same': 1, 'list': [2, 4], 'late': True, 'message': 'm'},
        {'sum': 3, 'a': 'none', 'b': '2', 'same': '2', 'late': True}]
    for event in got:
        assert event['path'] == world.log() and 'file' not in event and 'timestamp' not in event and 'c' not in event
        assert 'where' not in event and 'source' in event


def test_what_is_not_kept_goes(world):
    got = run(world, {'p': JSON, 'k': {'type': 'keep', 'inputs': ['p'], 'fields': ['a', 'c']}},
              ['{"a":1,"b":"x","c":{"d":[1,2]},"message":"m"}', '{"a":"2","b":null}', 'text'], 'k')
    assert [without_base(event) for event in got] == [{'a': 1, 'c': {'d': [1, 2]}}, {'a': '2'}, {}]
    assert got[2]['file'] == world.log()


@pytest.mark.sanitizer
def test_routes_go_apart_and_together_again_in_the_order_of_the_file(world):
    """Method: two ways with different fields meet in one sink; a third output is read by nobody."""
    count = 20_000
    world.write('a.log', ''.join(f'{{"n":{n},"level":"{["a", "b", "c"][n % 3]}"}}\n' for n in range(count)).encode())
    world.config(transforms={
        'p': JSON,
        'r': {'type': 'route', 'inputs': ['p'], 'routes': {'a': 'level == "a"', 'b': 'level == "b"'}},
        'm': {'type': 'set', 'inputs': ['r.a'], 'fields': {'marked': 'true'}}},
        sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['m', 'r.b']},
               'all': {**world.file_sink('all.log'), 'inputs': ['app']}})
    agent = world.start()
    wanted = [n for n in range(count) if n % 3 != 2]
    until(lambda: len(world.out_lines()) == len(wanted), lambda: f'{len(world.out_lines())} of {len(wanted)}')
    got = events(world)
    assert [event['n'] for event in got] == wanted
    assert all(event.get('marked', False) == (event['level'] == 'a') for event in got)
    assert world.out('all.log') == open(world.log(), 'rb').read()
    get = agent.metrics().get
    assert get('logflume_component_discarded_events_total', component='r', reason='r') == count // 3
    assert get('logflume_component_sent_events_total', component='m') == len(range(0, count, 3))
    assert get('logflume_component_sent_events_total', component='out') == len(wanted)
    assert {'name': 'r', 'kind': 'transform', 'type': 'route'}.items() <= next(
        component for component in agent.health()['components'] if component['name'] == 'r').items()
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_a_sink_that_hangs_reads_again_through_the_same_transforms(world, receiver):
    """And what a transform did is counted once."""
    receiver.status = 503
    count = 30_000
    world.config(transforms={'p': JSON, 'f': {'type': 'filter', 'inputs': ['p'], 'condition': 'n % 2 == 0'}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['f']},
                        'http': {'type': 'http', 'uri': receiver.uri, 'inputs': ['f'],
                                 'encoding': 'raw', 'batch': {'max_bytes': '16KiB'},
                                 'buffer': {'max_bytes': '64KiB'},
                                 'retry': {'initial': '10ms', 'max': '100ms'}}})
    world.write('a.log', b'')
    agent = world.start()
    for begin in range(0, count, 5000):
        world.append('a.log', b''.join(b'{"n":%d,"text":"%s"}\n' % (n, b'x' * 100) for n in range(begin, begin + 5000)))
        time.sleep(0.1)
    until(lambda: len(world.out_lines()) == count // 2, lambda: f'{len(world.out_lines())} lines')
    receiver.status = 200
    until(lambda: len(receiver.lines()) >= count // 2, lambda: f'{len(receiver.lines())} lines', 60)
    assert [json.loads(line)['n'] for line in receiver.lines()] == list(range(0, count, 2))
    assert agent.metrics().get('logflume_component_received_events_total', component='f') == count
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_nothing_is_lost_or_repeated_over_kills_and_reloads(world):
    """Method: the file sink is exactly once, also behind a filter; the agent is killed, and reloaded with another
    condition that keeps the same events, while lines come."""
    chance = random.Random(3)
    conditions = ['n % 3 == 0', 'n % 3 < 1', '!(n % 3 != 0)']

    def configure(number):
        world.config(transforms={'p': JSON, 'f': {'type': 'filter', 'inputs': ['p'],
                                                  'condition': conditions[number % 3]}},
                     sinks={'out': {**world.file_sink(encoding='raw'), 'inputs': ['f']}})
        return world.path('logflume.yaml')

    world.write('a.log', b'')
    agent = world.start(configure(0))
    n = 0
    for round_ in range(12):
        for _ in range(20):
            size = chance.randrange(1, 400)
            world.append('a.log', b''.join(b'{"n":%d}\n' % i for i in range(n, n + size)))
            n += size
            time.sleep(0.005)
        if round_ % 3 == 2:
            agent.kill()
            agent = world.start()
        else:
            configure(round_ + 1)
            agent.reload()
    wanted = [b'{"n":%d}' % i for i in range(0, n, 3)]
    until(lambda: len(world.out_lines()) >= len(wanted), lambda: f'{len(world.out_lines())} of {len(wanted)}', 30)
    assert world.out_lines() == wanted
    assert agent.stop() == 0


def test_a_live_line_passes_at_once_beside_a_backlog(world):
    world.config(include=[world.log('*.log')], transforms={'p': JSON, 'f': {
        'type': 'filter', 'inputs': ['p'], 'condition': 'has(live)'}},
        sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['f']}})
    world.write('live.log', b'')
    agent = world.start()
    world.write('big.log', b'{"n":1,"text":"%s"}\n' % (b'x' * 200) * 1_000_000)
    for n in range(5):
        begin = time.monotonic()
        world.append('live.log', b'{"live":%d}\n' % n)
        until(lambda: len(world.out_lines()) == n + 1, 'the live line', 10)
        assert time.monotonic() - begin < 5 * SLOW
    assert agent.stop() == 0


@pytest.mark.sanitizer
@pytest.mark.parametrize('encoding', ['json', 'raw'])
def test_a_disk_buffer_keeps_what_transforms_made(world, receiver, encoding):
    """Method: the server refuses all while events go to the buffer; the agent is killed, the file deleted, the
    transforms are taken out of the configuration: what comes is what they had made."""
    receiver.status = 503
    transforms = {'p': JSON, 'f': {'type': 'filter', 'inputs': ['p'], 'condition': 'n % 3 == 0'},
                  's': {'type': 'set', 'inputs': ['f'], 'fields': {'double': 'n * 2', 'at': 'timestamp("2026-01-02T03:04:05Z")'}}}
    sink = {'type': 'http', 'uri': receiver.uri, 'inputs': ['s'], 'encoding': encoding, 'buffer': {'type': 'disk'},
            'retry': {'initial': '10ms', 'max': '100ms'}, 'batch': {'linger': '20ms'}}
    world.config(transforms=transforms, sinks={'http': dict(sink)})
    count = 10_000
    world.write('a.log', b''.join(b'{"n":%d,"tags":["a",%d]}\n' % (n, n) for n in range(count)))
    agent = world.start()
    wanted = (count + 2) // 3
    until(lambda: agent.metrics().get('logflume_buffer_events', component='http') == wanted,
          lambda: agent.get('/metrics')[1])
    time.sleep(1.5)
    agent.kill()
    world.write('a.log', b'')
    agent = world.start(world.config(sinks={'http': {**sink, 'inputs': ['app']}}))
    receiver.status = 200
    until(lambda: len(receiver.lines()) >= wanted, lambda: f'{len(receiver.lines())} of {wanted}')
    assert len(receiver.lines()) == wanted
    if encoding == 'raw':
        assert receiver.lines() == [b'{"n":%d,"tags":["a",%d]}' % (n, n) for n in range(0, count, 3)]
    else:
        got = [json.loads(line) for line in receiver.lines()]
        assert [only(event, 'n', 'tags', 'double', 'at') for event in got] == [
            {'n': n, 'tags': ['a', n], 'double': 2 * n, 'at': '2026-01-02T03:04:05.000000000Z'}
            for n in range(0, count, 3)]
        assert all('message' not in event and event['file'] == world.log() for event in got)
    assert agent.stop() == 0


@pytest.mark.parametrize('transform, line, fields', [
    ({'type': 'parse_regex', 'pattern': r'^(?<level>\w+) (?<code>\d+) (?<text>.*)$', 'types': {'code': 'int'}},
     'WARN 12 it is', {'level': 'WARN', 'code': 12, 'text': 'it is'}),
    ({'type': 'parse_grok', 'pattern': '%{IP:client} %{ORDER:order} %{NUMBER:took:float}', 'patterns': {'ORDER': r'A\d+'}},
     '10.0.0.1 A17 0.5', {'client': '10.0.0.1', 'order': 'A17', 'took': 0.5}),
    ({'type': 'parse_apache', 'format': 'common'}, '::1 - - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/2.0" 404 -',
     {'remote_addr': '::1', 'remote_user': None, 'request': 'GET /x HTTP/2.0', 'method': 'GET', 'path': '/x',
      'protocol': 'HTTP/2.0', 'status': 404, 'body_bytes_sent': None, 'remote_logname': None,
      'time_local': '10/Oct/2026:13:55:36 +0000'}),
    ({'type': 'parse_key_value', 'pair_separator': ';', 'key_separator': ':', 'types': {'b': 'int'}}, 'a:x y;b:7', {'a': 'x y', 'b': 7}),
    ({'type': 'parse_csv', 'columns': ['a', 'b', 'c']}, '1,"x, ""y""",', {'a': '1', 'b': 'x, "y"', 'c': None}),
    ({'type': 'parse_syslog'}, '<34>1 2026-10-11T22:14:15.003Z web su - ID47 - failed', {
        'facility': 'auth', 'severity': 'crit', 'hostname': 'web', 'appname': 'su', 'procid': None, 'msgid': 'ID47',
        'structured_data': None, 'message': 'failed'}),
    ({'type': 'parse_klog'}, 'E0102 03:04:05.678901   17 server.go:42] no', {
        'level': 'error', 'thread_id': 17, 'source_file': 'server.go', 'source_line': 42, 'message': 'no'}),
    ({'type': 'parse_cri'}, '2026-01-02T03:04:05.678Z stderr F text', {'stream': 'stderr', 'partial': False, 'message': 'text'}),
    ({'type': 'parse_docker_json'}, r'{"log":"a \"b\"\n","stream":"stdout","time":"2026-01-02T03:04:05.678Z"}',
     {'stream': 'stdout', 'partial': False, 'message': 'a "b"'}),
], ids=lambda value: value['type'] if isinstance(value, dict) and 'type' in value else '')
def test_every_parser_in_an_agent(world, transform, line, fields):
    got = run(world, {'p': {**transform, 'inputs': ['app']}}, [line], 'p')
    assert without_base(got[0]) == fields


@pytest.mark.sanitizer
def test_what_is_redacted_leaves_neither_with_a_field_nor_with_the_line(world):
    world.write('a.log', b'{"who":"ann@example.com","n":1}\nplain bob@example.com text\n{"who":"nobody","n":4111111111111111}\n')
    clean = {'type': 'redact', 'inputs': ['p'], 'detect': ['email', 'credit_card'], 'replacement': '<{name}>'}
    late = {'type': 'parse_json', 'inputs': ['first'], 'on_error': 'keep'}
    world.config(transforms={'p': JSON, 'clean': clean, 'first': {**clean, 'inputs': ['app']}, 'late': late},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['clean']},
                        'raw': {**world.file_sink('raw.log'), 'inputs': ['clean'], 'encoding': 'raw'},
                        'parsed': {**world.file_sink('late.log', encoding='json'), 'inputs': ['late']}})
    agent = world.start()
    until(lambda: len(world.out_lines()) == len(world.out_lines('raw.log')) == len(world.out_lines('late.log')) == 3, 'events')
    assert [without_base(event) for event in events(world)] == [
        {'who': '<email>', 'n': 1}, {'message': 'plain <email> text'}, {'who': 'nobody', 'n': '<credit_card>'}]
    assert world.out_lines('raw.log') == [b'{"who":"<email>","n":1}', b'plain <email> text', b'{"who":"nobody","n":<credit_card>}']
    assert [without_base(event) for event in events(world, 'late.log')] == [
        {'who': '<email>', 'n': 1}, {'message': 'plain <email> text'}, {'message': '{"who":"nobody","n":<credit_card>}'}]
    assert 'late: syntax, as in: plain <email> text' in agent.stderr(), 'nor, behind it, with the log'
    assert agent.metrics().get('logflume_redacted_total', component='clean', detector='email') == 4, 'in a field and in the line'
    assert agent.stop() == 0
