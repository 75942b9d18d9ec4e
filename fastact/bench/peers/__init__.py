"""Other engines beside fastact: the same weights, the same frames, the same maps, checked before they are timed.

| module | what it does |
| --- | --- |
| `rivals` | names the engines, and says how to get those that are not installed |
| `network` | a model's maps as plain arrays and numbers, which every engine is given |
| `engines`, `formats` | an adapter for each engine, and the files of models some of them read |
| `task`, `worker`, `turns` | what is computed; one engine in a process of its own; engines taking turns |
| `contest` | all of that for a report |

`benchmarks/`, the developers' side, measures with the same modules.
"""
