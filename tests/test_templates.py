"""Paths of the file sink by fields of events: each event is in one file once, whatever the fields say and whenever the
agent dies."""
import json
import os
import random
import time

import pytest

from harness import until
from test_transforms import JSON


def by_field(world, path, **more):
    return {**world.file_sink(path), 'inputs': ['p'], **more}


def files_below(world, directory):
    root = world.path(directory)
    return {os.path.relpath(os.path.join(at, name), root): open(os.path.join(at, name), 'rb').read().decode().splitlines()
            for at, _, names in os.walk(root) for name in names}


@pytest.mark.sanitizer
def test_events_go_to_files_by_their_fields(world):
    lines = ['{"level":"INFO","user":{"id":7}}', '{"level":"ERROR","user":{"id":8}}', '{"level":"INFO","user":{"id":7},"n":1}',
             '{"user":{"id":7}}', '{"level":null}', 'no JSON', '{"level":"ERROR","user":{"id":8},"n":2}']
    world.write('a.log', '\n'.join(lines) + '\n')
    world.config(transforms={'p': JSON}, sinks={'out': by_field(world, 'by/{{ level ?? none }}/{{ user.id }}-{{ source }}.log')})
    world.run_to_end()
    assert files_below(world, 'by') == {
        'INFO/7-app.log': [lines[0], lines[2]], 'ERROR/8-app.log': [lines[1], lines[6]], 'none/7-app.log': [lines[3]],
        'none/_-app.log': [lines[4], lines[5]]}
    graph = world.call('graph', world.path('logflume.yaml')).stdout
    assert 'asked for level' in graph and 'user' in graph, 'a raw sink asks for the fields of its path alone'


@pytest.mark.sanitizer
def test_what_a_field_says_leads_nowhere_else(world):
    values = ['../../../escaped', '..', '.', '', '/etc/passwd', 'a\u0000b', 'x' * 5000, '\u20ac' * 300, '%Y', '{{ host }}',
              'a\nb', '-', '~', 'CON']
    world.write('a.log', ''.join(json.dumps({'v': value}) + '\n' for value in values))
    world.config(transforms={'p': JSON}, sinks={'out': by_field(world, 'by/{{ v }}/{{ v }}{{ v }}.json', encoding='json')})
    before = set(os.listdir(world.path()))
    world.run_to_end()
    found = files_below(world, 'by')
    assert set(os.listdir(world.path())) - before <= {'by', 'data'}
    assert all(path.count('/') == 1 for path in found)
    assert sorted(json.loads(line)['v'] for lines in found.values() for line in lines) == sorted(values)
    directories = {path.split('/')[0] for path in found}
    assert {'_', '.._.._.._escaped', '_etc_passwd', 'a_b', 'x' * 200, '%Y', '{{ host }}', '~'} <= directories


@pytest.mark.sanitizer
@pytest.mark.parametrize('buffer', ['memory', 'disk'])
def test_kill_9_leaves_each_event_once_in_its_file(world, buffer):
    moments = random.Random(11)
    count = 0
    sink = by_field(world, 'by/{{ k }}.log', max_open_files=4, buffer={'type': buffer})
    world.config(transforms={'p': JSON}, sinks={'out': sink})
    world.write('a.log', b'')
    line = lambda n: '{"n":%d,"k":"%s"}' % (n, n * 7919 % 6 if n % 50 else 'rare%d' % (n // 50 % 9))
    for _ in range(6):
        agent = world.start(ready=False)
        deadline = time.monotonic() + moments.uniform(0.3, 1.2)
        while time.monotonic() < deadline:
            world.append('a.log', ''.join(line(n) + '\n' for n in range(count, count + 500)).encode())
            count += 500
            time.sleep(0.02)
        agent.kill()
    agent = world.start()
    total = lambda: sum(len(lines) for lines in files_below(world, 'by').values())
    until(lambda: total() >= count, lambda: f'{total()} of {count} lines', 60)
    assert agent.stop() == 0
    found = files_below(world, 'by')
    assert sorted(one for lines in found.values() for one in lines) == sorted(line(n) for n in range(count))
    for path, lines in found.items():
        numbers = [json.loads(one)['n'] for one in lines]
        assert numbers == sorted(numbers), f'{path} is in order'


@pytest.mark.sanitizer
def test_too_many_values_are_kept_together_and_counted(world):
    world.write('a.log', ''.join('{"id":%d}\n' % n for n in range(1000)))
    world.config(transforms={'p': JSON}, sinks={'out': by_field(world, 'by/{{ id ?? rest }}.log', max_open_files=10)})
    agent = world.start()
    until(lambda: sum(map(len, files_below(world, 'by').values())) == 1000, 'all lines are there')
    errors = agent.metrics().get('logflume_component_errors_total', component='out', reason='too_many_outputs')
    found = files_below(world, 'by')
    assert len(found['rest.log']) == errors and len(found) == 1000 - errors + 1
    assert 'go where events without these fields go' in agent.stderr()
    assert agent.stop() == 0


def test_validate_knows_which_fields_there_can_be(world):
    web = {'type': 'parse_nginx', 'inputs': ['app'], 'format': 'combined', 'on_error': 'drop'}

    def said(path, transform=None, **more):
        world.config(transforms={'p': transform} if transform else None,
                     sinks={'out': {**world.file_sink(path), **({'inputs': ['p']} if transform else {}), **more}})
        done = world.call('validate', world.path('logflume.yaml'))
        return done.returncode, done.stdout + done.stderr
    code, text = said('{{ status }}.log', web)
    assert code == 0, text
    code, text = said('{{ statsu }}.log', web)
    assert code == 78 and 'path: unknown field "statsu"' in text and 'did you mean "status"?' in text
    code, text = said('{{ level }}.log', JSON)
    assert code == 0, 'JSON may have any'
    code, text = said('{{ level }}.log')
    assert code == 78 and 'path: unknown field "level"' in text
    code, text = said('{{ level level }}.log', JSON)
    assert code == 78 and 'unknown field "level level"' in text
    code, text = said('{{ host ?? x }}.log', JSON)
    assert code == 78 and '"host" is always there' in text
