"""Mutants: broken candidates of every kind, and which gate refuses which, beside honest retrains."""
