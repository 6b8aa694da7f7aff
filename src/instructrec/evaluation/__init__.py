"""How good the lists are: metrics, full-ranking protocol, intervals and tests, beyond accuracy, comparison, report."""
