"""`logflume detect`: it names the format of a log, and what it prints loads and parses it."""
import gzip
import json
import pathlib

import pytest

COMBINED = '203.0.113.7 - ann [10/Oct/2025:13:55:36 +0000] "GET /a?b=1 HTTP/1.1" 200 2326 "-" "Mozilla/5.0"'
LOG4J = '2026-11-29 13:10:23,562 INFO  [worker-63] com.example.Orders - order 17 placed'

LOGS = {
    'json': (['{"ts":"2026-01-02T03:04:05Z","level":"info","n":17}'] * 3, 'JSON', {'level': 'info', 'n': 17}),
    'nginx': ([COMBINED] * 3, 'nginx combined', {'remote_user': 'ann', 'status': 200, 'path': '/a?b=1'}),
    'pairs': (['ts=2026-01-02T03:04:05Z level=info status=200 took=1.5'] * 3, 'key=value', {'status': 200, 'took': 1.5}),
    'syslog': (['Nov  3 07:36:54 web-1 sshd[123]: Accepted publickey for ann'] * 3, 'syslog',
               {'appname': 'sshd', 'message': 'Accepted publickey for ann'}),
    'cri': (['2026-01-02T03:04:05Z stdout F {"level":"info","n":17}'] * 3, 'CRI, with JSON',
            {'stream': 'stdout', 'level': 'info', 'n': 17}),
    'csv': (['time,user,count'] + ['2026-01-02 03:04:05,ann,17'] * 3, 'CSV with a header', {'user': 'ann', 'count': 17}),
    'log4j': ([LOG4J, 'java.lang.RuntimeException: x', '\tat a.B.c(B.java:1)', LOG4J], 'log4j, logback',
              {'level': 'INFO', 'thread': 'worker-63', 'logger': 'com.example.Orders', 'message': 'order 17 placed'}),
    'docker': (['{"log":"up\\n","stream":"stderr","time":"2026-01-02T03:04:05.5Z"}'] * 3, 'Docker json-file',
               {'stream': 'stderr', 'partial': False, 'message': 'up', 'timestamp': '2026-01-02T03:04:05.500000000Z'}),
    'docker_parts': (['{"log":"{\\"level\\":","stream":"stderr","time":"2026-01-02T03:04:05.5Z"}',
                      '{"log":"\\"info\\"}\\n","stream":"stderr","time":"2026-01-02T03:04:06.5Z"}'], 'Docker json-file, with JSON',
                     {'stream': 'stderr', 'partial': False, 'level': 'info', 'timestamp': '2026-01-02T03:04:05.500000000Z'}),
    'plain': (['nothing', 'that is', 'known here'], 'plain text', {'message': 'known here'}),
}


def needs(world, config):
    schema = world.call('schema').stdout
    for word in ('parse_grok', 'parse_docker_json'):
        if word in config and word not in schema:
            pytest.skip(f'this build has no {word} yet')


@pytest.mark.parametrize('name', LOGS)
def test_what_it_prints_parses_the_file(world, name):
    lines, format_name, expected = LOGS[name]
    log = pathlib.Path(world.dir) / 'logs' / 'a.log'
    log.write_text(''.join(line + '\n' for line in lines))
    done = world.call('detect', log)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'# {format_name}: {len(lines)} lines'), done.stdout
    needs(world, done.stdout)
    config = pathlib.Path(world.dir) / 'detected.yaml'
    config.write_text(done.stdout + f'data_dir: {world.path("data")}\n')
    ran = world.run_to_end(config)
    last = json.loads(ran.stdout.splitlines()[-1])
    assert {key: last.get(key) for key in expected} == expected


def test_json_has_the_same_configuration(world):
    log = pathlib.Path(world.dir) / 'logs' / 'a.log'
    log.write_text((COMBINED + '\n') * 20)
    answer = json.loads(world.call('detect', log, '--json').stdout)
    assert answer['config'] in world.call('detect', log).stdout
    assert (answer['format'], answer['lines'], answer['events'], answer['accepted']) == ('nginx combined', 20, 20, 1)
    assert {'name': 'status', 'type': 'int', 'sample': '200', 'events': 20} in answer['fields']
    assert 'Apache combined' in [other['format'] for other in answer['others']]


def test_a_relative_name_and_what_is_in_the_lines_do_no_harm(world):
    log = pathlib.Path(world.dir) / 'logs' / 'odd name.log'
    log.write_text('{"a\\n#b":"\\u001b[31m","${HOME}":1}\n')
    done = world.call('detect', 'logs/odd name.log', cwd=world.dir)
    assert done.returncode == 0, done.stderr
    assert '\x1b' not in done.stdout
    config = pathlib.Path(world.dir) / 'detected.yaml'
    config.write_text(done.stdout)
    assert world.call('validate', config).returncode == 0
    assert f'"{log}"' in done.stdout


def test_files_that_it_cannot_look_at(world):
    directory = pathlib.Path(world.dir)
    done = world.call('detect', directory / 'none.log')
    assert done.returncode == 1 and 'No such file' in done.stderr and done.stdout == ''
    done = world.call('detect', directory)
    assert done.returncode == 1 and 'no regular file' in done.stderr
    with gzip.open(directory / 'a.log.gz', 'wt') as packed:
        packed.write(COMBINED + '\n')
    done = world.call('detect', directory / 'a.log.gz')
    assert done.returncode == 1 and 'compressed' in done.stderr
    (directory / 'empty.log').write_text('')
    done = world.call('detect', directory / 'empty.log')
    assert done.returncode == 0 and done.stdout.startswith('# The file has no line yet.\n')
    assert world.call('detect').returncode == 2
