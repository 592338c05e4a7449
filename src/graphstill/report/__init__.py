"""Reports from the files of runs."""

from graphstill.report.pages import read_studies, update_pages
from graphstill.report.pairs import method_pairs, pairs_table
from graphstill.report.reading import read_results
from graphstill.report.studies import read_published, study_tables
from graphstill.report.tables import numbers, results_rows, results_table, update

__all__ = [
    "method_pairs",
    "numbers",
    "pairs_table",
    "read_published",
    "read_results",
    "read_studies",
    "results_rows",
    "results_table",
    "study_tables",
    "update",
    "update_pages",
]
