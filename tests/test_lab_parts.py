"""The experiments of `logflume lab` about waiting, handing over, scanning and compressing, in short forms: that they
run here, say what they measured and draw conclusions. What the figures are is for the machine to say."""
import json
import os
import pathlib
import random
import resource

import pytest


def lab(world, *arguments, **more):
    done = world.call('lab', '--json', *arguments, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(report, **settings):
    found = []
    for row in report['rows']:
        values = dict(zip(report['settings'], row['settings']))
        if all(values[name] == value for name, value in settings.items()):
            found.append(row)
    return found


def check_shape(report, name):
    assert report['experiment'] == name
    assert report['machine']['cores'] >= 1
    assert report['advice'] and all(sentence.endswith('.') for sentence in report['advice'])
    assert report['plots']
    for row in report['rows']:
        assert len(row['settings']) == len(report['settings'])
        assert row['error'] or row['figures'], row
        for figure in row['figures'].values():
            assert figure['low'] <= figure['median'] <= figure['high']


def test_ring_compares_queues_where_processors_are(world):
    report = lab(world, 'ring', '--time', '2ms', '--repeat', 3)
    check_shape(report, 'ring')
    assert not [row for row in report['rows'] if row['error']]
    queues = {row['settings'][0] for row in report['rows']}
    assert {'SPSC ring', 'SPSC, unpadded', 'MPMC ring', 'Boost spsc_queue', 'Boost queue', 'moodycamel',
            'mutex and deque', 'sleep: eventfd'} <= queues
    hop = rows(report, queue='SPSC ring', where='one thread')[0]['figures']
    assert 0 < hop['time']['median'] < 1e-5
    if len(os.sched_getaffinity(0)) > 1:
        places = {row['settings'][1] for row in report['rows']}
        assert places & {'siblings', 'two cores', 'two caches', 'two sockets'} and '2 to 2 threads' in places


def test_ring_on_one_processor_says_nothing_of_several(world):
    one = {min(os.sched_getaffinity(0))}
    report = lab(world, 'ring', '--time', '1ms', '--repeat', 3, preexec_fn=lambda: os.sched_setaffinity(0, one))
    check_shape(report, 'ring')
    assert {row['settings'][1] for row in report['rows']} == {'one thread', 'one processor'}


def test_scan_knows_the_instruction_sets_and_layouts(world):
    report = lab(world, 'scan', '--time', '1ms', '--repeat', 3)
    check_shape(report, 'scan')
    assert not [row for row in report['rows'] if row['error']]
    count, index = ({row['settings'][1] for row in rows(report, work=work)} for work in ('count lines', 'index lines'))
    assert {'byte by byte', 'std::count'} < count and {'byte by byte', 'std::find', 'memchr'} < index
    assert rows(report, work='bump counters', of='1 thread')
    if len(os.sched_getaffinity(0)) > 1:
        assert rows(report, work='bump counters', of='2 threads')


def test_concurrency_waits_for_as_many_as_the_limit_allows(world):
    report = lab(world, 'concurrency', '--repeat', 3,
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300)))
    check_shape(report, 'concurrency')
    assert {row['settings'][0] for row in report['rows']} == {
        'threads', 'C++20 coroutines', 'Boost.Asio coroutines', 'event loop'}
    for row in report['rows']:
        assert row['figures']['readers']['median'] == 236
        assert 0 < row['figures']['p50']['median'] <= row['figures']['p99']['median']
    assert any('not 10000: the hard limit of open files is 300' in sentence for sentence in report['advice'])


def test_compress_measures_the_file_that_is_named(world):
    path = pathlib.Path(world.dir) / 'own.log'
    random.seed(1)
    path.write_text(''.join(f'2026-11-29 INFO user={random.randrange(10**9)} did it\n' for _ in range(20_000)))
    report = lab(world, 'compress', path, '--repeat', 3, '--link', '1Gbit')
    check_shape(report, 'compress')
    assert not [row for row in report['rows'] if row['error']]
    assert {'snappy', 'lz4', 'zstd 1', 'zstd 3', 'gzip 6', 'gzip ISA-L 1'} <= {row['settings'][0] for row in report['rows']}
    for row in report['rows']:
        assert 1 < row['figures']['ratio']['median'] < 20
    assert any(sentence.startswith('Over 1 Gbit/s: http carries') for sentence in report['advice'])
    assert any('own.log' in sentence for sentence in report['advice'])


@pytest.mark.parametrize('arguments, what', [
    (('compress', '/nowhere/at/all.log'), 'no such file'),
    (('compress', '--link', '100'), '--link: "100" is not the speed of a link'),
    (('compress', '--link', '100Mb'), 'write Mbit or MB'),
])
def test_bad_input_is_explained(world, arguments, what):
    done = world.call('lab', *arguments)
    assert done.returncode in (1, 2) and what in done.stderr, done.stderr


def test_an_empty_file_is_no_file_to_compress(world):
    path = pathlib.Path(world.dir) / 'empty.log'
    path.write_text('')
    done = world.call('lab', 'compress', path)
    assert done.returncode == 1 and 'empty' in done.stderr
