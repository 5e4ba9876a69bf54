"""How long it takes to rank every schedule of 1 to 4 stages of MixSTE-243 by its operations.

The r of H2OT's Table 4 (189, 121, 81, 49, 27) before any of 8 blocks: 1,230 schedules. A sample is
traced as a whole and must give the same counts.
"""

import random
import time

import torch

from htpbench.measuring import counting
from htpbench.measuring.additive import METRICS, Costs, ranked
from htpbench.network.build import build
from htpbench.study.space import enumerated, size
from htpbench.study.study import Search

torch.set_num_threads(1)
for pruner, recoverer in (("tps", "tri"), ("tpc", "tra")):
    search = Search(
        backbone="mixste-243",
        pruners=[pruner],
        recoverers=[recoverer],
        stages=4,
        r=[27, 49, 81, 121, 189],
        sampler="brute",
    )
    start = time.process_time()
    order = ranked(enumerated(search))
    seconds = time.process_time() - start  # of one core, whatever else runs
    assert len(order) == size(search) == len({name for _, name in order})
    sample = random.Random(0).sample([name for _, name in order], 5)
    costs = Costs(sample[0])
    start = time.process_time()
    for combination in sample:
        with torch.device("meta"):
            traced = {one.metric: one.value for one in counting.measure(build(combination))}
        assert costs.of(combination) == {metric: traced[metric] for metric in METRICS}
    traced_s = (time.process_time() - start) / len(sample)
    (least, first), (most, last) = order[0], order[-1]
    print(
        f"{pruner} + {recoverer}: {len(order)} schedules in {seconds:.1f} s "
        f"({1e3 * seconds / len(order):.1f} ms each; {traced_s:.1f} s traced one by one), "
        f"{len(sample)} traced as a whole: equal"
    )
    print(f"  {least / 1e9:.1f} GFLOP {first}\n  {most / 1e9:.1f} GFLOP {last}")
