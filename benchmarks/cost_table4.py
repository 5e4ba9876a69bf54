"""How long and how much memory the costs of table 4 take, from nothing."""

import resource
import subprocess
import sys
import tempfile
import time

with tempfile.TemporaryDirectory() as folder:
    command = [sys.executable, "-m", "htpbench", "cost", "--study", "table4", "--format", "csv"]
    start = time.perf_counter()
    done = subprocess.run([*command, "--results", folder], capture_output=True, check=True)
    seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
rows = len(done.stdout.splitlines()) - 1
print(f"{rows} combinations: {seconds:.1f} s, peak {peak:.0f} MB (limits: 25 s, 2000 MB)")
