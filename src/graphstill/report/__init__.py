"""Reports from the files of runs."""

from graphstill.report.pages import read_studies, update_pages
from graphstill.report.studies import read_published, study_tables
from graphstill.report.tables import numbers, read_results, results_rows, results_table, update

__all__ = [
    "numbers",
    "read_published",
    "read_results",
    "read_studies",
    "results_rows",
    "results_table",
    "study_tables",
    "update",
    "update_pages",
]
