"""Show runs to people: live displays, comparisons, charts, reports.

`dashboard` and `plain` are observers of a run; both keep its state in `progress`. `watching` shows
another process's run to them, by a `replay` of its journal. `compare` compares recorded runs,
`curves` reads their points, `charts` and `text_chart` draw these, `report` puts it all on a page.
"""
