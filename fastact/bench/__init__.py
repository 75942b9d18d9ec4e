"""What a model costs on this machine: measured, kept as JSON, told in words, drawn.

| module | what it does |
| --- | --- |
| `machine`, `sensors` | say what machine this is, and how it fared: clocks, load, heat, power |
| `peak` | measures the machine: multiply-adds a second, bytes a second |
| `runner`, `rounds`, `measure`, `fresh` | measure a model: frames, layers, a fresh process |
| `steadiness` | says what disturbed the times |
| `peers` | other engines beside fastact: adapters, and processes that take turns |
| `project` | estimates what boards may need |
| `times`, `result` | hold what was measured; to JSON and back |
| `words`, `tables`, `plots`, `plots_beside`, `svg`, `pictures`, `markdown`, `html` | tell it |
| `compare` | sets two reports side by side |
"""
