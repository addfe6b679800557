"""logflume test, try and graph: pipelines are written, looked at and tested without an agent."""
import json
import os
import pathlib
import xml.etree.ElementTree

import pytest

PIPELINE = {'p': {'type': 'parse_json', 'inputs': ['app']},
            'f': {'type': 'filter', 'inputs': ['p'], 'condition': 'status >= 500'},
            'r': {'type': 'route', 'inputs': ['f'], 'routes': {'gateway': 'status == 502'}}}
LINES = ['{"status":200,"who":"a"}', '{"status":502,"who":"b"}', '{"status":500,"who":"c"}', 'text']


def configured(world, tests=None):
    path = world.config(transforms=PIPELINE, sinks={'out': {**world.file_sink(), 'inputs': ['r.gateway', 'r._unmatched']}},
                        top={'tests': tests} if tests else None)
    return path


def case(**outputs):
    return {'insert_at': 'app', 'input': LINES, 'outputs': outputs}


def test_tests_pass_and_fail_with_what_differs(world):
    path = configured(world, {
        'fine': case(f={'count': 2, 'events': ['{"who":"b","status":502}', '{"status":500,"who":"c"}'],
                        'conditions': ['status >= 500', 'source == "app"']},
                     **{'r.gateway': {'events': ['{"status": 502, "who": "b", "source": "app"}']}}),
        'from the middle': {'insert_at': 'p', 'input': LINES[1], 'outputs': {'r._unmatched': {'count': 0}}}})
    done = world.call('test', path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '2 passed, 0 failed' in done.stdout

    path = configured(world, {'fine': case(p={'count': 4}),
                              'wrong': case(f={'count': 3, 'events': ['{"who":"b","status":503}'],
                                               'conditions': ['who == "b"']})})
    done = world.call('test', path)
    assert done.returncode == 1
    for text in ['ok     fine', 'FAILED wrong', 'f: 2 events, 3 expected', '- status: 503', '+ status: 502',
                 'event 2 is not expected', 'event 2 does not meet who == "b"', '1 passed, 1 failed']:
        assert text in done.stdout, text


@pytest.mark.parametrize('tests, said', [
    ({'a': {'insert_at': 'nobody', 'input': [], 'outputs': {'f': {'count': 1}}}}, 'there is no source or transform "nobody"'),
    ({'a': case(nobody={'count': 1})}, 'nothing has the name "nobody"'),
    ({'a': case(f={'cuont': 1, 'count': 1})}, 'did you mean "count"?'),
    ({'a': case(f={})}, 'nothing is expected of "f"'),
    ({'a': {'insert_at': 'app'}}, 'needs "outputs"'),
])
def test_tests_that_are_wrong_are_bad_configuration(world, tests, said):
    done = world.call('test', configured(world, tests))
    assert done.returncode == 78 and said in done.stderr, done.stderr


def test_an_agent_runs_with_tests_in_its_configuration(world):
    world.write('a.log', '\n'.join(LINES).encode() + b'\n')
    world.run_to_end(configured(world, {'fine': case(f={'count': 2})}))
    assert world.out_lines() == [line.encode() for line in LINES[1:3]]


def test_try_shows_the_columns_after_each_stage(world):
    done = world.call('try', '-c', configured(world), input='\n'.join(LINES))
    assert done.returncode == 0, done.stderr
    stages = done.stdout.split('\n\n')
    assert stages[0] == '4 lines' and 'p (parse_json): 4 events in' in stages[1] and '1 x syntax' in stages[1]
    rows = [line.split() for line in stages[1].splitlines()]
    assert ['message', 'status', 'who'] in rows and ['string', 'number', 'string'] in rows and ['502', 'b'] in rows
    assert '-> r.gateway: 1 events' in stages[3] and '-> r._unmatched: 1 events' in stages[3]


def test_try_with_transforms_of_the_command_line(world):
    done = world.call('try', '-t', 'parse_logfmt', '-t', '{type: set, fields: {b: "int(a) + 1"}}', input='a=1 c="x y"\n')
    assert done.returncode == 0, done.stderr
    assert ['1', 'x', 'y', '2'] in [line.split() for line in done.stdout.splitlines()]
    done = world.call('try', '-t', '{type: filter, condition: "a ="}', input='')
    assert done.returncode == 2 and 'condition' in done.stderr


def test_try_an_expression(world):
    assert world.call('try', '-e', '[1, 2].map(x, x * 2)', input='').stdout == '[2, 4]\n'
    done = world.call('try', '-t', 'parse_json', '-e', 'status / 2', input='\n'.join(LINES))
    assert done.stdout.splitlines() == ['100', '251', '250', 'error: no_such_field']
    done = world.call('try', '-e', 'siz("a")', input='')
    assert done.returncode == 2 and 'did you mean size?' in done.stderr


def test_the_graph_as_text_dot_and_svg(world):
    path = configured(world)
    text = world.call('graph', path).stdout
    for line in ['app (source file)', '`- p (transform parse_json)', 'reads status', '.gateway -> out (sink file)']:
        assert line in text, text
    assert '"r" -> "out" [label="gateway"];' in world.call('graph', '--format', 'dot', path).stdout
    svg = xml.etree.ElementTree.fromstring(world.call('graph', '--format', 'svg', path).stdout)
    texts = {element.text for element in svg.iter('{http://www.w3.org/2000/svg}text')}
    assert {'app', 'p', 'f', 'r', 'out', 'gateway', 'parse_json'} <= texts


EXAMPLES = sorted(pathlib.Path(__file__).parent.parent.joinpath('examples').glob('*.yaml'))


@pytest.mark.parametrize('example', EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right_and_pass_their_tests(world, example):
    done = world.call('test', example, env={**os.environ, 'LOGFLUME_DATA': world.path('data'), 'OUT': world.path()})
    assert done.returncode == 0, done.stdout + done.stderr
    assert ' 0 failed' in done.stdout and not done.stdout.startswith('0 passed'), 'an example has tests'
    assert 'warning' not in done.stderr, done.stderr
