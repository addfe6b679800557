"""Where addresses are: a MaxMind DB file that is replaced, written over and damaged while an agent uses it."""
import json
import os
import time

import pytest

from harness import until
from mmdb import database
from test_transforms import JSON, events, run, without_base

LONDON = {'city': {'names': {'en': 'London', 'de': 'London (de)'}},
          'country': {'iso_code': 'GB', 'names': {'en': 'United Kingdom'}},
          'location': {'latitude': 51.5142, 'longitude': -0.0931, 'time_zone': 'Europe/London'},
          'subdivisions': [{'iso_code': 'ENG', 'names': {'en': 'England'}}]}
JAPAN = {'country': {'iso_code': 'JP'}, 'is_anycast': True}


def put(path, content):
    """As geoipupdate does it."""
    with open(path + '.new', 'wb') as file:
        file.write(content)
    os.rename(path + '.new', path)


@pytest.mark.parametrize('version', [4, 6])
def test_addresses_become_places(world, version):
    path = world.path('city.mmdb')
    put(path, database({'81.2.69.0/24': LONDON, **({'2001:218::/32': JAPAN} if version == 6 else {})}, version))
    got = run(world, {'p': JSON, 'g': {'type': 'geoip', 'inputs': ['p'], 'file': path, 'address': 'ip'}},
              ['{"ip":"81.2.69.142"}', '{"ip":"2001:218::5"}', '{"ip":"::ffff:81.2.69.1","city_name":"own"}',
               '{"ip":"8.8.8.8"}', '{"n":1}'], 'g')
    place = {'city_name': 'London', 'country_code': 'GB', 'country_name': 'United Kingdom', 'latitude': 51.5142,
             'longitude': -0.0931, 'region_code': 'ENG', 'region_name': 'England', 'time_zone': 'Europe/London'}
    japan = {'country_code': 'JP'} if version == 6 else {}
    assert [without_base(event) for event in got] == [
        {'ip': '81.2.69.142', **place}, {'ip': '2001:218::5', **japan}, {'ip': '::ffff:81.2.69.1', **place},
        {'ip': '8.8.8.8'}, {'n': 1}]


def test_any_value_of_a_database_and_an_address_that_is_computed(world):
    path = world.path('asn.mmdb')
    put(path, database({'81.2.0.0/16': {'autonomous_system_number': 20712, 'autonomous_system_organization': 'A & A',
                                        'traits': {'is_anycast': True, 'users': 5_000_000_000, 'score': -3}},
                        '2001:218::/32': {'autonomous_system_number': 2914}}, record_bytes=4))
    fields = {'nr': 'autonomous_system_number', 'anycast': 'traits.is_anycast', 'users': 'traits.users', 'score': 'traits.score'}
    got = run(world, {'p': JSON, 'g': {'type': 'geoip', 'inputs': ['p'], 'file': path, 'prefix': 'as_', 'missing': 'drop',
                                       'address': 'split(xff, ", ")[0]', 'fields': fields}},
              ['{"xff":"81.2.69.142, 10.0.0.1"}', '{"xff":"10.0.0.1"}', '{"xff":"2001:218::1"}', '{}'], 'g')
    assert [without_base(event) for event in got] == [
        {'xff': '81.2.69.142, 10.0.0.1', 'as_nr': 20712, 'as_anycast': True, 'as_users': 5_000_000_000, 'as_score': -3},
        {'xff': '2001:218::1', 'as_nr': 2914}]


@pytest.mark.sanitizer
def test_a_database_that_changes_and_breaks_meanwhile(world):
    path = world.path('city.mmdb')
    # Large enough that a truncation takes pages away that were mapped.
    filling = {f'10.{i // 256}.{i % 256}.0/24': {'country': {'iso_code': f'X{i}'}} for i in range(2000)}
    named = lambda code: database({**filling, '81.2.69.0/24': {'country': {'iso_code': code}}})
    put(path, named('AA'))
    world.config(transforms={'p': JSON, 'g': {'type': 'geoip', 'inputs': ['p'], 'file': path, 'address': 'ip',
                                              'fields': {'country': 'country.iso_code'}}},
                 sinks={'out': {**world.file_sink(encoding='json'), 'inputs': ['g']}})
    world.write('a.log', b'{"ip":"81.2.69.1"}\n{"ip":"8.8.8.8"}\n{"ip":"-"}\n{"ip":"what"}\n')
    agent = world.start()
    until(lambda: len(world.out_lines()) == 4, lambda: world.out().decode())
    assert [event.get('country') for event in events(world)] == ['AA', None, None, None]
    looked_up = lambda result: agent.metrics().get('logflume_geoip_events_total', component='g', result=result)
    errors = lambda reason: agent.metrics().get('logflume_component_errors_total', component='g', reason=reason)
    assert (looked_up('found'), looked_up('missed'), errors('not_an_address')) == (1, 3, 1)
    assert 'is Test-City of 2026-01-02' in agent.stderr()

    def expect(country):
        def seen():
            world.append('a.log', b'{"ip":"81.2.69.1"}\n')
            time.sleep(0.1)
            return events(world)[-1].get('country') == country
        until(seen, lambda: world.out_lines()[-1].decode())

    def until_noticed():
        before = errors('database') or 0

        def noticed():
            world.append('a.log', b'{"ip":"81.2.69.1"}\n')
            time.sleep(0.1)
            return (errors('database') or 0) > before
        until(noticed, 'the damage is noticed')
    put(path, named('BB'))
    expect('BB')
    # Written over in its place, as by cp: first there is nothing in it, then half of it.
    whole = named('CC')
    with open(path, 'wb') as file:
        until_noticed()
        file.write(whole[:len(whole) // 2])
        file.flush()
        until_noticed()
        expect('BB')
        file.write(whole[len(whole) // 2:])
    expect('CC')
    put(path, b'\xff' * 12 + whole[12:])
    until_noticed()
    assert f'{path}: node 0 of ' in agent.stderr() and 'the database that was there stays' in agent.stderr()
    expect('CC')
    os.unlink(path)
    until_noticed()
    expect('CC')
    put(path, named('DD'))
    expect('DD')
    assert agent.stop() == 0


def test_a_database_is_checked_with_the_configuration(world):
    path = world.path('city.mmdb')

    def said(**more):
        world.config(transforms={'g': {'type': 'geoip', 'inputs': ['app'], 'file': path, 'address': 'message', **more}},
                     sinks={'out': {'type': 'blackhole', 'inputs': ['g']}})
        done = world.call('validate', world.path('logflume.yaml'))
        return (done.returncode, done.stdout + done.stderr)
    code, text = said()
    assert code == 78 and 'No such file' in text
    put(path, b'no database')
    code, text = said()
    assert code == 78 and 'is no MaxMind DB file' in text
    put(path, database({'81.2.69.0/24': LONDON}))
    code, text = said()
    assert (code, 'warning' in text) == (0, False), text
    code, text = said(fields={'c': 'contry.iso_code', 'd': 'country.iso_code'})
    assert code == 0 and 'has nothing at contry.iso_code' in text and ', ' not in text.split('has nothing at')[1]
    code, text = said(fields={'c': 'country.names'})
    assert code == 78 and '"country.names" is a map or an array' in text
    code, text = said(fields={'c': 'country..names'})
    assert code == 78 and 'is no path' in text
    code, text = said(address='adress')
    assert code == 78 and 'there is no field "adress"' in text
    code, text = said(max_bytes=30)
    assert code == 78 and 'has more than 30 bytes' in text
    put(path, database({'81.2.69.0/24': {'carrier': 'x'}}))
    code, text = said()
    assert code == 0 and 'warning' in text and 'has nothing at' in text
