"""How fast training is here, against named baselines. Run `python -m benchmarks.speed`, see `docs/performance.md`.

case.py       what a case is, and the list of all      machine.py  copy bandwidth and matrix rate of this machine
measure.py    interleaved rounds, memory, in children  count.py    bytes and operations, counted from shapes
cases/        the cases, a file a subject              results.py  raw results: JSON lines, one file a suite run
ours.py       our training loop, step by step          page.py     the tables of docs/performance.md
pyg.py        the same networks in idiomatic PyG       marks.py    what was to be reached
plain.py      losses as their authors write them       plots.py    log-log plots as SVG, without a library
handmade.py   a GCN step written by hand in scipy      graphs.py   generated graphs
"""
