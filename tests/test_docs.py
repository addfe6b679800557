"""What the documents show is what happens: each configuration in docs/tutorial.md is valid and passes its tests, and its
commands print what stands below them.

A block `log NAME` or `yaml NAME` is that file, and a line `$ COMMAND` of a block `console` is run in the folder that holds
them. LOGFLUME_DOCS=write puts what was printed into the document."""
import os
import pathlib
import re
import subprocess

import pytest

from harness import BINARY, SLOW

TUTORIAL = pathlib.Path(__file__).parent.parent / 'docs' / 'tutorial.md'
FENCE = re.compile(r'^```(\w+)(?: (\S+))?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def blocks(text):
    return [(match.group(1), match.group(2), match.group(3), match) for match in FENCE.finditer(text)]


def elsewhere(text, folder, broker):
    """As on the machine of the document."""
    text = text.replace(str(folder), '/home/you/shop').replace(broker, '127.0.0.1:9092').replace(os.uname().nodename, 'web-1')
    return '\n'.join(line.rstrip() for line in text.splitlines())


def equal(expected, got):
    """But for how long something took."""
    without_times = lambda text: re.sub(r'\d+\.\d us\b', 'us', text)
    return without_times(expected) == without_times(got)


def commands(body):
    """Each with the output below it."""
    found = []
    for line in body.splitlines():
        if line.startswith('$ '):
            found.append([line[2:], []])
        elif found and found[-1][0].endswith('\\') and not found[-1][1]:
            found[-1][0] += '\n' + line
        else:
            found[-1][1].append(line)
    return [(command, '\n'.join(output)) for command, output in found]


def test_every_configuration_is_valid_and_passes_its_tests(world):
    configurations = [body for language, _, body, _ in blocks(TUTORIAL.read_text()) if language == 'yaml']
    assert configurations
    for body in configurations:
        path = pathlib.Path(world.path('docs.yaml'))
        path.write_text(body)
        done = world.call('validate', path, cwd=world.dir)
        assert done.returncode == 0 and 'warning' not in done.stderr, body + done.stdout + done.stderr
        if re.search('^tests:', body, re.MULTILINE):
            done = world.call('test', path, cwd=world.dir)
            assert done.returncode == 0 and not done.stdout.startswith('0 passed'), done.stdout + done.stderr


def test_commands_print_what_stands_below_them(world, broker):
    text = TUTORIAL.read_text()
    folder = pathlib.Path(world.dir) / 'shop'
    folder.mkdir()
    environment = {**os.environ, 'PATH': f'{world.path("bin")}:{os.environ["PATH"]}', 'NO_COLOR': '1'}
    there = lambda what: what.replace('127.0.0.1:9092', broker.address())
    os.mkdir(world.path('bin'))
    os.symlink(BINARY, world.path('bin', 'logflume'))
    printed, differences = [], []
    for language, name, body, match in blocks(text):
        if name is not None:
            (folder / name).write_text(there(body))
        if language != 'console':
            continue
        block = ''
        for command, expected in commands(body):
            done = subprocess.run(['bash', '-c', there(command)], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60 * SLOW)
            got = elsewhere(done.stdout, folder, broker.address())
            assert done.returncode == 0, f'{command}\n{got}'
            if not equal(expected, got):
                differences.append(f'$ {command}\n{got}\n--- the document says\n{expected}')
            block += f'$ {command}\n' + (got + '\n' if got else '')
        printed.append((match, block))
    if os.environ.get('LOGFLUME_DOCS') == 'write':
        for match, block in reversed(printed):
            text = text[:match.start(3)] + block + text[match.end(3):]
        TUTORIAL.write_text(text)
        return
    assert not differences, '\n\n'.join(differences)
