"""Reports from the files of runs."""

from graphstill.report.tables import read_results, results_rows, results_table, update

__all__ = ["read_results", "results_rows", "results_table", "update"]
