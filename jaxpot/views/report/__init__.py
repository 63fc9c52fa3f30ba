"""A report: runs as one HTML file that needs no network and runs no code but its own.

`templates` are the pages, `page` renders them, `figures` are their charts, `build` asks the store
for what a report shows.
"""

from jaxpot.views.report.build import report_page
from jaxpot.views.report.page import is_ours

__all__ = ["is_ours", "report_page"]
