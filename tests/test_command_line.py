"""Wrong command lines: exit 2, and the wrong word by its name."""
import pytest


@pytest.mark.parametrize('arguments, said', [
    (['nope'], 'logflume: unknown command "nope"'),
    (['rnu'], 'logflume: unknown command "rnu": did you mean "run"?'),
    (['run', '--confg', 'x'], 'logflume run: unknown option "--confg": did you mean "--config"?'),
    (['run', '--confg=x'], 'logflume run: unknown option "--confg": did you mean "--config"?'),
    (['schema', 'x'], 'logflume schema: unknown argument "x"'),
    (['run'], 'logflume run: --config is required'),
    (['generate', '--lines', '-1', '--out', 'x'], '--lines: -1 is negative'),
])
def test_a_wrong_word_is_named(world, arguments, said):
    done = world.call(*arguments, timeout=10, cwd=world.dir)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ''
