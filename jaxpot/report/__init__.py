"""A report: runs as one HTML file that needs no network and runs no code but its own.

`markup` escapes, `page` is the file, `curves`, `run` and `league` are its parts, `build` asks the
store for what they show.
"""

from jaxpot.report.build import report_page
from jaxpot.report.page import is_ours

__all__ = ["is_ours", "report_page"]
