"""Tasks: data and a question. What an item is, by what it is judged, how batches are drawn."""
