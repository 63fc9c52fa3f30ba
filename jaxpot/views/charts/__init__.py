"""Charts of recorded keys: from points to PNG, SVG, a page of its own, or a terminal.

`data` asks the database for few enough points, `spec` makes Vega-Lite of them, `render` makes
files of that, `terminal` draws with characters. What draws is imported when it draws.
"""

from jaxpot.views.charts.data import BANDS, X_AXES, Curve, curves, nothing_drawn
from jaxpot.views.charts.spec import chart, facets

__all__ = ["BANDS", "X_AXES", "Curve", "chart", "curves", "facets", "nothing_drawn"]
