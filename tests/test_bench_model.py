"""bench/model.py: what a pipeline can do on N cores, by bounds that can be worked out by hand."""
import sys

import pytest

from harness import TOP

sys.path.insert(0, str(TOP / 'bench'))
from model import Stage, predict, saturation_order  # noqa: E402

READ, SEND, RECEIVER = Stage('read', 0.2), Stage('send', 0.5), Stage('receiver', 0.3, limited=False)
ALL = [READ, SEND, RECEIVER]


def test_one_core_is_shared_by_all():
    prediction = predict(ALL, 1)
    assert prediction.saturated == 'cores' and prediction.throughput == pytest.approx(1.0)
    assert prediction.busy == pytest.approx({'read': 0.2, 'send': 0.5, 'receiver': 0.3})


def test_with_enough_cores_the_slowest_stage_is_the_limit():
    for cores in (4, 64):
        prediction = predict(ALL, cores)
        assert prediction.saturated == 'send' and prediction.throughput == pytest.approx(2.0)
    assert [stage.name for stage in saturation_order(ALL)] == ['send', 'receiver', 'read']


def test_more_threads_move_the_limit_to_the_next_stage():
    stages = [READ, Stage('send', 0.5, threads=4), RECEIVER]
    assert predict(stages, 64).saturated == 'receiver'
    assert predict(stages, 2).saturated == 'cores'


def test_a_quota_holds_the_agent_and_not_its_receiver():
    prediction = predict(ALL, 2, quota=0.35)
    assert prediction.saturated == 'quota' and prediction.throughput == pytest.approx(0.5)
    assert predict(ALL, 4, quota=2).saturated == 'send'


def test_waiting_for_a_disk_takes_a_thread_and_no_core():
    stages = [Stage('write', 0.1, wait=0.9), Stage('read', 0.2)]
    assert predict(stages, 1).saturated == 'write' and predict(stages, 1).throughput == pytest.approx(1.0)
    assert predict([Stage('write', 0.1, threads=4, wait=0.9), Stage('read', 0.2)], 1).saturated == 'cores'


def test_stages_that_need_nothing_are_no_pipeline():
    with pytest.raises(ValueError):
        predict([Stage('read', 0)], 2)
    assert saturation_order([Stage('read', 0), SEND]) == [SEND]
