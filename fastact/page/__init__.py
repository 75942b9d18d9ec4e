"""The page that shows what every filter sees: the network, all maps, values and receptive fields, in a browser.

| module | in | out |
| --- | --- | --- |
| `columns` | models, their maps for a frame | what the page is told, as plain data |
| `alignment` | models | which of their layers stand side by side |
| `packing` | maps | bytes that a browser unpacks to the same values |
| `lanes` | which layer feeds which | the lines of the network's drawing |
| `html` | all that | one file that needs no network |
| `serve` | a tub | the same page, live |
| `telling` | the tub's frames, one by one | statistics for that page, while it is looked at |

Templates, style and scripts are files of their own in `templates/` and `static/`. The scripts are ES modules without
libraries; they are put into the page one after the other, in the order of `html.SCRIPTS`.
"""
