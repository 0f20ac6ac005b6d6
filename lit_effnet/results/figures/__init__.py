"""One figure in each file: rows of results to matplotlib figures of a paper's column."""
