"""What a pipeline can do on N cores, from what its stages need: the bottleneck bounds of operational analysis.

A stage is a group of threads: each gigabyte that goes through the pipeline takes `cpu` seconds of processor time in
it, on at most `threads` of them at once, and keeps a thread waiting for `wait` seconds more (an fdatasync). Cores are
what all stages share. In the long run no stage can work more than all the time, and all of them together not more
than the cores do; the least of these bounds is the throughput that a pipeline with enough in its rings comes near.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Stage:
    name: str
    cpu: float  # seconds a GB
    threads: int = 1
    wait: float = 0  # seconds a GB that its threads sleep within their work
    limited: bool = True  # counts against the quota, as the agent does; receivers and brokers do not


@dataclasses.dataclass(frozen=True)
class Prediction:
    throughput: float  # GB a second
    saturated: str  # what is at its limit then: 'cores', 'quota' or a stage
    busy: dict  # of each stage: how much of its threads' time it works then, 0 to 1


def predict(stages, cores, quota=None):
    """On `cores` cores, with at most `quota` of them for the stages that are limited."""
    bounds = {}
    total = sum(stage.cpu for stage in stages)
    limited = sum(stage.cpu for stage in stages if stage.limited)
    if total > 0:
        bounds['cores'] = cores / total
    if quota is not None and limited > 0:
        bounds['quota'] = quota / limited
    for stage in stages:
        if stage.cpu + stage.wait > 0:
            bounds[stage.name] = stage.threads / (stage.cpu + stage.wait)
    if not bounds:
        raise ValueError('no stage needs any time')
    saturated = min(bounds, key=bounds.get)
    throughput = bounds[saturated]
    busy = {stage.name: throughput * (stage.cpu + stage.wait) / stage.threads for stage in stages}
    return Prediction(throughput, saturated, busy)


def saturation_order(stages):
    """The stages by what each could do alone, the slowest first: with enough cores, the first is the limit."""
    return sorted((stage for stage in stages if stage.cpu + stage.wait > 0),
                  key=lambda stage: stage.threads / (stage.cpu + stage.wait))
