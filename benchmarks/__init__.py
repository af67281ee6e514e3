"""What Sluice costs, measured. `make bench`, or one at a time: `python -m benchmarks.retrain`."""
