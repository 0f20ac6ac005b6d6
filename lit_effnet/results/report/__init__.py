"""One page of all sweeps: question, answer, figures, tables, and the runs behind them."""
